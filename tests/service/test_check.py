"""What `check` says of a store in which somebody changed one thing, and that it has nothing to say of any other."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from benchmarks.stores import fill, place_in
from tests.calls import Calls
from tests.crash.sessions import Maker
from tests.crash.trials import client_at

from retoma.errors import Integrity, RetomaError
from retoma.model.changes import Changes
from retoma.model.lease import Holder
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.service import leases
from retoma.service.check.report import MOST, Damage, Report, view
from retoma.service.forget.erasing import Selection
from retoma.service.search.found import Asked
from retoma.service.search.indexing import step
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing
from retoma.stores.sqlite.upkeep import engine_check

TOUR = Path(__file__).parents[2] / "examples/tour"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a store with a talk, a flow under way, a redacted session and a cut one."""
    file = tmp_path / "retoma.db"
    with client_at(file) as client:
        client.create(
            NewSession(id="talk", title="A talk", tags=("t",), contexts=(("k", "r"),), metadata={"m": 1})
        )
        client.append("talk", "user", "one")
        client.append("talk", "user", "long " * 5_000)
        client.note("talk", "noted")
        client.update("talk", Changes(title="Another"))
        with client.drive(Request(directory=TOUR, session="flow")) as drive:
            drive.send("Ana")
        client.create(NewSession(id="redacted", title="kept"))
        client.append("redacted", "user", "secret")
        client.redact("redacted", Selection(first=1, last=2))
        client.create(NewSession(id="cut", title="kept"))
        client.append("cut", "user", "gone")
        client.reset("cut", erase=True)
        client.append("cut", "user", "here")
    return file


def change(file: Path, *statements: str) -> None:
    """Change the file behind Retoma's back, as another program would: indexes follow."""
    connection = apsw.Connection(str(file))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


def found(file: Path) -> list[str]:
    with client_at(file) as client:
        return [one.detail for one in client.check().damage]


@pytest.mark.parametrize(
    ("column", "flipped"), [("flow_status", "waitmng_for_input"), ("status", "cctive"), ("flow_status", "")]
)
def test_a_word_whose_event_is_erased_is_one_of_those_there_are(
    file: Path, column: str, flipped: str
) -> None:
    with client_at(file) as client:
        last = client.get("flow").seq
        client.redact("flow", Selection(first=2, last=last))
    assert found(file) == []
    change(file, f"UPDATE session SET {column} = '{flipped}' WHERE id = 'flow'")
    assert any("status is not a valid value" in said or "status differs" in said for said in found(file))


def test_a_whole_store_is_whole(file: Path) -> None:
    with client_at(file) as client:
        report = client.check()
    assert report.whole
    assert (report.sessions, report.erased, report.cut, report.contents) == (4, 2, 1, 1)
    assert report.witness is not None
    assert report.witness.seen == report.witness.counter


@pytest.mark.parametrize("seed", range(8))
def test_whatever_users_do_is_whole_also_where_it_was_imported(seed: int) -> None:
    clock = Clock()
    with client_at(None, clock) as source, client_at(None, clock) as target:
        maker = Maker(source, clock, seed)
        for _ in range(25):
            name = maker.make()
            with_file = b"".join(source.export(name, "jsonl"))
            target.import_(io.BytesIO(with_file))
        for client in (source, target):
            assert [one.detail for one in client.check().damage] == []


@pytest.fixture
def indexed(file: Path) -> Path:
    """Return the same store with its search index, which was written in two pieces."""
    with client_at(file) as client:
        index(client)
        client.append("talk", "user", "three words more")
        index(client)
        client.append("talk", "user", "four, and not indexed")
    return file


def index(client: Calls) -> None:
    while step(client._store, client._who, everything=True):
        pass


def search(client: Calls, text: str) -> list[tuple[str, int]]:
    return [(hit.session.id, hit.seq) for hit in client.search(Asked(text=text)).items]


