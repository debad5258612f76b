"""Values, in every way into the store: kept exactly, or refused by the one rule, and then nothing is written."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

import retoma
from retoma.__main__ import main
from retoma.errors import Invalid
from retoma.model.exact import check_value
from retoma.programs.program import read_output
from retoma.types import Opaque, ToolCall, ToolResult

SEED, COUNT = 14, 1_000


class Color(enum.Enum):
    RED = "red"


class Count(int):
    pass


@dataclasses.dataclass
class Point:
    x: int = 1


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": value} if levels % 2 else [value]
    return value


ODD = (
    math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 1 << 63, (1 << 64) - 1, 1 << 64, -(1 << 63),
    -(1 << 63) - 1, 1 << 80, "", "\0", "\ud800", "é", "e\u0301", "\U0001f600", "\x7f\x1b[0m", "null", "1", b"\xff",
    bytearray(b"a"), (1, 2), {1, 2}, frozenset(), decimal.Decimal("1.10"), datetime.date(2026, 1, 2), Point(),
    Color.RED, Count(3), object(), {1: "a", "1": "b"}, {None: 1}, {"\ud800": 1}, {"": 1}, {True: 1}, nested(90),
    nested(101), nested(300), nested(2_000), range(3), Path("a"), 1j, print,
)  # fmt: skip


def made(rng: random.Random, depth: int = 0) -> object:
    """Return a random value; one of ten has something in it that JSON has not."""
    kind = rng.randrange(10 if depth < 4 else 7)
    if kind == 0:
        return rng.choice(ODD)
    if kind < 3:
        return rng.choice([None, True, False, rng.randrange(-(1 << 63), 1 << 64), rng.uniform(-1e9, 1e9)])
    if kind < 7:
        return "".join(
            chr(rng.choice([rng.randrange(0x20, 0x7F), rng.randrange(0xA0, 0xD800)]))
            for _ in range(rng.randrange(8))
        )
    if kind == 7:
        return {chr(rng.randrange(0x20, 0xD800)) * 2: made(rng, depth + 1) for _ in range(rng.randrange(4))}
    return [made(rng, depth + 1) for _ in range(rng.randrange(4))]


def same(one: object, other: object) -> bool:
    """Return whether two values are equal, and of the same types throughout."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other and str(one) == str(other)


def allowed(value: object) -> bool:
    try:
        check_value(value, "x")
    except Invalid:
        return False
    return True


def data(session: retoma.Session) -> dict[str, object]:
    return next(session.events(last=1)).data


def batched(session: retoma.Session, value: object) -> object:
    with session.batch() as batch:
        batch.append("tool", ToolResult("1", value))
        batch.state["k"] = value
    said, put = session.events(last=2)
    assert same(said.data["content"][0].get("result"), put.data["set"]["k"])
    return session.state["k"]


def put(session: retoma.Session, value: object) -> object:
    session.state["k"] = value
    return session.state["k"]


def told(session: retoma.Session, value: object) -> object:
    session.set_metadata({"k": value})
    session.refresh()
    return session.metadata["k"]


def appended(
    content: Callable[[object], object], *path: str | int
) -> Callable[[retoma.Session, object], object]:
    def append(session: retoma.Session, value: object) -> object:
        session.append("assistant", content(value))
        found = data(session)["content"][-1]
        for name in path:
            found = found[name] if name != "result" else found.get(name)
        return found

    return append


def noted(session: retoma.Session, value: object) -> object:
    session.append("user", "x", metadata={"k": value})
    return session.messages(last=1)[0].metadata["k"]


def many(session: retoma.Session, value: object) -> object:
    session.append_many(
        [("user", "x"), {"role": "tool", "content": {"type": "opaque", "kind": "k", "raw": value}}]
    )
    return session.messages(last=1, tools=True)[0].parts[0].raw


WAYS = {
    "tool result": appended(lambda value: ToolResult("1", value), "result"),
    "tool call": appended(lambda value: ToolCall("1", "n", {"v": value}), "arguments", "v"),
    "opaque among others": appended(lambda value: ["x", Opaque("k", value)][1:], "raw"),
    "part as a mapping": appended(lambda value: [{"type": "tool_result", "id": "1", "result": value}], "result"),
    "append_many": many,
    "batch": batched,
    "state": put,
    "metadata": told,
    "metadata of a message": noted,
}  # fmt: skip


@pytest.fixture
def talk():
    with retoma.open(":memory:") as client:
        yield client.create("s")


@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_kept_exactly_or_refused(talk, way):
    rng, kept = random.Random(f"{SEED} {way}"), 0
    for value in [*ODD, *(made(rng) for _ in range(COUNT))]:
        head = talk.head
        if allowed(value):
            # Metadata and state that are set to what they are make no event, or one more.
            assert same(WAYS[way](talk, value), value), value
            kept += 1
        else:
            with pytest.raises(Invalid):
                WAYS[way](talk, value)
            talk.refresh()
            assert talk.head == head
    assert COUNT / 2 < kept < COUNT


def test_the_context_of_a_flow_keeps_values_exactly_or_refuses_them(tmp_path):
    (tmp_path / "start.md").write_text("---\ntype: question\n---\nWell?\n")
    rng = random.Random(SEED)
    with retoma.open(":memory:") as client:
        for number in range(COUNT // 4):
            value = made(rng)
            if allowed(value):
                with client.run_flow(tmp_path, f"s{number}", context={"k": value}) as run:
                    assert same(run.context["k"], value)
                assert same(client.session(f"s{number}").state["k"], value)
            else:
                with pytest.raises(Invalid):
                    client.run_flow(tmp_path, f"s{number}", context={"k": value})
                assert client.get(f"s{number}") is None


def test_what_was_kept_is_imported_exactly(talk):
    rng = random.Random(SEED)
    values = [value for value in (made(rng) for _ in range(COUNT)) if allowed(value)]
    talk.append_many([("tool", ToolResult("1", value)) for value in values])
    talk.state.update({f"k{n}": value for n, value in enumerate(values)})
    file = BytesIO(b"".join(retoma.Client(talk._opened).export("s")))
    with retoma.open(":memory:") as there:
        there.import_(file)
        session = there.session("s")
        found = [message.parts[0].result for message in session.messages(tools=True)]
        assert all(map(same, found, values))
        assert all(same(session.state[f"k{n}"], value) for n, value in enumerate(values))


JSON_TEXTS = (
    '{"a":1,"a":2}',
    "[1e400]",
    "[NaN]",
    f"[{1 << 70}]",
    "[" * 102 + "]" * 102,
    '{"a":[{"b":1,"b":1}]}',
    '["\\ud800"]',
)


@pytest.mark.parametrize("text", JSON_TEXTS)
def test_json_that_would_be_altered_stays_a_text_or_is_refused(text, tmp_path, talk):
    assert read_output(text.encode()) == text
    store = ["--store", str(tmp_path / "store")]
    assert main([*store, "session", "create", "s", "--meta", f"k={text}"]) == 0
    with retoma.open(tmp_path / "store") as client:
        assert client.session("s").metadata == {"k": text}
        part = f'[{{"type":"opaque","kind":"k","raw":{text}}}]'
        assert main([*store, "session", "append", "s", "tool", part, "--parts"]) != 0
        assert client.session("s").head == 1
