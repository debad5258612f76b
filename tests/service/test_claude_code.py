"""Claude Code's files as they really are: trees with lines that were left, twigs, sub-agents, pictures, odd orders."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from tests.calls import Calls
from tests.service.test_imports import parts, records, texts, whole

SESSION = "11111111-2222-4333-8444-555555555555"


def uuid(name: str) -> str:
    return str(UUID(bytes=name.encode().ljust(16, b"\0")[:16]))


class Writer:
    """Writes entries as the tool does, each below the one before unless it is said otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, object]] = []
        self._last: str | None = None
        self._at = 0

    def entry(self, name: str, kind: str, *, parent: str | None = "", **facts: object) -> None:
        self._at += 1
        above = self._last if parent == "" else parent and uuid(parent)
        self.lines.append(
            {
                "parentUuid": above, "isSidechain": False, "type": kind, "uuid": uuid(name), "sessionId": SESSION,
                "timestamp": f"2026-01-01T00:{self._at // 60:02}:{self._at % 60:02}.000Z", **facts,
            }
        )  # fmt: skip
        self._last = uuid(name)

    def user(self, name: str, content: object, **facts: object) -> None:
        self.entry(name, "user", message={"role": "user", "content": content}, **facts)

    def assistant(self, name: str, *blocks: object, reply: str = "", **facts: object) -> None:
        said = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
        message = {"role": "assistant", "id": reply or f"msg_{name}", "model": "claude-x", "content": said}
        self.entry(name, "assistant", message=message, **facts)

    def bring(self, client: Calls, lines: Sequence[object] | None = None) -> list[str]:
        dumped = [json.dumps(line) for line in (self.lines if lines is None else lines)]
        self.path.write_text("".join(line + "\n" for line in dumped))
        return whole(client.bring(self.path))


def call(id: str, name: str = "Read") -> dict[str, object]:
    return {"type": "tool_use", "id": id, "name": name, "input": {"file_path": "/x"}}


def result(id: str, content: object = "ok") -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": id, "content": content}


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    return Writer(tmp_path / f"{SESSION}.jsonl")


def said(client: Calls, name: str) -> list[str]:
    """Return what was said in a few words: texts, calls, results."""
    return [
        f"{role}:{part.get('text') or part.get('id') or part['type']}"
        for role, part in parts(client, name)
        if part["type"] != "opaque"
    ]


def test_the_last_line_is_the_session_and_the_others_are_kept(client: Calls, written: Writer) -> None:
    written.user("p1", "Paint it")
    written.assistant("a1", "Which colour?")
    written.user("p2", "Red")
    written.assistant("a2", "It is red.")
    written.user("p3", "Blue, rather", parent="a1")
    written.assistant("a3", "It is blue.")
    written.user("p4", "No, white", parent="p3")
    written.assistant("a4", "It is white.")
    written.assistant("a5", "And dry.")
    main, *left = written.bring(client)
    assert main == SESSION
    assert said(client, main) == [
        "user:Paint it", "assistant:Which colour?", "user:Blue, rather", "user:No, white", "assistant:It is white.",
        "assistant:And dry.",
    ]  # fmt: skip
    assert {name: said(client, name) for name in left} == {
        f"{SESSION}~{uuid('a3')[:8]}": ["assistant:It is blue."],
        f"{SESSION}~{uuid('p2')[:8]}": ["user:Red", "assistant:It is red."],
    }
    assert all(client.get(name).parent == SESSION for name in left)
    assert client.show(left[-1]).about.metadata["leaves_at"] in {uuid("a1"), uuid("p3")}
    again = client.bring(written.path)
    assert {one.imported.added for one in again.sessions} == {0}
    assert [notice.code for notice in again.notices] == ["branch", "branch"]
    assert client.check().damage == []


