"""What is erased is in no file of the store, and what is left still holds together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.calls import Calls
from tests.conformance.test_search import SMALL

from retoma.errors import Busy, Invalid
from retoma.model.chain import digest, genesis, link
from retoma.model.changes import Changes
from retoma.model.event import ERASED, INLINE_BYTES, RESET
from retoma.model.fold import fold
from retoma.model.pattern import Pattern
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.redaction import REDACTED
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.service.forget import erasing
from retoma.service.forget.erasing import Selection
from retoma.service.search.found import Asked
from retoma.service.search.indexing import step
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.search import Wanted
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

SECRET = "planted-7f3a9c"
TERM = b"7f3a9c"
"""What the search index keeps of it."""
FLOW = {
    "start": "---\ntype: question\nsave_to: word\nto: said\n---\nWhat is the word?\n",
    "said": "---\ntype: question\nsave_to: other\nto: start\n---\nYou said {{ .word }}.\n",
}


@pytest.fixture
def reopened(tmp_path: Path, clock: Clock) -> Callable[[], Calls]:
    def opened() -> Calls:
        store = SqliteStore(tmp_path / "store" / "retoma.db", now=clock, random=clock.bytes)
        return Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes))

    return opened


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], list[str]]:
    """Return the names of the store's files that hold the secret, or what the search index keeps of it."""
    return lambda: [file.name for file in (tmp_path / "store").iterdir() if TERM in file.read_bytes()]


def index(client: Calls) -> None:
    """Bring the search index up to date."""
    while step(client._store, client._who, everything=True):
        pass


def whole(client: Calls, session: str) -> None:
    """Assert that the chain holds from where the journal begins to its head."""
    row = client.get(session)
    events = list(client.events(session))
    assert [event.seq for event in events] == list(range(events[0].seq, row.seq + 1))
    last = genesis(row.uid) if events[0].seq == 1 else None
    for event in events:
        if event.salt is not None:
            assert event.digest == digest(event.salt, event.data)
        header = (event.seq, event.type, event.at, event.actor, event.cause, event.operation, event.request)
        if last is not None:
            assert event.hash == link(last, *header, event.digest)
        last = event.hash
    assert last == row.hash


def plant(client: Calls, make_flow: Callable[..., Path], session: str) -> None:
    """Put the secret wherever a session keeps what it is given."""
    client.create(
        NewSession(
            id=session,
            title=f"T {SECRET}",
            description=SECRET,
            tags=("plain", SECRET),
            contexts=(("task", SECRET),),
            metadata={"k": [SECRET], "ok": 1, SECRET: 2},
        )
    )
    client.append(session, "user", f"the word is {SECRET}")
    client.append(session, "user", SECRET + " " + "large " * INLINE_BYTES)
    client.append(
        session, "assistant", [{"type": "tool_call", "id": "1", "name": "t", "arguments": {"a": SECRET}}]
    )
    client.note(session, f"remember {SECRET}")
    with client.drive(Request(directory=make_flow(**FLOW), session=session)) as drive:
        drive.send(SECRET)
    client.update(session, Changes(agent=SECRET))


def test_redacting_a_pattern_leaves_it_in_no_file(reopened, files, make_flow):
    with reopened() as client:
        plant(client, make_flow, "s")
        client.append("s", "user", "kept")
        before = client.get("s").seq
        assert files() != []
        seen = client.redact("s", Selection(wanted=Pattern("planted-[0-9a-f]+")), dry_run=True)
        assert client.get("s").seq == before
        taken = client.redact("s", Selection(wanted=Pattern("planted-[0-9a-f]+")))
        assert (taken.events, taken.keys) == (seen.events, seen.keys)
        assert taken.keys == ("word",)
        assert files() == []
        assert "kept" in [m.text for m in client.messages("s")]
        assert client.position("s").position.context == {"word": REDACTED}
        said = client.show("s")
        assert (said.session.title, said.about.description) == (REDACTED, REDACTED)
        assert (said.about.tags, said.about.contexts) == (("plain",), ())
        assert said.about.metadata == {"k": REDACTED, "ok": 1}
        *_, last = client.events("s")
        assert last.type == ERASED
        assert last.value()["events"] == list(taken.events)
        whole(client, "s")
        assert client.redact("s", Selection(wanted=Pattern("planted-[0-9a-f]+"))).events == ()
        with client.drive(Request(directory=make_flow(**FLOW), session="s")) as drive:
            assert drive.shown[0].content == f"You said {REDACTED}."


