"""How SQLite's one writing connection is used: what shares a commit, and how long its log gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from retoma.stores.conformance.store import OURS, Clock, add, append
from retoma.stores.sql.transaction import SqlTransaction
from retoma.stores.sqlite import writing as sqlite_turn
from retoma.stores.sqlite.writing import SqliteTurn


@pytest.fixture
def turn(tmp_path: Path, clock: Clock):
    turn = SqliteTurn(tmp_path / "retoma.db", now=clock, random=clock.bytes)
    write(turn, add)
    yield turn
    turn.close()


def write(turn: SqliteTurn, *parts) -> list[bool]:
    """Run `parts` in one transaction; return of each that fails whether it was undone alone."""
    transaction, undone = turn.begin(), []
    for part in parts:
        turn.mark()
        try:
            part(transaction)
        except ValueError as error:
            undone.append(turn.undo(error))
            if not undone[-1]:
                turn.end(error)
                return undone
        else:
            turn.keep()
    turn.commit()
    turn.end(None)
    return undone


def says(tx: SqlTransaction) -> None:
    append(tx, head(tx), "said")


def refuses(tx: SqlTransaction) -> None:
    raise ValueError("refused")


def says_and_refuses(tx: SqlTransaction) -> None:
    says(tx)
    raise ValueError("refused")


def head(tx: SqlTransaction):
    return tx.sessions.head(OURS, "one")


def seq(turn: SqliteTurn) -> int:
    transaction = turn.begin()
    try:
        return head(transaction).seq
    finally:
        turn.commit()
        turn.end(None)


def test_who_is_refused_before_he_writes_disturbs_nobody(turn):
    assert write(turn, says, refuses, says) == [True]
    assert seq(turn) == 2


def test_who_writes_first_is_undone_alone_from_the_second_time_on(turn, monkeypatch):
    monkeypatch.setattr(sqlite_turn, "_CAREFUL", 3)
    assert write(turn, says, says_and_refuses) == [False]
    assert seq(turn) == 0
    assert write(turn, says, says_and_refuses, says) == [True]
    assert seq(turn) == 2
    # The three were careful; now it is believed again.
    assert write(turn, says, says_and_refuses) == [False]
    assert seq(turn) == 2


def test_the_log_gets_longer_where_syncs_are_slow(turn, monkeypatch):
    lengths = []

    def commits(seconds: float) -> None:
        times = iter([0.0, seconds])
        with monkeypatch.context() as patched:
            patched.setattr(sqlite_turn, "monotonic", lambda: next(times))
            write(turn, says)
        lengths.append(turn.connection().run("PRAGMA wal_autocheckpoint")[0][0])

    for seconds in [0.0001, *[0.002] * 7, 0.0001, *[0.002] * 8, 0.002, 0.0001]:
        commits(seconds)
    assert lengths == [1_000] * 16 + [8_000] * 2 + [1_000]
