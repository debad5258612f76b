"""Sessions of Trellis: one JSON document each, which says where a flow stands. It does not say which flow.

Its keys are written `current_node_id`, or `CurrentNodeID` as builds before wrote them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from retoma.errors import Integrity, Invalid
from retoma.model import event as kinds
from retoma.model.codec import Json, encode
from retoma.model.event import MAX_DATA_BYTES
from retoma.model.message import ToolCall, ToolResult
from retoma.model.state import SYS
from retoma.service.transfer import mend
from retoma.service.transfer.foreign import (
    Draft,
    Foreign,
    Profile,
    Said,
    identity,
    listed,
    mapping,
    message,
    one_too_many,
    record,
    words,
)
from retoma.service.transfer.given import Given
from retoma.service.transfer.notices import Notices

_TOOL: Final = "trellis"
_MOST_BYTES: Final = 64 << 20
_OLD: Final = {
    "session_id": "SessionID",
    "current_node_id": "CurrentNodeID",
    "status": "Status",
    "pending_tool_call": "PendingToolCall",
    "context": "Context",
    "system_context": "SystemContext",
    "locale": "Locale",
    "history": "History",
    "terminated": "Terminated",
}
_STATUSES: Final = ("active", "waiting_for_tool", "rolling_back", "terminated")
_ROLLED_BACK: Final = "It was rolled back."


class _State(NamedTuple):
    """What a document says; `data` is the document, on one line."""

    data: bytes
    id: str
    node: str
    status: str
    pending: str
    context: dict[str, Json]
    system: dict[str, Json]
    history: list[str]
    locale: str


def sessions(given: Given, notices: Notices) -> Iterator[Foreign]:
    """Yield the session of a file. Raises Integrity when the document is not whole."""
    if given.path is not None and given.path.name.startswith("tmp-"):
        notices.say("leftover", "This file is left from a save that did not finish. It was ignored.")
        return
    states: dict[str, list[_State]] = {}
    for value, data in _documents(given, notices):
        state = _state(value, data, given, notices)
        states.setdefault(state.id, []).append(state)
    if given.single and len(states) > 1:
        raise one_too_many(given.shown, len(states))
    for id, found in states.items():
        if len(found) > 1:
            detail = (
                "The file has several states of the session: the last one is used, and the others are "
                "imported beside it."
            )
            notices.say("several_states", detail)
        yield _foreign(id, found, given, notices)


def _documents(given: Given, notices: Notices) -> Iterator[tuple[dict[str, Json], bytes]]:
    """Yield the documents of a file, identical ones once."""
    data = given.stream.read(_MOST_BYTES + 1).removeprefix(b"\xef\xbb\xbf")
    if len(data) > _MOST_BYTES:
        raise Invalid(
            f"{given.shown} is larger than {_MOST_BYTES >> 20} MiB, more than any session of Trellis.",
            code="too_large",
        )
    bare = data.rstrip(b"\0 \t\r\n")
    if nothing := data[len(bare) :].count(b"\0"):
        detail = f"{nothing:,} NUL byte{'s' * (nothing > 1)} at the end {'were' if nothing > 1 else 'was'} ignored."
        notices.say("nul_bytes", detail, bare.count(b"\n") + 1)
    whole = mend.read(bare)
    parts, rest = ([bare], b"") if whole is not None else mend.several(bare)
    seen: set[bytes] = set()
    for part in parts:
        found = mend.read(part)
        if found is None or not isinstance(found.value, dict):
            raise _cut_off(given, bare)
        if mend.read_as_is(part) is None:
            notices.say(
                "mended", "A text had a line break or a character that JSON does not allow; it was repaired."
            )
        if found.data in seen:
            notices.say("duplicate", "The document is a duplicate; it was imported once.")
        else:
            seen.add(found.data)
            yield found.value, found.data
    if not parts:
        raise _cut_off(given, bare)
    if rest:
        detail = f"The file ends in the middle of a document; {len(rest):,} bytes of it were not imported."
        notices.say("torn", detail, bare.count(b"\n") + 1)


def _cut_off(given: Given, data: bytes) -> Integrity:
    line = data.count(b"\n") + 1
    return Integrity(
        f"Line {line:,}: {given.shown} ends in the middle of its document, or is not JSON there.",
        code="damaged_import",
        hint="Nothing was imported: a flow cannot run on half a state. Restore the file from a backup.",
        line=line,
    )


def _state(value: dict[str, Json], data: bytes, given: Given, notices: Notices) -> _State:
    def of(name: str) -> Json:
        return value.get(name, value.get(_OLD[name]))

    if not any(name in value or _OLD[name] in value for name in ("current_node_id", "status", "context")):
        raise Invalid(
            f"{given.shown} is not a session of Trellis: it has no node, no status and no context.",
            code="not_an_export",
            hint="Leave out --from to detect the format from the file.",
        )
    for key in value.keys() - {*_OLD, *_OLD.values()}:
        notices.say("unknown_key", f"The key {key[:100]!r} is unknown; it was imported unchanged.")
    status = words(of("status")) or "active"
    if of("terminated") is True:
        status = "terminated"
    if status not in _STATUSES:
        notices.say("unknown_status", f"The status {status[:100]!r} is unknown; 'active' was used instead.")
        status = "active"
    node = words(of("current_node_id")).replace("\0", "\ufffd")  # a name that PostgreSQL could not keep
    history = [one.replace("\0", "\ufffd") for one in listed(of("history")) if isinstance(one, str) and one]
    if not node:
        history = []
    elif not history or history[-1] != node:
        # The session guide's form leaves the current node out.
        history.append(node)
    id = words(of("session_id")) or given.stem or identity(_TOOL, data).hex()
    return _State(
        data=data,
        id=id,
        node=node,
        status=status,
        pending=words(of("pending_tool_call")),
        context=mapping(of("context")),
        system=mapping(of("system_context")),
        history=history,
        locale=words(of("locale")),
    )


def _foreign(id: str, states: list[_State], given: Given, notices: Notices) -> Foreign:
    state = states[-1]
    if state.pending:
        notices.say("no_result", f"The tool call {state.pending!r} at the node {state.node!r} has no result.")
    for key in filter(_reserved, state.context):
        detail = (
            f"The context's key {key[:100]!r} is not valid here; it was kept only in the original record."
        )
        notices.say("reserved_key", detail)
    drafts = list(_drafts(states, given.modified))
    return Foreign(
        tool=_TOOL,
        id=id,
        created_at=given.modified,
        drafts=lambda: iter(drafts),
        profile=Profile(metadata={"locale": state.locale} if state.locale else {}),
    )


def _drafts(states: list[_State], at: int) -> Iterator[Draft]:
    state = states[-1]
    document = identity(_TOOL, *(one.data for one in states))

    def id(what: str) -> bytes:
        return identity(document, what)

    for number, one in enumerate(states):
        yield from record(id(f"document {number}"), at, _TOOL, "session", one.data)
    yield _event(id("started"), kinds.FLOW_STARTED, at, {"flow": "", "version": ""})
    for place, node in enumerate(state.history):
        step: dict[str, Json] = {"node": node, "content": ""}
        if place == len(state.history) - 1 and state.status in ("waiting_for_tool", "rolling_back"):
            step["status"] = state.status
        yield _event(id(f"step {place}"), kinds.FLOW_STEP, at, step)
    result = mapping(state.context.get("tool_result"))
    if result and words(result.get("_id")):
        fields = {key: value for key, value in result.items() if key != "_id"}
        part = ToolResult(
            words(result["_id"]), result=fields["result"] if fields.keys() == {"result"} else fields
        )
        said = Said(role="tool", parts=(part,))
        yield from message(id("result"), at, said, tool=_TOOL, raw=state.data)
    for place, sets in enumerate(_sets(state)):
        yield _event(id(f"state {place}"), kinds.STATE, at, {"set": sets})
    if state.pending:
        # Its name and its arguments are the flow's to say.
        said = Said(role="assistant", sender=state.node, parts=(ToolCall(state.pending, ""),))
        yield from message(id("call"), at, said, tool=_TOOL, raw=state.data)
    if state.status == "terminated":
        yield from _ended(state, id("end"), at)


def _sets(state: _State) -> Iterator[dict[str, Json]]:
    """Yield what the state's events set: the context, and the last input, in pieces that fit an event."""
    sets: dict[str, Json] = {}
    size = 0
    everything = {key: value for key, value in state.context.items() if not _reserved(key)}
    if "ans" in state.system:
        everything[SYS] = {"ans": state.system["ans"]}
    for key, value in everything.items():
        took = len(encode({key: value}))
        if sets and size + took > MAX_DATA_BYTES // 2:
            yield sets
            sets, size = {}, 0
        sets[key] = value
        size += took
    if sets:
        yield sets


def _reserved(key: str) -> bool:
    """Return whether a key of the context cannot be one here: it is reserved for the flow, or has a NUL."""
    return key == SYS or "\0" in key


def _ended(state: _State, id: bytes, at: int) -> Iterator[Draft]:
    # After a whole rollback the flow stands nowhere; such a session has failed here.
    why = "" if state.node else _ROLLED_BACK
    ended: dict[str, Json] = {"node": state.node or None, "status": "failed" if why else "finished"}
    changed: dict[str, Json] = {"from": "active", "to": "failed" if why else "completed"}
    if why:
        ended["failure"] = changed["reason"] = why
    yield _event(id, kinds.FLOW_END, at, ended)
    yield _event(identity(id, "status"), kinds.STATUS, at, changed)


def _event(id: bytes, kind: str, at: int, data: dict[str, Json]) -> Draft:
    return Draft(id=id, kind=kind, at=at, data=encode(data))
