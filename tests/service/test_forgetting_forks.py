"""What is shared stays for whoever shares it, and what is forgotten is forgotten by all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.calls import Calls
from tests.service.branching import FLOW, client, say, talk, texts, whole
from tests.service.test_tools import Fake, through

from retoma.errors import Busy, Conflict
from retoma.model.changes import Changes
from retoma.model.event import ERASED, INLINE_BYTES, TOOL_CALL
from retoma.model.lease import Holder
from retoma.model.pattern import Pattern
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.redaction import REDACTED
from retoma.model.retention import SETTLED_MS, TRASH_KEPT_MS
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.service import leases, sessions
from retoma.service.branch import past
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

__all__ = ["client"]

SECRET = "planted-7f3a9c"
WANTED = Selection(wanted=Pattern("planted-[0-9a-f]+"))


@pytest.fixture
def on_disk(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    """A client on files, that keeps snapshots wherever the past is asked for."""
    monkeypatch.setattr(past, "EVERY", 2)
    monkeypatch.setattr(past, "NEAR", 2)
    store = SqliteStore(tmp_path / "store" / "retoma.db", now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        yield client


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], list[str]]:
    """Return the names of the store's files that hold the secret."""
    return lambda: [
        file.name for file in (tmp_path / "store").iterdir() if SECRET.encode() in file.read_bytes()
    ]


# Deleted


def test_what_forks_share_stays_for_them_until_the_last_is_gone(on_disk, files):
    client = on_disk
    talk(client, "one", "a", SECRET + " large " * INLINE_BYTES)
    client.fork("one", "two")
    client.fork("one", "three", at=2)
    say(client, "one", f"alone {SECRET}")
    deleted = client.delete("one")
    assert (deleted.id, deleted.forks, deleted.shared) == ("one", ("three", "two"), 3)
    assert client.get("one") is None
    assert texts(client, "two")[0] == "a"
    assert (client.get("two").fork_of, client.get("two").fork_seq) == (None, 3)
    assert texts(client, "three") == ["a"]
    assert files() != []
    assert client.due().nothing
    whole(client)
    client.delete("two")
    assert files() == []
    assert texts(client, "three") == ["a"]
    client.fork("three", "four", at=2)
    say(client, "four", "b")
    client.delete("three")
    assert texts(client, "four") == ["a", "b"]
    client.delete("four")
    rows = client._store._turn.connection().run("SELECT count(*) FROM event")
    assert rows == [(0,)]
    whole(client)


def test_what_the_session_had_alone_goes_with_it(on_disk, files):
    talk(on_disk, "one", "a", "b")
    on_disk.fork("one", "two")
    say(on_disk, "one", SECRET)
    on_disk.update("one", Changes(title=SECRET, tag=(SECRET,)))
    on_disk.position("one", at=4)
    on_disk.delete("one")
    assert files() == []
    assert texts(on_disk, "two") == ["a", "b"]


def test_with_its_forks_all_of_it_goes(on_disk, files):
    talk(on_disk, "one", "a", SECRET)
    on_disk.fork("one", "two")
    say(on_disk, "two", "c")
    on_disk.fork("two", "three")
    talk(on_disk, "beside")
    on_disk.fork("two", "at-one", at=2)
    assert sorted(on_disk.forks("one")) == ["at-one", "three", "two"]
    assert on_disk.delete("one", with_forks=True).forks == ("at-one", "three", "two")
    assert files() == []
    assert [one.id for _, one in on_disk.tree("beside")] == ["beside"]
    assert on_disk.get("three") is None
    rows = on_disk._store._turn.connection().run("SELECT count(*) FROM segment")
    assert rows == [(0,)]
    whole(on_disk)


def test_a_session_that_lay_in_the_trash_leaves_its_forks_what_they_share(client, clock):
    talk(client, "one", "a")
    client.fork("one", "two")
    client.trash("one")
    assert texts(client, "two") == ["a"]
    clock.now += TRASH_KEPT_MS + 1
    client.tidy()
    clock.now += SETTLED_MS  # a clock that jumped is believed at the second look
    client.tidy()
    assert client.get("one") is None
    assert texts(client, "two") == ["a"]
    whole(client)


