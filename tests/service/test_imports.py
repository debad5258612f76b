"""Sessions of other tools come in: every sample, healthy and damaged, ends as it must."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.calls import Calls

from retoma.errors import Conflict, Integrity, Invalid, NotFound, Refused, RetomaError
from retoma.importers.bringing import Arrived
from retoma.importers.directory import sessions_in
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

SAMPLES = Path(__file__).parents[1] / "samples"
CLAUDE = "5a3f0c11-7b2e-4d19-9c40-1f6e2a8b"
COPILOT = "0b5e8f10-3c47-4f6a-9d21-7a1c"

Fresh = Callable[[], Calls]


@pytest.fixture
def fresh(clock: Clock) -> Iterator[Fresh]:
    """Make empty stores."""
    made: list[Calls] = []

    def make() -> Calls:
        store = SqliteStore(None, now=clock, random=clock.bytes)
        made.append(Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)))
        return made[-1]

    yield make
    for client in made:
        client.close()


class Expected(NamedTuple):
    """What becomes of a sample: how many messages each session has, and the codes of what is noted."""

    messages: dict[str, int]
    notices: tuple[str, ...] = ()


def claude(number: str, messages: int, *notices: str, below: tuple[str, int] | None = None) -> Expected:
    return Expected(
        {CLAUDE + number: messages} | ({f"{CLAUDE}{number}:{below[0]}": below[1]} if below else {}), notices
    )


def copilot(number: str, messages: int, *notices: str, below: tuple[str, int] | None = None) -> Expected:
    name = f"{COPILOT}{number}"
    return Expected({name: messages} | ({f"{name}:{below[0]}": below[1]} if below else {}), notices)


def trellis(name: str, messages: int = 0, *notices: str) -> Expected:
    return Expected({name: messages}, notices)


ENDS = {
    "claude-code/projects/-project/5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0002.jsonl": claude("0002", 4),
    "claude-code/projects/-project/5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0003.jsonl": claude(
        "0003", 7, below=("af4d97ae22e9f17c1", 4)
    ),
    "claude-code/projects/-project/5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0004.jsonl": claude(
        "0004", 7, below=("e1c80001", 4)
    ),
    "claude-code/damaged/torn-last-line/5a3f0c11-7b2e-4d19-9c40-1f6e2a8bdd01.jsonl": claude("dd01", 3, "torn"),
    "claude-code/damaged/trailing-nul/5a3f0c11-7b2e-4d19-9c40-1f6e2a8bdd02.jsonl": claude("dd02", 4, "nul_bytes"),
    "claude-code/damaged/u2028/5a3f0c11-7b2e-4d19-9c40-1f6e2a8bdd03.jsonl": claude("dd03", 4),
    "claude-code/damaged/raw-newline/5a3f0c11-7b2e-4d19-9c40-1f6e2a8bdd04.jsonl": claude("dd04", 4, "rejoined"),
    "claude-code/damaged/unknown-entry-and-block-type/5a3f0c11-7b2e-4d19-9c40-1f6e2a8bdd05.jsonl": claude(
        "dd05", 4, "unknown_type"
    ),
    "claude-code/damaged/tool-call-without-result/5a3f0c11-7b2e-4d19-9c40-1f6e2a8bdd06.jsonl": claude(
        "dd06", 2, "no_result"
    ),
    "claude-code/damaged/duplicate-lines/5a3f0c11-7b2e-4d19-9c40-1f6e2a8bdd07.jsonl": claude(
        "dd07", 4, *["duplicate"] * 3
    ),
    "claude-code/damaged/parent-missing/5a3f0c11-7b2e-4d19-9c40-1f6e2a8bdd08.jsonl": claude(
        "dd08", 4, "parent_missing"
    ),
    "copilot/session-state/0b5e8f10-3c47-4f6a-9d21-7a1c00000001/events.jsonl": copilot("00000001", 8),
    "copilot/session-state/0b5e8f10-3c47-4f6a-9d21-7a1c00000002/events.jsonl": copilot("00000002", 5),
    "copilot/session-state/0b5e8f10-3c47-4f6a-9d21-7a1c00000003/events.jsonl": copilot(
        "00000003", 4, below=("call_sample_c1", 3)
    ),
    "copilot/damaged/torn-last-line/events.jsonl": copilot("dddd0001", 4, "torn"),
    "copilot/damaged/trailing-nul/events.jsonl": copilot("dddd0002", 4, "nul_bytes"),
    "copilot/damaged/u2028/events.jsonl": copilot("dddd0003", 4),
    "copilot/damaged/raw-newline/events.jsonl": copilot("dddd0004", 4, "rejoined"),
    "copilot/damaged/unknown-event-type/events.jsonl": copilot("dddd0005", 4, "unknown_type"),
    "copilot/damaged/tool-call-without-result/events.jsonl": copilot("dddd0006", 2, "no_result"),
    "copilot/damaged/duplicate-lines/events.jsonl": copilot("dddd0007", 4, *["duplicate"] * 3),
    "copilot/damaged/two-events-on-one-line/events.jsonl": copilot("dddd0008", 4, "two_records"),
    "openai-agents/sessions.db": Expected({"booking-001": 9, "conversa-pt-002": 8}),
    "openai-agents/advanced.db": Expected({"menu-003": 6, "menu-003~other-hour": 6}),
    "openai-agents/damaged/bad-message-rows.db": Expected(
        {"booking-001": 9, "conversa-pt-002": 8}, ("unreadable", "nul_bytes", "unknown_type")
    ),
    "openai-agents/damaged/call-without-output-and-duplicates.db": Expected(
        {"booking-001": 8, "conversa-pt-002": 7}, ("duplicate", "duplicate", "no_result", "no_result")
    ),
    "openai-agents/damaged/orphan-rows.db": Expected({"booking-001": 9, "conversa-pt-002": 8}, ("orphan",)),
    "trellis/sessions/pedido-001.json": trellis("pedido-001"),
    "trellis/sessions/pedido-002.json": trellis("pedido-002", 1, "no_result"),
    "trellis/sessions/pedido-003.json": trellis("pedido-003", 1),
    "trellis/sessions/pedido-004.json": trellis("pedido-004"),
    "trellis/sessions-old-spelling/pedido-010.json": trellis("pedido-010", 1, "no_result"),
    "trellis/sessions-old-spelling/pedido-011.json": trellis("pedido-011"),
    "trellis/damaged/document-twice.json": trellis("document-twice", 0, "duplicate"),
    "trellis/damaged/node-not-in-flow.json": trellis("node-not-in-flow"),
    "trellis/damaged/raw-newline.json": trellis("raw-newline", 0, "mended"),
    "trellis/damaged/tmp-pedido-002-3141592653.json": Expected({}, ("leftover",)),
    "trellis/damaged/tool-call-without-result.json": trellis("tool-call-without-result", 1, "no_result"),
    "trellis/damaged/trailing-nul.json": trellis("pedido-002", 1, "nul_bytes", "no_result"),
    "trellis/damaged/u2028.json": trellis("u2028"),
    "trellis/damaged/unknown-status-and-key.json": trellis(
        "unknown-status-and-key", 0, "unknown_key", "unknown_status"
    ),
}  # fmt: skip
REFUSED = ("openai-agents/damaged/torn-file.db", "trellis/damaged/torn.json")


def whole(arrived: Arrived) -> list[str]:
    """Return the ids of the sessions that came; none was refused."""
    assert [one.error for one in arrived.sessions if one.error] == []
    return [one.imported.id for one in arrived.sessions]


def out(client: Calls, name: str) -> bytes:
    return b"".join(client.export(name, "jsonl"))


def parts(client: Calls, name: str) -> list[tuple[str, dict[str, object]]]:
    """Return what was said, part by part."""
    found: list[tuple[str, dict[str, object]]] = []
    for event in client.events(name):
        if event.type == "message" and not event.erased:
            data = event.value()
            content = data["content"]
            pieces = content if isinstance(content, list) else [{"type": "text", "text": content}]
            found += [(str(data["role"]), piece) for piece in pieces]
    return found


def texts(client: Calls, name: str) -> list[str]:
    return [f"{role}: {part['text']}" for role, part in parts(client, name) if part["type"] == "text"]


def records(client: Calls, name: str) -> Counter[str]:
    return Counter(
        str(event.value()["type"]) for event in client.events(name) if event.type == "import.record"
    )


def test_every_sample_is_here() -> None:
    found = {
        str(path.relative_to(SAMPLES))
        for pattern in ("*.json", "*.jsonl", "*.db")
        for path in SAMPLES.rglob(pattern)
        if "subagents" not in path.parts
    }
    assert found == {*ENDS, *REFUSED}


@pytest.mark.parametrize("sample", ENDS)
def test_a_sample_ends_as_it_must(fresh: Fresh, sample: str) -> None:
    client, other = fresh(), fresh()
    expected = ENDS[sample]
    arrived = client.bring(SAMPLES / sample)
    assert arrived.format == sample.partition("/")[0]
    assert {
        one.imported.id: client.get(one.imported.id).messages for one in arrived.sessions
    } == expected.messages
    assert tuple(notice.code for notice in arrived.notices) == expected.notices
    again = client.bring(SAMPLES / sample)
    assert [(one.imported.outcome, one.imported.added) for one in again.sessions] == [("unchanged", 0)] * len(
        expected.messages
    )
    for name in whole(arrived):
        lines = out(client, name)
        assert other.import_(io.BytesIO(lines)).outcome == "imported"
        assert out(other, name) == lines
        assert other.import_(io.BytesIO(lines)).added == 0
    # What moved to another store is known there, too.
    assert all(one.imported.added == 0 for one in other.bring(SAMPLES / sample).sessions)
    assert client.check().damage == other.check().damage == []


@pytest.mark.parametrize("sample", REFUSED)
def test_what_is_not_whole_is_refused_and_leaves_nothing(fresh: Fresh, sample: str) -> None:
    client = fresh()
    with pytest.raises(Integrity) as caught:
        client.bring(SAMPLES / sample)
    assert caught.value.code == "damaged_import"
    assert client._store._turn.connection().run("SELECT count(*) FROM session") == [(0,)]


def test_nothing_of_a_sample_is_dropped(fresh: Fresh) -> None:
    """Every text and every number of each record stands somewhere in the journals."""
    for pattern in ("claude-code/projects/*/*.jsonl", "copilot/session-state/*/events.jsonl"):
        for path in SAMPLES.glob(pattern):
            client = fresh()
            names = whole(client.bring(path))
            kept = json.dumps([event.value() for name in names for event in client.events(name)])
            for line in path.read_bytes().split(b"\n"):
                for value in leaves(json.loads(line)) if line else ():
                    assert json.dumps(value)[1:-1] in kept, (path.name, value)


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "timestamp" and not (key == "startTime" and isinstance(inner, str)):
                yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str) and value:
        yield value


@pytest.mark.parametrize("directory", ["claude-code", "copilot", "trellis", "openai-agents"])
def test_a_directory_is_looked_through(directory: str) -> None:
    found = {
        str(path.relative_to(SAMPLES))
        for path, format in sessions_in(SAMPLES / directory)
        if format == directory
    }
    assert found == {name for name in (*ENDS, *REFUSED) if name.startswith(directory)}


def test_a_directory_without_sessions(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "notes.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(NotFound, match="no session"):
        sessions_in(tmp_path)
    shutil.copy(SAMPLES / "openai-agents" / "sessions.db", tmp_path)
    assert sessions_in(tmp_path, "openai-agents") == [(tmp_path / "sessions.db", "openai-agents")]
    with pytest.raises(NotFound, match="no session of trellis"):
        sessions_in(tmp_path, "trellis")


@pytest.mark.parametrize(
    "sample", ["claude-code/projects/-project/5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0004.jsonl",
               "copilot/session-state/0b5e8f10-3c47-4f6a-9d21-7a1c00000003/events.jsonl"],
)  # fmt: skip
def test_a_file_that_grew_adds_what_is_new(fresh: Fresh, tmp_path: Path, sample: str) -> None:
    lines = (SAMPLES / sample).read_bytes().splitlines(keepends=True)
    known = fresh()
    names = whole(known.bring(SAMPLES / sample))
    file = tmp_path / CLAUDE / Path(sample).name
    file.parent.mkdir()
    for count in range(1, len(lines)):
        client = fresh()
        file.write_bytes(b"".join(lines[:count]))
        before = sum(one.imported.added for one in client.bring(file).sessions)
        file.write_bytes(b"".join(lines))
        added = sum(one.imported.added for one in client.bring(file).sessions)
        assert added > 0
        assert before + added == sum(client.get(name).seq for name in names)
        assert all(one.imported.added == 0 for one in client.bring(file).sessions)
        for name in names:
            assert Counter(map(str, parts(client, name))) == Counter(map(str, parts(known, name)))
        assert client.check().damage == []


def test_labels_and_notes_do_not_stand_in_the_way_of_what_grew(client: Calls, tmp_path: Path) -> None:
    sample = SAMPLES / "copilot/session-state/0b5e8f10-3c47-4f6a-9d21-7a1c00000001/events.jsonl"
    lines = sample.read_bytes().splitlines(keepends=True)
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(lines[:10]))
    (name,) = whole(client.bring(file))
    from retoma.model.changes import Changes

    client.update(name, Changes(title="Mine", tag=("garden",)))
    client.note(name, "look again")
    client.set_id(name, "mine")
    file.write_bytes(b"".join(lines))
    assert whole(client.bring(file)) == ["mine"]
    session = client.show("mine")
    assert (session.session.title, session.about.tags) == ("Mine", ("garden",))
    assert texts(client, "mine")[-1] == "assistant: North bed."
    assert [note.value()["text"] for note in client.notes("mine")] == ["look again"]
    assert client.check().damage == []


def test_a_session_that_went_on_here_is_not_mixed_with_the_file(client: Calls, tmp_path: Path) -> None:
    sample = SAMPLES / "copilot/session-state/0b5e8f10-3c47-4f6a-9d21-7a1c00000001/events.jsonl"
    lines = sample.read_bytes().splitlines(keepends=True)
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(lines[:10]))
    (name,) = whole(client.bring(file))
    client.append(name, "user", "Here, I ask another thing.")
    assert client.bring(file).sessions[0].imported.added == 0
    file.write_bytes(b"".join(lines))
    (one,) = client.bring(file).sessions
    assert isinstance(one.error, Conflict)
    assert one.error.code == "diverged"
    # Beside it, under another id, it is a session of its own; and then again the same.
    assert whole(client.bring(file, name="theirs")) == ["theirs"]
    assert client.bring(file, name="theirs").sessions[0].imported.added == 0
    assert texts(client, "theirs")[-1] == "assistant: North bed."
    assert client.get("theirs").uid != client.get(name).uid


def test_another_session_of_the_same_id_is_not_touched(client: Calls) -> None:
    client.create(NewSession(id="pedido-001"))
    (one,) = client.bring(SAMPLES / "trellis/sessions/pedido-001.json").sessions
    assert one.error.code == "id_taken"
    assert whole(client.bring(SAMPLES / "trellis/sessions/pedido-001.json", name="other")) == ["other"]
    assert client.get("pedido-001").seq == 1


def test_what_lies_in_the_trash_is_said(client: Calls) -> None:
    sample = SAMPLES / "trellis/sessions/pedido-001.json"
    client.bring(sample)
    client.trash("pedido-001")
    (one,) = client.bring(sample).sessions
    assert isinstance(one.error, Refused)
    client.restore("pedido-001")
    assert client.bring(sample).sessions[0].imported.added == 0


def test_a_redacted_session_is_known_again(client: Calls) -> None:
    sample = SAMPLES / "claude-code/projects/-project/5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0002.jsonl"
    (name,) = whole(client.bring(sample))
    from retoma.model.pattern import Pattern
    from retoma.service.forget.erasing import Selection

    assert client.redact(name, Selection(wanted=Pattern("litros"))).events
    assert client.bring(sample).sessions[0].imported.added == 0
    assert "litros" not in str(texts(client, name))


def test_a_stream_is_looked_into(client: Calls) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:
            return self._data.readinto(buffer[:100])

    for sample in (
        "openai-agents/sessions.db",
        "copilot/damaged/u2028/events.jsonl",
        "trellis/sessions/pedido-002.json",
        "claude-code/projects/-project/5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0002.jsonl",
    ):
        data = (SAMPLES / sample).read_bytes()
        arrived = client.bring(io.BufferedReader(Pipe(data)))
        assert {*whole(arrived)} == {*ENDS[sample].messages}
        # The same by its path is the same; the title of a Copilot session stands in a file beside it.
        added = sum(one.imported.added for one in client.bring(SAMPLES / sample).sessions)
        assert added == sample.startswith("copilot")


def test_the_source_that_is_named_holds(client: Calls, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(b'{"status": "active"}')
    with pytest.raises(Invalid, match="not an export"):
        client.bring(file)
    assert whole(client.bring(file, source="trellis")) == ["x"]
    file.write_bytes(b"{}")
    with pytest.raises(Invalid, match="not a session of Trellis"):
        client.bring(file, source="trellis")
    with pytest.raises(RetomaError, match="not an export"):
        client.bring(SAMPLES / "trellis/sessions/pedido-001.json", source="retoma")


def test_ids_that_cannot_be_ids_here(client: Calls, tmp_path: Path) -> None:
    file = tmp_path / "a b.json"
    for id in ("a b/c.d", "../../x", "é", "-x", "x" * 200, "\x1b[31m", ""):
        document = {"session_id": id, "current_node_id": "start", "status": "active", "context": {}}
        file.write_text(json.dumps(document))
        (name,) = whole(client.bring(file))
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_:@+=~-]{0,127}", name)
        assert client.bring(file).sessions[0].imported.added == 0
    assert client.check().damage == []


def test_who_may_only_read_imports_nothing(client: Calls) -> None:
    reader = Calls(client._store, Principal(LOCAL_TENANT, "eve", "read"))
    (one,) = reader.bring(SAMPLES / "trellis/sessions/pedido-001.json").sessions
    assert "not write" in str(one.error)
