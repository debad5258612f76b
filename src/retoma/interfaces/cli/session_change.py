"""`retoma session rename`, `tag`, `link`, `meta`, `note` …: verbs that change a session's properties."""

from __future__ import annotations

import click

from retoma.commands.session import AddNote, RenameSession, ShowSession, UpdateSession
from retoma.errors import Invalid
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION, SIGNED_TAG
from retoma.interfaces.cli.given import pairs, value
from retoma.interfaces.cli.verb import verb
from retoma.model.changes import Changes
from retoma.model.outcomes import Renamed, Written

__all__ = [
    "describe", "link", "meta", "note", "rename", "set_agent", "set_channel", "set_id", "set_model", "set_thinking",
    "tag", "unlink",
]  # fmt: skip

CLEAR = "clear"


def _change(ctx: Invocation, id: str, changes: Changes, said: str) -> None:
    """Make the changes; print the session as JSON, or the changed property."""
    whole = ctx.do(UpdateSession(session=ctx.meant(id), changes=changes))
    if ctx.out.json:
        ctx.out.print_json(whole.shape(ctx.now_ms))
        return
    session, about = whole.session, whole.about
    shown = {
        "tags": ", ".join(about.tags),
        "contexts": ", ".join(f"{kind}={ref}" for kind, ref in about.contexts),
        "metadata": ", ".join(about.metadata),
        "description": about.description,
    }
    ctx.out.line(f"{session.id}: {said} {shown.get(said) or getattr(session, said, '') or 'none'}")


@verb("session rename", example='retoma session rename my-experiment "The long way"', text=True)
@click.argument("id", type=SESSION)
@click.argument("title")
def rename(ctx: Invocation, *, id: str, title: str) -> None:
    """Change the title of a session. The id stays the same."""
    _change(ctx, id, Changes(title=title), "title")


@verb(
    "session describe",
    example='retoma session describe my-experiment "First try with the new importer"',
    text=True,
)
@click.argument("id", type=SESSION)
@click.argument("text")
def describe(ctx: Invocation, *, id: str, text: str) -> None:
    """Set the description of a session; an empty text removes it."""
    _change(ctx, id, Changes(description=text), "description")


@verb("session set-id", example="retoma session set-id my-experiment first-try")
@click.argument("id", type=SESSION)
@click.argument("new")
def set_id(ctx: Invocation, *, id: str, new: str) -> None:
    """Change the id of a session; its history stays the same. ID must be the full id."""
    ctx.do(ShowSession(session=id))
    made = ctx.do(RenameSession(session=id, new=new)).session.id
    if ctx.out.json:
        ctx.out.print_json(Renamed(id=made, old=id))
    else:
        ctx.out.line(f"{id} → {made}")


@verb("session tag", example="retoma session tag my-experiment +docs -draft", dashed=True)
@click.argument("id", type=SESSION)
@click.argument("tags", nargs=-1, required=True, metavar="+TAG|-TAG...", type=SIGNED_TAG)
def tag(ctx: Invocation, *, id: str, tags: tuple[str, ...]) -> None:
    """Add tags with +, remove tags with -."""
    for text in tags:
        if text[:1] not in {"+", "-"} or len(text) < 2:
            raise Invalid(
                f"{text!r} is neither +TAG nor -TAG.", code="bad_tag", hint="For example +docs -draft."
            )
    changes = Changes(
        tag=tuple(text[1:] for text in tags if text[0] == "+"),
        untag=tuple(text[1:] for text in tags if text[0] == "-"),
    )
    _change(ctx, id, changes, "tags")


@verb("session link", example="retoma session link my-experiment repository=acme/importer task=7")
@click.argument("id", type=SESSION)
@click.argument("contexts", nargs=-1, required=True, metavar="KIND=REF...")
def link(ctx: Invocation, *, id: str, contexts: tuple[str, ...]) -> None:
    """Link a session to what it is about: a repository, a task, a branch … One or more links."""
    _change(ctx, id, Changes(link=tuple(pairs(contexts, "KIND=REF"))), "contexts")


@verb("session unlink", example="retoma session unlink my-experiment task=7")
@click.argument("id", type=SESSION)
@click.argument("contexts", nargs=-1, required=True, metavar="KIND=REF...")
def unlink(ctx: Invocation, *, id: str, contexts: tuple[str, ...]) -> None:
    """Remove links from a session."""
    _change(ctx, id, Changes(unlink=tuple(pairs(contexts, "KIND=REF"))), "contexts")


@verb("session meta", example="retoma session meta my-experiment priority=2 draft=")
@click.argument("id", type=SESSION)
@click.argument("values", nargs=-1, required=True, metavar="K=V...")
def meta(ctx: Invocation, *, id: str, values: tuple[str, ...]) -> None:
    """Set metadata. A valid JSON value is stored as JSON; an empty value removes the key."""
    given = pairs(values, "K=V")
    changes = Changes(
        metadata={name: value(text) for name, text in given if text},
        forget=tuple(name for name, text in given if not text),
    )
    _change(ctx, id, changes, "metadata")


@verb("session note", example='retoma session note my-experiment "Waits for the new data"', text=True)
@click.argument("id", type=SESSION)
@click.argument("text")
def note(ctx: Invocation, *, id: str, text: str) -> None:
    """Add a note to a session in any state; `show` lists the notes."""
    session = ctx.meant(id)
    seq, _ = ctx.do(AddNote(session=session, text=text))
    if ctx.out.json:
        ctx.out.print_json(Written(session, seq))
    else:
        ctx.out.line(f"{session}: note added as event {seq:,}")


def _cleared(text: str) -> str:
    return "" if text == CLEAR else text


@verb("session set-agent", example="retoma session set-agent my-experiment reviewer")
@click.argument("id", type=SESSION)
@click.argument("agent", metavar="AGENT|clear")
def set_agent(ctx: Invocation, *, id: str, agent: str) -> None:
    """Set the agent that answers, from the next turn on."""
    _change(ctx, id, Changes(agent=_cleared(agent)), "agent")


@verb("session set-model", example="retoma session set-model my-experiment local:small")
@click.argument("id", type=SESSION)
@click.argument("model", metavar="MODEL|clear")
def set_model(ctx: Invocation, *, id: str, model: str) -> None:
    """Set the model, from the next turn on."""
    _change(ctx, id, Changes(model=_cleared(model)), "model")


@verb("session set-thinking", example="retoma session set-thinking my-experiment high")
@click.argument("id", type=SESSION)
@click.argument("level", metavar="off|low|medium|high|clear")
def set_thinking(ctx: Invocation, *, id: str, level: str) -> None:
    """Set the model's thinking level, from the next turn on."""
    _change(ctx, id, Changes(thinking=_cleared(level)), "thinking")


@verb("session set-channel", example="retoma session set-channel my-experiment slack:C042")
@click.argument("id", type=SESSION)
@click.argument("channel", metavar="URL|clear")
def set_channel(ctx: Invocation, *, id: str, channel: str) -> None:
    """Set the channel that replies are sent to."""
    _change(ctx, id, Changes(channel=_cleared(channel)), "channel")
