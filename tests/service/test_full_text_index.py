"""What is forgotten leaves nothing in SQLite's full-text index, whatever was written, merged and undone before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import apsw
import pytest

from retoma.model.ids import SessionKey
from retoma.model.principal import LOCAL_TENANT
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.search import Doc, Standing, Wanted
from retoma.stores.contract.store import Transaction
from retoma.stores.sqlite import search as sqlite_search
from retoma.stores.sqlite.store import SqliteStore

KEY = SessionKey(5)


class Undone(Exception):
    """Undoes a transaction."""


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_left(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    settings = sqlite_search._SETTINGS | {
        "usermerge": chance.choice((2, 3)),
        "pgsz": chance.choice((64, 300)),
    }
    monkeypatch.setattr(sqlite_search, "_SETTINGS", settings)
    monkeypatch.setattr(sqlite_search, "_PAGES", chance.choice((1, 5, 50)))
    monkeypatch.setattr(sqlite_search, "_MANY", chance.choice((3, 10_000)))
    monkeypatch.setattr(sqlite_search, "_MANY_DOCS", chance.choice((1, 5)))
    clock = Clock()
    file = tmp_path / "retoma.db"
    with closing(SqliteStore(file, now=clock, random=clock.bytes)) as store:
        store.write(lambda tx: tx.indexing.begin(LOCAL_TENANT, 1))
        living: dict[int, str] = {}
        first = 0
        for _ in range(25):
            if chance.random() < 0.55:
                texts = [text(chance) for _ in range(chance.choice((1, 4, 30)))]
                new = dict(enumerate(texts, first))
                do(store, partial(add, docs=new), undone=chance.random() < 0.2)
                living |= new
                first += len(new)
                continue
            gone = chance.sample(sorted(living), min(len(living), chance.choice((1, 2, 40))))
            for number in gone:
                del living[number]
            store.write(partial(forget, numbers=gone))
            if chance.random() < 0.3:
                store.write(partial(add, docs={first: "in between"}))
                living[first] = "in between"
                first += 1
            do(store, lambda tx: tx.indexing.clean(docs=2), undone=chance.random() < 0.2)
            while store.write(lambda tx: tx.indexing.clean(docs=3)):
                pass
            holds_only(store, file, living)


def text(chance: random.Random) -> str:
    words = (
        "".join(chance.choices("ab漢é", k=chance.randrange(1, 6))) for _ in range(chance.randrange(1, 9))
    )
    secret = "q" + "".join(chance.choices("wxyz", k=chance.randrange(2, 14)))
    return f"{' '.join(words)} {secret} common"


def add(tx: Transaction, *, docs: dict[int, str]) -> None:
    tx.indexing.merge()
    tx.indexing.add(LOCAL_TENANT, [(Doc(number, KEY, number + 1, 1), said) for number, said in docs.items()])
    tx.indexing.move(LOCAL_TENANT, Standing(1, 1 + max(docs), 0, 0))


def forget(tx: Transaction, *, numbers: Iterable[int]) -> None:
    tx.erasing.erase(KEY, [number + 1 for number in numbers])


def do(store: SqliteStore, use_case: Callable[[Transaction], object], *, undone: bool) -> None:
    """Write, and before that the same in a transaction that is undone."""

    def fail(tx: Transaction) -> None:
        use_case(tx)
        raise Undone

    if undone:
        with suppress(Undone):
            store.write(fail)
    store.write(use_case)


def holds_only(store: SqliteStore, file: Path, living: dict[int, str]) -> None:
    """Assert that the index finds these documents, and that no page and no key of it has a term of others."""
    terms = {term for said in living.values() for term in said.split(" ")}
    for term in sorted(terms)[::7]:
        wanted = Wanted(terms=(term,))
        found = store.read(partial(asked, wanted=wanted))
        assert found == {number for number, said in living.items() if term in said.split(" ")}
    assert store.read(lambda tx: tx.search.wrong()) == ""
    with closing(apsw.Connection(str(file))) as connection:
        keys = {key for (key,) in connection.execute("SELECT term FROM search_terms_idx") if len(key) > 1}
        kept = {f"0{term}".encode() for term in terms}
        assert [key for key in keys if not any(term.startswith(key) for term in kept)] == []
        for (block,) in connection.execute("SELECT block FROM search_terms_data WHERE id > 10"):
            assert {*of_page(block)} <= kept


def of_page(block: bytes) -> Iterable[bytes]:
    """Yield the terms that begin on a page, as SQLite's fts5_index.c says that they are written."""
    place, at, term = int.from_bytes(block[2:4]), 0, b""
    while place < len(block):
        step, place = sqlite_search._varint(block, place)
        first, at = at == 0, at + step
        shared, start = (0, at) if first else sqlite_search._varint(block, at)
        size, start = sqlite_search._varint(block, start)
        term = term[:shared] + block[start : start + size]
        yield term


def asked(tx: Transaction, *, wanted: Wanted) -> set[int]:
    return {*tx.search.asked(LOCAL_TENANT, wanted, low=0, high=1 << 40, limit=10_000)}