def test_an_index_is_whole_and_counted(indexed: Path) -> None:
    with client_at(indexed) as client:
        report = client.check()
        assert report.whole
        assert report.documents > 8
        assert view(report)["documents"] == report.documents
        client.update("talk", Changes(title="Third"))
        client.delete("flow")
        client.redact("talk", Selection(first=2, last=2))
        assert client.check().whole
        index(client)
        assert client.check().whole


DOC = "(SELECT doc FROM search_doc WHERE k = (SELECT pk << 32 | 2 FROM session WHERE id = 'talk'))"

TAKE_OUT = (
    "INSERT INTO search_terms (search_terms, rowid, terms) "
    f"SELECT 'delete', doc, terms FROM search_doc WHERE doc = {DOC}"
)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE search_terms_data SET block = zeroblob(length(block))", "not found by its terms"),
        ("UPDATE search_terms_data SET block = zeroblob(length(block)) WHERE id > 10", "cannot be read"),
        (
            "DELETE FROM search_terms_data WHERE id = (SELECT max(id) FROM search_terms_data)",
            "index is damaged",
        ),
        ("UPDATE search_terms_idx SET segid = segid + 5", "not found by its terms"),
        ("UPDATE search_terms_idx SET term = term || 'zz'", "index is damaged"),
        ("UPDATE search_terms_config SET v = 77 WHERE k = 'version'", "cannot be read"),
        ("UPDATE search_terms_config SET v = 0 WHERE k = 'secure-delete'", "would keep erased terms"),
        (f"UPDATE search_doc SET terms = terms || ' more' WHERE doc = {DOC}", "differs from the journals"),
        (
            TAKE_OUT,
            "differ from its documents",
        ),
        (
            "INSERT INTO search_terms (rowid, terms) VALUES (999, 'one more')",
            "differ from its documents",
        ),
        (f"DELETE FROM search_doc WHERE doc = {DOC}", "has 3 events, and should have 4"),
        (f"UPDATE search_doc SET k = k + 4294967296000 WHERE doc = {DOC}", "an event that does not exist"),
        (f"UPDATE search_doc SET k = k + 1 WHERE doc = {DOC}", "it differs from the journals"),
        (f"UPDATE search_doc SET at = at + 1 WHERE doc = {DOC}", "an event that does not exist"),
        ("UPDATE search_session SET indexed_seq = 1", "more events of session 'talk' than exist"),
        ("UPDATE search_session SET indexed_seq = 99", "more events of session 'talk' than exist"),
        ("INSERT INTO search_session VALUES (77, 1)", "session number 77, which does not exist"),
        ("DELETE FROM search_index", "documents with unknown numbers"),
        ("UPDATE search_index SET next_doc = 2", "documents with unknown numbers"),
        ("UPDATE search_index SET next_doc = 'x'", "cannot be read"),
    ],
)
def test_a_damaged_index_is_found_and_built_anew(indexed: Path, statement: str, said: str) -> None:
    change(indexed, statement)
    with client_at(indexed) as client:
        report = client.check()
        assert {one.what for one in report.damage} == {"index"}
        assert any(said in one.detail for one in report.damage), [one.detail for one in report.damage]
        done = client.repair(report)
        assert (done.index, done.sessions, done.left) == (True, (), ())
        assert ("talk", 6) in search(client, "three words")
        assert client.due().unindexed == 0
        index(client)
        assert [one.detail for one in client.check().damage] == []
        assert ("talk", 6) in search(client, "three words")


def test_a_damaged_index_says_so_to_who_searches(indexed: Path) -> None:
    change(indexed, "UPDATE search_terms_data SET block = zeroblob(length(block)) WHERE id > 10")
    with client_at(indexed) as client, pytest.raises(Integrity, match="index is damaged") as damaged:
        client.search(Asked(text="words"))
    assert "--repair" in damaged.value.hint