def test_going_back_after_an_import_is_another_way(client: Calls, written: Writer) -> None:
    written.user("p1", "Paint it")
    written.assistant("a1", "Which colour?")
    written.user("p2", "Red")
    written.bring(client)
    written.user("p3", "Blue, rather", parent="a1")
    written.path.write_text("".join(json.dumps(line) + "\n" for line in written.lines))
    (one,) = client.bring(written.path).sessions
    assert one.error.code == "diverged"
    assert said(client, SESSION)[-1] == "user:Red"
    assert {one.imported.id for one in client.bring(written.path, name="again").sessions} == {
        "again",
        f"{SESSION}~{uuid('p2')[:8]}",
    }


def test_tools_that_were_called_together_keep_their_results(client: Calls, written: Writer) -> None:
    written.user("p1", "Look")
    written.assistant("a1", "I look.", reply="msg_1")
    written.assistant("a2", call("t1"), reply="msg_1")
    written.assistant("a3", call("t2"), reply="msg_1")
    # Each result hangs below its own call, so only the last of them is on the way to what follows.
    written.user("r1", [result("t1")], parent="a2")
    written.user("r2", [result("t2")], parent="a3")
    written.assistant("a4", "Done.")
    (main,) = written.bring(client)
    assert said(client, main) == [
        "user:Look", "assistant:I look.", "assistant:t1", "assistant:t2", "tool:t1", "tool:t2", "assistant:Done.",
    ]  # fmt: skip
    assert client.get(main).messages == 5


def test_a_reply_whose_parts_stand_apart_is_one_message(client: Calls, written: Writer) -> None:
    written.user("p1", "Look")
    written.assistant("a1", call("t1"), reply="msg_1")
    written.user("r1", [result("t1")])
    written.assistant("a2", call("t2"), reply="msg_1", parent="a1")
    written.user("r2", [result("t2")])
    written.assistant("a3", "Done.")
    lines = list(written.lines)
    for count in range(1, len(lines)):
        written.bring(client, lines[:count])
    (main,) = written.bring(client, lines)
    assert sorted(said(client, main)) == sorted(
        ["user:Look", "assistant:t1", "tool:t1", "assistant:t2", "tool:t2", "assistant:Done."]
    )
    assert client.check().damage == []


def test_in_one_go_it_is_one_message(client: Calls, written: Writer) -> None:
    written.user("p1", "Look")
    written.assistant("a1", call("t1"), reply="msg_1")
    written.user("r1", [result("t1")])
    written.assistant("a2", call("t2"), reply="msg_1", parent="a1")
    written.user("r2", [result("t2")])
    written.assistant("a3", "Done.")
    (main,) = written.bring(client)
    assert said(client, main)[1:5] == ["assistant:t1", "assistant:t2", "tool:t1", "tool:t2"]
    assert client.get(main).messages == 5


def test_any_order_of_the_lines_is_the_same_line(client: Calls, written: Writer) -> None:
    for number in range(12):
        (written.user if number % 2 == 0 else written.assistant)(f"m{number}", f"text {number}")
    wanted = [f"{'assistant' if number % 2 else 'user'}:text {number}" for number in range(12)]
    shuffled = list(written.lines)
    random.Random(7).shuffle(shuffled)
    (main,) = written.bring(client, shuffled)
    assert said(client, main) == wanted


def test_a_second_root_begins_a_line_of_its_own(client: Calls, written: Writer) -> None:
    written.user("p1", "First")
    written.assistant("a1", "One.")
    written.user("p2", "First, said better", parent=None)
    written.assistant("a2", "Two.")
    main, left = written.bring(client)
    assert said(client, main) == ["user:First, said better", "assistant:Two."]
    assert said(client, left) == ["user:First", "assistant:One."]


def test_a_compaction_goes_on_from_what_was_before(client: Calls, written: Writer) -> None:
    written.user("p1", "First")
    written.assistant("a1", "One.")
    written.entry(
        "c1",
        "system",
        parent=None,
        subtype="compact_boundary",
        content="Compacted",
        logicalParentUuid=uuid("a1"),
    )
    written.user("s1", "Summary.", isCompactSummary=True)
    written.user("s2", "Summary of an older build.", parent=None, isCompactSummary=True)
    written.user("p2", "Second")
    (main,) = written.bring(client)
    assert said(client, main) == [
        "user:First", "assistant:One.", "system:Summary.", "system:Summary of an older build.", "user:Second",
    ]  # fmt: skip
    assert records(client, main) == {"system": 1}


