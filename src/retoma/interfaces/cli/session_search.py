"""`retoma session search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from retoma.errors import Invalid
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION, TAG
from retoma.interfaces.cli.text import Cell, Styled, counted
from retoma.interfaces.cli.verb import verb
from retoma.model.session import ARCHIVED, SHOWN

if TYPE_CHECKING:
    from retoma.model.snippet import Snippet
    from retoma.service.search.found import Asked, Found

__all__ = ["search"]

_INDENT = "    "
_NARROWEST, _WIDEST = 40, 200


@verb("session search", example='retoma session search "connection pool" --since 7d', dashed=True)
@click.argument("text", nargs=-1, required=True)
@click.option("--in", "session", metavar="ID", type=SESSION, help="Only in this session.")
@click.option("--role", metavar="R", help="user, assistant, system, tool, note or title.")
@click.option("--status", metavar="S", help="In sessions of this status.")
@click.option("--agent", metavar="A", help="Of sessions with this agent.")
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="T",
    type=TAG,
    help="With this tag; if repeated, all of the tags.",
)
@click.option("--context", "contexts", multiple=True, metavar="KIND=REF", help="In sessions linked to this.")
@click.option("--archived", is_flag=True, help="In archived sessions instead.")
@click.option("--since", metavar="D", help="Written since then: 2h, 2026-11-01.")
@click.option("--before", metavar="D", help="Written before then.")
@click.option("--limit", default=20, metavar="N", type=click.IntRange(1, 200), help="Default: 20.")
@click.option("--cursor", metavar="C", help="The cursor printed by the previous page.")
def search(
    ctx: Invocation,
    *,
    text: tuple[str, ...],
    session: str | None,
    role: str | None,
    status: str | None,
    agent: str | None,
    tags: tuple[str, ...],
    contexts: tuple[str, ...],
    archived: bool,
    since: str | None,
    before: str | None,
    limit: int,
    cursor: str | None,
) -> None:
    """Search messages, notes and titles. TEXT has words, "a phrase", prefix* or -excluded."""
    from retoma.commands.search import Search
    from retoma.interfaces.cli.given import moment, pairs

    search = Search(
        text=_query(text),
        session=ctx.found(session) if session else None,
        role=role,
        status=status or None,
        agent=agent,
        tags=tags,
        contexts=tuple(pairs(contexts, "KIND=REF")) if contexts else (),
        shelf=ARCHIVED if archived else SHOWN,
        since=moment(since, ctx.now_ms),
        before=moment(before, ctx.now_ms),
        width=_width(ctx.out.width),
        limit=limit,
        cursor=cursor,
    )
    asked = search.asked()
    found = ctx.read(search)
    if ctx.out.json:
        ctx.out.print_json(search.page(found))
    else:
        _print(ctx, asked, found)


def _query(words: tuple[str, ...]) -> str:
    """Return the words as one text. Raises Invalid for a word that looks like a mistyped option."""
    for word in words:
        if word.startswith("--"):
            raise Invalid(
                f"No such option: {word}.",
                code="usage",
                hint="`retoma session search --help` lists them. To search for the word, leave out the dashes.",
            )
    return " ".join(words)


def _width(columns: int | None) -> int:
    from retoma.model.snippet import WIDTH

    return WIDTH if columns is None else min(max(columns - len(_INDENT), _NARROWEST), _WIDEST)


def _print(ctx: Invocation, asked: Asked, found: Found) -> None:
    from retoma.service.search.found import written

    out = ctx.out
    if not found.items and found.next is None:
        out.line("No results.")
    for hit in found.items:
        where = f"#{hit.seq}" if hit.seq else ""
        epoch = f"epoch {hit.epoch}" if hit.epoch != hit.session.epoch else ""
        title = hit.session.title if hit.seq else ""
        said = "  ".join(filter(None, (out.when(hit.at, ctx.now_ms), hit.role, where, epoch, title)))
        out.line(Styled(f"- {hit.session.id}", "bold"), f"  {said}")
        out.line(_INDENT, *_marked(hit.snippet, colour=out.color))
    if found.next is not None:
        of = f" of {found.total:,}" if found.total is not None else ""
        out.note(f"{len(found.items):,}{of}. More: --cursor {written(found.next, asked)}")
    elif found.total is not None and found.items:
        out.note(f"{counted(found.total, 'result')}.")
    if found.indexed_to is not None:
        since = (
            f"of the messages since {out.when(found.indexed_to, ctx.now_ms)}, " if found.indexed_to else ""
        )
        out.note(
            f"The search index is not up to date: {since}only the newest were searched. `retoma store gc` updates it."
        )


def _marked(snippet: Snippet, *, colour: bool) -> list[Cell]:
    """Return a snippet with its matches in colour, or between asterisks."""
    cells: list[Cell] = []
    at = 0
    for start, end in _joined(snippet):
        hit = snippet.text[start:end]
        cells += (snippet.text[at:start], Styled(hit, "yellow") if colour else f"*{hit}*")
        at = end
    return [*cells, snippet.text[at:]]


def _joined(snippet: Snippet) -> list[tuple[int, int]]:
    """Return the marks, with the marks of adjacent words joined."""
    joined: list[tuple[int, int]] = []
    for start, end in snippet.marks:
        if joined and snippet.text[joined[-1][1] : start] == " ":
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