def test_what_is_searched_of_a_damaged_session_does_not_hide_the_others(indexed: Path) -> None:
    change(indexed, f"UPDATE event SET data = x'ff' WHERE k = {TALK} << 32 | 2 OR k = {TALK} << 32 | 7")
    with client_at(indexed) as client:
        assert ("talk", 2) not in search(client, "one")
        assert search(client, "three") == [("talk", 6)]
        assert search(client, "here") == [("cut", 4)]
        client._store.write(lambda tx: tx.indexing.outdate())
        index(client)
        assert search(client, "here") == [("cut", 4)]


TALK = "(SELECT pk FROM session WHERE id = 'talk')"
FLOW = "(SELECT pk FROM session WHERE id = 'flow')"
ALONE: list[tuple[str, str]] = [
    (f"UPDATE event SET data = replace(data, 'one', 'two') WHERE k = ({TALK} << 32) + 2", "event 2: its data"),
    (f"UPDATE event SET at = at + 1 WHERE k = ({TALK} << 32) + 2", "event 2: its hash does not follow"),
    (f"UPDATE event SET actor = x'616e61' WHERE k = ({TALK} << 32) + 2", "event 2: its hash does not follow"),
    (f"UPDATE event SET salt = NULL, data = NULL WHERE k = ({TALK} << 32) + 2", "no record that it was erased"),
    (f"DELETE FROM event WHERE k = ({TALK} << 32) + 2", "events 2 to 2 are missing"),
    (f"DELETE FROM event WHERE k = ({TALK} << 32) + 5", "its journal ends at event 4, but had 5"),
    ("UPDATE blob SET inline = x'00'", "event 3: its content, stored as a blob, is missing or damaged"),
    ("UPDATE blob SET size_bytes = 1", "event 3: its content, stored as a blob"),
    ("DELETE FROM blob", "event 3: its content, stored as a blob"),
    (f"UPDATE event SET type = CAST(x'ff' AS TEXT) WHERE k = ({TALK} << 32) + 2", "event 2: it cannot be read"),
    ("UPDATE session SET head_seq = 4 WHERE id = 'talk'", "is not the head of the session"),
    ("UPDATE session SET uid = x'00' WHERE id = 'talk'", "event 1: its hash does not follow"),
    ("UPDATE session SET title = 'a' WHERE id = 'talk'", "its title differs from its journal"),
    ("UPDATE session SET status = 'failed' WHERE id = 'talk'", "its status differs from its journal"),
    ("UPDATE session SET status = 'failed' WHERE id = 'cut'", "its status differs from its journal"),
    ("UPDATE session SET messages = 9 WHERE id = 'talk'", "its number of messages"),
    ("UPDATE session SET pinned = 1 WHERE id = 'talk'", "its pin"),
    ("UPDATE session SET template = 'x' WHERE id = 'talk'", "its template"),
    ("UPDATE session SET shelf = 1 WHERE id = 'talk'", "its archive or trash state differs"),
    ("UPDATE session SET created_at = 1 WHERE id = 'talk'", "its time of creation"),
    ("UPDATE session SET updated_at = updated_at + 1 WHERE id = 'talk'", "its time of the last change"),
    ("UPDATE session SET listed_at = 1 WHERE id = 'talk'", "the time used to sort lists"),
    ("UPDATE session SET tokens_in = 1 WHERE id = 'talk'", "its number of tokens in"),
    ("UPDATE session SET flow_node = 'x' WHERE id = 'flow'", "its flow's node"),
    ("UPDATE session SET flow_version = x'00' WHERE id = 'flow'", "its flow's version"),
    ("UPDATE session SET epoch = 3 WHERE id = 'cut'", "its epoch differs"),
    ("UPDATE session SET epoch_seq = 1 WHERE id = 'cut'", "the start of its epoch"),
    ("UPDATE epoch SET began_at = 1", "its first epoch"),
    ("DELETE FROM epoch WHERE session = (SELECT pk FROM session WHERE id = 'cut')", "its epochs differ"),
    ("UPDATE session_name SET id = 'x' WHERE id = 'talk'", "the id that refers to it is not its own"),
    ("DELETE FROM session_name WHERE id = 'talk'", "no id refers to it"),
    ("UPDATE session_tag SET tag = 'x'", "its tags differ"),
    ("UPDATE session_tag SET listed_at = 1", "have another place in lists"),
    ("DELETE FROM session_context", "its contexts differ"),
    ("UPDATE session_about SET metadata = '{}'", "its metadata cannot be read"),
    ("UPDATE session_about SET metadata = CAST('{\"m\":2}' AS BLOB)", "its metadata differs"),
    ("UPDATE session_about SET description = 'x'", "its description differs"),
    ("DELETE FROM session_note", "the list of its notes"),
    (f"UPDATE state SET value = CAST('1' AS BLOB) WHERE session = {FLOW} AND key = 'name'", "value of 'name'"),
    (f"UPDATE state SET seq = 1 WHERE session = {FLOW} AND key = 'name'", "the event that set 'name'"),
    (f"UPDATE state SET key = 'x' WHERE session = {FLOW} AND key = 'name'", "the key 'x' of its state is not in"),
    (f"DELETE FROM state WHERE session = {FLOW} AND key = 'name'", "the key 'name' is missing in its state"),
    (f"UPDATE visit SET node = 'x' WHERE session = {FLOW} AND position = 2", "node 2 of its flow's history"),
    (f"DELETE FROM visit WHERE session = {FLOW} AND position = 2", "history"),
    ("UPDATE flow_version SET files = x'00'", "flow 'tour' is damaged"),
    ("INSERT INTO state VALUES (99, 'k', '1', 1)", "a state of session number 99, which does not exist"),
    ("INSERT INTO session_name VALUES (1, 'x', 99)", "a name of session number 99"),
    (f"UPDATE event SET k = 99 << 32 WHERE k = ({TALK} << 32) + 5", "a journal of session number 99"),
    (f"UPDATE event SET k = 2147483647 << 32 WHERE k = ({TALK} << 32) + 5", "a journal of session number 2147483647"),
    ("UPDATE sqlite_sequence SET seq = 1", "the number of the next session"),
    ("UPDATE session SET parent = 2 WHERE id = 'talk'", "its parent differs from its second copy"),
    ("UPDATE session SET expires_at = 1 WHERE id = 'talk'", "its time of expiry"),
    ("UPDATE session SET trashed_at = 1 WHERE id = 'talk'", "it is not in the trash"),
    ("UPDATE session SET shelf = 4 WHERE id = 'talk'", "it is hidden like a session that is being deleted"),
    ("UPDATE session SET shelf = 5 WHERE id = 'talk'", "one of its rows says that it is in quarantine"),
    ("UPDATE session SET shelf = 9 WHERE id = 'talk'", "its archive or trash state is invalid"),
    ("UPDATE session SET uid = x'' WHERE id = 'cut'", "its uid differs from its second copy"),
    ("UPDATE session SET shelf = 1 WHERE id = 'cut'", "its archive or trash state"),
    ("UPDATE epoch SET uid = x'00' WHERE epoch = 1", "its first epoch differs from its second copy"),
    ("UPDATE epoch SET reused = 1 WHERE epoch = 1", "its first epoch differs from its second copy"),
    ("DELETE FROM flow_version", "the files of its flow version are missing"),
    ("UPDATE flow_version SET tenant = 2", "the files of its flow version are missing"),
    ("DELETE FROM flow_use", "is not listed as its own"),
    ("UPDATE migration SET checksum = x'00' WHERE version = 3", "the steps of its format"),
    ("PRAGMA user_version = 2", "it claims format 2"),
    ("CREATE TABLE another (x)", "its tables do not match its format"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "said"), ALONE)