def test_a_name_that_an_earlier_redaction_wrote_down_is_redacted_too(reopened, files, make_flow):
    with reopened() as client:
        given = {SECRET: 1, "other": 2}
        client.drive(Request(directory=make_flow(**FLOW), session="s", context=given)).close()
        assert client.redact("s", Selection(first=2, last=2)).keys == ("other", SECRET)
        assert client.redact("s", Selection(wanted=Pattern(SECRET))).keys == ("other", SECRET)
        assert files() == []
        snapshot, folded = client.position("s"), fold(client.events("s"))
        assert folded.state == dict(snapshot.position.context) == {"other": REDACTED}
        whole(client, "s")


def test_redacting_a_range_takes_what_it_set(reopened, files, make_flow):
    with reopened() as client, client.drive(Request(directory=make_flow(**FLOW), session="s")) as drive:
        drive.send("word")
        drive.send("other")
        drive.close()
        (first, _) = [event.seq for event in client.events("s") if event.type == "flow.input"]
        taken = client.redact("s", Selection(first=first, last=first))
        assert (taken.events, taken.keys) == ((first,), ("word",))
        assert client.position("s").position.context == {"word": REDACTED, "other": "other"}
        erased = [event.seq for event in client.events("s") if event.erased]
        assert erased == [first]
        whole(client, "s")


def test_a_long_journal_is_redacted_in_stretches(reopened):
    with reopened() as client:
        client.create(NewSession(id="s"))
        for n in range(erasing.CHUNK + 20):
            client.append("s", "user", SECRET if n % 100 == 0 else f"message {n}")
        taken = client.redact("s", Selection(wanted=Pattern(SECRET)))
        assert len(taken.events) == 6
        whole(client, "s")


def test_a_reset_that_erases_leaves_nothing_of_the_epochs_before(reopened, files, make_flow):
    with reopened() as client:
        client.create(NewSession(id="s", title="stays", tags=("t",)))
        client.append("s", "user", SECRET)
        client.note("s", SECRET)
        with client.drive(Request(directory=make_flow(**FLOW), session="s")) as drive:
            drive.send(SECRET)
        assert files() != []
        assert client.reset("s", erase=True) == 2
        assert files() == []
        events = list(client.events("s"))
        assert [event.type for event in events] == [RESET]
        assert client.messages("s", epochs=True) == []
        assert client.notes("s") == []
        assert client.show("s").about.tags == ("t",)
        client.append("s", "user", "anew")
        assert [(m.text, m.epoch) for m in client.messages("s", epochs=True)] == [("anew", 2)]
        whole(client, "s")
        assert client.reset("s") == 3
        assert [m.text for m in client.messages("s", epochs=True)] == ["anew"]


def test_what_a_killed_reset_left_goes_with_the_next_command(reopened, files, clock):
    with reopened() as client:
        client.create(NewSession(id="s"))
        for _ in range(3):
            client.append("s", "user", SECRET)
        client.tidy = lambda: None
        client.reset("s", erase=True)
        assert [event.type for event in client.events("s")] == [RESET]
    assert files() != []
    with reopened() as client:
        client.tidy()
        assert files() == []
        client.append("s", "user", "goes on")
        whole(client, "s")


def test_deleting_leaves_nothing(reopened, files, make_flow):
    with reopened() as client:
        plant(client, make_flow, "s")
        client.create(NewSession(id=f"also-{SECRET}"), key="k")
        client.set_id("s", f"s-{SECRET}")
        assert files() != []
        client.delete(f"s-{SECRET}")
        client.delete(f"also-{SECRET}")
        assert files() == []


def test_a_version_of_a_flow_goes_with_the_last_session_that_ran_it(reopened, files, make_flow):
    flow = make_flow(start=f"---\ntype: question\n---\nIs it {SECRET}?\n")
    with reopened() as client:
        for name in ("a", "b"):
            client.drive(Request(directory=flow, session=name)).close()
        client.delete("a")
        assert files() != []
        client.delete("b")
        assert files() == []


def test_a_driven_session_is_not_redacted_and_a_reset_takes_it_from_its_driver(client, make_flow):
    with client.drive(Request(directory=make_flow(**FLOW), session="s")) as drive:
        with pytest.raises(Busy):
            client.redact("s", Selection(first=1, last=1))
        client.reset("s")
        with pytest.raises(Busy, match="no longer driven by this process"):
            drive.send("late")
    assert client.messages("s") == []


@pytest.mark.parametrize("text", ["(", "x*", "", "a|"])
def test_a_pattern_that_is_none_or_finds_everything_is_refused(text):
    with pytest.raises(Invalid):
        Pattern(text)