def test_links_in_a_circle_end(client: Calls, written: Writer) -> None:
    written.user("p1", "a", parent="p2")
    written.user("p2", "b", parent="p1")
    written.user("p3", "c", parent="p3")
    names = written.bring(client)
    assert sorted(text for name in names for text in said(client, name)) == ["user:a", "user:b", "user:c"]


def test_what_is_missing_is_no_hindrance(client: Calls, written: Writer) -> None:
    lines: list[dict[str, object]] = [
        {"type": "user", "message": {"role": "user", "content": "no uuid, no time"}, "sessionId": SESSION},
        {"type": "assistant", "uuid": uuid("a"), "sessionId": SESSION, "message": {"content": "a text"}},
        {"type": "assistant", "uuid": uuid("b"), "parentUuid": uuid("a"), "message": {"content": None}},
        {
            "type": "assistant",
            "uuid": uuid("c"),
            "parentUuid": uuid("b"),
            "message": {"content": [7, {}, "x"]},
        },
        {"type": "user", "uuid": uuid("d"), "parentUuid": uuid("c"), "message": "not an object"},
        {"type": 3, "uuid": 4, "parentUuid": 5, "sessionId": 6, "timestamp": "yesterday", "leafUuid": 1},
        {
            "type": "user",
            "uuid": uuid("e"),
            "parentUuid": uuid("d"),
            "message": {"role": "user", "content": "end"},
        },
    ]
    (main,) = written.bring(client, lines)
    assert [text for text in said(client, main) if "text" in text or "end" in text] == [
        "assistant:a text",
        "user:end",
    ]
    assert client.check().damage == []


def test_sub_agents_of_every_layout(client: Calls, written: Writer, tmp_path: Path) -> None:
    written.user("p1", "Ask helpers")
    written.assistant("a1", call("t1", "Task"))
    for name, facts in (("x", {"agentId": "aaa1"}), ("y", {})):
        written.user(f"{name}1", f"Task of {name}", parent=None, isSidechain=True, **facts)
        written.assistant(f"{name}2", f"Answer of {name}", isSidechain=True, **facts)
    written.user("r1", [result("t1")], parent="a1", toolUseResult={"agentId": "aaa1"})
    written.assistant("a2", "Done.")
    below = tmp_path / SESSION / "subagents"
    below.mkdir(parents=True)
    beside = Writer(below / "agent-bbb2.jsonl")
    beside.user("z1", "Task of z", isSidechain=True, agentId="bbb2")
    beside.lines.append({"type": "atis-latch", "sessionId": SESSION})
    beside.assistant("z2", "Answer of z", isSidechain=True, agentId="bbb2")
    beside.path.write_text("".join(json.dumps(line) + "\n" for line in beside.lines))
    (below / "agent-torn.jsonl").write_bytes(b'{"type":"us')
    main, *agents = written.bring(client)
    assert said(client, main) == ["user:Ask helpers", "assistant:t1", "tool:t1", "assistant:Done."]
    assert agents == [f"{main}:aaa1", f"{main}:{uuid('y1')[:8]}", f"{main}:bbb2"]
    assert [said(client, name)[1] for name in agents] == [f"assistant:Answer of {name}" for name in "xyz"]
    assert client.show(agents[0]).about.metadata == {"tool_call": "t1"}
    assert {client.get(name).parent for name in agents} == {main}
    notices = client.bring(written.path).notices
    assert "subagents/agent-torn.jsonl: " in " ".join(notice.detail for notice in notices)


def test_a_sub_agents_file_finds_its_session(client: Calls, tmp_path: Path) -> None:
    alone = Writer(tmp_path / "agent-bbb2.jsonl")
    alone.user("z1", "Task of z", isSidechain=True, agentId="bbb2")
    (name,) = alone.bring(client)
    assert name == f"{SESSION}:bbb2"
    assert client.get(name).parent is None
    client.delete(name)
    main = Writer(tmp_path / f"{SESSION}.jsonl")
    main.user("p1", "Hello")
    main.bring(client)
    client.set_id(SESSION, "renamed")
    alone.bring(client)
    assert client.get(name).parent == "renamed"


