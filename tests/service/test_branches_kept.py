"""Forks exported and checked; and whatever users do with branches, every row still agrees with its journal."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.calls import Calls
from tests.crash.sessions import Maker
from tests.crash.trials import client_at
from tests.service.branching import client, say, talk, texts, whole

from retoma.errors import Integrity, RetomaError
from retoma.model.event import FORKED
from retoma.model.pattern import Pattern
from retoma.service.check import moments
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing

__all__ = ["client"]


def exported(client: Calls, name: str, format: str = "jsonl") -> bytes:
    return b"".join(client.export(name, format))


def imported(client: Calls, data: bytes) -> str:
    return client.import_(io.BytesIO(data)).outcome


# Exported


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_a_fork_is_exported_whole_and_imported_as_a_session_of_its_own(client, format):
    talk(client, "one", "a", "b", tags=("t",))
    client.fork("one", "two", at=3)
    say(client, "two", "c")
    client.fork("two", "three")
    client.delete("one")
    with client_at(None) as target:
        for name in ("three", "two"):
            data = exported(client, name, format)
            assert imported(target, data) == "imported"
            assert exported(target, name, format) == data
            assert imported(target, data) == "unchanged"
            assert texts(target, name) == ["a", "b", "c"]
            assert (target.get(name).fork_of, target.get(name).fork_seq) == (None, None)
        target.fork("three", "four", at=3)
        say(target, "three", "more")
        assert texts(target, "four") == ["a", "b"]
        whole(target)
        longer = exported(target, "three", format)
    assert imported(client, longer) == "extended"
    assert texts(client, "three") == ["a", "b", "c", "more"]
    whole(client)


def test_a_fork_whose_past_was_erased_is_exported_with_what_is_left(client):
    talk(client, "one", "a")
    client.fork("one", "two")
    client.reset("one", erase=True)
    say(client, "two", "b")
    with client_at(None) as target:
        for name in ("one", "two"):
            data = exported(client, name)
            imported(target, data)
            assert exported(target, name) == data
        whole(target)


def test_a_journal_with_another_beginning_is_no_import(client):
    talk(client, "one", "a")
    client.fork("one", "two")
    lines = [msgspec.json.decode(line) for line in exported(client, "two").splitlines()]
    lines[0]["uid"] = "00" * 16
    data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    with client_at(None) as target, pytest.raises(Integrity, match="does not belong to this session"):
        imported(target, data)


# Checked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a store with a talk, a fork of it, one of that, and a fork of a deleted session."""
    file = tmp_path / "retoma.db"
    with client_at(file) as client:
        talk(client, "one", "a", "b", "c")
        client.fork("one", "two", at=3)
        say(client, "two", "d")
        client.fork("two", "three")
        talk(client, "gone", "x", "y")
        client.fork("gone", "left", at=2)
        client.delete("gone")
    return file


ONE, TWO, GONE = "1", "2", "4"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            f"UPDATE event SET data = x'7b7d' WHERE k = ({ONE} << 32) + 2",
            ["one", "three", "two"],
        ),
        (f"UPDATE event SET at = 1 WHERE k = ({ONE} << 32) + 4", ["one"]),
        (f"DELETE FROM event WHERE k = ({ONE} << 32) + 3", ["one", "three", "two"]),
        (f"DELETE FROM event WHERE k = ({TWO} << 32) + 4", ["three", "two"]),
        (f"DELETE FROM event WHERE k = ({GONE} << 32) + 1", ["left"]),
        (f"UPDATE segment SET source = 4 WHERE session = {TWO}", ["two"]),
        (f"UPDATE segment SET last_seq = 2 WHERE session = {TWO}", ["two"]),
        (f"DELETE FROM segment WHERE session = {TWO}", ["two"]),
        (f"UPDATE session SET fork_seq = 2 WHERE pk = {TWO}", ["two"]),
        (f"UPDATE session SET fork_of = 4 WHERE pk = {TWO}", ["two"]),
        (f"UPDATE session SET base_hash = x'00' WHERE pk = {TWO}", ["two"]),
        (f"UPDATE session SET uid = x'00' WHERE pk = {TWO}", ["two"]),
        (f"UPDATE epoch SET uid = x'00' WHERE session = {TWO}", ["two"]),
        (f"DELETE FROM segment WHERE source = {GONE}", ["left", None]),
        (f"INSERT INTO segment VALUES (99, 1, 1, {ONE})", [None]),
        (f"INSERT INTO segment VALUES ({ONE}, 1, 1, {GONE})", ["one"]),
        ("INSERT INTO snapshot VALUES (99, 1, x'00')", [None]),
    ],
)
def test_what_was_changed_in_a_branch_is_found(file: Path, statement: str, said: list[str | None]) -> None:
    connection = apsw.Connection(str(file))
    connection.execute(statement).fetchall()
    connection.close()
    with client_at(file) as client:
        damaged = {one.session for one in client.check().damage if one.what != "file"}
    assert sorted(damaged, key=str) == sorted(said, key=str)


