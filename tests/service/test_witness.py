"""The witness: written after each commit, whole after any crash, never a reason to fail a write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from retoma.model.ids import SessionId, TenantKey
from retoma.model.session import NewSession
from retoma.stores import witness
from retoma.stores.conformance.store import Clock, append
from retoma.stores.contract.store import Transaction
from retoma.stores.sqlite.store import SqliteStore
from retoma.stores.witness import GENESIS, Witness, Writer, beside, packed, packed_head, rolled

STORE, OTHER = b"s" * 16, b"o" * 16
OURS = TenantKey(1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(path, STORE)
    yield writer
    writer.close()


def put(writer: Writer, counter: int, rolling: bytes) -> None:
    writer.put(counter, packed(writer.store, counter, rolling))


def hashed(n: int) -> bytes:
    return bytes([n]) * 32


def spoil(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def add(tx: Transaction) -> None:
    append(tx, tx.sessions.add(OURS, SessionId("one"), NewSession(), parent=None), "a")


def more(tx: Transaction) -> None:
    head = tx.sessions.head(OURS, "one")
    assert head is not None
    append(tx, head, "b")


def opened(directory: Path) -> SqliteStore:
    clock = Clock()
    return SqliteStore(directory / "retoma.db", now=clock, random=clock.bytes)


def of_store(directory: Path) -> Witness:
    connection = apsw.Connection(str(directory / "retoma.db"))
    try:
        return Witness(*connection.execute("SELECT id, counter, rolling FROM store").fetchall()[0])
    finally:
        connection.close()


def test_the_newest_is_read(path: Path, writer: Writer) -> None:
    assert witness.read(path) is None
    for n in range(1, 6):
        put(writer, n, hashed(n))
        assert witness.read(path) == Witness(STORE, n, hashed(n))
    assert witness.evidence(path) is None


@pytest.mark.parametrize("at", [0, 8, 24, 32, 64, 72, 75])
def test_a_torn_slot_leaves_the_one_before(path: Path, writer: Writer, at: int) -> None:
    put(writer, 1, hashed(1))
    put(writer, 2, hashed(2))
    spoil(path, at)
    assert witness.read(path) == Witness(STORE, 1, hashed(1))


def test_a_file_that_is_cut_short_is_read_as_far_as_it_goes(path: Path, writer: Writer) -> None:
    put(writer, 1, hashed(1))
    put(writer, 2, hashed(2))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert witness.read(path) == (Witness(STORE, 2, hashed(2)) if length >= 76 else None)


def test_a_file_of_another_store_begins_anew(path: Path, writer: Writer) -> None:
    other = Writer(path, OTHER)
    put(other, 8, hashed(8))
    put(other, 9, hashed(9))
    other.close()
    put(writer, 1, hashed(1))
    assert witness.read(path) == Witness(STORE, 1, hashed(1))
    assert witness.evidence(path) is None


def test_a_store_that_fell_behind_leaves_evidence(path: Path, writer: Writer) -> None:
    for n in (8, 9):
        put(writer, n, hashed(n))
    late = Writer(path, STORE)
    for n in (6, 7, 8, 9, 10):
        put(late, n, hashed(0))
    late.close()
    assert witness.read(path) == Witness(STORE, 10, hashed(0))
    assert witness.evidence(path) == Witness(STORE, 9, hashed(9))


def test_two_that_take_turns_leave_no_evidence(path: Path, writer: Writer) -> None:
    other = Writer(path, STORE)
    for n in range(1, 10):
        put(other if n % 3 else writer, n, hashed(n))
    other.close()
    assert witness.read(path) == Witness(STORE, 9, hashed(9))
    assert witness.evidence(path) is None


def test_a_file_that_cannot_be_written_fails_nothing_and_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there"
    writer = Writer(path, STORE)
    put(writer, 1, hashed(1))
    assert isinstance(writer.error, FileNotFoundError)
    path.parent.mkdir()
    put(writer, 2, hashed(2))
    assert writer.error is None
    assert witness.read(path) == Witness(STORE, 2, hashed(2))
    writer.close()


def test_each_commit_that_changes_something_is_counted_and_witnessed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    file = beside(tmp_path / "retoma.db")
    assert witness.read(file) is None
    store.write(add)
    first = witness.read(file)
    assert first == of_store(tmp_path)
    assert first is not None
    assert first.counter == 1
    head = store.read(lambda tx: tx.sessions.head(OURS, "one"))
    assert head is not None
    assert first.rolling == rolled(GENESIS, 1, [packed_head(head.key, head.seq, head.hash)])
    store.write(more)
    store.write(lambda tx: None)
    with pytest.raises(ValueError, match="on purpose"):
        store.write(fails)
    second = witness.read(file)
    assert second == of_store(tmp_path)
    assert second is not None
    assert second.counter == 2
    store.close()


def fails(tx: Transaction) -> None:
    more(tx)
    raise ValueError("on purpose")


def test_what_failed_is_in_no_later_hash(tmp_path: Path) -> None:
    whole, failed = tmp_path / "whole", tmp_path / "failed"
    for directory in (whole, failed):
        store = opened(directory)
        store.write(add)
        if directory is failed:
            with pytest.raises(ValueError, match="on purpose"):
                store.write(fails)
        store.write(lambda tx: tx.sessions.set_status(_key(tx), "suspended", ""))
        store.close()
    assert of_store(failed).rolling == of_store(whole).rolling


def _key(tx: Transaction):
    key = tx.sessions.key(OURS, "one")
    assert key is not None
    return key


def test_two_connections_count_on(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.write(add)
    for n in range(6):
        (first if n % 3 else second).write(more)
    known = witness.read(beside(tmp_path / "retoma.db"))
    assert known == of_store(tmp_path)
    assert known is not None
    assert known.counter == 7
    first.close()
    second.close()


def test_a_witness_that_cannot_be_written_fails_no_write(tmp_path: Path) -> None:
    store = opened(tmp_path)
    beside(tmp_path / "retoma.db").mkdir()
    store.write(add)
    store.write(more)
    assert of_store(tmp_path).counter == 2
    store.close()
