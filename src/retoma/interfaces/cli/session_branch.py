"""`retoma session fork`, `undo` and `diff`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Literal

import click

from retoma.commands.branch import DiffSessions, ForkSession, UndoSession
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION
from retoma.interfaces.cli.text import Styled, counted
from retoma.interfaces.cli.verb import verb

if TYPE_CHECKING:
    from retoma.model.message import Message
    from retoma.service.branch.diff import Diff, Side

__all__ = ["diff", "fork", "undo"]


@verb("session fork", example="retoma session fork my-experiment another-way --at 12")
@click.argument("id", type=SESSION)
@click.argument("new", required=False)
@click.option(
    "--at", metavar="SEQ", type=click.IntRange(min=1), help="Fork after this event; default: the last."
)
@click.option("--key", metavar="KEY", help="Idempotency key: repeats make one fork.")
def fork(ctx: Invocation, *, id: str, new: str | None, at: int | None, key: str | None) -> None:
    """Make a session that shares the past events of this session and then has its own. Without NEW, an id is
    generated."""
    session = ctx.meant(id)
    made = ctx.do(ForkSession(session=session, new=new, at=at), key=key)
    if ctx.out.json:
        ctx.out.print_json(made)
        return
    ctx.out.line(made.id)
    ctx.out.note(f"It shares {counted(made.seq, 'event')} with '{made.of or session}'.")


@verb("session undo", example="retoma session undo my-experiment")
@click.argument("id", type=SESSION)
@click.option("--key", metavar="KEY", help="Idempotency key: repeats undo once.")
def undo(ctx: Invocation, *, id: str, key: str | None) -> None:
    """Undo the last user message or input and everything after it; the session as it was is kept under another id."""
    done = ctx.do(UndoSession(session=ctx.meant(id)), key=key)
    if ctx.out.json:
        ctx.out.print_json(done)
        return
    ctx.out.line(f"{done.id}: back at event {done.seq:,}")
    if done.kept:
        ctx.out.note(f"The session as it was is kept as '{done.kept}' in the archive.")


@verb("session diff", example="retoma session diff my-experiment another-way")
@click.argument("a", type=SESSION)
@click.argument("b", type=SESSION)
@click.option("--at", metavar="SEQ", type=click.IntRange(min=1), help="Compare both at this event.")
def diff(ctx: Invocation, *, a: str, b: str, at: int | None) -> None:
    """Show the differences between two sessions: messages (- only in A, + only in B) and keys of the state."""
    found = ctx.read(DiffSessions(a=ctx.found(a), b=ctx.found(b), at=at))
    if not ctx.out.json:
        _print(ctx, found)
    elif ctx.out.terminal:
        ctx.out.print_json(found.whole())
    else:
        ctx.out.document(chain(_document(found), [b"\n"]), json=True)


def _print(ctx: Invocation, found: Diff) -> None:
    ctx.out.line(Styled(f"- {_named(found.a)}", "red"))
    ctx.out.line(Styled(f"+ {_named(found.b)}", "green"))
    ctx.out.line(Styled(_common(found), "dim"))
    differ = [_print_messages(ctx, found, "a"), _print_messages(ctx, found, "b"), bool(found.state)]
    for one in found.state:
        if one.where != "b":
            ctx.out.line(Styled(f"- {one.key} = {_short(one.a)}", "red"))
        if one.where != "a":
            ctx.out.line(Styled(f"+ {one.key} = {_short(one.b)}", "green"))
    if not any(differ):
        ctx.out.note("Both have the same messages and the same state.")


def _print_messages(ctx: Invocation, found: Diff, side: Literal["a", "b"]) -> bool:
    """Print the differences of the two sessions; return whether there were any."""
    mark, colour = ("-", "red") if side == "a" else ("+", "green")
    some = False
    for message in found.only(side):
        some = True
        for line in _lines(message):
            ctx.out.line(Styled(f"{mark} {line}".rstrip(), colour))
    return some


def _lines(message: Message) -> Iterator[str]:
    who = message.sender if message.role == "assistant" and message.sender else message.role
    first, *rest = message.text.split("\n")
    yield f"{message.seq:>4}  {who}  {first}"
    yield from (f"      {' ' * len(who)}  {line}" for line in rest)


def _named(side: Side) -> str:
    session = side.session
    stands = f" at {session.flow_node}" if session.flow_node else ""
    return f"{session.id}: {counted(session.seq, 'event')}, {session.status}{stands}"


def _common(found: Diff) -> str:
    by, a, b = found.common
    if by is None:
        return "nothing in common"
    upto = f"up to event {a:,}" if a == b else f"up to event {a:,} and {b:,}"
    return f"{'the same journal' if by == 'fork' else 'the same messages'} {upto}"


def _short(value: object) -> str:
    from retoma.model.codec import encode

    text = encode(value).decode()
    return text if len(text) <= 200 else text[:199] + "…"


def _document(found: Diff) -> Iterator[bytes]:
    """Yield the single JSON document, message by message."""
    from retoma.model.codec import encode
    from retoma.model.outcomes import Alone

    head, state = encode(found.without(Alone((), ()))).split(b'{"a":[],"b":[]}', 1)
    yield head + b"{"
    for side in ("a", "b"):
        yield b'"a":[' if side == "a" else b'],"b":['
        for n, message in enumerate(found.only(side)):
            yield (b"," if n else b"") + encode(message)
    yield b"]}" + state
