"""No verb prints to a terminal what the terminal would obey; files and pipes get every byte as it is."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from retoma.__main__ import main

HOSTILE = "a\x1b[31mred\x9b2J\x7f\x08 \u202ereversed\u2066\u2069 \u061c\u200f\u2028\x85 \ufffb end"
OBEYED = {chr(code) for code in (*range(9), *range(11, 27), *range(28, 32), *range(0x7F, 0xA0))} - {"\r"}
OBEYED |= {
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufff9\ufffa\ufffb"
}
ENTITIES = (
    "Hi &#27;[31m &#x9b;2J &#x202e; &#x2066; [link](https://e.org/&#x9b;2J 'a&#x9b;') ![i&#x9b;](x) `&#x9b;`"
)
FLOW = f"---\noptions: ['{{{{ .said }}}}', other]\nto: end\n---\n{{{{ .said }}}} {ENTITIES}\n\n```&#x9b;\nx\n```\n"


class Terminal:
    """Standard output and error of this process are one terminal, as long as it is entered."""

    def __enter__(self) -> Terminal:
        self._before = sys.stdout, sys.stderr
        self._master, slave = os.openpty()
        self._data = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        sys.stdout = os.fdopen(slave, "w", encoding="utf-8")
        sys.stderr = os.fdopen(os.dup(slave), "w", encoding="utf-8", errors="backslashreplace")
        return self

    def __exit__(self, *error: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.close()
        sys.stdout, sys.stderr = self._before
        self._reader.join()
        os.close(self._master)

    def _read(self) -> None:
        try:
            while chunk := os.read(self._master, 65536):
                self._data += chunk
        except OSError:
            pass  # the other side was closed

    @property
    def text(self) -> str:
        return codecs.decode(bytes(self._data), "utf-8")


@pytest.fixture
def retoma(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("RETOMA_DEBUG", "1")

    def run(*args: str) -> str:
        with Path(os.devnull).open() as nothing, Terminal() as terminal:
            monkeypatch.setattr("sys.stdin", nothing)
            main(["--store", str(tmp_path / "store"), *args])
        return terminal.text

    return run


@pytest.fixture
def planted(retoma, tmp_path) -> Path:
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text(FLOW, encoding="utf-8")
    (flow / "end.md").write_text("End.\n", encoding="utf-8")
    context = json.dumps({"said": HOSTILE, HOSTILE: 1})
    retoma("run", str(flow), "--session", "f", "--context", context, "--headless")
    retoma("session", "create", "s", "--title", HOSTILE.replace("\u2028", ""), "--description", HOSTILE)
    retoma("session", "append", "s", "user", HOSTILE)
    retoma("session", "append", "s", "assistant", HOSTILE, "--sender", "b")
    retoma("session", "note", "s", HOSTILE)
    retoma("session", "meta", "s", f"k={HOSTILE}")
    retoma("session", "fork", "s", "t")
    retoma("session", "append", "t", "user", HOSTILE + "!")
    return flow


VERBS = [
    *(["session", verb, "s"] for verb in ("read", "show", "log", "inspect", "tree")),
    ["session", "inspect", "f"], ["session", "inspect", "f", "--format", "trellis"], ["session", "log", "f"],
    ["session", "show", "f"], ["session", "ls"], ["session", "search", "red"], ["session", "search", HOSTILE],
    ["session", "diff", "s", "t"], ["session", "log", "f", "--follow", "--limit", "3"],
    *(["session", "export", "s", "--format", one] for one in ("json", "jsonl", "csv", "md", "html")),
    ["store", "info"], ["store", "log"],
]  # fmt: skip
ALONE = [
    ["session", "show", HOSTILE], ["session", "ls", "--status", HOSTILE], ["session", HOSTILE], [HOSTILE],
    ["run", HOSTILE], ["session", "import", HOSTILE], ["session", "redact", "s", "--pattern", f"({HOSTILE}"],
    ["session", "rm", HOSTILE], ["flow", "validate", HOSTILE], ["template", "show", HOSTILE],
]  # fmt: skip


def test_no_verb_prints_what_a_terminal_would_obey(retoma, planted):
    run = ["run", str(planted), "--session", "f"]
    for verb in [*VERBS, *ALONE, run, [*run, "--plain"], ["flow", "validate", str(planted)]]:
        for more in ([], ["--json"]):
            shown = retoma(*verb, *more)
            assert shown.strip(), verb
            assert not OBEYED & set(shown), (verb, more, OBEYED & set(shown))
            assert "\x1b[31mred" not in shown and "\x1b[2J" not in shown, (verb, more)
            if more and verb in VERBS and "follow" not in " ".join(verb) and "--format" not in verb:
                json.loads(shown)


def test_json_on_a_terminal_means_the_same_and_a_pipe_gets_every_byte(retoma, planted, tmp_path, capfdbinary):
    on_terminal = json.loads(retoma("session", "inspect", "f"))
    assert on_terminal["context"]["said"] == HOSTILE
    assert json.loads(retoma("session", "inspect", "f", "--json"))["context"][HOSTILE] == 1
    capfdbinary.readouterr()
    store = str(tmp_path / "store")
    for how in ("csv", "md", "json"):
        command = [
            sys.executable,
            "-m",
            "retoma",
            "--store",
            store,
            "session",
            "export",
            "s",
            "--format",
            how,
        ]
        piped = subprocess.run(command, capture_output=True, check=True).stdout
        subprocess.run([*command, "-o", str(tmp_path / how)], capture_output=True, check=True)
        assert (tmp_path / how).read_bytes().rstrip(b"\n") == piped.rstrip(b"\n")
        assert "\u202e".encode() in piped
