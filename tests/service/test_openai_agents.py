"""Databases of the OpenAI Agents SDK: tables of any name, branches, logs beside the file, items of every kind."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from tests.calls import Calls
from tests.service.test_imports import SAMPLES, parts, records, texts, whole

from retoma.errors import Integrity, Invalid
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.stores.sqlite.store import SqliteStore

TABLES = """
CREATE TABLE "{sessions}" (session_id TEXT PRIMARY KEY, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "{messages}" (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, message_data TEXT NOT NULL,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  FOREIGN KEY (session_id) REFERENCES "{sessions}" (session_id) ON DELETE CASCADE);
"""


def make(
    path: Path,
    items: Iterable[tuple[str, object]],
    *,
    sessions: str = "agent_sessions",
    messages: str = "agent_messages",
    wal: bool = False,
) -> sqlite3.Connection:
    """Write a database as the SDK does; it stays open."""
    database = sqlite3.connect(path)
    if wal:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
    database.executescript(TABLES.format(sessions=sessions, messages=messages))
    add(database, items, sessions=sessions, messages=messages)
    return database


def add(
    database: sqlite3.Connection,
    items: Iterable[tuple[str, object]],
    *,
    sessions: str = "agent_sessions",
    messages: str = "agent_messages",
) -> None:
    with database:
        for session, item in items:
            database.execute(
                f'INSERT OR IGNORE INTO "{sessions}" VALUES (?, ?, ?)',
                (session, *["2026-01-01 00:00:00"] * 2),
            )
            data = item if isinstance(item, str | bytes) else json.dumps(item)
            row = (session, data, "2026-01-01 00:00:01")
            database.execute(
                f'INSERT INTO "{messages}" (session_id, message_data, created_at) VALUES (?, ?, ?)', row
            )


def user(text: str) -> dict[str, object]:
    return {"role": "user", "content": text}


def test_tables_of_any_name_and_many_sessions(client: Calls, tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    names = {"sessions": "my sessions; --", "messages": "select"}
    make(file, [(f"s{n % 7}", user(f"text {n}")) for n in range(70)], **names).close()
    assert sorted(whole(client.bring(file))) == [f"s{n}" for n in range(7)]
    assert texts(client, "s3") == [f"user: text {n}" for n in range(3, 70, 7)]
    assert client.get("s3").created_at == 1767225600000
    assert {one.imported.added for one in client.bring(file).sessions} == {0}


def test_two_pairs_of_tables_in_one_file(client: Calls, tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    with closing(make(file, [("a", user("one"))])) as database:
        database.executescript(TABLES.format(sessions="others", messages="other_messages"))
        add(database, [("b", user("two"))], sessions="others", messages="other_messages")
    assert whole(client.bring(file)) == ["a", "b"]


def test_what_lies_in_a_log_beside_the_file_is_read_and_nothing_is_left(
    client: Calls, tmp_path: Path
) -> None:
    file = tmp_path / "x.db"
    with closing(make(file, [("a", user("one"))], wal=True)) as database:
        assert (tmp_path / "x.db-wal").stat().st_size
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert whole(client.bring(file)) == ["a"]
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        add(database, [("a", user("two"))])
        assert client.bring(file).sessions[0].imported.added == 1
    assert texts(client, "a") == ["user: one", "user: two"]


def test_nothing_is_left_beside_a_sample(client: Calls, tmp_path: Path) -> None:
    file = tmp_path / "sessions.db"
    shutil.copy(SAMPLES / "openai-agents/sessions.db", file)
    before = file.read_bytes()
    client.bring(file)
    assert [path.name for path in tmp_path.iterdir()] == ["sessions.db"]
    assert file.read_bytes() == before


def test_what_is_the_same_again_and_what_is_not(client: Calls, tmp_path: Path) -> None:
    call = {"type": "function_call", "call_id": "call_0", "name": "f", "arguments": "{}", "id": "__fake_id__"}
    output = {"type": "function_call_output", "call_id": "call_0", "output": "x"}
    yes = {
        "type": "message",
        "role": "assistant",
        "id": "__fake_id__",
        "content": [{"type": "output_text", "text": "Y"}],
    }
    own = {
        "type": "message",
        "role": "assistant",
        "id": "msg_1",
        "content": [{"type": "output_text", "text": "Z"}],
    }
    # Some servers give no ids, or the same call id in every turn: those are no repetitions.
    items = [user("go"), call, output, yes, user("go"), call, output, yes, own, own, output]
    file = tmp_path / "x.db"
    make(file, [("a", item) for item in items]).close()
    arrived = client.bring(file)
    assert [notice.code for notice in arrived.notices] == ["duplicate", "duplicate"]
    kinds = [part["type"] for _, part in parts(client, "a") if part["type"] != "opaque"]
    assert kinds == ["text", "tool_call", "tool_result", "text"] * 2 + ["text"]


def test_items_of_every_kind(client: Calls, tmp_path: Path) -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}
    items: list[object] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "See"}, picture, {"type": "input_audio", "d": 1}]},
        {"role": "user", "content": [{"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "not json"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "r"}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "SELECT 1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "1"},
        {"role": "narrator", "content": "Meanwhile"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "End", "annotations": [1]}]},
        [1, 2],
        "not json at all",
        b'{"role": "user", "content": "\xff"}',
        {},
    ]  # fmt: skip
    file = tmp_path / "x.db"
    make(file, [("a", item) for item in items]).close()
    whole(client.bring(file))
    assert texts(client, "a") == [
        "system: Be brief.", "user: See", "assistant: No.", "system: Meanwhile", "assistant: End", "user: \ufffd",
    ]  # fmt: skip
    found = [part for _, part in parts(client, "a")]
    assert {"type": "reasoning", "text": "Hm"} in found
    assert any(part["type"] == "image" and part["mime"] == "image/png" for part in found)
    assert any(part["type"] == "file" and part["mime"] == "application/pdf" for part in found)
    assert any(part.get("arguments") == {"input": "not json"} for part in found)
    assert any(part.get("arguments") == {"input": "SELECT 1"} for part in found)
    assert any(part.get("kind") == "web_search_call" for part in found)
    assert records(client, "a") == {"unreadable": 2, "original": 1}
    assert client.check().damage == []


def test_branches_and_what_stands_in_none(client: Calls, tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    shutil.copy(SAMPLES / "openai-agents/advanced.db", file)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DELETE FROM message_structure WHERE message_id = 6")
        database.execute("DELETE FROM agent_messages WHERE id = 8")
    arrived = client.bring(file)
    assert whole(arrived) == ["menu-003", "menu-003~other-hour"]
    assert {notice.code for notice in arrived.notices} == {"no_branch", "message_missing"}
    assert "At 15 it is free as well." in str([event.value() for event in client.events("menu-003")])
    assert client.get("menu-003~other-hour").parent == "menu-003"
    assert {one.imported.added for one in client.bring(file).sessions} == {0}


def test_databases_that_are_none_of_theirs(client: Calls, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("CREATE TABLE notes (id, text)")
    with pytest.raises(Invalid, match="without a table of messages"):
        client.bring(tmp_path / "other.db")
    store = SqliteStore(tmp_path / "retoma.db", now=lambda: 1, random=lambda n: b"x" * n)
    Calls(store, Principal(LOCAL_TENANT, "ana")).close()
    with pytest.raises(Invalid, match="is a store of Retoma"):
        client.bring(tmp_path / "retoma.db")
    (tmp_path / "noise.db").write_bytes(b"SQLite format 3\0" + b"\x07" * 5_000)
    (tmp_path / "zeros.db").write_bytes(bytes(8_192))
    for name in ("noise.db", "zeros.db"):
        with pytest.raises(Integrity, match="damaged"):
            client.bring(tmp_path / name)


def test_one_name_for_several_sessions_is_refused(client: Calls) -> None:
    with pytest.raises(Invalid, match="has 2 sessions"):
        client.bring(SAMPLES / "openai-agents/sessions.db", name="x")
    assert client.get("x") is None
