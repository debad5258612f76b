"""`retoma session inspect`, `read`, `log`, `append` and `tree`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

import click

from retoma.commands.message import AppendMessage, ReadConversation, ReadEvents, ReadMessages
from retoma.commands.session import ShowSession
from retoma.errors import Invalid
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION
from retoma.interfaces.cli.text import Styled, clean, width_of
from retoma.interfaces.cli.verb import verb
from retoma.model.message import Message
from retoma.model.outcomes import Written
from retoma.model.pages import Event
from retoma.model.session import Session
from retoma.model.transcript import shown, transcript

__all__ = ["append", "inspect", "log", "read", "tree"]


@verb("session inspect", example="retoma session inspect my-experiment")
@click.argument("id", type=SESSION)
@click.option("--at", metavar="SEQ", type=click.IntRange(min=1), help="The state after this event.")
@click.option(
    "--format", "shape", type=click.Choice(["retoma", "trellis"]), default="retoma", show_default=True
)
def inspect(ctx: Invocation, *, id: str, at: int | None, shape: str) -> None:
    """Print the state of a session as JSON: its current node, its context and its history."""
    import msgspec

    from retoma.commands.flow import LookAtSession
    from retoma.model.codec import encode
    from retoma.model.shapes import State, Trellis

    snapshot = ctx.read(LookAtSession(session=ctx.found(id), at=at))
    shown = Trellis if shape == "trellis" else State
    value = shown.of(snapshot.session, snapshot.position, snapshot.history)
    if ctx.out.json:
        ctx.out.print_json(value)
    else:
        ctx.out.document([msgspec.json.format(encode(value), indent=2), b"\n"], json=True)


@verb("session append", example='retoma session append my-experiment user "And then?"', text=True)
@click.argument("id", type=SESSION)
@click.argument("role", metavar="ROLE")
@click.argument("text", metavar="TEXT|-")
@click.option("--parts", is_flag=True, help="Read TEXT as a JSON list of parts.")
@click.option("--sender", default="", metavar="NAME", help="The sender, within the role.")
@click.option("--key", metavar="KEY", help="Idempotency key: repeats append once.")
@click.option(
    "--expect", metavar="N", type=click.IntRange(min=0), help="Append only if the session has N events."
)
def append(
    ctx: Invocation,
    *,
    id: str,
    role: str,
    text: str,
    parts: bool,
    sender: str,
    key: str | None,
    expect: int | None,
) -> None:
    """Append a message to the conversation. ROLE is user, assistant, system or tool. TEXT - means standard input."""
    from retoma.model.exact import decode_exact

    said = _standard_input() if text == "-" else text
    if not said:
        raise Invalid(
            "The message is empty" + (": nothing came on standard input." if text == "-" else "."),
            code="empty_message",
            hint="Nothing was saved. To append an empty text on purpose, use --parts.",
        )
    content = decode_exact(said) if parts else said
    session = ctx.meant(id)
    asked = AppendMessage(session=session, role=role, content=content, sender=sender, expect=expect)
    seq = ctx.do(asked, key=key).seq
    if ctx.out.json:
        ctx.out.print_json(Written(session, seq))
    else:
        ctx.out.line(f"{session}: event {seq:,}")


def _standard_input() -> str:
    from retoma.model.event import MAX_DATA_BYTES

    data = sys.stdin.buffer.read(64 * MAX_DATA_BYTES) if sys.stdin else b""
    try:
        text = data.decode("utf-8-sig")
        return text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"Standard input is not UTF-8: byte {error.start + 1:,} is {data[error.start]:#04x}.",
            code="not_utf8",
            hint="Nothing was saved. Convert it to UTF-8 first.",
        ) from error


@verb("session read", example="retoma session read my-experiment -n 5")
@click.argument("id", type=SESSION)
@click.option(
    "-n",
    "count",
    default=20,
    show_default=True,
    metavar="N",
    type=click.IntRange(1, 100_000),
    help="Show the last N.",
)
@click.option("--all", "everything", is_flag=True, help="No limit.")
@click.option("--since", default=0, metavar="SEQ", type=click.IntRange(min=0), help="Only after this event.")
@click.option(
    "--before", metavar="SEQ", type=click.IntRange(min=1), help="Show the messages before this event."
)
@click.option("--follow", is_flag=True, help="Then show new messages until the session ends.")
@click.option("--epochs", is_flag=True, help="Include earlier epochs.")
@click.option("--tools", is_flag=True, help="Include tool calls and their results.")
@click.option("--plain-text", "plain", is_flag=True, help="Without event numbers and times.")
def read(
    ctx: Invocation,
    *,
    id: str,
    count: int,
    everything: bool,
    since: int,
    before: int | None,
    follow: bool,
    epochs: bool,
    tools: bool,
    plain: bool,
) -> None:
    """Print the messages of the conversation, oldest first."""
    session = ctx.found(id)
    if follow and (ctx.out.json or before):
        raise Invalid(
            "--follow works only with text output and new messages.",
            code="bad_usage",
            hint="Leave out the other option.",
        )
    if everything or (since and before is None):
        every = ReadConversation(session=session, since=since, epochs=epochs, tools=tools)
        found: Iterable[Message] = every.run(ctx.reader)
        more = False
    else:
        page = ctx.read(
            ReadMessages(
                session=session, last=count + 1, since=since, before=before, epochs=epochs, tools=tools
            )
        )
        found, more = page[-count:], len(page) > count
    if ctx.out.json:
        items = list(found)
        ctx.out.page(items, str(items[0].seq) if more else None)
        return
    printed = _Messages(ctx, tools=tools, plain=plain)
    last = printed.print(found)
    if follow:
        _follow(ctx, session, max(last, since), printed)
    elif not last:
        ctx.out.note(f"There is no message in '{session}' " + (f"after event {since}." if since else "yet."))


class _Messages:
    """How messages are printed: with their numbers and times unless `plain`; with `tools`, their tool calls too."""

    def __init__(self, ctx: Invocation, *, tools: bool, plain: bool) -> None:
        self._ctx = ctx
        self.tools = tools
        self._plain = plain

    def print(self, found: Iterable[Message]) -> int:
        """Print messages; return the seq of the last message, or 0 without messages."""
        last = 0
        for message in found:
            who = message.role if message.role != "assistant" or not message.sender else message.sender
            if shown(message):
                self._print(message, who)
            last = message.seq
        sys.stdout.flush()
        return last

    def _print(self, message: Message, who: str) -> None:
        out = self._ctx.out
        before = "" if self._plain else f"#{message.seq}  {out.when(message.at.ms, self._ctx.now_ms)}  "
        lead = f"{before}{clean(who, lines=False)}  "
        wide = width_of(lead)
        text = transcript(message) if self.tools else message.text
        out.hanging(
            [Styled(before, "dim"), Styled(who, "bold"), "  "],
            text,
            at=wide,
            indent=wide if out.width is None or wide <= out.width // 3 else 4,
        )


def _follow(ctx: Invocation, session: str, since: int, printed: _Messages) -> None:
    since = since or ctx.read(ShowSession(session=session)).session.seq
    for message in ReadConversation(session=session, since=since, tools=printed.tools, follow=True).run(
        ctx.reader
    ):
        printed.print([message])
    ctx.out.note(f">>> '{session}' has ended.")


@verb("session log", example="retoma session log my-experiment --type flow.input")
@click.argument("id", type=SESSION)
@click.option("--type", "kinds", multiple=True, metavar="T", help="Only events of this type.")
@click.option("--since", default=0, metavar="SEQ", type=click.IntRange(min=0), help="Only after this event.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="At most N events.")
@click.option("--follow", is_flag=True, help="Then show new events until the session ends.")
def log(
    ctx: Invocation, *, id: str, kinds: tuple[str, ...], since: int, limit: int | None, follow: bool
) -> None:
    """Print the journal, one event per line. With --follow --json, one JSON object per line."""
    session = ctx.found(id)
    types = frozenset(kinds) if kinds else None
    wanted = ReadEvents(session=session, since=since, types=types, follow=follow).run(ctx.reader)
    if ctx.out.json and not follow:
        _log_page(ctx, wanted, limit)
        return
    number = 0
    for number, event in enumerate(wanted, 1):
        _log_line(ctx, event)
        if follow:
            sys.stdout.flush()
        if number == limit:
            return
    if follow:
        ctx.out.note(f">>> '{session}' has ended.")
    elif not number:
        which = f" of type {' or '.join(kinds)}" if kinds else ""
        ctx.out.note(f"No event{which} in '{session}'" + (f" after event {since}." if since else "."))


def _log_page(ctx: Invocation, events: Iterable[Event], limit: int | None) -> None:
    from itertools import islice

    found = list(islice(events, None if limit is None else limit + 1))
    more = limit is not None and len(found) > limit
    page = found[:limit]
    ctx.out.page(page, str(page[-1].seq) if more else None)


def _log_line(ctx: Invocation, event: Event) -> None:
    from retoma.model.codec import encode

    if ctx.out.json:
        ctx.out.json_line(event)
        return
    data = "(erased)" if event.data is None else encode(event.data).decode()
    ctx.out.line(f"{event.seq:>6}  {event.at.text}  {event.type:<15} {event.actor}  {data}")


@verb("session tree", example="retoma session tree my-experiment")
@click.argument("id", type=SESSION)
def tree(ctx: Invocation, *, id: str) -> None:
    """Show a session as a tree with its children and forks, at all levels."""
    from retoma.commands.branch import ShowTree
    from retoma.model.shapes import Tree
    from retoma.service.tree import DEEPEST

    found = ctx.read(ShowTree(session=ctx.found(id)))
    if len(found) >= 1_000 or any(depth == DEEPEST for depth, _ in found):
        ctx.out.note(f"At most 1,000 sessions are shown, and {DEEPEST} deep.")
    if ctx.out.json:
        ctx.out.print_json(Tree.above(found, ctx.now_ms))
        return
    top = found[0][1]
    if top.parent:
        ctx.out.note(f"'{top.id}' belongs to '{top.parent}'.")
    if top.fork_of:
        ctx.out.note(f"'{top.id}' is a fork of '{top.fork_of}' at event {top.fork_seq:,}.")
    ctx.out.table(list(_branches(found)), whole=0)


def _branches(found: Sequence[tuple[int, Session]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each session of a tree: a child after a dash, a fork after a slash."""
    from retoma.model.shapes import is_fork_of

    path: list[Session] = []
    for depth, one in found:
        del path[depth:]
        forked = bool(path) and is_fork_of(one, path[-1].id)
        mark = "" if not depth else "/ " if forked else "- "
        yield (
            f"{'  ' * depth}{mark}{one.id}",
            one.status,
            f"fork at {one.fork_seq:,}" if forked else "",
            one.title,
        )
        path.append(one)