def test_one_thing_that_was_changed_is_found(file: Path, statement: str, said: str) -> None:
    change(file, statement)
    assert any(said in detail for detail in found(file)), found(file)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE segment SET last_seq = last_seq - 1",
            "its shared events are not those of the session it was forked from",
        ),
        ("UPDATE segment SET first_seq = 2", "are not contiguous"),
        ("UPDATE session SET fork_of = 3 WHERE id = 'branch'", "it was forked from"),
    ],
)
def test_one_thing_that_was_changed_of_a_fork_is_found(file: Path, statement: str, said: str) -> None:
    with client_at(file) as client:
        client.fork("talk", "branch")
        client.fork("branch", "deeper")
    assert found(file) == []
    change(file, statement)
    assert any(said in detail for detail in found(file)), found(file)


@pytest.mark.parametrize("number", [1 << 62, 1 << 40, -(1 << 62)])
@pytest.mark.parametrize("column", ["head_seq", "base_seq"])
def test_a_journal_whose_ends_are_damaged_leads_into_no_other(file: Path, column: str, number: int) -> None:
    change(file, f"UPDATE session SET {column} = {number} WHERE id = 'talk'")
    with client_at(file) as client:
        before = {event.hash for name in ("flow", "redacted", "cut") for event in client.events(name)}
        assert not before & {event.hash for event in client.events("talk")}
        with contextlib.suppress(RetomaError):
            b"".join(client.export("talk", "jsonl"))
        assert not client.check().whole