def test_pictures_and_files_keep_their_bytes(client: Calls, written: Writer) -> None:
    data = base64.b64encode(b"\x89PNG" + bytes(range(256))).decode()
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://x.example/y.png"}}
    document = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data},
    }
    written.user("p1", [{"type": "text", "text": "Look"}, picture, linked, document])
    written.user("r1", [result("t1", [{"type": "text", "text": "shot"}, picture])])
    (main,) = written.bring(client)
    found = parts(client, main)
    assert [part["type"] for _, part in found][:7] == [
        "text", "image", "opaque", "opaque", "file", "opaque", "opaque",
    ]  # fmt: skip
    assert found[1][1]["mime"] == "image/png"
    assert str(found[1][1]["artifact"]).startswith("blake3:")
    assert found[2][1]["raw"] == picture
    assert found[3][1]["raw"] == linked
    assert data in json.dumps(found[7][1])


@pytest.mark.parametrize("kind", ["text", "image", "result", "record", "many"])
def test_a_record_larger_than_an_event_is_shortened_and_kept_in_pieces(
    client: Calls, written: Writer, kind: str
) -> None:
    large = 'é"\\\n\u0001🧭' * 300_000
    data = base64.b64encode(random.Random(1).randbytes(3 << 20)).decode()
    written.user("p1", "Begin")
    match kind:
        case "text":
            written.assistant("a1", large)
        case "image":
            source = {"type": "base64", "media_type": "image/png", "data": data}
            written.user("a1", [{"type": "text", "text": "See"}, {"type": "image", "source": source}])
        case "result":
            written.user("a1", [result("t1", large)])
        case "many":
            written.assistant("a1", *[f"part {number}" for number in range(40_000)])
        case _:
            written.entry("a1", "attachment", attachment={"type": "x", "content": large})
    written.user("p2", "End")
    (main,) = written.bring(client)
    pieces = [event.value() for event in client.events(main) if event.type == "import.record"]
    line = "".join(str(piece["text"]) for piece in pieces)
    assert json.loads(line) == written.lines[1]
    assert [piece["piece"] for piece in pieces] == list(range(1, len(pieces) + 1))
    assert max(len(event.data) for event in client.events(main)) <= 1 << 20
    assert texts(client, main)[0] == "user: Begin"
    assert texts(client, main)[-1] == "user: End"
    assert client.bring(written.path).sessions[0].imported.added == 0
    assert client.check().damage == []


def test_halves_of_letters_and_other_things_json_cannot_hold(client: Calls, written: Writer) -> None:
    written.user("p1", "cut \ud83d here")
    written.assistant("a1", "fine 🧭", extra=float("inf"), big=10**30, real=1.5)
    (main,) = written.bring(client)
    assert texts(client, main) == ["user: cut \ufffd here", "assistant: fine 🧭"]
    arrived = client.bring(written.path)
    assert [notice.code for notice in arrived.notices] == ["mended", "mended"]
    kept = [event.value()["text"] for event in client.events(main) if event.type == "import.record"]
    assert kept == [json.dumps(line) for line in written.lines]


def test_titles_in_their_order(client: Calls, written: Writer) -> None:
    def title(*more: dict[str, object]) -> str:
        (name,) = written.bring(client, [*written.lines, *more])
        found = client.get(name).title
        client.delete(name)
        return found

    written.user("p0", "<command-name>/clear</command-name>")
    written.user("p1", "  The first\nreal prompt ")
    assert title() == "The first real prompt"
    summary: dict[str, object] = {"type": "summary", "summary": "Sum", "leafUuid": uuid("p1")}
    assert title(summary) == "Sum"
    prompt: dict[str, object] = {"type": "last-prompt", "lastPrompt": "Last", "sessionId": SESSION}
    assert title(prompt, summary) == "Sum"
    assert title(prompt) == "The first real prompt"
    ai: dict[str, object] = {"type": "ai-title", "aiTitle": "Guessed", "sessionId": SESSION}
    assert title(ai, prompt) == "Guessed"
    custom: dict[str, object] = {"type": "custom-title", "customTitle": "x" * 500, "sessionId": SESSION}
    assert title(custom, ai) == "x" * 199 + "…"


