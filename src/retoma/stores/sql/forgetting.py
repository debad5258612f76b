"""What is erased is in the search index no more."""

from __future__ import annotations

from collections.abc import Iterable

from retoma.model.ids import SessionKey
from retoma.stores.sql.statements import STATEMENTS, Run

TITLE = (0, 1)
"""The stretch of a journal that stands for the session's title and description."""


def forget_docs(run: Run, key: SessionKey, stretches: Iterable[tuple[int, int]]) -> None:
    """Let events of a session be documents no more: of each stretch those from the first seq on, ahead of the second.

    The index is held first. So what others were writing into it is there when the documents are looked for.
    """
    run(STATEMENTS["hold_search_of"], (key,))
    for low, high in stretches:
        run(STATEMENTS["forget_docs"], ((key << 32) + low, (key << 32) + high))


def forget_session(run: Run, key: SessionKey) -> None:
    """Let nothing of a session be in the index, and nothing of it be due; but for rows that forks read, as theirs."""
    if run(STATEMENTS["shared_until"], (key,))[0][0] is not None:
        forget_docs(run, key, [TITLE])
        run(STATEMENTS["add_search_due_going"], (key,))
        return
    forget_docs(run, key, [(0, 1 << 32)])
    run(STATEMENTS["drop_search_session"], (key,))
    run(STATEMENTS["drop_search_due"], (key,))


def forget_gone(run: Run, key: SessionKey) -> None:
    """Let nothing be known of a deleted session, once no fork reads of it."""
    run(STATEMENTS["drop_search_gone"], (key,))
    run(STATEMENTS["drop_search_due_gone"], (key,))
