"""The search index in SQL: read, built, and cleaned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retoma.model.ids import SessionKey, TenantKey
from retoma.stores.contract.search import (
    SHELVES,
    Behind,
    Doc,
    Indexed,
    Reading,
    Standing,
    Wanted,
)
from retoma.stores.sql.statements import STATEMENTS, Row, Run, in_chunks

_SEQ = 0xFFFFFFFF
_NUMBERS = 1 << 40
"""So many documents a tenant has at most."""


class Terms:
    """A database's own index of the terms of documents. As it is here, their rows are all of it."""

    def prepare(self, run: Run) -> None:
        """Set what an index that begins needs."""

    def stored(self, text: str) -> str:
        """Return what the row of a document has for these terms."""
        return text

    def put(self, run: Run, doc: int, text: str) -> None:
        """Take the terms of a document that has its row."""

    def asked(self, wanted: Wanted) -> str:
        """Return a query in the database's own language."""
        raise NotImplementedError

    def ask(self, run: Run, wanted: Wanted, *, low: int, high: int, limit: int) -> list[int]:
        values = (low, high, self.asked(wanted), limit)
        return [doc for (doc,) in run(STATEMENTS["search_ask"], values)]

    def merge(self, run: Run) -> None:
        """Do a piece of what keeps searching fast."""

    def clean(self, run: Run, *, docs: int) -> bool:
        """Take the terms of forgotten documents out, and their rows; return False when nothing was left to do."""
        return False

    def clear(self, run: Run) -> None:
        """Take all terms out."""

    def wrong(self, run: Run) -> str:
        return ""


class SqlSearch:
    """The index over `run`, as it is read."""

    def __init__(self, run: Run, terms: Terms) -> None:
        self._run = run
        self._terms = terms

    def standing(self, tenant: TenantKey) -> Standing | None:
        rows = self._run(STATEMENTS["search_index"], (tenant,))
        return Standing(*rows[0]) if rows else None

    def asked(self, tenant: TenantKey, wanted: Wanted, *, low: int, high: int, limit: int) -> list[int]:
        base, high = _base(tenant), min(high, _NUMBERS)
        found = self._terms.ask(self._run, wanted, low=base + low, high=base + high, limit=limit)
        return [doc - base for doc in found]

    def docs(self, tenant: TenantKey, numbers: Sequence[int]) -> list[Doc]:
        found: list[Row] = []
        for chunk in in_chunks([_base(tenant) + number for number in numbers]):
            found += self._run(STATEMENTS["search_docs"], chunk)
        return [_doc(row) for row in found]

    def docs_from(self, tenant: TenantKey, low: int, *, limit: int) -> list[Doc]:
        values = (_base(tenant) + low, _base(tenant) + _NUMBERS, limit)
        return [_doc(row) for row in self._run(STATEMENTS["docs_between"], values)]

    def says(self, tenant: TenantKey, number: int, text: str) -> bool:
        values = (_base(tenant) + number, self._terms.stored(text))
        return bool(self._run(STATEMENTS["doc_says"], values))

    def dirty(self) -> bool:
        return bool(self._run(STATEMENTS["any_forgotten"]))

    def wrong(self) -> str:
        if self._run(STATEMENTS["whole_stray_docs"]):
            return "it has documents with unknown numbers"
        return self._terms.wrong(self._run) if self.indexes() else ""

    def behind(self, tenant: TenantKey, *, since: int, limit: int, newest: bool = False) -> list[Behind]:
        statement = STATEMENTS["behind_newest" if newest else "behind_oldest"]
        lists = [(tenant, shelf, pinned, since, limit) for shelf in SHELVES for pinned in (0, 1)]
        found = [Behind(*row) for values in lists for row in self._run(statement, values)]
        return sorted(found, key=lambda one: (one.listed_at, one.key), reverse=newest)[:limit]

    def due(self, tenant: TenantKey, *, limit: int) -> list[Behind]:
        statements = (STATEMENTS["behind_due"], STATEMENTS["behind_gone"])
        return [Behind(*row) for statement in statements for row in self._run(statement, (tenant, limit))]

    def readers(self, keys: Sequence[SessionKey]) -> dict[SessionKey, list[Reading]]:
        found: dict[SessionKey, list[Reading]] = {}
        for chunk in in_chunks(keys):
            for source, *reading in self._run(STATEMENTS["search_readers"], chunk):
                found.setdefault(SessionKey(source), []).append(Reading(*reading))
        return {source: sorted(readings) for source, readings in found.items()}

    def looked_at(self, tenant: TenantKey, *, after: int, limit: int) -> tuple[list[Behind], int | None]:
        rows = self._run(STATEMENTS["looked_at"], (after, limit))
        found = [Behind(*row) for of, shelf, *row in rows if of == tenant and shelf in SHELVES]
        last = rows[-1][2] if len(rows) == limit else None
        return [one for one in found if one.head_seq > one.indexed_seq], last

    def has_title(self, key: SessionKey) -> bool:
        return bool(self._run(STATEMENTS["doc_of_event"], (key << 32,)))

    def indexed(self, *, after: int, limit: int) -> list[Indexed]:
        return [Indexed(*row) for row in self._run(STATEMENTS["whole_indexed"], (after, limit))]

    def indexes(self) -> list[TenantKey]:
        return [TenantKey(tenant) for (tenant,) in self._run(STATEMENTS["whole_search_tenants"])]

    def unindexed(self, tenant: TenantKey) -> int:
        ((count,),) = self._run(STATEMENTS["whole_behind"], (tenant,))
        return int(count)