def test_a_later_title_is_taken_over(client: Calls, written: Writer) -> None:
    written.user("p1", "Hello")
    written.bring(client)
    written.lines.append({"type": "custom-title", "customTitle": "Better", "sessionId": SESSION})
    written.bring(client)
    assert client.get(SESSION).title == "Better"
    assert client.bring(written.path).sessions[0].imported.added == 0
    assert client.check().damage == []


def test_tokens_are_counted_once_a_reply(client: Calls, written: Writer) -> None:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 100,
        "output_tokens": 7,
    }
    written.user("p1", "Hello")
    for name in ("a1", "a2", "a3"):
        written.assistant(name, name, reply="msg_1")
        written.lines[-1]["message"]["usage"] = usage  # type: ignore[index]
    (main,) = written.bring(client)
    session = client.get(main)
    assert (session.tokens_in, session.tokens_out, session.tokens_cached) == (115, 7, 100)
    rows = list(csv.reader(io.StringIO(b"".join(client.export(main, "csv")).decode(), newline="")))
    assert rows[2][-2:] == ["115", "7"]
    assert client.check().damage == []


def test_a_large_file_takes_little_memory(client: Calls, tmp_path: Path) -> None:
    file = tmp_path / f"{SESSION}.jsonl"
    line = "word " * 20_000
    with file.open("w") as out:
        for number in range(300):
            above = f'"{uuid(f"m{number - 1}")}"' if number else "null"
            out.write(
                f'{{"type":"user","uuid":"{uuid(f"m{number}")}","parentUuid":{above},"sessionId":"{SESSION}",'
                f'"message":{{"role":"user","content":"{number} {line}"}}}}\n'
            )
    tracemalloc.start()
    (name,) = whole(client.bring(file))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert client.get(name).messages == 300
    # Once for the store, which is in memory here, and a few lines.
    assert peak < 24 << 20, peak


def v7(number: int) -> str:
    """Return one of the uuids that a clock makes in the same minute: they begin alike."""
    return f"019a1b2c-{number:04x}-7000-8000-{number:012x}"


def renamed(lines: list[dict[str, object]], name: Callable[[int], str]) -> list[dict[str, object]]:
    """Return entries with other ids."""
    ids = {str(line["uuid"]): name(number) for number, line in enumerate(lines, 1)}
    return [
        {**line, "uuid": ids[str(line["uuid"])], "parentUuid": ids.get(str(line["parentUuid"]))}
        for line in lines
    ]


@pytest.mark.parametrize("name", [v7, "session_b_{:03}".format, "x{:09}".format], ids=["v7", "words", "ids"])
def test_lines_and_helpers_whose_ids_begin_alike_are_all_kept(
    client: Calls, written: Writer, name: Callable[[int], str]
) -> None:
    written.user("p1", "Name three trees")
    written.assistant("a1", "Oak, elm, ash")
    for number, text in enumerate(("two", "one", "none", "all"), 2):
        written.user(f"p{number}", f"Only {text}", parent="a1")
        written.assistant(f"a{number}", f"You get {text}")
    for number in (8, 9):
        written.user(f"p{number}", f"Helper {number}", parent=None, isSidechain=True)
        written.assistant(f"a{number}", f"Done {number}", isSidechain=True)
    lines = renamed(written.lines, name)
    came = written.bring(client, lines)
    assert len(set(came)) == len(came) == 6
    assert sorted(said(client, one)[0] for one in came[1:]) == [
        "user:Helper 8", "user:Helper 9", "user:Only none", "user:Only one", "user:Only two",
    ]  # fmt: skip
    # A line that is left later does not change what the others are called.
    grown = [*lines, {**lines[-1], "isSidechain": False, "parentUuid": lines[-5]["uuid"], "uuid": name(99)}]
    assert written.bring(client, grown) == came
    assert client.check().damage == []


