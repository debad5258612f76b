"""Export and import as a program uses them: formats, damage, limits, what is here already."""

from __future__ import annotations

import csv
import io
import json
import re
import tracemalloc
from collections.abc import Iterator

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.calls import Calls

from retoma.errors import (
    Busy,
    Conflict,
    Integrity,
    Invalid,
    Limit,
    NotFound,
    Refused,
    RetomaError,
    Unavailable,
)
from retoma.model.chain import SALT_BYTES, digest, genesis, link
from retoma.model.ids import TenantKey
from retoma.model.lease import Holder
from retoma.model.limits import Limits
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.model.transfer import decoded, encoded
from retoma.runtime.drive import Request
from retoma.service import leases
from retoma.service.transfer import incoming
from retoma.service.transfer.csv import HEADER, guarded
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\n=1",
    " =1",
    "\ufeff=1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
]
TEXTS = ["plain", 'with "quotes", and\r\nmore', "\n", "", "é日🧭", *FORMULAS, "'=1", "a=1"]


@pytest.fixture
def other(clock: Clock) -> Iterator[Calls]:
    """Another store, empty."""
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "bia"), sources=Sources(clock, clock.bytes)) as client:
        yield client


def make(client: Calls, *texts: str, name: str = "s", **facts: object) -> str:
    client.create(NewSession(id=name, **facts))
    for text in texts:
        client.append(name, "user", text)
    return name


def out(client: Calls, format: str = "jsonl", name: str = "s") -> bytes:
    return b"".join(client.export(name, format))


def take(client: Calls, data: bytes, name: str | None = None) -> incoming.Imported:
    return client.import_(io.BytesIO(data), name=name)


def erase(client: Calls, seq: int) -> None:
    key = client.get("s").key
    sql = "UPDATE event SET data = NULL, salt = NULL WHERE k = ?"
    client._store._turn.connection().run(sql, (key << 32 | seq,))


def left(client: Calls) -> list[tuple[object, ...]]:
    """Return every row that an import could leave behind."""
    run = client._store._turn.connection().run
    tables = (
        "session", "session_name", "session_note", "session_tag", "event", "state", "visit", "epoch", "blob",
        "flow_version", "flow_use",
    )  # fmt: skip
    return [row for table in tables for row in run(f"SELECT * FROM {table}")]


# What is written


def test_csv_is_the_conversation(client, make_flow):
    make(client, *TEXTS)
    client.reset("s")
    client.append("s", "assistant", "second epoch")
    erase(client, 2)
    rows = list(csv.reader(io.StringIO(out(client, "csv").decode(), newline="")))
    assert tuple(rows[0]) == HEADER
    expected = ["(erased)", *TEXTS[1:], "second epoch"]
    assert [row[6] for row in rows[1:]] == [guarded(text) for text in expected]
    assert [row[2] for row in rows[1:]] == ["1"] * len(TEXTS) + ["2"]
    assert [int(row[1]) for row in rows[1:]] == [*range(2, len(TEXTS) + 2), len(TEXTS) + 3]
    assert {row[0] for row in rows[1:]} == {"s"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row[3]) for row in rows[1:])
    assert out(client, "csv").endswith(b"\r\n")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(client, text):
    make(client, text)
    (row,) = list(csv.reader(io.StringIO(out(client, "csv").decode(), newline="")))[1:]
    assert row[6] == "'" + text


# RFC 4180, section 2, as it is written; TEXTDATA is taken to have all letters, and the tab.
_FIELD = re.compile(r'"((?:[^"]|"")*)"|([^",\r\n]*)')


def rfc4180(text: str) -> list[list[str]]:
    """Return the records of a file, or fail at the first thing that the grammar does not allow."""
    rows: list[list[str]] = [[]]
    at = 0
    while True:
        match = _FIELD.match(text, at)
        quoted, plain = match.groups()
        rows[-1].append(plain if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 2] == "\r\n":
            at += 2
            if at == len(text):
                return rows
            rows.append([])
        else:
            raise AssertionError(f"at {at}: {text[at : at + 20]!r}")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(codec="utf-8")) | st.sampled_from(TEXTS), min_size=1, max_size=5))
