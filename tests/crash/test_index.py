"""The process that builds the search index is killed with SIGKILL: the next one completes it, and it is whole."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from signal import SIGKILL

from tests.calls import Calls
from tests.crash.trials import SEED, client_at, quick_directory, record, trials

from retoma.model.pattern import Pattern
from retoma.model.session import NewSession
from retoma.service.forget.erasing import Selection
from retoma.service.search.found import Asked
from retoma.service.search.indexing import step

TRIALS = 400
_MESSAGES = 8
_WORKER = """
import os, sys
from pathlib import Path
from tests.crash.test_index import work
work(Path(sys.argv[1]))
"""


def work(file: Path) -> None:
    """Write, index and forget, until killed."""
    from retoma.service.search import indexing
    from retoma.stores.sqlite import search as sqlite_search

    indexing.DOCS = 7
    sqlite_search._SETTINGS |= {"usermerge": 2, "pgsz": 100}
    sqlite_search._PAGES = 2
    with client_at(file) as client:
        print("begun", flush=True)
        round_ = 0
        while True:
            round_ += 1
            for n in range(_MESSAGES):
                client.append("s", "user", f"word{n} number{round_} secret{round_}x{n % 4} common")
                step(client._store, client._who, everything=n % 3 == 0)
            client.redact("s", Selection(wanted=Pattern(f"secret{round_}x1")))
            print(round_, flush=True)


def test_an_index_is_completed_after_a_kill(tell: Callable[[str], None]) -> None:
    chance, began, killed, forgotten = random.Random(SEED), time.monotonic(), 0, 0
    for _ in trials(TRIALS):
        with quick_directory() as directory:
            file = directory / "retoma.db"
            with client_at(file) as client:
                client.create(NewSession(id="s"))
            acknowledged = _killed(file, chance.uniform(0, 0.8))
            with client_at(file) as client:
                damage = [one.detail for one in client.check().damage]
                assert damage == []
                while step(client._store, client._who, everything=True):
                    pass
                assert [one.detail for one in client.check().damage] == []
                messages = [one.text for one in client.messages("s", epochs=True) if one.text]
                _finds_all(client, messages)
                for round_ in range(1, acknowledged + 1):
                    assert not client.search(Asked(text=f"secret{round_}x1")).items
                forgotten += acknowledged
            killed += 1
    tell(
        record(
            "index", f"indexing killed: {killed} trials, {forgotten} forgettings acknowledged, 0 lost", began
        )
    )


def _killed(file: Path, seconds: float) -> int:
    """Let a worker work, kill it so long after it began, and return how many rounds it acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(file)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"begun\n"
        timer = threading.Timer(seconds, partial(worker.send_signal, SIGKILL))
        timer.start()
        return len(worker.stdout.read().splitlines())


def _finds_all(client: Calls, messages: list[str]) -> None:
    for text in messages[:: max(1, len(messages) // 20)]:
        found = client.search(Asked(text=" ".join(text.split()[:2])), limit=200)
        assert text in [hit.snippet.text for hit in found.items], text
    assert client.search(Asked(text="common"), limit=1).items or not messages
