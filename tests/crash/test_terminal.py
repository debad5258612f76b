"""Random keys, pastes, resizes, stops and signals at each kind of prompt, under bash and without a shell.

No secret may be shown, no answer recorded that was not given, and no terminal left changed.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import termios
import time
from pathlib import Path

import pexpect
import pytest
from tests.crash.trials import SEED, quick_directory, record, trials
from tests.glass import Glass

import retoma

pytestmark = pytest.mark.alone

KINDS = {
    "text": "type: question\nto: end\n---\nName?\n",
    "menu": "options: [{text: one, to: end}, {text: two, to: end}, {text: three, to: end}]\n---\nWhich?\n",
    "confirm": "input_type: confirm\nto: end\n---\nSure?\n",
    "secret": "input_type: secret\nsave_to: pin\nto: end\n---\nPin?\n",
    "consent": "do: wipe\nto: end\non_denied: end\n---\nWipe?\n",
}
ENDS = {"\r": 0, "\x03": 130, "\x1c": 131, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGQUIT: 131}
YES, WORDS = {"y", "yes", "s", "sim", "true", "1"}, ("y", "n", "s", "x", "i", "世", "é", "ש")
DRAWN = "\x1b[?2004h"


class Trial:
    """One prompt of a kind. `text` is what its line must hold, `sure` what may answer of it, `said` all output."""

    def __init__(self, place: Path, chance: random.Random, kind: str, *, shell: bool) -> None:
        self.chance, self.kind, self.shell, self.place = chance, kind, shell, place
        self.text, self.at, self.secret = "", 0, "".join(chance.choices("ghjkqwvz", k=12))
        self.moved = False  # an arrow key put the text there, so that the next key replaces it
        self.glass, self.said = Glass(80), ""
        (place / "flow").mkdir(parents=True)
        (place / "flow" / "start.md").write_text(f"---\n{KINDS[kind]}")
        (place / "flow" / "end.md").write_text("Over.\n")
        (place / "tools.yaml").write_text(
            f"tools:\n  - {{name: wipe, command: touch, args: [{place}/wiped]}}\n"
        )
        (place / "inputrc").write_text("set enable-bracketed-paste off\n")
        run = [sys.executable, "-m", "retoma", "--store", str(place / "s.db"), "run", str(place / "flow")]
        run += ["--session", "s", "--tools", str(place / "tools.yaml")]
        environ = {
            **os.environ,
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "INPUTRC": str(place / "inputrc"),
            "PS1": "@@ ",
        }
        command = ["bash", "--norc", "--noprofile", "-i"] if shell else run
        self.child = pexpect.spawn(
            command[0], command[1:], env=environ, encoding="utf-8", timeout=30, dimensions=(24, 80)
        )
        self.child.delaybeforesend = None
        self.pid = self.child.pid
        self.before = termios.tcgetattr(self.child.child_fd)
        if shell:
            self.wait("@@ ")
            self.before = self.settings()
            self.child.send(f"sh -c 'echo pid=$$; exec {' '.join(run)}'\n")
            self.wait(re.compile(r"pid=(\d+)\r"))
            self.pid = int(self.child.match[1])
        self.wait(DRAWN)

    def wait(self, wanted: object) -> None:
        if isinstance(wanted, str):
            self.child.expect_exact(wanted)
        else:
            self.child.expect(wanted)
        self.take(self.child.before + (self.child.after if isinstance(self.child.after, str) else ""))

    def take(self, said: str) -> None:
        self.said += said
        self.glass.feed(said)

    def settings(self) -> str:
        self.child.send("stty -g; echo status=$?\n")
        self.wait(re.compile(r"\n([0-9a-f:]{30,})\r\n"))
        found = self.child.match[1]
        self.wait("status=0\r\n@@ ")
        return found

    def sync(self) -> None:
        """Wait until the keys are read: what is left would be read by the shell. Ctrl+L draws the prompt again."""
        self.child.send("\x0c")
        self.wait("\x1b[2J")

    # Actions; each changes `text` as it must change the line

    def act(self) -> None:
        self.chance.choice((self.type, self.type, self.type, self.edit, self.paste, self.resize, self.stop))()

    def insert(self, text: str) -> None:
        self.text = self.text[: self.at] + text + self.text[self.at :]
        self.at += len(text)

    def type(self) -> None:
        if self.kind == "menu" and self.chance.random() < 0.7:
            key = self.chance.choice(("\x1b[A", "\x1b[B"))
            marked = int(self.text) if self.text in ("1", "2", "3") else 0
            marked = (marked % 3) + 1 if key == "\x1b[B" else (marked - 1 if marked > 1 else 3)
            self.text, self.at = str(marked), 1
            self.child.send(key)
            self.moved = True
            return
        word = self.secret if self.kind == "secret" else self.chance.choice(WORDS)
        if self.kind == "menu" and self.moved:
            self.text, self.at = "", 0
        self.moved = False
        self.child.send(word)
        self.insert(word)

    def edit(self) -> None:
        if "\n" in self.text:
            return
        key = self.chance.choice(("\x01", "\x05", "\x7f", "\x15", "\x0f", "\x1b#", "\x1b[3;5~", "\x1bOP"))
        before = self.text
        self.child.send(key)
        match key:
            case "\x01":
                self.at = 0
            case "\x05":
                self.at = len(self.text)
            case "\x7f" if self.at:
                self.text, self.at = self.text[: self.at - 1] + self.text[self.at :], self.at - 1
            case "\x15":
                self.text, self.at = self.text[self.at :], 0
            case "\x1b[3;5~":
                self.text = self.text[: self.at] + self.text[self.at + 1 :]
        self.moved = self.moved and self.text == before

    def paste(self) -> None:
        word = self.secret if self.kind == "secret" else self.chance.choice(("y", "a b", "sim"))
        self.child.send(f"\x1b[200~{word}\r\ny\r{word}\n\x1b[201~")
        if self.kind != "consent":
            if self.kind == "menu" and self.moved:
                self.text, self.at = "", 0
            self.moved = False
            self.insert(f"{word}\ny\n{word}")

    def resize(self) -> None:
        self.child.setwinsize(self.chance.choice((6, 24, 40)), self.chance.choice((20, 40, 80, 120)))

    def stop(self) -> None:
        number = self.chance.choice((None, signal.SIGTSTP, signal.SIGSTOP))
        if not self.shell and number is not signal.SIGSTOP:
            return  # nothing stops where no shell could continue it
        if number is None:
            self.child.send("\x1a")
        else:
            self.sync()
            os.kill(self.pid, number)
        if self.shell:
            self.wait("@@ ")
            self.child.send("fg\n")
        else:
            while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                os.sched_yield()
            while True:
                try:
                    self.take(self.child.read_nonblocking(65536, timeout=0))
                except pexpect.TIMEOUT:
                    break
            os.kill(self.pid, signal.SIGCONT)
        self.wait(DRAWN)

    # The end

    def end(self) -> None:
        how = self.chance.choice(("\r", "\r", *ENDS))
        if isinstance(how, str):
            self.child.send(how)
        else:
            self.sync()
            os.kill(self.pid, how)
        answer = self.text if how == "\r" else None
        again = answer is not None and not self.accepted(answer)
        if again:
            self.wait(re.compile("Please "))
            self.wait(DRAWN)
            self.child.send("\x04")
        if self.shell:
            self.wait("@@ ")
            assert self.settings() == self.before
        else:
            self.wait(pexpect.EOF)
            assert termios.tcgetattr(self.child.child_fd) == self.before
            self.child.close()
            assert self.child.exitstatus == (3 if again else ENDS[how])
        if not isinstance(how, str):
            assert ">>> Interrupted at" in self.said or ">>> Stopped at" in self.said
        assert not {"?2004", "?1049"} & self.glass.modes and "?25" in self.glass.modes
        assert not re.search("|".join(self.secret[at : at + 4] for at in range(9)), self.said)
        self.compare(answer)

    def accepted(self, answer: str) -> bool:
        word = answer.strip()
        match self.kind:
            case "menu":
                return word in ("1", "2", "3")
            case "confirm":
                return word in (YES | {"n", ""})
            case "consent":
                return word in (YES | {"n", ""})
        return True

    def compare(self, answer: str | None) -> None:
        with retoma.open(str(self.place / "s.db")) as client:
            kept = [one.data["input"] for one in client.session("s").events() if one.type == "flow.input"]
        if self.kind == "consent":
            wiped = answer is not None and answer.strip() in YES
            assert ((self.place / "wiped").exists(), kept) == (wiped, [])
        elif self.kind == "secret":
            assert kept == ([{"secret": True}] if answer is not None else [])
        else:
            assert kept == ([answer] if answer is not None else [])


def tried(number: int) -> None:
    chance = random.Random(SEED + number)
    kind, shell = list(KINDS)[number % len(KINDS)], bool(number // len(KINDS) % 2)
    with quick_directory() as place:
        trial = Trial(place, chance, kind, shell=shell)
        try:
            for _ in range(chance.randrange(9)):
                trial.act()
            trial.end()
        except BaseException as error:
            error.add_note(f"trial {number}, {kind}, shell {shell}\n{trial.said[-600:]!r}\n{trial.text!r}")
            raise
        finally:
            trial.child.close(force=True)


def test_no_secret_is_shown_no_answer_made_up_no_terminal_left_changed(tell):
    began, done = time.monotonic(), 0
    for number in trials(300 * len(KINDS)):
        tried(number)
        done += 1
    tell(record("terminal", f"{done:,} sequences at a prompt: no secret shown, no answer made up", began))
