"""What SQLite is asked to do: how many statements and syncs an append takes, and that no statement reads a whole table.

Neither depends on the machine, so these hold what the benchmarks measure.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks import flows
from benchmarks.append import count_one, counting
from benchmarks.stores import SESSION, place_in
from tests.calls import client_at

from retoma.model.ids import SessionKey, TenantKey
from retoma.model.session import NewSession
from retoma.stores.contract.retention import LeftAlone
from retoma.stores.contract.store import Listing, Place
from retoma.stores.sql.facts import SqlLeases
from retoma.stores.sql.listing import among
from retoma.stores.sql.migrate import migrations
from retoma.stores.sql.names import Names
from retoma.stores.sql.retention import SqlRetention
from retoma.stores.sql.sessions import SqlSessions
from retoma.stores.sql.statements import STATEMENTS

ONE_ROW = {"name_salt", "commits", "commits_and_erasing", "count_commit"}
"""Statements over a table that has one row."""
WHOLE = {name for name in STATEMENTS.whole() if name.startswith("whole_")}
"""Statements that are to see everything: of `store check`, `store info`, and an index that is built anew."""


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for step in migrations("sqlite"):
            connection.executescript(step.text)
        yield connection


def plan(database: sqlite3.Connection, statement: str) -> list[str]:
    names = set(re.findall(r":(\w+)", statement))
    values = dict.fromkeys(names, 1) if names else [1] * max(statement.count("?"), 1)
    if not names:
        numbered = re.findall(r"\?(\d+)", statement)
        values = [1] * (max(map(int, numbered)) if numbered else statement.count("?"))
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def test_an_append_is_at_most_eight_statements_and_one_sync(tmp_path: Path) -> None:
    counted = count_one(tmp_path)
    assert len(counted.statements) <= 8, counted.statements
    assert counted.syncs == 1


def test_an_append_does_nothing_for_the_search_index(tmp_path: Path) -> None:
    statements = count_one(tmp_path).statements + flows.count_one(tmp_path / "flow").statements
    assert [one for one in statements if "search_" in one] == []


def test_a_flow_step_is_at_most_twelve_statements_and_one_sync(tmp_path: Path) -> None:
    counted = flows.count_one(tmp_path)
    assert len(counted.statements) <= 12, counted.statements
    assert counted.syncs == 1


def test_an_append_with_a_key_is_at_most_eight_statements(tmp_path: Path) -> None:
    with counting() as counted, client_at(place_in(tmp_path)) as client:
        client.create(NewSession(id=SESSION))
        client.append(SESSION, "user", "first")
        counted.statements.clear()
        client.append(SESSION, "user", "second", key="mine")
        assert len(counted.statements) <= 8, counted.statements


def test_a_session_is_read_as_one_range_and_nested_forks_as_one_fork(tmp_path: Path) -> None:
    with counting() as counted, client_at(place_in(tmp_path)) as client:
        client.create(NewSession(id="fork-0"))
        for n in range(30):
            client.append(f"fork-{n}", "user", f"message {n}")
            client.fork(f"fork-{n}", f"fork-{n + 1}")

        def read(name: str, **given: int) -> list[str]:
            counted.statements.clear()
            client.messages(name, **given)
            return [one for one in counted.statements if "event" in one]

        assert len(read("fork-0", last=1)) == 1
        assert not [one for one in read("fork-0", last=50) if "segment" in one]
        # Its own events, and all that it shares, whatever that is made of.
        assert len(read("fork-20", last=5)) == len(read("fork-30", last=5)) == 2
        assert len(read("fork-1")) == len(read("fork-30")) == 3


def test_a_fork_is_as_many_statements_however_long_the_past_and_the_line(tmp_path: Path) -> None:
    with counting() as counted, client_at(place_in(tmp_path)) as client:
        client.create(NewSession(id="fork-0"))
        took = []
        for n in range(12):
            for _ in range(1 + n * 20):
                client.append(f"fork-{n}", "user", "said")
            counted.statements.clear()
            client.fork(f"fork-{n}", f"fork-{n + 1}")
            took.append(len(counted.statements))
        assert set(took[1:]) == {took[1]}
        assert took[0] <= took[1] <= 45


@pytest.mark.parametrize("name", sorted(set(STATEMENTS.whole()) - ONE_ROW - WHOLE))
def test_no_statement_reads_a_whole_table(database: sqlite3.Connection, name: str) -> None:
    scans = [
        step
        for step in plan(database, STATEMENTS[name])
        if re.match(r"SCAN (?!\(subquery|CONSTANT|found|search_terms VIRTUAL TABLE INDEX)", step)
    ]
    assert scans == []


def test_a_list_follows_an_index_and_is_never_sorted(database: sqlite3.Connection) -> None:
    asked: list[str] = []

    def run(statement: str, values: object) -> list[tuple[object, ...]]:
        asked.append(statement)
        return []

    rows = SqlSessions(run, lambda: 0, lambda n: b"", Names(run))
    after = Place(0, 1, 1)
    for listing, place in itertools.product(listings(), (None, after)):
        rows.list(TenantKey(1), listing, after=place, limit=50)
    for statement in asked:
        steps = plan(database, statement)
        assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step], (statement, steps)


def test_what_is_said_of_a_page_takes_four_statements_that_follow_an_index(
    database: sqlite3.Connection,
) -> None:
    for count in (1, 50, 200):
        asked: list[str] = []

        def run(statement: str, values: object, asked: list[str] = asked) -> list[tuple[object, ...]]:
            asked.append(statement)
            return []

        keys = [SessionKey(n) for n in range(1, count + 1)]
        SqlSessions(run, lambda: 0, lambda n: b"", Names(run)).abouts(keys)
        SqlLeases(run, lambda: 0).of(keys)
        assert len(asked) == 4
        for statement in asked:
            steps = plan(database, statement)
            assert not [step for step in steps if "SCAN" in step], (statement, steps)


@pytest.mark.parametrize("what", ["alone", "count"])
def test_what_was_left_alone_is_sought_in_an_index_and_never_sorted(
    database: sqlite3.Connection, what: str
) -> None:
    asked: list[str] = []

    def run(statement: str, values: object) -> list[tuple[object, ...]]:
        asked.append(statement)
        return [(0,)] if what == "count" else []

    rows = SqlRetention(run, lambda: 0)
    said = LeftAlone(status="active", before=1, agent="a", flow="f", tags=("t",), contexts=(("k", "r"),))
    for one in (
        LeftAlone(status="active", before=1),
        said,
        LeftAlone(status="failed", before=1, waiting=False),
    ):
        rows.count(TenantKey(1), one) if what == "count" else rows.alone(TenantKey(1), one, limit=5)
    for statement in asked:
        steps = plan(database, statement)
        assert "session_status (tenant=? AND shelf=? AND status=? AND pinned=? AND" in steps[0], steps
        assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step], (statement, steps)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("trash_due", "session_trash (tenant=? AND trashed_at<?)"),
        ("count_trashed", "session_trash (tenant=? AND trashed_at<?)"),
        ("log_page", "store_log_recent (tenant=? AND"),
        ("log_of_digest", "store_log_digest (tenant=? AND digest=? AND"),
        ("log_of_session", "store_log_session (session=? AND"),
        ("forget_in_log", "store_log_session (session=?)"),
    ],
)
def test_what_goes_by_age_follows_its_index(database: sqlite3.Connection, name: str, index: str) -> None:
    assert index in plan(database, STATEMENTS[name])[0]


def test_a_few_known_sessions_are_read_by_their_numbers(database: sqlite3.Connection) -> None:
    for listing in listings():
        steps = plan(database, among(TenantKey(1), listing, keys=range(64)).text)
        assert re.search(r"rowid=\?\)$", steps[0]), (listing, steps)


SEARCHED = {
    "search_docs": "SEARCH search_doc USING INTEGER PRIMARY KEY (rowid=?)",
    "docs_between": "SEARCH search_doc USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "any_forgotten": "SEARCH search_doc USING COVERING INDEX search_doc_event (k=?)",
    "events_picked": "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)",
    "search_readers": "SEARCH segment USING COVERING INDEX segment_source (source=?)",
    "behind_gone": "SEARCH d USING PRIMARY KEY (tenant=?)",
    "behind_newest": "SEARCH s USING INDEX session_recent (tenant=? AND shelf=? AND pinned=? AND listed_at>?)",
    "behind_oldest": "SEARCH s USING INDEX session_recent (tenant=? AND shelf=? AND pinned=? AND listed_at>?)",
}


@pytest.mark.parametrize("name", SEARCHED)
def test_what_a_search_asks_is_one_step_in_an_index(database: sqlite3.Connection, name: str) -> None:
    steps = plan(database, STATEMENTS[name])
    assert SEARCHED[name] in steps
    assert not [step for step in steps if "TEMP B-TREE" in step]


def listings() -> Iterator[Listing]:
    yield Listing()
    yield Listing(status="active")
    yield Listing(tags=("t",))
    yield Listing(tags=("t", "u"), status="active")
    yield Listing(contexts=(("k", "r"),))
    yield Listing(parent=SessionKey(1))
    yield Listing(sort="created", tags=("t",), status="failed")
    yield Listing(sort="id", contexts=(("k", "r"),))
    yield Listing(agent="a", flow="f", ephemeral=True, since=1, before=2)
