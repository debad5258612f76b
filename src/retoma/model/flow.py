"""Where a flow stands and what one step of it did: the words that flows, service and runtime share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec
from blake3 import blake3

from retoma.model.call import Call, Outcome, Rollback
from retoma.model.codec import Json, JsonMap
from retoma.model.plain import Mapped

FlowStatus: TypeAlias = Literal["active", "waiting_for_input", "waiting_for_tool", "rolling_back", "finished"]
InputType: TypeAlias = Literal["text", "confirm", "choice", "int", "float", "secret"]


class Prompt(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """What a waiting node asks for. `timeout_s` is None when it waits for ever."""

    node: str
    input_type: InputType = "text"
    options: tuple[str, ...] = ()
    default: str | None = None
    timeout_s: float | None = None


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a flow stands in its session, as the store has it.

    `ans` is the last input or tool result (`sys.ans` in templates); `visits` is the length of the history, whose
    last element is `node`. `call` is the tool call that the flow waits for. `came` says what came of the call that
    `node` made, when the flow has not left the node yet; `rollback` how far the rollback under way is.
    """

    node: str | None
    status: FlowStatus
    context: JsonMap
    ans: Json = None
    visits: int = 0
    call: Call | None = None
    came: Outcome | None = None
    rollback: Rollback | None = None


class Visit(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """A node was entered: its content as it was shown, and the context keys that entering it set."""

    node: str
    content: str
    sets: JsonMap = {}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one input (or the start, or one more stretch of nodes that do not wait) did to a flow.

    Applied in order: `sets` (what the input itself saved), then each of `visits`. `notice` says why the same node
    asks again; `failure` why the flow failed at the last node; both empty otherwise. `prompt` is there exactly when
    `status` is `waiting_for_input`. A step that stopped at its bound of nodes has the status `active`: the caller
    records it and goes on with another.

    `call` is there when `status` is `waiting_for_tool`, and for each undo of a rollback; it has no key yet. With
    `rollback` the history is cut to `kept` nodes, and `rolls` says that this step began it.
    """

    status: FlowStatus
    ans: Json = None
    sets: JsonMap = {}
    visits: tuple[Visit, ...] = ()
    prompt: Prompt | None = None
    notice: str = ""
    failure: str = ""
    call: Call | None = None
    rollback: Rollback | None = None
    rolls: bool = False
    kept: int = 0


def version_of(files: Mapping[str, bytes]) -> str:
    """Return the hex BLAKE3 that stands for exactly these paths with exactly these contents."""
    parts: list[bytes] = []
    for path in sorted(files):
        content = files[path]
        parts += (_lead(path, len(content)), content)
    return blake3(b"".join(parts)).hexdigest()


@lru_cache(
    maxsize=1 << 14
)  # a watched flow has at most 10,000 files, and nearly all of them stay as they are
def _lead(path: str, length: int) -> bytes:
    """Return what stands before a file's content: its path, and how long each of the two is."""
    name = path.encode("utf-8", "surrogateescape")
    return len(name).to_bytes(8, "big") + name + length.to_bytes(8, "big")
