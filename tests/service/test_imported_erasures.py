"""A later export that says "erased": the receiver keeps its copy, or erases it too, and is whole either way."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.calls import Calls
from tests.service.branching import talk, texts, whole

from retoma.errors import Conflict
from retoma.model.changes import Changes
from retoma.model.pattern import Pattern
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.service import entries
from retoma.service.forget.erasing import Selection
from retoma.service.transfer.imported import Imported
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources


def opened(clock: Clock, path: Path | None = None) -> Calls:
    store = SqliteStore(path, now=clock, random=clock.bytes)
    return Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes))


@pytest.fixture
def source(clock: Clock) -> Iterator[Calls]:
    with opened(clock) as made:
        yield made


def sync(source: Calls, to: Calls, *, erase_too: bool = False) -> Imported:
    data = b"".join(source.export("s", "jsonl"))
    return to.import_(io.BytesIO(data), erase_too=erase_too)


def put(client: Calls, *changes: entries.Changed) -> None:
    operation = client._operation(None, "", None)
    client._store.write(lambda tx: entries.write(tx, client._who, "s", changes, operation=operation))


def state(client: Calls, name: str = "s") -> dict[str, object]:
    return client._store.read(lambda tx: entries.state_of(tx, client._who, name))


def wanted(text: str) -> Callable[[Calls], object]:
    return lambda client: client.redact("s", Selection(wanted=Pattern(text)))


ERASURES: dict[str, Callable[[Calls], object]] = {
    "range": lambda client: client.redact("s", Selection(first=2, last=3)),
    "everything": lambda client: client.redact("s", Selection()),
    "value": wanted("SECRET"),
    "key": wanted("pin"),
    "tag": wanted("draft"),
    "note": wanted("remember"),
    "all by a pattern": wanted("SECRET|pin|draft|remember"),
    "reset": lambda client: client.reset("s", erase=True),
    "reset, then redact": lambda client: (client.reset("s"), wanted("SECRET|pin")(client)),
    "redact twice": lambda client: (wanted("SECRET")(client), wanted("pin|SECRET")(client)),
}  # fmt: skip


def lived(source: Calls) -> None:
    talk(
        source,
        "s",
        "SECRET one",
        "two",
        title="SECRET title",
        tags=("draft", "kept"),
        metadata={"m": "SECRET"},
    )
    put(source, entries.Changed({"pin": 1, "other": "SECRET", "gone": 2}))
    put(source, entries.Changed({"plain": 5}, ("gone",)))
    source.note("s", "remember SECRET")
    source.update("s", Changes(description="a SECRET text", link=(("task", "SECRET"),)))


@pytest.mark.parametrize("erase_too", [False, True])
@pytest.mark.parametrize("how", ERASURES)
def test_the_receiver_is_whole_and_hands_on(source, client, clock, how, erase_too):
    lived(source)
    assert sync(source, client).outcome == "imported"
    ERASURES[how](source)
    done = sync(source, client, erase_too=erase_too)
    assert done.outcome == "extended"
    assert (done.erased > 0, done.kept > 0) == (erase_too, not erase_too)
    whole(client)
    kept = "SECRET" in "".join(str(event.value()) for event in client.events("s"))
    if erase_too:
        assert b"".join(client.export("s", "jsonl")) == b"".join(source.export("s", "jsonl"))
    elif how != "tag":
        assert kept
    with opened(clock) as third:
        sync(client, third)
        whole(third)
        assert state(third) == state(client)
        assert [one.text for one in third.conversation("s", epochs=True)] == [
            one.text for one in client.conversation("s", epochs=True)
        ]
        client.append("s", "user", "more")
        assert sync(client, third).added == 1
        whole(third)


@pytest.mark.parametrize("how", ERASURES)
def test_what_was_kept_can_be_erased_later_by_the_same_file(source, client, how):
    lived(source)
    sync(source, client)
    ERASURES[how](source)
    sync(source, client)
    again = sync(source, client, erase_too=True)
    assert (again.outcome, again.erased > 0) == ("unchanged", True)
    whole(client)
    assert b"".join(client.export("s", "jsonl")) == b"".join(source.export("s", "jsonl"))
    assert sync(source, client, erase_too=True).erased == 0


@pytest.mark.parametrize("how", ERASURES)
def test_branches_forget_with_it(source, client, how):
    lived(source)
    sync(source, client)
    client.fork("s", "early", at=3)
    client.fork("s", "late")
    client.append("late", "user", "own")
    ERASURES[how](source)
    sync(source, client, erase_too=True)
    whole(client)
    for name in ("early", "late"):
        left = [event for event in client.events(name) if event.data and "SECRET" in str(event.value())]
        if how != "tag" and "range" not in how:
            here = {event.seq for event in client.events("s") if event.data}
            assert (
                not left
                or how in ("key", "note", "redact, then reset", "reset, then redact")
                or {one.seq for one in left} <= here
            )
    assert texts(client, "late")[-1] == "own"


def test_nothing_of_it_is_left_in_the_files(source, clock, tmp_path):
    lived(source)
    path = tmp_path / "store.db"
    with opened(clock, path) as receiver:
        sync(source, receiver)
        receiver.fork("s", "fork")
        wanted("SECRET")(source)
        sync(source, receiver, erase_too=True)
        assert all(b"SECRET" not in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
        assert receiver.get("fork").title == "[redacted]"
        whole(receiver)


def test_events_that_were_never_here_and_are_erased(source, client):
    talk(source, "s", "one")
    sync(source, client)
    source.append("s", "user", "two")
    source.reset("s", erase=True)
    with pytest.raises(Conflict, match="some of them were never here") as refused:
        sync(source, client)
    assert "--erase-too" in refused.value.hint
    whole(client)
    assert texts(client, "s") == ["one"]
    assert sync(source, client, erase_too=True).outcome == "extended"
    whole(client)
    assert b"".join(client.export("s", "jsonl")) == b"".join(source.export("s", "jsonl"))


def test_a_redacted_export_erases_nothing(source, client):
    from retoma.model.veil import Veil

    lived(source)
    sync(source, client)
    data = b"".join(source.export("s", "jsonl", veil=Veil((), ("SECRET",))))
    assert client.import_(io.BytesIO(data), erase_too=True).erased == 0
    whole(client)
    assert texts(client, "s")[0] == "SECRET one"