def compaction(written: Writer, number: str = "", **facts: object) -> None:
    """Write what a compaction writes: a boundary without a parent, and the summary below it."""
    last = written.lines[-1]["uuid"]
    written.entry(
        f"b{number}", "system", parent=None, subtype="compact_boundary", logicalParentUuid=last, **facts
    )
    written.user(f"s{number}", f"Summary{number}", isCompactSummary=True)


def test_what_follows_a_compaction_may_hang_on_the_tail_that_was_kept(client: Calls, written: Writer) -> None:
    written.user("p1", "First")
    written.assistant("a1", "One")
    compaction(written)
    written.user("p2", "Second", parent="a1")
    written.assistant("a2", "Two")
    compaction(written, "2")
    # The tool may put something behind the summary.
    written.user("m2", "<command-name>/compact</command-name>")
    written.user("p3", "Third", parent="a2")
    (main,) = written.bring(client)
    expected = [
        "user:First", "assistant:One", "system:Summary", "user:Second", "assistant:Two", "system:Summary2",
        "user:<command-name>/compact</command-name>", "user:Third",
    ]  # fmt: skip
    assert said(client, main) == expected
    written.assistant("a3", "Three")
    assert written.bring(client) == [main]
    assert said(client, main) == [*expected, "assistant:Three"]


def test_going_back_before_a_compaction_is_still_another_line(client: Calls, written: Writer) -> None:
    written.user("p1", "First")
    written.assistant("a1", "One")
    written.user("p2", "Second")
    compaction(written)
    written.user("p3", "Second, otherwise", parent="a1")
    main, left = written.bring(client)
    assert said(client, main) == ["user:First", "assistant:One", "user:Second, otherwise"]
    assert said(client, left) == ["user:Second", "system:Summary"]


class Queue(Writer):
    """Writes what the user types while the tool works."""

    def operation(self, kind: str, content: object = None, **facts: object) -> None:
        value = {} if content is None else {"content": content}
        at = f"2026-01-01T00:00:{len(self.lines):02}.500Z"
        self.lines.append(
            {
                "type": "queue-operation",
                "operation": kind,
                "timestamp": at,
                "sessionId": SESSION,
                **value,
                **facts,
            }
        )

    def absorbed(self, content: object = None) -> None:
        self.operation("remove", content, reason="absorbed_mid_turn")

    def attachment(self, name: str, prompt: object, mode: str = "prompt", **facts: object) -> None:
        attachment = {"type": "queued_command", "prompt": prompt, "commandMode": mode, **facts}
        self.entry(name, "attachment", attachment=attachment)


MIDTURN: dict[str, tuple[list[tuple[str, object]], list[str]]] = {
    "absorbed": ([("enqueue", "rye"), ("absorbed", "rye")], ["rye"]),
    "absorbed without its text": ([("enqueue", "rye"), ("absorbed", None)], ["rye"]),
    "the first that waits": ([("enqueue", "a"), ("enqueue", "b"), ("absorbed", None)], ["a"]),
    "an attachment": ([("enqueue", "rye"), ("dequeue", None), ("attachment", "rye")], ["rye"]),
    "both": ([("enqueue", "rye"), ("absorbed", "rye"), ("attachment", "rye")], ["rye"]),
    "both, the other way": ([("enqueue", "rye"), ("attachment", "rye"), ("absorbed", "rye")], ["rye"]),
    "typed twice": ([("enqueue", "x"), ("absorbed", "x"), ("enqueue", "x"), ("attachment", "x")], ["x", "x"]),
    "blocks": ([("attachment", [{"type": "text", "text": "rye"}])], ["rye"]),
    "withdrawn": ([("enqueue", "rye"), ("remove", "rye")], []),
    "a notification": ([("task", "<task-notification>done</task-notification>")], []),
    "a notification that was absorbed": ([("absorbed", "<task-notification>x</task-notification>")], []),
    "asked as usual": ([("enqueue", "rye"), ("dequeue", None), ("user", "rye")], ["rye"]),
    "an attachment of the tool": ([("hook", "rye")], []),
}


