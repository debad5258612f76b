"""One bit flips anywhere in a store's file: `check` finds it, or no read returns another value for it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.calls import Calls
from tests.crash.sessions import Maker
from tests.crash.trials import SEED, client_at, count, quick_directory

from retoma.errors import RetomaError
from retoma.model.lease import Holder
from retoma.model.retention import Choice
from retoma.model.session import NewSession
from retoma.service import leases
from retoma.service.check.store import check
from retoma.service.search.found import Asked
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing

FLIPS = 10_000
KNOWN = ("keyed", *(f"s{n}" for n in range(40)))
HANGS_S = 60
"""A check that takes more CPU goes round in a damaged tree: the timer ends the run."""


@pytest.fixture(scope="module")
def whole() -> Iterator[bytes]:
    """Return the file of a store as users leave it: notes, redactions, cut journals, forks, a lease, keys."""
    with quick_directory() as directory:
        clock = Clock()
        with client_at(directory / "retoma.db", clock) as client:
            maker = Maker(client, clock, SEED)
            for _ in range(40):
                maker.make()
            client.create(NewSession(id="keyed"), key="once")
            for n, name in enumerate(maker.made[:12]):
                with contextlib.suppress(RetomaError):
                    client.fork(name, f"fork-{n}", at=2 if n % 2 else None)
                    client.fork(f"fork-{n}", f"deeper-{n}")
                    client.undo(name)
            client.delete(maker.made[3])
            client.prune(Choice(before=clock.now, statuses=("completed",)))
            shown = {one.id for one in client.list([Listing()], limit=1_000).items}
            held = next(name for name in reversed(maker.made) if name in shown)
            holder = Holder("host", "boot", 7, 1, "test")
            client._store.write(lambda tx: leases.acquire(tx, client._who, held, holder))
        yield (directory / "retoma.db").read_bytes()


def test_every_flip_that_changes_what_a_read_returns_is_found(
    whole: bytes, tell: Callable[[str], None]
) -> None:
    flips = count(FLIPS)
    chance = random.Random(SEED)
    with quick_directory() as directory:
        before = seen(placed(directory / "whole", whole))
        found = refused = harmless = 0
        missed: list[str] = []
        for trial in range(flips):
            bit = chance.randrange(len(whole) * 8)
            data = bytearray(whole)
            data[bit // 8] ^= 1 << bit % 8
            file = placed(directory / f"flip{trial}", bytes(data))
            signal.setitimer(signal.ITIMER_PROF, HANGS_S)
            try:
                outcome = checked(file)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            if outcome == "whole":
                after = seen(file)
                if after == before:
                    harmless += 1
                else:
                    missed.append(f"byte {bit // 8}, bit {bit % 8}: {difference(before, after)}")
            found += outcome == "damaged"
            refused += outcome == "refused"
            remove(file)
    tell(
        f"bit flips: {flips} trials in {len(whole):,} bytes, seed {SEED}, found by check {found}, refused when opened "
        f"{refused}, in free space or without effect {harmless}, changed a read unseen {len(missed)}"
    )
    assert missed == []
    assert found, "check found no flip: the test saw nothing"


def placed(directory: Path, data: bytes) -> Path:
    directory.mkdir()
    file = directory / "retoma.db"
    file.write_bytes(data)
    return file


def remove(file: Path) -> None:
    for one in file.parent.iterdir():
        one.unlink()
    file.parent.rmdir()


def checked(file: Path) -> str:
    try:
        client = client_at(file)
    except RetomaError as error:
        assert error.family == "integrity" or error.code in {"newer_store", "io"}, error
        return "refused"
    with client:
        return "whole" if check(client._store, random=os.urandom).whole else "damaged"


def seen(file: Path, known: Sequence[str] = KNOWN) -> dict[str, object]:
    """Return whatever a caller can read in the store, of listed sessions and of `known` ones."""
    found: dict[str, object] = {}

    def put(name: str, read: Callable[[], object]) -> None:
        try:
            found[name] = read()
        except RetomaError as error:
            found[name] = repr(error)
        except Exception as error:
            found[name] = f"raw {error!r}"

    with client_at(file) as client:
        names: list[str] = []
        for shelf in range(3):
            for sort in ("updated", "created", "id"):
                put(f"list {shelf} {sort}", lambda s=shelf, o=sort: listed(client, Listing(shelf=s, sort=o)))
            with contextlib.suppress(RetomaError):
                names += [one.id for one in client.list([Listing(shelf=shelf)], limit=1_000).items]
        put(
            "tags", lambda: client._store.read(lambda tx: tx.sessions.tags(client._who.tenant, "", limit=100))
        )
        for tag in ("new ß", "tag 0", "tag 1", "x", "y"):
            put(f"tag {tag}", lambda t=tag: listed(client, Listing(tags=(t,))))
        put("context", lambda: listed(client, Listing(contexts=(("task", "7"),))))
        for name in sorted({*names, *known}, key=str):
            put(f"show {name}", lambda n=name: client.show(n))
            put(f"position {name}", lambda n=name: client.position(n))
            put(f"notes {name}", lambda n=name: client.notes(n))
            put(f"events {name}", lambda n=name: [*client.events(n)])
            put(f"messages {name}", lambda n=name: client.messages(n, epochs=True))
            put(f"tree {name}", lambda n=name: client.tree(n))
            for format in ("jsonl", "md"):
                put(f"{format} {name}", lambda n=name, f=format: b"".join(client.export(n, f)))
        for text in ("日本語", "plain lo*"):
            put(f"search {text}", lambda t=text: client.search(Asked(text=t), limit=50).items)
        put("again", lambda: client.create(NewSession(id="keyed"), key="once"))
        put("log", lambda: client.log(limit=1_000))
        put("log of s1", lambda: client.log(session="s1"))
        put("last", lambda: client.resolve("@last"))
    return found


def listed(client: Calls, listing: Listing) -> object:
    page = client.list([listing], limit=1_000)
    return page.items, page.next, client.count([listing])


def difference(before: dict[str, object], after: dict[str, object]) -> str:
    name = next(name for name in before | after if before.get(name) != after.get(name))
    return f"{name}: {str(before.get(name))[:300]} became {str(after.get(name))[:300]}"