def test_a_redacted_journal_folds_to_the_rows_of_its_state(reopened, make_flow):
    with reopened() as client:
        with client.drive(Request(directory=make_flow(**FLOW), session="s")) as drive:
            drive.send("word")
            drive.send(SECRET)
        client.redact("s", Selection(wanted=Pattern(SECRET)))
        snapshot, folded = client.position("s"), fold(client.events("s"))
        assert folded.partial
        assert (folded.state, folded.ans) == (dict(snapshot.position.context), snapshot.position.ans)


def test_a_short_pattern_is_not_found_in_hashes(reopened, make_flow):
    with reopened() as client:
        client.drive(Request(directory=make_flow(**FLOW), session="s")).close()
        client.reset("s")
        assert client.redact("s", Selection(wanted=Pattern("^[0-9a-f]{32,}$"))).events == ()


def test_a_holder_that_was_killed_stands_in_nobodys_way(client, make_flow, monkeypatch):
    for name, act in (
        ("s", lambda: client.redact("s", Selection(first=1, last=1))),
        ("s", lambda: client.set_id("s", "t")),
        ("t", lambda: client.trash("t")),
    ):
        drive = client.drive(Request(directory=make_flow(**FLOW), session=name))
        with pytest.raises(Busy):
            act()
        with monkeypatch.context() as patch:
            patch.setattr("retoma.runtime.lease.is_gone", lambda holder: True)
            act()
        drive.close()


# And in the search index


def found(client: Calls) -> int:
    return len(client.search(Asked(text="7f3a9c")).items)


def words(client: Calls) -> None:
    """Have a session with other words, and the secret's neighbours among them."""
    client.create(NewSession(id="others", title="7f3a9b and 7f3a9d"))
    for n in range(40):
        client.append("others", "user", f"7f3a9{n} 7f3a9 plant planter 7f3a9cc{n}".replace("9cc", "9x"))


FORGET: dict[str, Callable[[Calls], object]] = {
    "redact a pattern": lambda client: client.redact("s", Selection(wanted=Pattern("planted-[0-9a-f]+"))),
    "reset --erase": lambda client: (
        client.redact("s", Selection(wanted=Pattern("^T ")), dry_run=False),
        client.update(
            "s", Changes(title="", description="", agent="", forget=("k", SECRET), untag=(SECRET,))
        ),
        client.update("s", Changes(unlink=(("task", SECRET),))),
        client.reset("s", erase=True),
    ),
    "delete": lambda client: client.delete("s"),
}


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("how", FORGET)
def test_it_is_in_the_index_no_more(reopened, files, make_flow, monkeypatch, how, pieces):
    monkeypatch.setattr("retoma.service.search.indexing.DOCS", 4 if pieces > 1 else 256)
    if pieces > 1:
        monkeypatch.setattr("retoma.stores.sqlite.search._SETTINGS", SMALL)
    with reopened() as client:
        words(client)
        plant(client, make_flow, "s")
        index(client)
        plant_again(client)
        index(client)
        assert found(client) > 3
        assert files() != []
        FORGET[how](client)
        assert files() == []
        assert found(client) == 0
        index(client)
        assert files() == []
        assert len(client.search(Asked(text="planter"), limit=50).items) == 40


def plant_again(client: Calls) -> None:
    client.append("s", "user", f"once more: {SECRET}.")
    client.note("s", SECRET)


@pytest.mark.parametrize("steps", range(0, 40, 3))
def test_nor_when_it_is_forgotten_while_the_index_is_merged(reopened, files, monkeypatch, steps):
    monkeypatch.setattr("retoma.service.search.indexing.DOCS", 3)
    monkeypatch.setattr("retoma.stores.sqlite.search._PAGES", 1)
    monkeypatch.setattr("retoma.stores.sqlite.search._SETTINGS", SMALL)
    with reopened() as client:
        client.create(NewSession(id="s"))
        for n in range(40):
            client.append("s", "user", f"{SECRET} {n}" if n % 5 == 0 else f"number {n}")
        for _ in range(steps):
            step(client._store, client._who, everything=True)
        client.redact("s", Selection(wanted=Pattern(SECRET)))
        assert files() == []
        index(client)
        assert files() == []
        assert len(client.search(Asked(text="number"), limit=50).items) == 32


def test_a_title_that_was_changed_leaves_the_index_with_the_next_work(reopened):
    with reopened() as client:
        client.create(NewSession(id="s", title="zebrafish"))
        index(client)
        client.update("s", Changes(title="other"))
        index(client)
        key = client.get("s").key
        wanted = Wanted(terms=("zebrafish",))
        assert client._store.read(lambda tx: tx.search.asked(1, wanted, low=0, high=99, limit=9)) == []
        assert not client._store.read(lambda tx: tx.search.dirty())
        assert client._store.read(lambda tx: tx.search.has_title(key))
