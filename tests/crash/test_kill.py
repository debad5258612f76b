"""`retoma run`, killed with SIGKILL at any moment: what was acknowledged is there, once; the next run goes on there.

The full count is 200 (`make crash`); a plain run does a seeded tenth and prints the seed.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

TRIALS = 200
FULL = bool(os.environ.get("RETOMA_CRASH_FULL"))
SEED = int(os.environ.get("RETOMA_CRASH_SEED", "0")) or random.randrange(1 << 30)


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    directory = tmp_path / "loop"
    directory.mkdir()
    (directory / "start.md").write_text("---\nto: ask\n---\nBegin.\n")
    (directory / "ask.md").write_text(
        "---\ntype: question\nsave_to: last\nto: said\n---\nLast was {{ .last }}.\n"
    )
    (directory / "said.md").write_text("---\nto: ask\n---\nYou said {{ .last }}.\n")
    return directory


def command(store: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "retoma", "--store", str(store), *args]


class Run:
    """One `retoma run --json`, fed one answer at a time, until it is killed."""

    def __init__(self, store: Path, flow: Path) -> None:
        self.process = subprocess.Popen(
            command(store, "run", str(flow), "--session", "s", "--json"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.shown: list[dict[str, object]] = []

    def until_asked(self) -> bool:
        """Read up to the next request for input; False when the process is gone."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith(b"\n"):
                return False
            self.shown.append(msgspec.json.decode(line))
            if self.shown[-1]["type"] == "request_input":
                return True
        return False

    def send(self, text: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text.encode() + b"\n")
            self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


def journal(store: Path) -> list[str]:
    log = subprocess.run(
        command(store, "session", "log", "s", "--json", "--type", "flow.input"),
        capture_output=True,
        check=True,
    )
    return [event["data"]["input"] for event in msgspec.json.decode(log.stdout)["items"]]


def test_no_acknowledged_input_is_lost_or_doubled(tmp_path: Path, flow: Path) -> None:
    trials = TRIALS if FULL else TRIALS // 20
    chance = random.Random(SEED)
    store = tmp_path / "store"
    acknowledged: list[str] = []
    sent: str | None = None
    lost = doubled = wrong = landed = 0
    number = 0
    for trial in range(trials):
        run = Run(store, flow)
        # A kill at a random moment of the process's life: while it starts, reads, writes or answers.
        killer = threading.Timer(chance.uniform(0.0, 0.35), run.process.send_signal, [signal.SIGKILL])
        killer.start()
        first = True
        while run.until_asked():
            if first:
                held = inputs_of(run, acknowledged, sent)
                wrong += held is None
                if held:
                    landed += 1
                    acknowledged.append(str(sent))
                first = False
            elif sent is not None:
                acknowledged.append(sent)
            number += 1
            sent = f"answer {trial}.{number}"
            run.send(sent)
        killer.cancel()
        run.end()
    kept = journal(store) if acknowledged or sent else []
    extra = kept[len(acknowledged) :]
    lost = sum(answer not in kept for answer in acknowledged)
    doubled = len(kept) - len(set(kept))
    print(
        f"\nkill -9 while running: {trials} trials, seed {SEED}, {len(acknowledged)} acknowledged inputs, "
        f"{landed} that landed unseen, lost {lost}, doubled {doubled}, resumed elsewhere {wrong}"
    )
    assert (lost, doubled, wrong) == (0, 0, 0)
    assert kept[: len(acknowledged)] == acknowledged
    assert extra in ([], [sent])
    assert acknowledged, "no input was acknowledged in any trial: the test saw nothing"


def inputs_of(run: Run, acknowledged: list[str], sent: str | None) -> bool | None:
    """Return whether the input under way at the kill had been kept; None when the resume is at another point."""
    content = str(next(line["content"] for line in run.shown[::-1] if line["type"] == "render"))
    before = acknowledged[-1] if acknowledged else ""
    if sent is not None and content == f"Last was {sent}.":
        return True
    return False if content == f"Last was {before}." else None


def test_a_second_driver_is_refused_at_once_and_gets_it_when_the_first_is_killed(
    tmp_path: Path, flow: Path
) -> None:
    store = tmp_path / "store"
    first = Run(store, flow)
    assert first.until_asked()
    second = subprocess.run(
        command(store, "run", str(flow), "--session", "s", "--headless"),
        input=b"",
        capture_output=True,
        check=False,
    )
    assert second.returncode == 5
    said = second.stderr.decode()
    assert f"'s' is driven by process {first.process.pid} on " in said
    assert "just now" in said
    assert "retoma session log s" in said
    first.end()
    third = subprocess.run(
        command(store, "run", str(flow), "--session", "s", "--headless"),
        input=b"",
        capture_output=True,
        check=False,
    )
    assert third.returncode == 3
    assert b">>> Resuming at 'ask' node..." in third.stderr
