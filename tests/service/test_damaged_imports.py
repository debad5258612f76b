"""Files cut anywhere, with bytes changed anywhere: never a traceback, and no record is lost that is whole before it."""

from __future__ import annotations

import io
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.calls import Calls
from tests.service.test_imports import SAMPLES

from retoma.errors import RetomaError
from retoma.importers.bringing import Arrived
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.service.transfer import mend
from retoma.service.transfer.lines import Damaged, Entry, Lines
from retoma.service.transfer.notices import Notices
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

LINES = {
    "copilot": SAMPLES / "copilot/session-state/0b5e8f10-3c47-4f6a-9d21-7a1c00000003/events.jsonl",
    "claude-code": SAMPLES / "claude-code/projects/-project/5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0004.jsonl",
}
OTHERS = {
    "trellis": SAMPLES / "trellis/sessions/pedido-003.json",
    "openai-agents": SAMPLES / "openai-agents/advanced.db",
}
SEVERAL = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def empty() -> Calls:
    clock = Clock()
    store = SqliteStore(None, now=clock, random=clock.bytes)
    return Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes))


def bring(data: bytes, source: str) -> tuple[Arrived | None, str]:
    """Return what came of a file and all that its journals hold; None when it was refused."""
    with empty() as client:
        try:
            arrived = client.bring(io.BytesIO(data), source=source)
        except RetomaError as error:
            assert error.code in {"damaged_import", "damaged_export", "not_an_export", "too_large"}, error
            return None, ""
        names = [one.imported.id for one in arrived.sessions if one.imported is not None]
        assert all(one.error is None for one in arrived.sessions)
        kept = "".join(json.dumps(event.value()) for name in names for event in client.events(name))
        again = client.bring(io.BytesIO(data), source=source)
        assert all(one.imported.added == 0 for one in again.sessions)
        assert client.check().damage == []
        for name in names[:1]:
            lines = b"".join(client.export(name, "jsonl"))
            with empty() as other:
                other.import_(io.BytesIO(lines))
                assert b"".join(other.export(name, "jsonl")) == lines
        return arrived, kept


def own_id(line: bytes) -> str:
    value = json.loads(line)
    return value.get("uuid") or value.get("id") or value.get("leafUuid") or value["messageId"]


@pytest.mark.parametrize("source", LINES)
@SEVERAL
@given(data=st.data())
def test_lines_that_are_cut_anywhere(source: str, data: st.DataObject) -> None:
    whole = LINES[source].read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    before = whole[:cut].split(b"\n")
    arrived, kept = bring(whole[:cut], source)
    assert (arrived is None) == (not before[:-1] and not mend.read(before[-1]))
    assert all(own_id(line) in kept for line in before[:-1])


@pytest.mark.parametrize("source", LINES)
@SEVERAL
@given(data=st.data())
def test_lines_with_bytes_that_changed(source: str, data: st.DataObject) -> None:
    lines = LINES[source].read_bytes().splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    line = bytearray(lines[number])
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 2))] = data.draw(
            st.sampled_from([0, 0x0A, 0x22, 0x5C, 0x7B, 0x7D, 0xFF, 0x80, 0x20, 0x31])
        )
    damaged = b"".join([*lines[:number], bytes(line), *lines[number + 1 :]])
    arrived, kept = bring(damaged, source)
    assert arrived is not None
    assert all(own_id(whole) in kept for n, whole in enumerate(lines) if n != number)


