"""Codex's files as they really are: what the tool puts in, turns that were taken back, files that it compressed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from backports import zstd
from tests.calls import Calls
from tests.service.test_imports import texts, whole

from retoma.errors import Integrity

ID = "0a0b0c0d-1111-7222-8333-000000000001"
NAME = f"rollout-2026-09-01T10-00-00-{ID}.jsonl"


def line(kind: str, **payload: object) -> str:
    return json.dumps({"timestamp": "2026-09-01T10:00:00Z", "type": kind, "payload": payload}) + "\n"


def message(role: str, *texts: str) -> str:
    kind = "output_text" if role == "assistant" else "input_text"
    blocks = [{"type": kind, "text": text} for text in texts]
    return line("response_item", type="message", role=role, content=blocks)


def turn(text: str) -> str:
    return message("user", text) + message("assistant", f"Done: {text}")


def back(turns: object) -> str:
    return line("event_msg", type="thread_rolled_back", num_turns=turns)


def bring(client: Calls, folder: Path, *lines: str) -> list[str]:
    file = folder / NAME
    file.write_text("".join((line("session_meta", id=ID), *lines)))
    return whole(client.bring(file))


PUT_IN = message("user", "<environment_context>\n<cwd>/x</cwd>\n</environment_context>")


@pytest.mark.parametrize(
    ("lines", "left", "taken"),
    [
        ([turn("a"), turn("b"), back(1), turn("c")], "ac", ["b"]),
        ([turn("a"), turn("b"), back(1)], "a", ["b"]),
        ([turn("a"), turn("b"), turn("c"), back(2), turn("d")], "ad", ["bc"]),
        ([turn("a"), turn("b"), turn("c"), back(1), back(1), turn("d")], "ad", ["c", "b"]),
        ([turn("a"), turn("b"), back(1), turn("c"), back(2), turn("d")], "d", ["b", "ac"]),
        ([turn("a"), back(9), turn("b")], "b", ["a"]),
        ([turn("a"), PUT_IN, turn("b"), PUT_IN, back(1), turn("c")], "ac", ["b"]),
        ([turn("a"), back(0), turn("b")], "ab", []),
        ([turn("a"), back("1"), turn("b")], "ab", []),
        ([PUT_IN, back(1), turn("a")], "a", []),
    ],
)  # fmt: skip
def test_turns_that_were_taken_back_are_a_session_of_their_own(
    client: Calls, tmp_path: Path, lines: list[str], left: str, taken: list[str]
) -> None:
    def typed(name: str) -> str:
        return "".join(text[6:] for text in texts(client, name) if text.startswith("user: "))

    came = bring(client, tmp_path, *lines)
    assert [typed(name) for name in came] == [left, *taken]
    assert all(client.get(name).parent == ID for name in came[1:])
    assert [client.get(name).title for name in came[1:]] == [one[0] for one in taken]
    again = client.bring(tmp_path / NAME)
    assert {one.imported.added for one in again.sessions} == {0}
    assert client.check().damage == []


OWN = [
    "<environment_context>\n<cwd>/x</cwd>\n</environment_context>",
    '<codex_internal_context source="goal">\nGo.\n</codex_internal_context>',
    "<permissions instructions>Ask.</permissions instructions>",
    "<turn_aborted>\nx\n</turn_aborted>\n",
    "<user_shell_command>\necho '</user_shell_command>'\n</user_shell_command>",
    "# AGENTS.md instructions for /work\n\n<INSTRUCTIONS>\nBe brief.\n</INSTRUCTIONS>",
    "<user_instructions>a</user_instructions>\n<environment_context>b</environment_context>",
]
TYPED = {
    "<b>bold?</b> how": "<b>bold?</b> how",
    "<html> what is this": "<html> what is this",
    "  <Button> is not aligned": "<Button> is not aligned",
    "<skill> is a tag that I want to rename": "<skill> is a tag that I want to rename",
    "# AGENTS.md is outdated, please rewrite it": "# AGENTS.md is outdated, please rewrite it",
    "# AGENTS.md instructions for new people are missing": "# AGENTS.md instructions for new people are missing",
    "<environment_context>x</environment_context>\nPaint it": "Paint it",
    "# Context from my IDE setup:\n\n## Open tabs:\n- a.md\n\n## My request for Codex:\nMake it red\n": "Make it red",
    "# Files mentioned by the user:\n\n## a.md\n\n## My request for Codex:\nRead it": "Read it",
    "# A heading\n\nof mine": "# A heading of mine",
}


@pytest.mark.parametrize("text", OWN)
def test_the_tool_says_what_it_put_in(client: Calls, tmp_path: Path, text: str) -> None:
    bring(client, tmp_path, message("user", text), turn("Paint"))
    assert texts(client, ID) == [f"system: {text}", "user: Paint", "assistant: Done: Paint"]
    assert client.get(ID).title == "Paint"


@pytest.mark.parametrize("text", TYPED)
def test_the_user_says_what_begins_with_any_other_tag(client: Calls, tmp_path: Path, text: str) -> None:
    bring(client, tmp_path, message("user", *OWN[:2]), message("user", text))
    assert texts(client, ID)[-1] == f"user: {text}"
    assert client.get(ID).title == TYPED[text]


def test_a_picture_is_the_users(client: Calls, tmp_path: Path) -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}
    labels = [{"type": "input_text", "text": text} for text in ("<image name=[Image #1]>", "</image>")]
    bring(
        client,
        tmp_path,
        line("response_item", type="message", role="user", content=[labels[0], image, labels[1]]),
    )
    assert {text.partition(":")[0] for text in texts(client, ID)} == {"user"}
    assert client.get(ID).title == ""


def test_a_compressed_file_is_read_as_what_it_was(client: Calls, tmp_path: Path) -> None:
    plain = "".join(
        (line("session_meta", id=ID), *(turn(f"Turn {number}") for number in range(2_000)))
    ).encode()
    packed = tmp_path / f"{NAME}.zst"
    packed.write_bytes(zstd.compress(plain[: len(plain) // 2]) + zstd.compress(plain[len(plain) // 2 :]))
    assert whole(client.bring(packed)) == [ID]
    assert client.get(ID).messages == 4_000
    (tmp_path / NAME).write_bytes(plain)
    assert [one.imported.added for one in client.bring(tmp_path / NAME).sessions] == [0]
    with packed.open("rb") as stream:
        assert [one.imported.added for one in client.bring(stream).sessions] == [0]


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_of_a_damaged_compressed_file_the_beginning_is_kept(
    client: Calls, tmp_path: Path, damage: str
) -> None:
    lines = [
        line("session_meta", id=ID),
        *(turn(f"{number} {number * number:x}") for number in range(20_000)),
    ]
    packed = bytearray(zstd.compress("".join(lines).encode()))
    if damage == "cut":
        del packed[len(packed) // 2 :]
    else:
        packed[len(packed) // 2 :] = b"\xff" * (len(packed) // 2)
    (tmp_path / f"{NAME}.zst").write_bytes(packed)
    arrived = client.bring(tmp_path / f"{NAME}.zst")
    assert whole(arrived) == [ID]
    assert "torn" in {notice.code for notice in arrived.notices}
    assert 1_000 < client.get(ID).messages < 40_000
    (tmp_path / f"{NAME}.zst").write_bytes(packed[:10])
    with pytest.raises(Integrity, match="no complete record"):
        client.bring(tmp_path / f"{NAME}.zst")