class SqlIndexing:
    """The index over `run`, as it is built."""

    def __init__(self, run: Run, terms: Terms) -> None:
        self._run = run
        self._terms = terms

    def begin(self, tenant: TenantKey, tokens: int) -> None:
        self._run(STATEMENTS["begin_search_index"], (tenant, tokens))
        self._terms.prepare(self._run)

    def hold(self, tenant: TenantKey) -> Standing | None:
        rows = self._run(STATEMENTS["hold_search_index"], (tenant,))
        return Standing(*rows[0]) if rows else None

    def move(self, tenant: TenantKey, standing: Standing) -> None:
        values = (standing.next_doc, standing.listed_to, standing.looked_to, tenant)
        self._run(STATEMENTS["move_search_index"], values)

    def make_due(self, tenant: TenantKey, key: SessionKey) -> None:
        self._run(STATEMENTS["add_search_due"], (tenant, key))

    def indexed(self, tenant: TenantKey, key: SessionKey, seq: int) -> None:
        self._run(STATEMENTS["put_search_session"], (key, seq))
        self._run(STATEMENTS["drop_search_due"], (key,))

    def add(self, tenant: TenantKey, docs: Iterable[tuple[Doc, str]]) -> None:
        for doc, text in docs:
            number = _base(tenant) + doc.number
            values = (number, doc.key << 32 | doc.seq, doc.at, self._terms.stored(text))
            self._run(STATEMENTS["add_search_doc"], values)
            self._terms.put(self._run, number, text)

    def merge(self) -> None:
        self._terms.merge(self._run)

    def clean(self, *, docs: int) -> bool:
        return self._terms.clean(self._run, docs=docs)

    def outdate(self) -> None:
        for name in ("drop_index", "drop_sessions", "drop_due", "drop_docs", "search_due_gone"):
            self._run(STATEMENTS[f"whole_{name}"])
        self._terms.clear(self._run)


def _base(tenant: TenantKey) -> int:
    # Tenants begin with 1. Numbers of the first are small, and so are their deltas in a full-text index.
    return (tenant - 1) * _NUMBERS


def _doc(row: Row) -> Doc:
    doc, k, at = row
    return Doc(doc % _NUMBERS, SessionKey(k >> 32), k & _SEQ, at)
