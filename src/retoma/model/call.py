"""A flow's tool call: what is asked of the tool, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from retoma.model.codec import Json, JsonField
from retoma.model.plain import Mapped
from retoma.model.redaction import REDACTED

Part: TypeAlias = str | list[str]
"""A piece of a text that holds secrets: text as it is, or a list of one, the context key of a secret."""

References: TypeAlias = Mapping[str, list[Part]]

OUTCOMES = ("done", "failed", "denied")
Outcome: TypeAlias = Literal["done", "failed", "denied"]

RESULT_KEY = "tool_result"
"""The context key that every result is in."""


class Call(msgspec.Struct, Mapped, frozen=True, kw_only=True, omit_defaults=True):
    """A tool to call for `node`; with `undo`, to take back what that node did, which stands `at` in the history.

    `args` are rendered. Where they hold secrets, `secrets` has the place (a JSON pointer) and the pieces of the text;
    the texts of secrets are never in here. `key` is the idempotency key, the same in every attempt. `approved` says by
    whom, and is empty until it is decided. `attempt` counts the starts, `failures` those that ended in an error.
    `unready` says why the arguments of an undo cannot be rendered: it is not called, and the rollback goes on.
    """

    node: str
    name: str
    args: JsonField = None
    id: str = ""
    secrets: dict[str, list[Part]] = {}
    key: str = ""
    undo: bool = False
    at: int = 0
    approved: str = ""
    attempt: int = 0
    failures: int = 0
    unready: str = ""

    def _plain(self) -> object:
        from retoma.model.shapes import ToolCall

        return ToolCall.of(self)

    @property
    def redacted(self) -> bool:
        """Whether its arguments were forgotten: then it cannot be made any more."""
        return bool(self.args == REDACTED)


class Pending(msgspec.Struct, frozen=True):
    """A call that a session waits for: its `id` in the session, who asked (`kind`), and what is kept of it."""

    id: str
    kind: str
    what: dict[str, JsonField]


FLOW_TOOL: Final = "flow.tool"
"""The kind of a tool call of a flow, which has one at a time; its id is its idempotency key."""


def of_flow(call: Mapping[str, Any]) -> Pending:
    """Return a flow's tool call as a pending one."""
    return Pending(str(call.get("key", "")), FLOW_TOOL, dict(call))


def flow_call(pending: Iterable[Pending]) -> dict[str, Json] | None:
    """Return what is kept of the flow's tool call among calls, None when it waits for none."""
    return next((one.what for one in pending if one.kind == FLOW_TOOL), None)


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call: a `result`, or why it `failed` or was `denied` (`text`)."""

    outcome: Outcome
    result: JsonField = None
    text: str = ""

    @property
    def value(self) -> Json:
        """What `sys.ans` is after it."""
        value: Json = self.result if self.outcome == "done" else self.text
        return value


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """A rollback under way: where it began and why, and the (node, tool, error) it is through with, in order."""

    node: str
    cause: str = ""
    through: tuple[tuple[str, str, str], ...] = ()

    def with_one(self, node: str, tool: str, error: str) -> Rollback:
        return msgspec.structs.replace(self, through=(*self.through, (node, tool, error)))

    @property
    def reason(self) -> str:
        """Say why it was rolled back, what was undone and what could not be."""
        why = self.cause or f"Rolled back from '{self.node}'"
        why += "" if why.endswith((".", "!", "?")) else "."
        undone = [f"'{node}' ({tool})" for node, tool, error in self.through if not error]
        kept = [f"'{node}' ({tool}: {error})" for node, tool, error in self.through if error]
        said = [why, f"Undone: {', '.join(undone)}." if undone else "Nothing was undone."]
        return " ".join([*said, f"Not undone: {', '.join(kept)}."] if kept else said)


def idempotency_key(session: str, epoch: str, call: Call, visits: int) -> str:
    """Return the key of a call that is made after `visits` nodes, the last of them its node.

    `epoch` is empty in the first epoch of an id that was never used before, else the epoch's uid. An undo has another
    key than what it undoes: no tool's name has a line break.
    """
    import hashlib  # only a flow with tools pays for it

    parts = [session, *([epoch] if epoch else []), call.node, str(visits), call.name]
    text = ":".join(parts) + ("\nundo" if call.undo else "")
    return hashlib.sha256(text.encode()).hexdigest()


def result_sets(data: Mapping[str, Any]) -> dict[str, Json]:
    """Return the context keys that an event with the outcome of a call sets; an undo sets none, nor does a refusal."""
    if data.get("undo") or "denied" in data:
        return {}
    called, result = data.get("id") or data.get("name", ""), data.get("result")
    if "error" in data:
        return {RESULT_KEY: {"_id": called, "error": data["error"]}}
    fields = result if isinstance(result, dict) else {"result": result}
    saved: dict[str, Json] = {data["save_to"]: result} if data.get("save_to") else {}
    return saved | {RESULT_KEY: {"_id": called, **fields}}


def started(call: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Json]:
    """Return the call as it is kept once the event with `data` says that it was started."""
    kept = dict(call) | {"attempt": data["attempt"]}
    if "approved" in data:
        kept["approved"] = data["approved"]
    if "error" in data:
        kept["failures"] = call.get("failures", 0) + 1
    return kept


def forked(call: Mapping[str, Any], key: str) -> dict[str, Json]:
    """Return the call as it is kept in a fork of the session that asked for it: a call of its own, not made yet."""
    made = ("key", "approved", "attempt", "failures")
    return {name: value for name, value in call.items() if name not in made} | {"key": key}


def through(rollback: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Json]:
    """Return the rollback as it is kept once the event with `data` says what came of an undo."""
    one: list[Json] = [data["node"], data["name"], data.get("error") or data.get("denied") or ""]
    return dict(rollback) | {"through": [*rollback.get("through", ()), one]}


def outcome_of(data: Mapping[str, Any]) -> Outcome:
    """Return which outcome the event with `data` has."""
    if "denied" in data:
        return "denied"
    return "failed" if "error" in data else "done"


def system_state(ans: Json, came: str | None, rollback: Mapping[str, Any] | None) -> dict[str, Json]:
    """Return what the state keeps for the flow itself: the last answer, what came of its call, and its rollback."""
    state: dict[str, Json] = {"ans": ans}
    if came is not None:
        state["came"] = came
    if rollback is not None:
        state["rollback"] = dict(rollback)
    return state


def with_call(system: Json, call: Mapping[str, Any] | None) -> Json:
    """Return what the state keeps for the flow itself with its call in it, as exports have it."""
    if call is None or not isinstance(system, dict):
        return system
    return {"ans": system.get("ans"), "call": dict(call)} | system


def without_call(system: Json) -> tuple[Json, Pending | None]:
    """Return both apart again. A call that cannot be one stays where it is."""
    call = system.get("call") if isinstance(system, dict) else None
    if not isinstance(system, dict) or not isinstance(call, dict):
        return system, None
    return {name: value for name, value in system.items() if name != "call"}, of_flow(call)