def test_undoing_leaves_lines_that_a_deletion_names(client):
    talk(client, "one", "a", "b", "c")
    client.undo("one")
    deleted = client.delete("one")
    assert (deleted.forks, deleted.lines) == ((), ("one~1",))
    assert texts(client, "one~1") == ["a", "b", "c"]


def test_a_session_of_the_same_name_shares_nothing(client):
    talk(client, "one", "a")
    client.fork("one", "two")
    client.delete("one")
    talk(client, "one", "x")
    assert (texts(client, "one"), texts(client, "two")) == (["x"], ["a"])
    assert client.get("two").fork_of is None
    whole(client)


# Redacted


def test_a_shared_event_is_redacted_for_all_whoever_asks(client):
    for asked in ("one", "two", "three"):
        talk(client, f"{asked}-1", "a", SECRET, "b")
        client.fork(f"{asked}-1", f"{asked}-2")
        client.fork(f"{asked}-2", f"{asked}-3", at=3)
        names = {"one": f"{asked}-1", "two": f"{asked}-2", "three": f"{asked}-3"}
        say(client, names["three"], "c")
        taken = client.redact(names[asked], Selection(first=3, last=3))
        others = sorted(set(names.values()) - {names[asked]})
        assert (taken.events, taken.branches) == ((3,), tuple(others))
        for name in names.values():
            assert SECRET not in texts(client, name)
            *_, last = (event for event in client.events(name) if event.type == ERASED)
            assert last.value()["events"] == [3]
    whole(client)


def test_a_pattern_is_taken_from_state_titles_and_what_forks_wrote(on_disk, files, make_flow):
    client, flow = on_disk, make_flow(**FLOW)
    client.create(NewSession(id="one", title=f"T {SECRET}", tags=("plain", SECRET)))
    with client.drive(Request(directory=flow, session="one")) as drive:
        drive.send(SECRET)
    client.fork("one", "two")
    client.note("two", f"own {SECRET}")
    client.fork("one", "early", at=2)
    client.fork("two", "three")
    client.update("three", Changes(description=SECRET))
    client.position("one", at=4)
    seen = client.redact("one", WANTED, dry_run=True)
    taken = client.redact("one", WANTED)
    assert (taken.events, taken.branches) == (seen.events, ("early", "three", "two"))
    assert files() == []
    for name in ("one", "two", "three"):
        assert client.position(name).position.context == {"word": REDACTED}
        assert client.get(name).title == REDACTED
        assert client.show(name).about.tags == ("plain",)
    assert client.show("three").about.description == REDACTED
    whole(client)
    with client.drive(Request(directory=flow, session="three")) as drive:
        assert drive.shown[0].content == f"You said {REDACTED}. And now?"


def test_what_the_session_it_was_forked_from_wrote_alone_is_not_asked_for(client):
    talk(client, "one", "a", f"shared {SECRET}")
    client.fork("one", "two")
    say(client, "one", f"alone {SECRET}")
    client.redact("two", WANTED)
    assert texts(client, "one") == ["a", f"alone {SECRET}"]
    whole(client)


def test_a_fork_of_a_session_that_is_gone_forgets_too(client):
    talk(client, "one", "a", SECRET)
    client.fork("one", "two")
    client.fork("one", "three")
    client.delete("one")
    assert client.redact("two", WANTED).branches == ("three",)
    assert (texts(client, "two"), texts(client, "three")) == (["a"], ["a"])
    whole(client)


def test_a_pattern_is_looked_for_in_all_that_a_fork_has_also_of_one_that_is_gone(client):
    talk(client, "one", "a")
    client.fork("one", "two")
    say(client, "two", f"between {SECRET}")
    client.fork("two", "three")
    client.delete("two")
    assert client.redact("one", WANTED).branches == ("three",)
    assert texts(client, "three") == ["a"]
    whole(client)


def test_what_a_branch_keeps_under_a_forgotten_key_is_its_own(client, make_flow):
    flow = make_flow(**FLOW | {"said": FLOW["said"].replace("save_to: other", "save_to: word")})
    with client.drive(Request(directory=flow, session="one")) as drive:
        drive.send("same")
        client.fork("one", "two", at=client.get("one").seq)
        drive.send("same")
    client.redact("two", Selection(wanted=Pattern("word")))
    assert client.position("two").position.context == {}
    assert client.position("one").position.context == {"word": "same"}
    whole(client)


