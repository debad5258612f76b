"""A search finds the same, in the same order, on both databases, and whether the index has it or the journals alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.calls import Calls

from retoma.errors import Invalid, NotFound, Refused
from retoma.model.changes import Changes
from retoma.model.ids import TenantKey
from retoma.model.pattern import Pattern
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import ARCHIVED, NewSession
from retoma.model.times import DAY, HOUR
from retoma.service.forget.erasing import Selection
from retoma.service.search import search as searching
from retoma.service.search.found import LAST, Asked, Cursor, Found, cursor_of, written
from retoma.service.search.indexing import step
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.search import Wanted
from retoma.stores.contract.store import Listing
from retoma.stores.postgres.store import PostgresStore
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

Make = Callable[[], Calls]
SMALL = {"secure-delete": 1, "automerge": 0, "crisismerge": 256, "usermerge": 2, "pgsz": 64}
"""Pages of SQLite's full-text index that hold a few terms each."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Calls]:
    if request.param == "sqlite":
        store = SqliteStore(None, now=clock, random=clock.bytes)
    else:
        url = request.getfixturevalue("database")
        store = PostgresStore(url, shown="test", now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        yield client


def index(client: Calls) -> int:
    """Index all there is; return how many steps that took."""
    return sum(1 for _ in iter(lambda: step(client._store, client._who, everything=True), False))


def found(client: Calls, text: str, **how: object) -> list[tuple[str, int]]:
    return [(hit.session.id, hit.seq) for hit in client.search(Asked(text=text, **how)).items]


def both(client: Calls, text: str, **how: object) -> list[tuple[str, int]]:
    """Return what is found, which is the same before and after it is indexed."""
    before = client.search(Asked(text=text, **how))
    index(client)
    after = client.search(Asked(text=text, **how))
    assert before.items == after.items
    assert (before.total, before.indexed_to) == (after.total, after.indexed_to)
    return [(hit.session.id, hit.seq) for hit in after.items]


def say(client: Calls, session: str, *texts: str, role: str = "user") -> None:
    if client.get(session) is None:
        client.create(NewSession(id=session))
    for text in texts:
        client.append(session, role, text)


@pytest.mark.parametrize(
    ("text", "query", "there"),
    [
        ("A sessão começou às nove", "sessao comecou", True),
        ("a sessao comecou", "sessão", True),
        ("STRASSE", "straße", True),
        ("naïve résumé", "naive RESUME", True),
        ("東京都で全文検索を試す", "全文検索", True),
        ("東京都で全文検索を試す", "京", True),
        ("東京都で全文検索を試す", "検文", False),
        ("한국어 검색기", "검색", True),
        ("see getUserName and HTTP_PORT", "user", True),
        ("see getUserName and HTTP_PORT", "getusername", True),
        ("see getUserName and HTTP_PORT", "http_port", True),
        ("see getUserName and HTTP_PORT", "port http", True),
        ("see getUserName and HTTP_PORT", '"port http"', False),
        ("at src/retoma/model/tokens.py:42", "model/tokens.py", True),
        ("at src/retoma/model/tokens.py:42", "tokens.py:42", True),
        ("at src/retoma/model/tokens.py:42", "42", True),
        ("build 4f3a9c of v2.10.3", "v2.10", True),
        ("error404 at 10:02", "404", True),
        ("the connection pool is empty", '"connection pool"', True),
        ("the pool of connection", '"connection pool"', False),
        ("the connection pool is empty", "conn*", True),
        ("the connection pool is empty", '"connection po*', False),
        ("the connection pool is empty", '"connection po"*', True),
        ("the connection pool is empty", "pool -empty", False),
        ("the connection pool is empty", 'empty -"pool connection"', True),
        ("the connection pool is empty", 'empty -"connection pool"', False),
        ("the connection pool is empty", "pool -emp*", False),
        ("the connection pool is empty", "pools", False),
        ("o'neil said \"don't\"", "don't", True),
        ("(unbalanced", '"unbalanced', True),
        ("a -- b", "-- a", True),
    ],
)
def test_what_a_query_means(client: Calls, text: str, query: str, there: bool) -> None:
    say(client, "s", "something else", text, "pool connection of no use")
    assert (("s", 3) in both(client, query)) is there


@pytest.mark.parametrize("query", ["", "   ", "***", '""', "-", "--", "-pool", '-"a b"', "…!?", "\u0301"])
def test_a_query_without_a_word_is_refused_with_a_sentence(client: Calls, query: str) -> None:
    with pytest.raises(Invalid, match="search") as refused:
        client.search(Asked(text=query))
    assert refused.value.code == "empty_query"
    assert "word" in refused.value.hint


def test_a_snippet_shows_why(client: Calls) -> None:
    say(client, "s", "x " * 500 + "\nthe Connection\n\n  pool was   empty " + "y " * 500)
    index(client)
    (hit,) = client.search(Asked(text='"connection pool" empty', width=80)).items
    snippet = hit.snippet
    assert len(snippet.text) <= 80
    assert "the Connection pool was empty" in snippet.text
    assert snippet.text[:2] == "… "
    assert snippet.text[-2:] == " …"
    assert [snippet.text[start:end] for start, end in snippet.marks] == ["Connection", "pool", "empty"]


def test_notes_titles_and_what_a_flow_says_are_found(client: Calls, tmp_path: Path) -> None:
    from retoma.runtime.drive import Request

    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text("---\ntype: question\nsave_to: w\nto: end\n---\nWhich harbour?\n")
    (flow / "end.md").write_text("Off to {{ .w }}.\n")
    with client.drive(Request(directory=flow, session="sea")) as drive:
        drive.send("Lisboa")
    client.create(NewSession(id="t", title="The harbour", description="of Lisboa"))
    client.note("t", "ask the harbour master")
    assert {hit[0] for hit in both(client, "harbour")} == {"sea", "t"}
    roles = {(hit.session.id, hit.role) for hit in client.search(Asked(text="harbour")).items}
    assert roles == {("sea", "assistant"), ("t", "title"), ("t", "note")}
    assert {hit.role for hit in client.search(Asked(text="lisboa")).items} == {"user", "assistant", "title"}
    assert both(client, "harbour", role="note") == [("t", 2)]
    assert both(client, "harbour", role="title") == [("t", 0)]


def test_the_best_of_what_is_old_comes_before_the_rest_of_what_is_new(client: Calls, clock: Clock) -> None:
    say(client, "old", "the disk full again")
    client.create(NewSession(id="titled", title="When the disk is full"))
    clock.now += 40 * DAY
    for n in range(12):
        say(client, f"new{n}", "a full day of tests " + "and more " * 30 + "on the disk")
    assert set(both(client, "disk full")[:2]) == {("titled", 0), ("old", 2)}
    with small_windows():
        assert set(found(client, "disk full")[:2]) == {("titled", 0), ("old", 2)}
        assert len(pages(client, "disk full", 5)) == 14


def test_of_equals_the_newest_comes_first(client: Calls, clock: Clock) -> None:
    for n in range(4):
        say(client, f"s{n}", "one and the same")
        clock.now += 100 * DAY
    assert both(client, "same") == [("s3", 2), ("s2", 2), ("s1", 2), ("s0", 2)]


def test_filters(client: Calls, clock: Clock) -> None:
    client.create(NewSession(id="a", agent="ana", tags=("x", "y"), contexts=(("task", "7"),)))
    client.create(NewSession(id="b", agent="bob", tags=("x",)))
    say(client, "a", "word of a")
    clock.now += DAY
    say(client, "b", "word of b", role="assistant")
    client.change("b", "completed")
    for how, wanted in (
        ({}, ["b", "a"]),
        ({"session": "a"}, ["a"]),
        ({"role": "assistant"}, ["b"]),
        ({"since": clock.now}, ["b"]),
        ({"before": clock.now}, ["a"]),
        ({"listings": (Listing(agent="ana"),)}, ["a"]),
        ({"listings": (Listing(status="active"), Listing(status="completed"))}, ["b", "a"]),
        ({"listings": (Listing(status="completed"),)}, ["b"]),
        ({"listings": (Listing(tags=("x", "y")),)}, ["a"]),
        ({"listings": (Listing(contexts=(("task", "7"),)),)}, ["a"]),
        ({"listings": (Listing(tags=("none",)),)}, []),
        ({"session": "b", "listings": (Listing(agent="ana"),)}, []),
    ):
        assert [one for one, _ in both(client, "word", **how)] == wanted, how
    with pytest.raises(NotFound):
        found(client, "word", session="nosuch")


def test_archived_sessions_are_found_when_they_are_asked_for(client: Calls) -> None:
    say(client, "shown", "the word")
    say(client, "put", "the word")
    client.update("put", Changes(archived=True))
    assert both(client, "word") == [("shown", 2)]
    assert both(client, "word", listings=(Listing(shelf=ARCHIVED),)) == [("put", 2)]
    assert both(client, "word", session="put") == [("put", 2)]
    client.update("put", Changes(archived=False))
    assert sorted(both(client, "word")) == [("put", 2), ("shown", 2)]


def test_what_is_gone_is_never_found(client: Calls) -> None:
    for name in ("redacted", "matched", "reset", "trashed", "deleted", "aside", "stays"):
        client.create(NewSession(id=name, title=f"word {name}"))
        say(client, name, f"the word in {name}")
        client.note(name, "a word beside")

    def go() -> None:
        client.redact("redacted", Selection(first=1, last=3))
        client.redact("matched", Selection(wanted=Pattern("word")))
        client.reset("reset", erase=True)
        client.trash("trashed")
        client.delete("deleted")
        key = client.get("aside").key
        client._store.write(lambda tx: tx.audit.quarantine(key, "aside", "damaged"))

    assert len(both(client, "word", role="user")) == 7
    go()
    left = {("redacted", 0), ("reset", 0), ("stays", 0), ("stays", 2), ("stays", 3)}
    assert set(both(client, "word")) == left
    assert found(client, "word", session="trashed") == []
    client.restore("trashed")
    assert set(both(client, "word")) == left | {("trashed", 0), ("trashed", 2), ("trashed", 3)}


def test_what_is_gone_before_it_was_indexed_is_not_found_either(client: Calls) -> None:
    say(client, "a", "the word")
    say(client, "b", "the word")
    client.redact("a", Selection(first=2, last=2))
    client.delete("b")
    assert both(client, "word") == []


def test_a_reset_keeps_what_was_said_and_says_in_which_epoch(client: Calls) -> None:
    say(client, "s", "the word")
    client.reset("s")
    say(client, "s", "the word again")
    assert sorted(both(client, "word")) == [("s", 2), ("s", 4)]
    assert {hit.seq: hit.epoch for hit in client.search(Asked(text="word")).items} == {2: 1, 4: 2}


def test_a_title_is_found_as_it_is_now(client: Calls) -> None:
    client.create(NewSession(id="s", title="Old harbour"))
    assert both(client, "harbour") == [("s", 0)]
    client.update("s", Changes(title="New station", description="by the river"))
    assert both(client, "harbour") == []
    assert both(client, "station river") == [("s", 0)]
    client.set_id("s", "t")
    assert both(client, "station") == [("t", 0)]


def test_another_tenants_is_never_found(client: Calls, clock: Clock) -> None:
    say(client, "ours", "the word")
    theirs = Calls(client._store, Principal(TenantKey(2), "eve"), sources=Sources(clock, clock.bytes))
    if isinstance(client._store, SqliteStore):
        client._store._turn.connection().run("INSERT INTO tenant (pk, name) VALUES (2, 'other')")
    say(theirs, "theirs", "the word", "another word")
    assert both(client, "word") == [("ours", 2)]
    assert sorted(both(theirs, "word")) == [("theirs", 2), ("theirs", 3)]
    with pytest.raises(NotFound):
        found(client, "word", session="theirs")


def test_an_imported_session_is_found_however_old_it_is(client: Calls, clock: Clock) -> None:
    say(client, "s", "an old word")
    exported = b"".join(client.export("s", "jsonl"))
    say(client, "s", "a newer word")
    longer = b"".join(client.export("s", "jsonl"))
    client.delete("s")
    clock.now += 400 * DAY
    say(client, "other", "nothing")
    index(client)
    client.import_(BytesIO(exported))
    assert both(client, "word") == [("s", 2)]
    client.import_(BytesIO(longer))
    assert sorted(both(client, "word")) == [("s", 2), ("s", 3)]


# Windows, pages and parts


def pages(client: Calls, text: str, limit: int, **how: object) -> list[tuple[str, int]]:
    """Return what all pages have together; each cursor goes through its text."""
    asked = Asked(text=text, **how)
    cursor: Cursor | None = None
    all_of_it: list[tuple[str, int]] = []
    for _ in range(1_000):
        page: Found = client.search(asked, after=cursor, limit=limit)
        all_of_it += [(hit.session.id, hit.seq) for hit in page.items]
        if page.next is None:
            return all_of_it
        cursor = cursor_of(written(page.next, asked), asked)
    raise AssertionError("the pages never end")


@contextmanager
def small_windows() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("WINDOW", 7), ("_BEST", 3)):
            patch.setattr(searching, name, value)
        yield


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Windows and steps so small that a few messages make many of them."""
    monkeypatch.setattr("retoma.service.search.indexing.DOCS", 5)
    monkeypatch.setattr("retoma.stores.sqlite.search._PAGES", 1)
    monkeypatch.setattr("retoma.stores.sqlite.search._SETTINGS", SMALL)
    with small_windows():
        yield


@pytest.mark.usefixtures("small")
def test_every_result_is_on_one_page(client: Calls, clock: Clock) -> None:
    for n in range(12):
        client.create(NewSession(id=f"s{n}", title="a word in the title" if n % 3 == 0 else ""))
        for m in range(8):
            clock.now += HOUR
            say(client, f"s{n}", f"the word {'in a row' if m == n % 8 else 'row in'} {m}")
    everything = {(f"s{n}", m) for n in range(12) for m in range(2, 10)}
    titles = {(f"s{n}", 0) for n in range(0, 12, 3)}
    for query, wanted in (
        ("word", everything | titles),
        ("word in", everything | titles),
        ('"in a row"', {(f"s{n}", n % 8 + 2) for n in range(12)}),
        ("row in", everything),
        ("word -title", everything),
    ):
        for limit in (1, 6, 1_000):
            got = pages(client, query, limit)
            assert len(got) == len(set(got)), (query, limit)
            assert set(got) == wanted, (query, limit)
        index(client)


@pytest.mark.usefixtures("small")
def test_a_page_stays_a_page_while_others_write_and_the_index_moves(client: Calls, clock: Clock) -> None:
    say(client, "s", *(f"word {n}" for n in range(30)))
    index(client)
    say(client, "s", *(f"word {n}" for n in range(30, 36)))
    first = client.search(Asked(text="word"), limit=4)
    index(client)
    say(client, "s", "a word that came later")
    got = {hit.seq for hit in first.items}
    cursor = first.next
    while cursor is not None:
        page = client.search(Asked(text="word"), after=cursor, limit=4)
        seqs = {hit.seq for hit in page.items}
        assert not seqs & got
        got |= seqs
        cursor = page.next
    assert got >= set(range(2, 38))


def test_a_cursor_of_another_search_is_refused(client: Calls) -> None:
    say(client, "s", "word one", "word two")
    asked, other = Asked(text="word"), Asked(text="words")
    cursor = client.search(asked, limit=1).next
    assert cursor is not None
    text = written(cursor, asked)
    assert cursor_of(text, asked) == cursor
    for bad in (text[:-1] + "x", "1.2", "", "a", text + ".1", "9" * 30):
        with pytest.raises(Invalid):
            cursor_of(bad, asked)
    with pytest.raises(Invalid, match="another search"):
        cursor_of(text, other)


def test_more_than_a_search_reads_is_said(
    client: Calls, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr("retoma.service.search.unindexed.MOST", 10)
    say(client, "first", "the word")
    index(client)
    clock.now += HOUR
    for n in range(5):
        say(client, f"s{n}", "the word", "the word")
        clock.now += 2_000
    page = client.search(Asked(text="word"))
    assert page.indexed_to is not None
    assert page.indexed_to < clock.now - HOUR / 2
    assert page.total is None
    assert {hit.session.id for hit in page.items} >= {"first", "s4", "s3"}
    assert ("s0", 3) not in [(hit.session.id, hit.seq) for hit in page.items]
    index(client)
    assert client.search(Asked(text="word")).indexed_to is None


# The index itself


@pytest.mark.usefixtures("small")
def test_the_index_goes_on_when_it_is_interrupted_anywhere(client: Calls) -> None:
    wanted = set()
    for n in range(10):
        say(client, f"s{n}", *(f"the word {m}" for m in range(6)))
        wanted |= {(f"s{n}", m) for m in range(2, 8)}
    while step(client._store, client._who, everything=True):
        assert set(pages(client, "word", 50)) == wanted
    assert client.search(Asked(text="word")).indexed_to is None


@pytest.mark.usefixtures("small")
def test_what_is_erased_while_the_index_is_built_does_not_come_back(client: Calls) -> None:
    for round_, steps in enumerate((0, 1, 2, 4, 7, 9, 12, 20), 1):
        name = f"s{steps}"
        say(client, name, *(f"secret {m}" for m in range(45)))
        for _ in range(steps):
            step(client._store, client._who, everything=True)
        client.redact(name, Selection(first=2, last=40))
        index(client)
        assert {seq for one, seq in pages(client, "secret", 100) if one == name} == set(range(41, 47))
        assert held(client, "secret") == 6 * round_


def held(client: Calls, term: str) -> int:
    """Return how many documents have a term, whatever is said of them elsewhere."""
    wanted = Wanted(terms=(term,))
    return len(
        client._store.read(lambda tx: tx.search.asked(LOCAL_TENANT, wanted, low=0, high=LAST, limit=9_999))
    )


def test_an_outdated_index_is_built_anew(client: Calls) -> None:
    say(client, "s", "the word", "another")
    index(client)
    client._store.write(lambda tx: tx.indexing.outdate())
    assert found(client, "word") == [("s", 2)]
    assert both(client, "word") == [("s", 2)]
    standing = client._store.read(lambda tx: tx.search.standing(LOCAL_TENANT))
    assert standing.tokens > 0
    assert standing.next_doc == 2


def test_a_session_that_lists_did_not_move_is_found_by_looking(client: Calls, clock: Clock) -> None:
    say(client, "s", "first")
    index(client)
    clock.now -= 30 * DAY  # the clock was set back
    say(client, "s", "the word")
    say(client, "t", "the word")
    index(client)
    say(client, "u", "more")
    index(client)
    index(client)
    clock.now += 60 * DAY
    assert sorted(both(client, "word")) == [("s", 3), ("t", 2)]


WORDS = st.lists(
    st.sampled_from(["alpha", "beta", "gamma", "délta", "snake_case", "全文検索", "x1"]), max_size=6
)
DEEDS = (
    *("say", "note", "title", "redact", "delete", "trash", "restore", "archive", "reset"),
    *("fork", "undo", "step", "outdate"),
)
ACTS = st.lists(
    st.tuples(
        st.sampled_from(DEEDS),
        st.sampled_from("abc"),
        WORDS.map(" ".join),
    ),
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
def test_whatever_is_done_the_index_finds_what_the_journals_have(acts: list[tuple[str, str, str]]) -> None:
    clock = Clock()
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        for act, session, text in acts:
            clock.now += 700
            do(client, act, session, text)
        queries = ("alpha", "beta gamma", '"alpha beta"', "delta", "case", "検索", "alpha -beta", "ga*")
        as_it_is = [found(client, query, role=None) for query in queries]
        index(client)
        indexed = [found(client, query) for query in queries]
        assert [one.detail for one in client.check().damage] == []
        client._store.write(lambda tx: tx.indexing.outdate())
        from_journals = [found(client, query) for query in queries]
        assert as_it_is == indexed == from_journals
        index(client)
        assert [found(client, query) for query in queries] == indexed
        assert [one.detail for one in client.check().damage] == []


def do(client: Calls, act: str, session: str, text: str) -> None:
    if act == "step":
        step(client._store, client._who, everything=True)
        return
    if act == "outdate":
        client._store.write(lambda tx: tx.indexing.outdate())
        return
    row = client.get(session)
    if row is None:
        client.create(NewSession(id=session, title=text))
        return
    if act == "restore":
        if row.trashed_at is not None:
            client.restore(session)
        return
    if row.trashed_at is not None and act != "delete":
        return
    match act:
        case "say":
            client.append(session, "user", text)
        case "note":
            client.note(session, text or "-")
        case "title":
            client.update(session, Changes(title=text))
        case "redact":
            client.redact(session, Selection(wanted=Pattern("alpha")))
        case "delete":
            client.delete(session)
        case "trash":
            client.trash(session)
        case "fork":
            other = "abc"[(len(text) + 1) % 3]
            if client.get(other) is None and row.seq > 1:
                with suppress(Invalid):  # it was cut off there
                    client.fork(session, other, at=max(row.seq - len(text) % 3, 1))
        case "undo":
            with suppress(Refused, Invalid):
                client.undo(session)
        case "archive":
            client.update(session, Changes(archived=not row.archived))
        case _:
            client.reset(session, erase=bool(text))