def test_an_export_of_a_history_in_disorder_ends(file: Path) -> None:
    change(file, f"UPDATE visit SET position = 'x' WHERE session = {FLOW} AND position = 2")
    with client_at(file) as client:
        assert b"".join(client.export("flow", "jsonl"))
        assert not client.check().whole


def test_a_lease_that_was_never_given_out_is_found(file: Path) -> None:
    with client_at(file) as client:
        holder = Holder("host", "boot", 1, 1, "test")
        client._store.write(lambda tx: leases.acquire(tx, client._who, "talk", holder))
        assert client.check().whole
    change(file, "UPDATE lease SET token = 9")
    assert any("fencing token" in detail for detail in found(file))


def test_a_value_that_only_a_row_has_is_found_when_its_second_copy_differs(file: Path) -> None:
    data = file.read_bytes()
    place = str(TOUR).encode()
    assert data.count(place) == 3
    at = data.index(place)
    file.write_bytes(data[:at] + b"x" + data[at + 1 :])
    assert any("missing from index session_copy" in detail for detail in found(file))


def test_content_that_nothing_refers_to_is_no_damage_and_is_collected(file: Path) -> None:
    change(file, "INSERT INTO blob VALUES (x'00', 'raw', 1, 1, x'00', NULL)")
    with client_at(file) as client:
        report = client.check()
        assert (report.whole, report.unreferenced) == (True, 1)
        assert (client.due().contents, client.due().content_bytes) == (1, 1)
        assert client.collect(compact=True).contents == 1
        assert client.due().nothing
        assert client.check().unreferenced == 0
        assert len(client.messages("talk")) == 2


def test_a_part_of_the_sessions_is_looked_at(file: Path) -> None:
    with client_at(file) as client:
        for number in range(200):
            client.create(NewSession(id=f"more-{number}"))
        report = client.check(sample=0.25)
        assert 20 < report.sessions < 90


