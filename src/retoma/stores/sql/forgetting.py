"""What is erased is in the search index no more."""

from __future__ import annotations

from collections.abc import Iterable

from retoma.model.ids import SessionKey
from retoma.stores.sql.statements import STATEMENTS, Run

# As `api_search` has them, which is too much for every start.
_MAKING, _GOING = 1, 2
TITLE = (0, 1)
"""The stretch of a journal that stands for the session's title and description."""


def forget_docs(run: Run, key: SessionKey, stretches: Iterable[tuple[int, int]]) -> None:
    """Let events of a session be documents no more: of each stretch those from the first seq on, ahead of the second.

    The index is held first. So what is being written into it is there when the documents are looked for, and what is
    being made ready for it is not written.
    """
    run(STATEMENTS["pass_search_turn"], (key,))
    gone: dict[int, list[int]] = {}
    for low, high in stretches:
        for tenant, doc in run(STATEMENTS["forget_docs"], ((key << 32) + low, (key << 32) + high)):
            gone.setdefault(tenant, []).append(doc)
    for tenant, docs in gone.items():
        for number, first, count, state, _ in run(STATEMENTS["search_parts"], (tenant,)):
            if state != _GOING and any(first <= doc < first + count for doc in docs):
                # A part that is being made has them too, and is made anew from what is left.
                new, reached = (_GOING, None) if state == _MAKING else (state, b"")
                run(STATEMENTS["set_search_part"], (new, reached, tenant, number))


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