@pytest.mark.parametrize("source", OTHERS)
@SEVERAL
@given(data=st.data())
def test_documents_and_databases(source: str, data: st.DataObject) -> None:
    whole = bytearray(OTHERS[source].read_bytes())
    if data.draw(st.booleans()):
        del whole[data.draw(st.integers(0, len(whole))) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if whole:
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    bring(bytes(whole), source)


@SEVERAL
@given(data=st.binary(max_size=2_000), source=st.sampled_from(["auto", *LINES, *OTHERS, "codex"]))
def test_noise(data: bytes, source: str) -> None:
    bring(data, source)


# How lines are read


def read(data: bytes) -> tuple[list[object], list[str]]:
    notices = Notices()
    found = [
        one.value if isinstance(one, Entry) else one.data
        for one in Lines(io.BytesIO(data), notices, lambda value: "id" in value)
    ]
    return found, [notice.code for notice in notices.all()]


A, B, C = ({"id": name, "text": f"text {name}"} for name in "abc")
a, b, c = (json.dumps(one).encode() for one in (A, B, C))
DEEP = b'{"id": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
BROKEN = a.replace(b"text a", b"te\nxt\n\n{ a")


@pytest.mark.parametrize(
    ("data", "found", "codes"),
    [
        (a + b"\n" + b, [A, B], []),
        (b"\xef\xbb\xbf" + a + b"\r\n\r\n  \n" + b + b"\r\n", [A, B], []),
        (a + b"\n" + b[:9], [A], ["torn"]),
        (a + b"\n" + b[:9] + b"\n", [A, b[:9]], ["unreadable"]),
        (a + b[:9] + b"\n" + c + b"\n", [A, b[:9], C], ["unreadable"]),
        (a[:9] + b + b"\n" + c + b"\n", [a[:9], B, C], ["unreadable"]),
        (a[:9] + b"\n" + b + b"\n" + c, [a[:9], B, C], ["unreadable"]),
        (a + b + c + b"\n", [A, B, C], ["two_records"]),
        (a + b"  " + b + c[:5], [A, B], ["torn"]),
        (a + b"\n\0\0\0" + b + b"\n\0\0", [A, B], ["nul_bytes", "nul_bytes"]),
        (a + b"\n" + b[:9] + b"\0" * 600, [A], ["nul_bytes", "torn"]),
        (BROKEN + b"\n" + b, [{"id": "a", "text": "te\nxt\n\n{ a"}, B], ["rejoined"]),
        (BROKEN[:-2] + b"\n" + b + b"\n", [*BROKEN[:-2].replace(b"\n\n", b"\n").split(b"\n"), B], ["unreadable"] * 3),
        (BROKEN[:30], [b'{"id": "a", "text": "te', b"xt"], ["unreadable", "unreadable", "torn"]),
        (b"null\n[1]\n7\n" + a, [b"null", b"[1]", b"7", A], ["unreadable"] * 3),
        (a.replace(b"text", b"te\txt"), [{"id": "a", "te\txt": "te\txt a"}], []),
        (DEEP + b"\n" + a, [DEEP, A], ["unreadable"]),
        ('{"id": "line \u2028 end"}\n'.encode(), [{"id": "line \u2028 end"}], []),
    ],
)  # fmt: skip
def test_lines(data: bytes, found: list[object], codes: list[str]) -> None:
    assert read(data) == (found, codes)


@pytest.mark.parametrize(
    "data",
    [
        b'{"id": "' + b"x" * 1_000_000 + b"\n",
        b'{"id": "a\n' * 5_000,
        b'"' * 200_000,
        b'{"' * 50_000 + b"\n",
        b'{"id":1}' * 10_000 + b"{",
        b'\\"' * 100_000 + b"\n" + b'{"a":"\\"' * 10_000,
        b"[" * 300_000,
        (b'{"id": "a' + b"x" * 500 + b"\n") * 1_000,
    ],
)
def test_nothing_takes_long(data: bytes) -> None:
    began = time.process_time()
    for _ in read(data):
        pass
    # Far from what a quadratic reader would take, on a busy machine too.
    assert time.process_time() - began < 5


def test_a_line_without_end_is_kept_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retoma.service.transfer.lines.MOST_BYTES", 1_000)
    data = b'{"id": "' + b"x" * 3_500 + b'"}\n' + a + b"\n"
    found, codes = read(data)
    assert found[-1] == A
    assert b"".join(one for one in found[:-1] if isinstance(one, bytes)) == data.split(b"\n")[0]
    assert set(codes) == {"unreadable"}


def test_damaged_lines_know_their_numbers() -> None:
    found = list(Lines(io.BytesIO(a + b"\nx\n\n" + b + b"\ny\n"), Notices(), lambda value: True))
    assert [(type(one), one.line) for one in found] == [(Entry, 1), (Damaged, 2), (Entry, 4), (Damaged, 5)]


def test_notices_are_never_too_many() -> None:
    notices = Notices()
    for number in range(50):
        notices.say("torn", "x", number)
        notices.unknown(f"kind {number}")
    found = notices.all()
    assert len(found) == 12
    assert found[10].detail == "40 more like this."
    assert "50 records are of unknown type" in found[11].detail
    assert "and 40 others" in found[11].detail