def test_csv_is_what_the_standard_says(clock, texts):
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        client.create(NewSession(id="s"))
        for text in texts:
            client.append("s", "user", text, sender=text)
        written = out(client, "csv").decode()
    rows = rfc4180(written)
    assert rows == list(csv.reader(io.StringIO(written, newline=""), strict=True))
    assert {len(row) for row in rows} == {len(HEADER)}
    assert [row[6] for row in rows[1:]] == [guarded(text) for text in texts]
    assert [row[5] for row in rows[1:]] == [guarded(text) for text in texts]
    assert all(not re.match(r"\s*[=+@-]", cell) for row in rows for cell in row)


def test_the_grammar_sees_what_is_wrong():
    for wrong in ("a", "a\n", 'a"b\r\n', '"a\r\n', "a\rb\r\n", '"a"b\r\n'):
        with pytest.raises(AssertionError):
            rfc4180(wrong)


def test_a_flow_speaks_in_every_format(client, make_flow):
    flow = make_flow(
        start="---\ntype: question\nsave_to: a\nto: end\n---\nYour name?\n", end="Hello {{ .a }}.\n"
    )
    with client.drive(Request(directory=flow, session="s")) as drive:
        drive.send("Ana")
    rows = list(csv.reader(io.StringIO(out(client, "csv").decode(), newline="")))[1:]
    assert [(row[4], row[5], row[6]) for row in rows] == [
        ("assistant", "start", "Your name?"),
        ("user", "start", "Ana"),
        ("assistant", "end", "Hello Ana."),
    ]
    assert "## assistant, end" in out(client, "md").decode()


def test_markdown_keeps_its_frame(client):
    hostile = "# Title\n\n## user\n```\nnever closed\n\r<!-- <details>\rlast"
    make(client, hostile, r"\<b> \\<b> \\\<b>", title="# *Not* a [link](x)\n---")
    text = out(client, "md").decode()
    headings = [line for line in re.split(r"\r\n|\n|\r", text) if line.startswith("#")]
    assert headings == ["# \\# \\*Not\\* a \\[link\\]\\(x\\) ---", "## user", "## user"]
    assert "<!--" not in text.replace("\\<!--", "") and "<details>" not in text.replace("\\<details>", "")
    assert "event 3\n\n> \\<b> \\\\\\<b> \\\\\\<b>" in text
    body = text.partition("event 2\n\n")[2].partition("\n\n## user")[0]
    assert all(line.startswith(">") for line in body.split("\n"))


def test_json_has_what_a_reader_looks_for(client):
    make(client, "a", tags=("t",), contexts=(("task", "7"),))
    erase(client, 1)
    document = json.loads(out(client, "json"))
    assert list(document) == [
        "format_version", "session", "contexts", "messages", "events", "state", "visits", "flow", "artifacts", "end",
    ]  # fmt: skip
    assert document["contexts"] == [{"kind": "task", "ref": "7"}]
    assert [message["text"] for message in document["messages"]] == ["a"]
    assert document["events"][0]["erased"] is True and "data" not in document["events"][0]
    assert document["events"][1]["data"] == {"role": "user", "content": "a"}


def test_what_is_written_meanwhile_is_not_in_it(client, other):
    make(client, *map(str, range(30)))
    pieces = client.export("s", "jsonl")
    first = next(pieces)
    client.append("s", "user", "out of order")
    data = first + b"".join(pieces)
    assert take(other, data).events == 31
    assert other.messages("s")[-1].text == "29"


def test_what_is_cut_off_meanwhile_is_told(client):
    make(client, "a")
    pieces = client.export("s", "jsonl")
    next(pieces)
    client.delete("s")
    with pytest.raises(Conflict, match="during the export"):
        list(pieces)


def test_damage_is_not_passed_on(client):
    make(client, "a")
    client._store._turn.connection().run("UPDATE event SET data = CAST('{}' AS BLOB) WHERE k = (1 << 32) + 2")
    with pytest.raises(Integrity, match="Event 2"):
        out(client)


def test_what_no_retoma_wrote_keeps_its_bytes(client, other):
    make(client, "a")
    uid = client.get("s").uid
    data, salt = b'{"role": "user",\n "content": 1e2}', b"s" * SALT_BYTES
    run = client._store._turn.connection().run
    first = run("SELECT hash FROM event")[0][0]
    key = digest(salt, data)
    hash_ = link(first, 2, "message", 5, "x", None, None, None, key)
    sql = "UPDATE event SET at = 5, actor = 'x', operation = NULL, salt = ?, data = ?, digest = ?, hash = ?"
    run(sql + " WHERE k = (1 << 32) + 2", (salt, data, key, hash_))
    run("UPDATE session SET head_hash = ?, updated_at = 5, listed_at = 5", (hash_,))
    assert genesis(uid) != first
    for format in ("json", "jsonl"):
        take(other, out(client, format), name=format)
        assert list(other.events(format))[1].data == data
        other.delete(format)