@pytest.mark.parametrize("case", MIDTURN)
def test_what_was_typed_in_the_middle_of_a_turn_is_a_message_once(
    client: Calls, tmp_path: Path, case: str
) -> None:
    does, expected = MIDTURN[case]
    written = Queue(tmp_path / f"{SESSION}.jsonl")
    written.user("p1", "Bake")
    written.assistant("a1", call("t1"))
    written.user("r1", [result("t1")])
    for number, (kind, content) in enumerate(does):
        match kind:
            case "absorbed":
                written.absorbed(content)
            case "attachment":
                written.attachment(f"q{number}", content, origin={"kind": "human"})
            case "task":
                written.attachment(f"q{number}", content, "task-notification")
            case "hook":
                written.attachment(f"q{number}", content, origin={"kind": "hook"})
            case "user":
                written.user(f"q{number}", content)
            case _:
                written.operation(kind, content)
    written.assistant("a2", "Baked.")
    (main,) = written.bring(client)
    between = [f"user:{text}" for text in expected]
    assert said(client, main) == ["user:Bake", "assistant:t1", "tool:t1", *between, "assistant:Baked."]
    assert {one.imported.added for one in client.bring(written.path).sessions} == {0}


def test_a_message_typed_mid_turn_stays_with_the_line_that_took_it_up(client: Calls, tmp_path: Path) -> None:
    written = Queue(tmp_path / f"{SESSION}.jsonl")
    written.user("p1", "Bake")
    written.assistant("a1", "What?")
    written.user("p2", "Bread")
    written.absorbed("with rye")
    written.assistant("a2", "Rye bread.")
    written.user("p3", "Cake", parent="a1")
    main, left = written.bring(client)
    assert said(client, main) == ["user:Bake", "assistant:What?", "user:Cake"]
    assert said(client, left) == ["user:Bread", "user:with rye", "assistant:Rye bread."]


def test_helpers_in_directories_of_their_own(client: Calls, written: Writer) -> None:
    written.user("p1", "Check all shelves")
    below = written.path.with_suffix("") / "subagents"
    places = {"": "x", "workflows/wf_1": "ag0", "workflows/wf_2": "ag0", "a/b/c/d/e/f": "deep"}
    for number, (place, agent) in enumerate(places.items()):
        (below / place).mkdir(parents=True, exist_ok=True)
        helper = Writer(below / place / f"agent-{agent}.jsonl")
        helper._at = 10 + number
        helper.user(f"h{number}", f"Shelf {number}", parent=None, isSidechain=True, agentId=agent)
        helper.path.write_text(json.dumps(helper.lines[0]) + "\n")
    (below / "empty").mkdir()
    (below / "empty" / "agent-none.jsonl").write_text("")
    came = written.bring(client)
    assert came == [
        SESSION,
        f"{SESSION}:x",
        f"{SESSION}:ag0",
        f"{SESSION}:ag0@workflows-wf_2",
        f"{SESSION}:deep",
    ]
    assert [said(client, one) for one in came[1:]] == [[f"user:Shelf {number}"] for number in range(4)]
    assert all(client.get(one).parent == SESSION for one in came[1:])
    assert written.bring(client) == came


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("<table> lacks borders", "<table> lacks borders"),
        ("<command-name>/clear</command-name>", "Second"),
        ("<command-name>/fix</command-name>\n<command-args>the roof</command-args>", "Second"),
        ("<system-reminder>Be brief.</system-reminder>\nPaint it", "Paint it"),
        ("<command-name> is what I would rename", "<command-name> is what I would rename"),
        ("[Request interrupted by user]", "Second"),
        (
            [
                {"type": "text", "text": "<ide_opened_file>x</ide_opened_file>"},
                {"type": "text", "text": "Go"},
            ],
            "Go",
        ),
    ],
)
def test_the_title_is_the_first_prompt_that_a_user_typed(
    client: Calls, written: Writer, prompt: object, title: str
) -> None:
    written.user("p1", prompt)
    written.user("p2", "Second")
    written.lines.append({"type": "last-prompt", "lastPrompt": "The last", "sessionId": SESSION})
    (main,) = written.bring(client)
    assert client.get(main).title == title