def test_a_branch_that_is_driven_is_not_redacted(client, monkeypatch):
    talk(client, "one", "a", SECRET)
    client.fork("one", "two")
    holder = Holder("elsewhere", "boot", 1, 1, "test")
    client._store.write(lambda tx: leases.acquire(tx, client._who, "two", holder))
    for act in (lambda: client.redact("one", WANTED), lambda: client.reset("one", erase=True)):
        with pytest.raises(Busy, match="'two' is driven"):
            act()
    assert texts(client, "one") == texts(client, "two") == ["a", SECRET]
    monkeypatch.setattr("retoma.runtime.lease.is_gone", lambda holder: True)
    client.redact("one", WANTED)
    assert texts(client, "two") == ["a"]


@pytest.mark.parametrize("asked", ["one", "two"])
def test_a_call_that_a_fork_waits_for_is_redacted_with_the_one_it_comes_from(client, make_flow, asked):
    flow = make_flow(start=f"---\ndo: {{name: ring, args: {{who: {SECRET}}}}}\n---\n")
    (flow / "tools.yaml").write_text("tools:\n- {name: ring, command: ring}\n")
    with pytest.raises(KeyboardInterrupt):
        through(client, flow, Fake(KeyboardInterrupt()), session="one")
    client.fork("one", "two")
    called = next(event.seq for event in client.events("one") if event.type == TOOL_CALL)
    client.redact(asked, Selection(first=called, last=called))
    assert [client.position(name).position.call.args for name in ("one", "two")] == [REDACTED, REDACTED]
    whole(client)


def test_what_an_erased_event_named_is_said_again(client, make_flow):
    with client.drive(Request(directory=make_flow(**FLOW), session="one")) as drive:
        drive.send("left")
    first = next(event.seq for event in client.events("one") if event.type == "flow.input")
    client.redact("one", Selection(first=first, last=first))
    client.fork("one", "two")
    client.redact("one", Selection(wanted=Pattern("word")))
    whole(client)


# Cut off


def test_a_reset_that_erases_holds_for_the_forks(on_disk, files, make_flow):
    client, flow = on_disk, make_flow(**FLOW)
    with client.drive(Request(directory=flow, session="one")) as drive:
        drive.send(SECRET)
    client.fork("one", "two")
    say(client, "two", "own")
    client.position("two", at=3)
    assert client.reset("one", erase=True) == 2
    assert files() == []
    assert (texts(client, "one"), texts(client, "two")) == ([], ["own"])
    assert client.position("two").position.context == {"word": REDACTED}
    with client.drive(Request(directory=flow, session="two")) as drive:
        drive.send("more")
    whole(client)
    say(client, "one", "anew")
    client.fork("one", "late")
    client.delete("two")
    rows = client._store._turn.connection().run("SELECT count(*) FROM event WHERE k >> 32 = 1")
    assert rows == [(client.get("one").seq - client.get("late").fork_seq + 2,)]
    whole(client)


def test_a_fork_that_is_cut_forgets_what_it_wrote_and_shares_nothing(client):
    talk(client, "one", "a")
    client.fork("one", "two")
    say(client, "two", "b")
    client.fork("two", "three")
    client.reset("two", erase=True)
    assert (texts(client, "one"), texts(client, "two"), texts(client, "three")) == (["a"], [], ["a"])
    say(client, "two", "c")
    whole(client)
    client.delete("one")
    client.delete("three")
    assert texts(client, "two") == ["c"]
    whole(client)


def test_who_forks_while_it_is_erased_loses_what_it_shares_too(client, monkeypatch):
    talk(client, "one", "a", "b")
    reset, forked = sessions.reset, []

    def resets(tx, **given):
        if not forked:
            forked.append(True)
            raise Conflict("It was forked.", code="forked_meanwhile")
        return reset(tx, **given)

    client.fork("one", "two")
    monkeypatch.setattr(sessions, "reset", resets)
    client.reset("one", erase=True)
    assert texts(client, "two") == []
    monkeypatch.undo()
    talk(client, "three", "a")
    client.fork("three", "four")
    with pytest.raises(Conflict, match="was forked at the same time"):
        client._store.write(
            lambda tx: sessions.reset(
                tx, client._who, "three", erase=True, operation=sessions.Operation(b"o" * 16)
            )
        )
    whole(client)
