"""Verbs with several ids: each session is tried, and each result is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from retoma.errors import NotFound, RetomaError
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.lines import discard_typed
from retoma.interfaces.cli.text import clean
from retoma.interfaces.problems import exit_status

__all__ = ["agreed", "each"]

T = TypeVar("T")


def each(
    ctx: Invocation,
    ids: Sequence[str],
    act: Callable[[str], T],
    *,
    done: str,
    word: str = "",
    dry: bool = False,
    find: Callable[[str], str] = str,
    say: Callable[[T], None] | None = None,
) -> int:
    """Call `act` with each id, print `done` and the id, and return the worst exit status. `word` is the JSON key.

    `find` returns the full id for the typed text. A dictionary that `act` returns is added to the JSON. `say` is
    called with the result of `act` after the result was printed.
    """
    outcomes: list[dict[str, object]] = []
    key = word or done.lower()
    worst = 0
    for typed in ids:
        id = typed
        try:
            id = find(typed)
            said = act(id)
        except RetomaError as error:
            worst = max(worst, exit_status(error)) if not isinstance(error, NotFound) else (worst or 4)
            outcomes.append({"id": id, key: False, "code": error.code})
            ctx.out.failed(error)
        else:
            outcomes.append({"id": id, key: not dry} | (said if isinstance(said, dict) else {}))
            if not ctx.out.json:
                ctx.out.line(f"{done} {id}")
            if say is not None:
                say(said)
    if ctx.out.json:
        ctx.out.page(outcomes)
    return worst


def agreed(ctx: Invocation, question: str, *, unasked: bool) -> bool:
    """Ask on a terminal; without a terminal, return `unasked`. What was typed before does not answer."""
    if not sys.stdin.isatty() or ctx.out.json:
        return unasked
    discard_typed(sys.stdin.fileno())
    sys.stderr.write(clean(f"{question} [y/N] "))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes", "s", "sim"}