def test_progress_ends_at_the_whole(file: Path) -> None:
    told: list[tuple[int, int]] = []
    with client_at(file) as client:
        report = client.check(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (report.events, report.events)


def test_a_long_journal_is_checked_in_little_memory(tmp_path: Path) -> None:
    peaks = []
    for length in (4_000, 16_000):
        place = place_in(tmp_path / str(length))
        fill(place, length)
        with client_at(place.path) as client:
            tracemalloc.start()
            report = client.check()
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert (report.whole, report.events) == (True, length)
    assert peaks[1] < 1.1 * peaks[0]


# Repair


def broken(file: Path) -> None:
    change(
        file,
        f"UPDATE event SET data = replace(data, 'one', 'two') WHERE k = ({TALK} << 32) + 2",
        "INSERT INTO state VALUES (99, 'k', '1', 1)",
    )


def test_what_is_damaged_is_put_aside_and_nothing_is_deleted(file: Path) -> None:
    broken(file)
    with client_at(file) as client:
        rows = counted(client)
        done = client.repair(client.check())
        assert (set(done.sessions), done.left) == ({"talk", "number 99"}, ())
        # Its name is free, and known to have been in use.
        rows |= {"quarantine": 2, "session_name": rows["session_name"] - 1, "name_used": 1}
        assert counted(client) == rows
        assert client.get("talk") is None
        assert "talk" not in [one.id for one in client.list([Listing()]).items]
        report = client.check()
        assert report.whole
        assert [one.id for one in report.quarantined] == ["talk", ""]
        assert "event 2: its data was changed after it was written" in report.quarantined[0].why
        client.create(NewSession(id="talk"))
        assert client.check().whole


def test_a_session_in_quarantine_comes_again_from_a_backup(file: Path, tmp_path: Path) -> None:
    with client_at(file) as client:
        client.backup(tmp_path / "before.db")
    broken(file)
    with client_at(file) as client, client_at(tmp_path / "before.db") as before:
        client.repair(client.check())
        client.import_(io.BytesIO(b"".join(before.export("talk", "jsonl"))))
        assert client.messages("talk")[0].text == "one"
        assert client.check().whole


def test_damage_of_the_file_is_left(file: Path) -> None:
    change(file, "CREATE TABLE another (x)")
    with client_at(file) as client:
        done = client.repair(client.check())
        assert [one.what for one in done.left] == ["file"]
        assert not client.check().whole


def test_a_tail_that_is_gone_is_reported_until_a_repair_takes_note(file: Path) -> None:
    before = file.read_bytes()
    with client_at(file) as client:
        client.append("talk", "user", "lost")
    file.write_bytes(before)
    with client_at(file) as client:
        report = client.check()
        assert [one.what for one in report.damage] == ["tail"]
        assert "has seen" in report.damage[0].detail
    with client_at(file) as client:
        client.append("talk", "user", "another")
        report = client.check()
        assert [one.what for one in report.damage] == ["tail"]
        assert client.repair(report).left == ()
        client.append("talk", "user", "more")
        report = client.check()
        assert report.whole
        assert "A committed tail was gone" in report.quarantined[0].why


def counted(client: Calls) -> dict[str, int]:
    run = client._store._open_reader().run
    names = [name for (name,) in run("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {name: run(f"SELECT count(*) FROM {name}")[0][0] for name in names}


# What is said


def test_a_report_lists_so_many_and_counts_the_rest() -> None:
    report = Report(damage=[])
    for _ in range(MOST + 3):
        report.add(Damage(what="event", detail="x"))
    assert (len(view(report)["damage"]), view(report)["unlisted"]) == (MOST, 3)


def test_a_session_that_is_written_to_meanwhile_is_whole(file: Path) -> None:
    with client_at(file) as client, client_at(file) as other:
        writes: list[Callable[[], object]] = [
            lambda: other.append("talk", "user", "meanwhile"),
            lambda: other.reset("cut", erase=True),
            lambda: other.delete("flow"),
        ]
        assert client.check(progress=lambda done, total: writes and writes.pop()()).whole


def test_what_is_compared_of_the_file_is_of_one_moment(file: Path) -> None:
    with client_at(file) as client, client_at(file) as other:
        reader = client._store._open_reader()

        def run(statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
            rows = reader.run(statement, values)
            if "sqlite_sequence" in statement:
                other.create(NewSession())
            return rows

        assert engine_check(run) == []
        reader.close()


def test_a_number_that_became_nothing_ends_no_check(file: Path) -> None:
    def declared(text: str, as_: str) -> str:
        return f"UPDATE sqlite_schema SET sql = replace(sql, '{text}', '{as_}') WHERE name = 'session'"

    strict, loose = "head_seq      INTEGER NOT NULL", "head_seq      INTEGER"
    unlock = ("PRAGMA writable_schema = ON",)
    change(file, *unlock, declared(strict, loose))
    change(file, "UPDATE session SET head_seq = NULL WHERE id = 'flow'", *unlock, declared(loose, strict))
    assert any("'flow'" in one for one in found(file))
    assert any("NULL value in session.head_seq" in one for one in found(file))