def test_a_format_that_is_none(client):
    make(client)
    with pytest.raises(Invalid, match="not an export format"):
        client.export("s", "xml")
    with pytest.raises(NotFound):
        client.export("absent")


# What is read


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_the_same_again_adds_nothing_and_a_longer_one_the_rest(client, other, format):
    make(client, "a", tags=("t",))
    first = out(client, format)
    assert take(other, first).added == 2
    client.append("s", "user", "b")
    client.reset("s")
    client.append("s", "user", "c")
    longer = out(client, format)
    done = take(other, longer)
    assert (done.outcome, done.added, done.events) == ("extended", 3, 5)
    assert out(other, format) == longer
    assert take(other, longer).outcome == "unchanged"
    with pytest.raises(Integrity, match="truncated"):
        take(other, longer[:-20])
    assert take(other, first).outcome == "unchanged"
    assert [session.id for session in other.list([Listing(tags=("t",))]).items] == ["s"]


def test_a_session_that_went_another_way_is_a_conflict(client, other):
    make(client, "a")
    take(other, out(client))
    client.append("s", "user", "here")
    other.append("s", "user", "there")
    before = left(other)
    with pytest.raises(Conflict, match="other events here"):
        take(other, out(client))
    client.append("s", "user", "further")
    with pytest.raises(Conflict, match="other events here"):
        take(other, out(client))
    assert left(other) == before


def test_a_template_goes_along_and_what_had_none_says_nothing_of_it(client, other, clock):
    make(client, "one", template="review")
    assert b'"template"' not in out(client, name=make(client, name="plain"))
    take(other, out(client))
    assert other.get("s").template == "review"
    assert out(other) == out(client)
    assert other.check().whole
    who, sources = Principal(LOCAL_TENANT, "bia"), Sources(clock, clock.bytes)
    few = Calls(other._store, who, sources=sources, limits=Limits(by_template={"review": 2}))
    other.delete("s")
    take(few, out(client))
    with pytest.raises(Limit, match=r"templates\.review\.limits\.events_per_session allows 2"):
        few.append("s", "user", "more")
    few.delete("s")
    client.append("s", "user", "two")
    with pytest.raises(Limit, match=r"has 3 events, and templates\.review"):
        take(few, out(client))


def test_a_taken_id_and_another_name(client, other):
    make(client, "a")
    make(other, "mine")
    with pytest.raises(Conflict) as caught:
        take(other, out(client))
    assert "--as NEW" in caught.value.hint
    assert take(other, out(client), name="t").id == "t"
    assert take(other, out(client)).id == "t", "one session is here once, whatever it is called"
    with pytest.raises(Invalid, match="slash"):
        take(other, out(client), name="a/b")


def test_a_parent_that_is_not_here_is_told(client, other):
    make(client, name="p")
    make(client, name="s", parent="p")
    done = take(other, out(client))
    assert done.without_parent == "p"
    assert other.get("s").parent is None
    other.delete("s")
    take(other, out(client, name="p"))
    assert take(other, out(client)).without_parent is None
    assert other.get("s").parent == "p"


def test_limits_hold(client, clock):
    make(client, *"abc")
    data = out(client)
    store = SqliteStore(None, now=clock, random=clock.bytes)
    for limits in (
        Limits(events_per_session=3),
        Limits(sessions=0),
        Limits(sessions_active=0),
    ):
        with pytest.raises(Limit):
            Calls(store, Principal(LOCAL_TENANT, "x"), limits=limits).import_(io.BytesIO(data))
    client.change("s", "completed")
    limits = Limits(sessions_active=0)
    Calls(store, Principal(LOCAL_TENANT, "x"), limits=limits).import_(io.BytesIO(out(client)))
    store.close()


def test_a_driven_session_is_not_extended(client, other):
    make(client, "a")
    take(other, out(client))
    client.append("s", "user", "b")
    holder = Holder("h", "b", 1, 1, "retoma run")
    other._store.write(lambda tx: leases.acquire(tx, other._who, "s", holder))
    with pytest.raises(Busy):
        take(other, out(client))


