"""Copilot's event files: the yaml beside them, events out of order, older layouts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.calls import Calls
from tests.service.test_imports import SAMPLES, parts, records, texts, whole

from retoma.errors import Integrity

ONE = SAMPLES / "copilot/session-state/0b5e8f10-3c47-4f6a-9d21-7a1c00000001"


def event(kind: str, id: str, data: object, **more: object) -> dict[str, object]:
    return {
        "type": kind,
        "data": data,
        "id": id,
        "timestamp": "2026-03-01T10:00:00.000Z",
        "parentId": None,
        **more,
    }


def folder(tmp_path: Path, events: list[object], yaml: str | None = None) -> Path:
    place = tmp_path / "c0ffee00-0000-4000-8000-000000000001"
    place.mkdir(exist_ok=True)
    (place / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    if yaml is not None:
        (place / "workspace.yaml").write_text(yaml)
    return place / "events.jsonl"


@pytest.mark.parametrize("yaml", [None, "id: [unclosed", "name: \x07", "- a list", "", "&a [*a, *a]", "\0"])
def test_without_its_yaml_the_folder_says_who_it_is(client: Calls, tmp_path: Path, yaml: str | None) -> None:
    file = folder(tmp_path, [event("user.message", "1", {"content": "Hello"})], yaml)
    assert whole(client.bring(file)) == [file.parent.name]
    assert client.get(file.parent.name).title == "Hello"


def test_a_title_that_changed_is_taken_over_once(client: Calls, tmp_path: Path) -> None:
    file = folder(
        tmp_path, [event("user.message", "1", {"content": "Hello"})], "name: First\nupdated_at: 1\n"
    )
    (name,) = whole(client.bring(file))
    (file.parent / "workspace.yaml").write_text("name: First\nupdated_at: 2\n")
    assert client.bring(file).sessions[0].imported.added == 0
    (file.parent / "workspace.yaml").write_text("name: Second\n")
    assert client.bring(file).sessions[0].imported.added == 1
    assert client.get(name).title == "Second"
    assert client.bring(file).sessions[0].imported.added == 0
    assert client.check().damage == []


def test_what_a_session_is_about(client: Calls) -> None:
    (name,) = whole(client.bring(ONE / "events.jsonl"))
    whole_session = client.show(name)
    assert whole_session.session.title == "Check Garden Files"
    assert whole_session.session.model == "gpt-5.4"
    assert whole_session.session.tokens_out == 58
    assert dict(whole_session.about.contexts) == {
        "branch": "main", "copilot": name, "cwd": "/project/garden", "repository": "example/garden-notes",
    }  # fmt: skip
    assert [message.text for message in client.messages(name)] == [
        "Which of beds.txt and seeds.txt exist here?", "I will look at both.",
        "beds.txt exists (two beds); seeds.txt does not.", "Thanks. Name the first bed only.", "North bed.",
    ]  # fmt: skip


def test_results_in_any_order_and_calls_that_only_began(client: Calls, tmp_path: Path) -> None:
    request = {"toolCallId": "c1", "name": "bash", "arguments": '{"command": "ls"}'}
    odd = {"toolCallId": "c2", "name": "eval", "arguments": "1 + 1"}
    events: list[object] = [
        event("tool.execution_complete", "1", {"toolCallId": "c1", "success": True, "result": "plain"}),
        event("assistant.message", "2", {"content": "", "toolRequests": [request, odd]}),
        event("tool.execution_complete", "3", {"toolCallId": "c2", "success": False}),
        event("tool.execution_start", "4", {"toolCallId": "c3", "toolName": "lost", "arguments": None}),
        event("session.error", "5", {"errorType": "quota", "message": "Quota exceeded"}),
        event("abort", "6", {"reason": "user_initiated"}),
        event("user.message", "7", "not an object"),
        {"type": "user.message", "data": {"content": "no id, no time"}},
        event("user.message", "8", {"content": "time", "attachments": [{"type": "blob", "data": "AAAA"}]}),
    ]
    file = folder(tmp_path, events)
    arrived = client.bring(file)
    (name,) = whole(arrived)
    assert [notice.code for notice in arrived.notices] == ["no_result"]
    assert "c3" in arrived.notices[0].detail
    kept = [part for _, part in parts(client, name) if part["type"] in ("tool_call", "tool_result")]
    assert [(part["type"], part["id"]) for part in kept] == [
        ("tool_result", "c1"), ("tool_call", "c1"), ("tool_call", "c2"), ("tool_result", "c2"), ("tool_call", "c3"),
    ]  # fmt: skip
    assert (kept[0]["result"], kept[1]["arguments"], kept[2]["arguments"]) == (
        "plain",
        {"command": "ls"},
        {"input": "1 + 1"},
    )
    assert kept[3]["error"] == "It failed."
    assert texts(client, name) == ["system: Quota exceeded", "user: no id, no time", "user: time"]
    assert records(client, name) == {"abort": 1}
    assert client.check().damage == []


def test_sub_agents_below_sub_agents(client: Calls, tmp_path: Path) -> None:
    def asks(id: str, call: str, **more: object) -> dict[str, object]:
        data = {"content": "", "toolRequests": [{"toolCallId": call, "name": "task", "arguments": {}}]}
        return event("assistant.message", id, data, **more)

    events: list[object] = [
        asks("1", "c1"),
        event("subagent.started", "2", {"toolCallId": "c1", "agentDisplayName": "Outer"}, agentId="A"),
        asks("3", "c2", agentId="A"),
        event("subagent.started", "4", {"toolCallId": "c2", "agentName": "inner"}, agentId="B"),
        event("assistant.message", "5", {"content": "deep"}, agentId="B"),
        event("assistant.message", "6", {"content": "old layout", "parentToolCallId": "c1"}),
    ]
    main, *agents = whole(client.bring(folder(tmp_path, events)))
    assert [(name.removeprefix(main), client.get(name).parent) for name in agents] == [
        (":A", main), (":B", f"{main}:A"), (":c1", main),
    ]  # fmt: skip
    assert [client.get(name).title for name in agents] == ["Outer", "inner", ""]


def test_the_same_id_with_another_content_is_kept(client: Calls, tmp_path: Path) -> None:
    events: list[object] = [
        event("user.message", "1", {"content": "one"}),
        event("user.message", "1", {"content": "two"}),
        event("user.message", "1", {"content": "two"}),
    ]
    arrived = client.bring(folder(tmp_path, events))
    (name,) = whole(arrived)
    assert texts(client, name) == ["user: one", "user: two"]
    assert [notice.code for notice in arrived.notices] == ["id_twice", "id_twice", "duplicate"]


@pytest.mark.parametrize("content", [b"", b"\n\n", bytes(4_096), b"\xff\xfe\n", b'{"type":"session.sta'])
def test_a_file_with_nothing_whole_is_refused(client: Calls, tmp_path: Path, content: bytes) -> None:
    file = folder(tmp_path, [])
    file.write_bytes(content)
    with pytest.raises(Integrity, match="no complete record"):
        client.bring(file)