def test_a_damaged_past_is_put_aside_in_every_branch(file: Path) -> None:
    connection = apsw.Connection(str(file))
    connection.execute(f"UPDATE event SET data = x'7b7d' WHERE k = ({ONE} << 32) + 4").fetchall()
    connection.close()
    with client_at(file) as client:
        assert client.repair(client.check()).sessions == ("one",)
        report = client.check()
        assert report.whole
        assert texts(client, "three") == ["a", "b", "d"]
        assert client.get("three").fork_of == "two"
        assert client.get("two").fork_of is None
        client.delete("two")
        assert client.check().whole


def test_what_many_forks_share_is_read_once(client, monkeypatch):
    talk(client, "one", *"abcdefghij")
    for at in range(2, 12):
        client.fork("one", f"at-{at}", at=at)
    report = client.check()
    assert (report.whole, report.sessions) == (True, 11)
    assert report.events == 11 + 10 * 2
    read = []
    audit = type(client._store.read(lambda tx: tx.audit))
    events = audit.events

    def counted(self, key, **given):
        rows = events(self, key, **given)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(audit, "events", counted)
    client.check()
    assert sum(read) == 11 + 10 * 2
    monkeypatch.setattr(moments, "MOST", 2)
    assert client.check().whole


# Lived


class Lives:
    """Does with the sessions of a client whatever comes up, by chance; after each step the store must be whole."""

    def __init__(self, client: Calls, clock: Clock, seed: int) -> None:
        self.client, self.clock = client, clock
        self.chance = random.Random(seed)
        self.maker = Maker(client, clock, seed)
        self.number = 0

    def names(self) -> list[str]:
        listed = (self.client.list([Listing(shelf=shelf)], limit=1_000).items for shelf in (0, 1))
        return [one.id for page in listed for one in page]

    def step(self) -> str:
        """Do one thing, and return what."""
        chance, client = self.chance, self.client
        self.clock.now += chance.randrange(3_000)
        self.number += 1
        names = self.names()
        if not names or self.number % 7 == 1:
            self.maker.made = [name for name in self.maker.made if name in names]
            with contextlib.suppress(RetomaError):
                self.maker.make()
            return "make"
        name = chance.choice(names)
        head = client.get(name).seq
        acts: dict[str, Callable[[], object]] = {
            "fork": lambda: client.fork(
                name, f"f{self.number}", at=chance.choice([None, chance.randint(1, head)])
            ),
            "undo": lambda: client.undo(name),
            "say": lambda: self.maker._say(name),
            "set": lambda: self.maker._set(name),
            "change": lambda: self.maker._change(name),
            "flow": lambda: self.maker._flow(name),
            "delete": lambda: client.delete(name, with_forks=chance.random() < 0.1),
            "redact": lambda: self.maker._erase(name),
            "pattern": lambda: client.redact(name, Selection(wanted=Pattern("long|Ana|ma"))),
            "erase": lambda: client.reset(name, erase=True),
            "reset": lambda: client.reset(name),
            "rename": lambda: client.set_id(name, f"r{self.number}"),
            "inspect": lambda: client.position(name, at=chance.randint(1, head)),
        }
        act = chance.choice([*acts, "fork", "fork", "undo", "say"])
        with contextlib.suppress(RetomaError):  # refused by the state it is in: a user meets that too
            acts[act]()
        return f"{act} {name}"


@pytest.mark.parametrize("seed", range(12))
def test_whatever_users_do_with_branches_is_whole_and_leaves_nothing_behind(seed: int, monkeypatch) -> None:
    clock = Clock()
    if seed % 2:
        monkeypatch.setattr("retoma.service.branch.past.EVERY", 3)
        monkeypatch.setattr("retoma.service.branch.past.NEAR", 3)
        monkeypatch.setattr("retoma.service.branch.branches._NEAR", 2)
    with client_at(None, clock) as client, client_at(None, clock) as target:
        lives, done = Lives(client, clock, seed), []
        for _ in range(45):
            done.append(lives.step())
            assert [one.detail for one in client.check().damage] == [], done
        names = lives.names()
        for name in names:
            imported(target, exported(client, name))
        assert [one.detail for one in target.check().damage] == [], done
        for name in names:
            client.delete(name)
        run = client._store._turn.connection().run
        for table in (
            "event",
            "segment",
            "session",
            "snapshot",
            "erasing",
            "state",
            "visit",
            "epoch",
            "blob",
        ):
            assert run(f"SELECT count(*) FROM {table}") == [(0,)], (table, done)


def test_a_fork_says_in_its_journal_which_session_it_is(client):
    talk(client, "one", "a")
    client.fork("one", "two")
    (event,) = (event for event in client.events("two") if event.type == FORKED)
    data = event.value()
    assert (data["uid"], data["of"], data["seq"]) == (
        client.get("two").uid.hex(),
        client.get("one").uid.hex(),
        2,
    )
    assert client.redact("two", Selection(first=1)).events == (1, 2, 4)
