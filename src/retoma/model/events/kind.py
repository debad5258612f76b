"""What the declaration of a type of events has: all that any room asks about the type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta, Raw

from retoma.model.codec import Json
from retoma.model.event import Event

if TYPE_CHECKING:
    from retoma.model.fold import Folded
    from retoma.model.ledger import Ledger
    from retoma.model.message import Message

Data: TypeAlias = dict[str, Any]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Uid: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Version: TypeAlias = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
Pairs: TypeAlias = tuple[tuple[str, str], ...]
Names: TypeAlias = tuple[str, ...]
Values: TypeAlias = dict[str, Raw]


class Said(NamedTuple):
    """What is searched of an event."""

    role: str
    text: str
    sender: str = ""


def _nothing(*_: object) -> None:
    pass


def partial(folded: Folded) -> None:
    """Follow an erased event: what it changed beside the state is unknown."""
    folded.partial = True


def as_set(data: Data) -> Mapping[str, Json]:
    """Return the keys of the state in `set`."""
    sets = data.get("set")
    return sets if isinstance(sets, dict) else {}


def as_deleted(event: Event, data: Data) -> dict[str, int]:
    """Return the keys of the state in `delete`, each with the event."""
    names = data.get("delete")
    return {str(name): event.seq for name in names} if isinstance(names, list) else {}


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration of a type of events. What is left out does nothing, or is empty.

    **Folding.** `payload` is the data's type, None for any JSON. `fold` changes the state, `learn` the ledger; when the
    event is erased, `lost` and `missed` do, and `loses` names what of the session is not known any more. `sets` are the
    keys of the state that it sets, `deletes` those that it takes away, each with the event that did, `nodes` the
    nodes that a flow entered, each under the seq of its step, and `answer` what it makes the last answer, in a tuple.
    `answers`: it changes what a flow keeps for itself.

    **Erasing.** `fixed`: it holds nothing of what was said (numbers, hashes and names of nodes), and is never erased.
    `hashes` are fields that are hexadecimal: a short pattern would be found in them by chance.

    **Reading.** `said` is the message that it is, for `read`; `role` who says it, where the type alone tells.
    `searched` is what is searched of it.

    **Branches.** `step`: events of one step of a flow are forked together. `passing`: it changes neither the state nor
    the session's properties. `beside`: others write it beside the holder of the lease, and it changes nothing for them.
    """

    name: str
    payload: type[msgspec.Struct] | None = None
    fold: Callable[[Folded, Data], None] = _nothing
    lost: Callable[[Folded], None] = partial
    learn: Callable[[Ledger, Event, Data], None] = _nothing
    missed: Callable[[Ledger, Event], None] = _nothing
    loses: frozenset[str] = frozenset()
    sets: Callable[[Data], Mapping[str, Json]] = lambda _: {}
    deletes: Callable[[Event, Data], dict[str, int]] = lambda *_: {}
    nodes: Callable[[Event, Data], dict[str, str]] = lambda *_: {}
    answer: Callable[[Data], tuple[Json, ...]] = lambda _: ()
    answers: bool = False
    fixed: bool = False
    hashes: tuple[str, ...] = ()
    said: Callable[[Event, Data], Message | None] | None = None
    role: str = ""
    searched: Callable[[Data], Said] | None = None
    step: bool = False
    passing: bool = False
    beside: bool = False