def test_who_may_only_read_imports_nothing(client, other):
    make(client, "a")
    reader = Calls(other._store, Principal(LOCAL_TENANT, "eve", "read"))
    with pytest.raises(RetomaError, match="not write"):
        take(reader, out(client))


def test_tenants_do_not_meet(client, other):
    make(client, "a")
    other._store._turn.connection().run("INSERT INTO tenant (pk, name) VALUES (2, 'theirs')")
    theirs = Calls(other._store, Principal(TenantKey(2), "eve"))
    for one in (other, theirs):
        assert take(one, out(client)).outcome == "imported"
    client.append("s", "user", "b")
    assert take(theirs, out(client)).outcome == "extended"
    assert other.get("s").seq == 2


def test_a_stopped_import_is_taken_up_and_shown_by_nothing(client, other, monkeypatch, clock):
    make(client, *map(str, range(1200)))
    data = out(client)

    class Stopped(Exception):
        pass

    def stops(*_: object) -> None:
        raise Stopped

    monkeypatch.setattr(incoming._Import, "_show", stops)
    with pytest.raises(Stopped):
        take(other, data)
    monkeypatch.undo()
    assert other.get("s") is None
    assert other.list([Listing()]).items == []
    assert other._store._turn.connection().run("SELECT count(*) FROM event") == [(1000,)]
    asked: list[int] = []
    restore = type(other._store._turn.connection().transaction.journal).restore
    monkeypatch.setattr(
        "retoma.stores.sql.journal.SqlJournal.restore",
        lambda self, key, events: (asked.append(len(events)), restore(self, key, events)),
    )
    assert take(other, data).added == 1201
    assert asked == [201], "what was there is not written again"
    assert out(other) == data


