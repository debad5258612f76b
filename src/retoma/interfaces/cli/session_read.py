"""`retoma session inspect`, `read` and `log`."""

from __future__ import annotations

import click

from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.text import Styled
from retoma.interfaces.cli.verb import verb

__all__ = ["inspect", "log", "read"]


@verb("session inspect", example="retoma session inspect my-experiment")
@click.argument("id")
@click.option(
    "--format", "shape", type=click.Choice(["retoma", "trellis"]), default="retoma", show_default=True
)
def inspect(ctx: Invocation, *, id: str, shape: str) -> None:
    """Print the state of a session as JSON: where it stands, its context and its history."""
    import sys

    import msgspec

    from retoma.interfaces.cli.text import clean
    from retoma.model.codec import encode
    from retoma.model.views import state_view, trellis_view

    snapshot = ctx.client.position(ctx.client.resolve(id))
    view = trellis_view if shape == "trellis" else state_view
    value = view(snapshot.session, snapshot.position, snapshot.history)
    if ctx.out.json:
        ctx.out.print_json(value)
    else:
        text = msgspec.json.format(encode(value), indent=2).decode()
        sys.stdout.write((clean(text) if ctx.out.terminal else text) + "\n")


@verb("session read", example="retoma session read my-experiment -n 5")
@click.argument("id")
@click.option(
    "-n", "count", default=20, show_default=True, type=click.IntRange(min=1), help="The last so many."
)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--since", default=0, metavar="SEQ", type=click.IntRange(min=0), help="After this event.")
@click.option("--epochs", is_flag=True, help="Earlier epochs too.")
def read(ctx: Invocation, *, id: str, count: int, everything: bool, since: int, epochs: bool) -> None:
    """Read the conversation: what was said, by whom, oldest first."""
    session = ctx.client.resolve(id)
    last = None if everything or since else count
    found = ctx.client.messages(session, last=last, since=since, epochs=epochs)
    if ctx.out.json:
        from retoma.model.views import message_view

        ctx.out.page([message_view(message) for message in found], next_cursor=None, more=False)
        return
    for message in found:
        who = message.role if message.role != "assistant" or not message.sender else message.sender
        lines = message.text.split("\n")
        ctx.out.line(Styled(f"{who}", "bold"), f"  {lines[0]}")
        for line in lines[1:]:
            ctx.out.line(f"{' ' * len(who)}  {line}".rstrip())
    if not found:
        ctx.out.note(f"Nothing was said in '{session}' " + (f"after event {since}." if since else "yet."))


@verb("session log", example="retoma session log my-experiment --type flow.input")
@click.argument("id")
@click.option("--type", "kinds", multiple=True, metavar="T", help="Only events of this type.")
@click.option("--since", default=0, metavar="SEQ", type=click.IntRange(min=0), help="After this event.")
def log(ctx: Invocation, *, id: str, kinds: tuple[str, ...], since: int) -> None:
    """Print the journal, one event a line."""
    from retoma.model.codec import encode
    from retoma.model.times import rfc3339
    from retoma.model.views import event_view

    session = ctx.client.resolve(id)
    events = (event for event in ctx.client.events(session, since=since) if not kinds or event.type in kinds)
    if ctx.out.json:
        ctx.out.page([event_view(event) for event in events], next_cursor=None, more=False)
        return
    found = False
    for event in events:
        found = True
        data = "(erased)" if event.erased else encode(event.value()).decode()
        ctx.out.line(f"{event.seq:>6}  {rfc3339(event.at)}  {event.type:<15} {event.actor}  {data}")
    if not found:
        which = f" of type {' or '.join(kinds)}" if kinds else ""
        ctx.out.note(f"No event{which} in '{session}'" + (f" after event {since}." if since else "."))
