"""No code of ours opens the database, its log or the log's index: closing such a handle drops SQLite's locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.crash.trials import client_at

from retoma.model.session import NewSession

WATCHED = """
import sys
OWN = ("retoma.db", "retoma.db-wal", "retoma.db-shm", "retoma.db-journal")
opened = []
def hook(event, args):
    if event == "open" and str(args[0]).rpartition("/")[2] in OWN:
        opened.append(str(args[0]))
sys.addaudithook(hook)
from retoma.__main__ import main
for line in sys.stdin.read().splitlines():
    status = main(line.split("\\t"))
    assert status == 0, (line, status)
open("retoma.db-wal", "w").close()
assert opened.pop() == "retoma.db-wal", "the hook sees nothing"
assert not opened, opened
"""


def test_no_code_of_ours_opens_the_database(tmp_path: Path) -> None:
    with client_at(tmp_path / ".retoma" / "retoma.db") as client:
        client.create(NewSession(id="a"))
    lines = [
        ["session", "append", "a", "user", "hello"],
        ["session", "ls"],
        ["session", "show", "a"],
        ["session", "export", "a", "-o", "a.jsonl", "--format", "jsonl"],
        ["session", "import", "a.jsonl"],
        ["session", "redact", "a", "--seq", "2"],
        ["session", "reset", "a", "--erase"],
        ["doctor"],
        ["store", "check"],
        ["store", "info"],
        ["store", "migrate"],
        ["store", "gc", "--vacuum"],
        ["store", "backup", "copy.db"],
        ["--store", "other", "store", "restore", "copy.db"],
        ["store", "restore", "copy.db", "--force"],
        ["session", "rm", "a"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        input="\n".join("\t".join(line) for line in lines),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