def test_an_import_nobody_went_on_with_goes(client, other, monkeypatch, clock):
    make(client, *map(str, range(600)))
    monkeypatch.setattr(incoming._Import, "_show", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        take(other, out(client))
    monkeypatch.undo()
    make(client, "x", name="t")
    clock.now += incoming.STALE_MS + 1
    take(other, out(client, name="t"))
    assert other._store._turn.connection().run("SELECT count(*) FROM session") == [(1,)]


def test_a_later_import_of_the_same_fences_an_earlier_one(client, other, monkeypatch):
    make(client, *map(str, range(600)))
    data = out(client)
    fill = incoming._Import._fill

    def overtaken(self, plan, proved, continued):
        monkeypatch.undo()
        assert take(other, data).outcome == "imported"
        return fill(self, plan, proved, continued)

    monkeypatch.setattr(incoming._Import, "_fill", overtaken)
    with pytest.raises(Busy, match="Another import"):
        take(other, data)
    assert out(other) == data


def test_a_session_in_the_trash_is_not_imported_over(client, other):
    make(client, "a")
    take(other, out(client))
    other.trash("s")
    with pytest.raises(Refused, match="in the trash"):
        take(other, out(client))
    other.restore("s")
    with pytest.raises(Conflict, match="other events here"):
        client.append("s", "user", "b")
        client.append("s", "user", "c")
        client.append("s", "user", "d")
        take(other, out(client))


def test_a_deleted_session_comes_back_with_a_mark_on_its_name(client, other, make_flow):
    flow = make_flow(start="---\ntype: question\nto: start\n---\nName?\n")
    client.drive(Request(directory=flow, session="s")).close()
    client.note("s", "remember")
    empty = left(other)
    take(other, out(client))
    assert [event.value()["text"] for event in other.notes("s")] == ["remember"]
    other.delete("s")
    assert left(other) == empty
    take(other, out(client))
    record = json.loads(lines_of(out(other))[0])
    assert [epoch["reused"] for epoch in record["epochs"]] == [True]


def test_calls_of_tools_are_in_csv_and_in_the_transcript(client):
    make(client)
    call = {"type": "tool_call", "id": "1", "name": "=look", "arguments": {}}
    client.append("s", "assistant", [call])
    (row,) = list(csv.reader(io.StringIO(out(client, "csv").decode(), newline="")))[1:]
    assert (row[4], row[6], row[7]) == ("assistant", "→ =look {}", "'=look")
    assert "=look" in out(client, "md").decode()


# What is damaged


def lines_of(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def edited(data: bytes, number: int, change) -> bytes:
    lines = lines_of(data)
    lines[number - 1] = change(lines[number - 1])
    return b"".join(lines)


def swapped(pair: tuple[bytes, bytes]):
    def change(line: bytes) -> bytes:
        assert pair[0] in line
        return line.replace(*pair, 1)

    return change


def patched(pattern: bytes, by: bytes):
    return lambda line: re.sub(pattern, by, line)


DEEP = b'{"type":"event","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
NESTED = b'"x":' + b"[" * 9999 + b"]" * 9999 + b',"content":'
TOO_LATE = b'"created_at":9223372036854775807'
DAMAGE = {
    "torn": (lambda data: data[:-100], Integrity, "truncated"),
    "no end": (lambda data: b"".join(lines_of(data)[:-1]), Integrity, "truncated"),
    "torn between": (lambda data: b"".join(lines_of(data)[:4]), Integrity, "truncated"),
    "a NUL": (lambda data: edited(data, 3, lambda line: b"\0" + line), Integrity, "Line 3"),
    "not JSON": (lambda data: edited(data, 3, lambda line: b"hello\n"), Integrity, "Line 3"),
    "not UTF-8": (lambda data: edited(data, 3, swapped((b'"content":"', b'"content":"\xff'))), Integrity, "Line 3"),
    "not UTF-8 in a name": (lambda data: edited(data, 3, swapped((b"ana", b"\xffna"))), Integrity, "Line 3"),
    "another type": (lambda data: edited(data, 3, swapped((b'"event"', b'"other"'))), Integrity, "Line 3"),
    "another field": (lambda data: edited(data, 3, swapped((b'"seq"', b'"x":1,"seq"'))), Integrity, "Line 3"),
    "a field less": (lambda data: edited(data, 3, swapped((b'"actor":"ana",', b""))), Integrity, "Line 3"),
    "too large": (lambda data: edited(data, 3, swapped((b'seq":2', b'seq":' + b"9" * 30))), Integrity, "Line 3"),
    "a line of 5 MB": (lambda data: edited(data, 3, lambda line: b"x" * 5_000_000 + b"\n"), Integrity, "Line 3"),
    "deep": (lambda data: edited(data, 3, lambda line: DEEP), Integrity, "Line 3"),
    "deep metadata": (
        lambda data: edited(data, 1, swapped((b'"metadata":{', b'"metadata":{"x":' + b"[" * 450 + b"]" * 450))),
        Integrity,
        "Line 1: it is nested deeper than 200 levels",
    ),
    "twice": (lambda data: edited(data, 3, lambda line: line + line), Integrity, "Line 4: event 2 is a duplicate"),
    "a gap": (lambda data: edited(data, 3, lambda line: b""), Integrity, "Line 3: event 3 follows, but 2 is missing"),
    "another text": (lambda data: edited(data, 3, swapped((b'"one"', b'"two"'))), Integrity, "data of event 2"),
    "another actor": (lambda data: edited(data, 3, swapped((b'"ana"', b'"eve"'))), Integrity, "event 2 is not linked"),
    "silent": (lambda data: edited(data, 3, patched(rb',"data":.*}', b"}")), Integrity, "event 2"),
    "a title": (lambda data: edited(data, 1, swapped((b'"title":""', b'"title":"x"'))), Integrity, "were changed"),
    "a state": (lambda data: edited(data, 6, swapped((b'"v"', b'"w"'))), Integrity, "were changed"),
    "a uid": (lambda data: edited(data, 1, patched(rb'"uid":"..', b'"uid":"00')), Integrity, "not belong"),
    "a head": (lambda data: edited(data, 1, patched(rb'"head":{"seq":4', b'"head":{"seq":3')), Integrity, "Line"),
    "two sessions": (lambda data: data + data, Integrity, "one"),
    "an id": (lambda data: edited(data, 1, swapped((b'"id":"s"', b'"id":"../x"'))), Integrity, "session id"),
    "a date": (lambda data: edited(data, 1, patched(rb'"created_at":\d+', TOO_LATE)), Integrity, "Line 1"),
    "empty": (lambda data: b"", Invalid, "empty"),
    "blank": (lambda data: b"\n" + data, Invalid, "empty line"),
    "a picture": (lambda data: b"\x89PNG\r\n\x1a\n\0\0", Invalid, "not an export"),
    "an array": (lambda data: b"[1, 2]", Invalid, "not an export"),
    "a number": (lambda data: b"42", Invalid, "not an export"),
    "other JSON": (lambda data: b'{"name": "x"}', Invalid, "not an export"),
    "other lines": (lambda data: b'{"type": "user"}\n{"type": "assistant"}\n', Invalid, "not an export"),
    "newer": (lambda data: edited(data, 1, swapped((b'version":1', b'version":2'))), Unavailable, "newer Retoma"),
    "no version": (lambda data: edited(data, 1, swapped((b'version":1', b'version":"x"'))), Integrity, "Line 1"),
}  # fmt: skip
DOCUMENT_DAMAGE = {
    "torn": (lambda data: data[:-100], Integrity, "truncated"),
    "no end": (lambda data: re.sub(rb',\n"end":.*}}', b"}", data), Integrity, "truncated"),
    "a NUL": (lambda data: edited(data, 9, lambda line: b"\0" + line), Integrity, "Line 9"),
    "not UTF-8": (lambda data: data.replace(b'"content":"one', b'"content":"\xff'), Integrity, "Line"),
    "another section": (lambda data: data.replace(b'"artifacts"', b'"x"'), Integrity, "'x' is not part of an export"),
    "deep": (lambda data: edited(data, 9, swapped((b'"content":', NESTED))), Integrity, "Line 9: it is nested deep"),
    "a long string": (lambda data: data.replace(b'"text":"one', b'"text":"' + b"x" * 20_000_000), Integrity, "longer"),
    "a long number": (lambda data: data.replace(b'"seq":2', b'"seq":' + b"9" * 9_999), Integrity, "Line"),
    "another text": (lambda data: data.replace(b'"content":"one', b'"content":"two'), Integrity, "data of event 2"),
    "a gap": (lambda data: re.sub(rb'{"seq":2,"kind".*\n', b"", data), Integrity, "2 is missing"),
    "a state": (lambda data: data.replace(b'"value":"v"', b'"value":"w"'), Integrity, "were changed"),
    "newer": (lambda data: data.replace(b'version":1', b'version":2'), Unavailable, "newer Retoma"),
    "another version": (lambda data: data.replace(b'version":1', b'version":true'), Invalid, "not an export"),
    "no session": (lambda data: re.sub(rb'"session":.*\n', b"", data), Integrity, "start with its session"),
    "not a list": (lambda data: re.sub(rb'"state":\[\n.*\]', b'"state":{}', data), Integrity, "an array"),
    "two": (lambda data: data + data, Integrity, "Line"),
    "an array": (lambda data: b"{" + b"[" * 100_000, Invalid, "not an export"),
    "nothing else": (lambda data: b'{"format_version":1}', Integrity, "start with its session"),
    "no more": (lambda data: data.partition(b',\n"contexts"')[0] + b"}", Integrity, "truncated"),
}  # fmt: skip


def of_four(client: Calls, format: str) -> bytes:
    make(client, "one", "two")
    from retoma.model import event as kinds
    from retoma.model.codec import encode
    from retoma.model.event import new_event
    from retoma.service import access

    def put(tx) -> None:
        head = access.head_of(tx, client._who, "s")
        event = new_event(kinds.STATE, encode({"set": {"k": "v"}}))
        access.append(tx, client._who, head, [event], client._operation(None, "x", None))
        tx.state.put(head.key, {"k": "v"}, seq=4)

    client._store.write(put)
    return out(client, format)


@pytest.mark.parametrize(
    ("format", "case"),
    [("jsonl", case) for case in DAMAGE] + [("json", case) for case in DOCUMENT_DAMAGE],
)
def test_damage_is_one_sentence_and_leaves_nothing(client, other, format, case):
    change, family, said = (DAMAGE if format == "jsonl" else DOCUMENT_DAMAGE)[case]
    whole = of_four(client, format)
    broken = change(whole)
    assert broken != whole
    with pytest.raises(family) as caught:
        take(other, broken)
    assert said in str(caught.value)
    assert len(caught.value.message) < 300
    assert "\n" not in caught.value.message
    assert left(other) == []
    assert take(other, whole).outcome == "imported"


def test_a_tool_that_spaced_the_lines_out_does_no_harm(client, other):
    whole = of_four(client, "jsonl")
    spaced = b"".join(json.dumps(json.loads(line)).encode() + b"\r\n" for line in whole.splitlines())
    take(other, spaced)
    assert out(other) == whole


def test_a_document_on_one_line_is_read_too(client, other):
    make(client, *map(str, range(100)))
    document = json.dumps(json.loads(out(client, "json"))).encode()
    assert b"\n" not in document
    take(other, document)
    assert out(other) == out(client)


@pytest.mark.parametrize("filler", [b" ", b"\n", b"1"])
def test_what_stands_between_takes_no_memory(other, filler):
    class Endless:
        given = 0

        def readline(self, most: int) -> bytes:
            self.given += most
            if self.given == most:
                return b'{"format_version":'
            return filler * min(most, 1 << 20) if self.given < 100 << 20 else b""

    tracemalloc.start()
    with pytest.raises(RetomaError):
        other.import_(Endless())
    (_, peak), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
    assert peak < 40 << 20


def test_a_flow_of_other_files_is_refused(client, other, make_flow):
    flow = make_flow(start="---\ntype: question\nto: start\n---\nYour name?\n")
    client.drive(Request(directory=flow, session="s")).close()
    lines = lines_of(out(client))
    at = next(n for n, line in enumerate(lines) if b'"type":"flow"' in line)
    record = json.loads(lines[at]) | {"content": "eA=="}
    lines[at] = encoded(record) + b"\n"
    with pytest.raises(Integrity, match="files of its flow"):
        take(other, b"".join(lines))
    assert left(other) == []


def test_without_its_directory_a_flow_goes_on_from_the_version_it_has(client, other, make_flow):
    flow = make_flow(start="---\ntype: question\nsave_to: a\nto: end\n---\nName?\n", end="Hello {{ .a }}.\n")
    client.drive(Request(directory=flow, session="s")).close()
    take(other, out(client, "json"))
    for file in flow.iterdir():
        file.unlink()
    with other.drive(Request(directory=flow, session="s")) as drive:
        drive.send("Ana")
        assert drive.shown[-1].content == "Hello Ana."


def resealed(data: bytes, change) -> bytes:
    """Return an export in lines after `change`, with the checksum of what is in its records then."""
    records = [json.loads(line) for line in data.splitlines()]
    change(records)
    whole = blake3()
    for record in records:
        if record["type"] not in ("event", "end"):
            whole.update(encoded(decoded(json.dumps(record).encode())))
    records[-1]["records"] = whole.hexdigest()
    return b"\n".join(json.dumps(record).encode() for record in records)


FORGED = {
    "title": ("a title", "its title differs"),
    "description": ("said", "its description differs"),
    "status": ("suspended", "its status differs"),
    "reason": ("because", "its reason differs"),
    "pinned": (True, "its pin differs"),
    "archived": (True, "its archive or trash state differs"),
    "tags": (["x"], "its tags differ"),
    "contexts": ([{"kind": "a", "ref": "b"}], "its contexts differ"),
    "metadata": ({"a": 1}, "its metadata differs"),
    "updated_at": (7, "its time of the last change differs"),
    "created_at": (7, "its time of creation differs"),
    "template": ("t", "its template differs"),
    "usage": (
        {"tokens_in": 1, "tokens_out": 0, "tokens_cached": 0, "cost_micros": 0},
        "its number of tokens in differs",
    ),
    "flow": (
        {"name": "f", "path": None, "version": None, "node": "n", "status": "active", "visits": 0},
        "its flow differs",
    ),
}


@pytest.mark.parametrize("field", FORGED)
def test_a_value_that_is_not_what_the_journal_says(client, other, field):
    make(client, "a")
    value, said = FORGED[field]
    data = resealed(out(client), lambda records: records[0].update({field: value}))
    with pytest.raises(Integrity, match=said) as refused:
        take(other, data)
    assert refused.value.code == "damaged_export"
    assert refused.value.differences
    assert other.list([Listing()]).items == []
    assert other._store._turn.connection().run("SELECT count(*) FROM session") == [(0,)]


def test_a_state_that_is_not_what_the_journal_says(client, other):
    make(client, "a")
    row = {"type": "state", "key": "k", "seq": 1, "value": 100_000}
    data = resealed(out(client), lambda records: records.insert(-1, row))
    with pytest.raises(Integrity, match="the key 'k' of its state is not in its journal"):
        take(other, data)
