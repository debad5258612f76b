"""The search index in SQL: read, built, and cleaned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from retoma.model.ids import SessionKey, TenantKey
from retoma.stores.contract.search import GOING, SHELVES, Behind, Doc, Indexed, Part, Reading, Standing
from retoma.stores.sql.statements import STATEMENTS, Row, Run, in_chunks

if TYPE_CHECKING:
    from retoma.model.postings import Page

_SEQ = 0xFFFFFFFF


class SqlSearch:
    """The index over `run`, as it is read."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def standing(self, tenant: TenantKey) -> Standing | None:
        rows = self._run(STATEMENTS["search_index"], (tenant,))
        return Standing(*rows[0]) if rows else None

    def parts(self, tenant: TenantKey) -> list[Part]:
        return [Part(*row) for row in self._run(STATEMENTS["search_parts"], (tenant,))]

    def pages_at(self, tenant: TenantKey, key: bytes, *, low: int, high: int) -> dict[int, bytes]:
        rows = self._run(STATEMENTS["pages_at"], (tenant, key, low, high))
        return {part: data for part, data in rows if data is not None}

    def pages_between(
        self, tenant: TenantKey, after: bytes, before: bytes, *, low: int, high: int
    ) -> list[tuple[int, bytes]]:
        rows = self._run(STATEMENTS["pages_between"], (tenant, after, before, low, high))
        return [(part, data) for part, data in rows]

    def pages_from(self, tenant: TenantKey, part: int, key: bytes, *, limit: int) -> list[Page]:
        first = _pages(self._run(STATEMENTS["page_at"], (tenant, part, key)))
        return first + self.pages_behind(tenant, part, key, limit=limit - len(first))

    def pages_behind(self, tenant: TenantKey, part: int, key: bytes, *, limit: int) -> list[Page]:
        return _pages(self._run(STATEMENTS["pages_behind"], (tenant, part, key, limit)))

    def docs(self, tenant: TenantKey, numbers: Sequence[int]) -> list[Doc]:
        found: list[Row] = []
        for chunk in in_chunks(numbers):
            found += self._run(STATEMENTS["search_docs"], (tenant, *chunk))
        return [_doc(row) for row in found]

    def docs_between(self, tenant: TenantKey, low: int, high: int, *, limit: int) -> list[Doc]:
        return [_doc(row) for row in self._run(STATEMENTS["docs_between"], (tenant, low, high, limit))]

    def behind(
        self,
        tenant: TenantKey,
        *,
        shelf: int,
        since: int,
        limit: int,
        newest: bool = False,
        anew: bool = False,
    ) -> list[Behind]:
        statement = STATEMENTS["behind_newest" if newest else "behind_oldest"]
        found = [
            Behind(*row)
            for pinned in (0, 1)
            for row in self._run(statement, (int(not anew), tenant, shelf, pinned, since, limit))
        ]
        found.sort(key=lambda one: (one.listed_at, one.key), reverse=newest)
        return found[:limit]

    def due(self, tenant: TenantKey, *, shelf: int, limit: int) -> list[Behind]:
        return [Behind(*row) for row in self._run(STATEMENTS["behind_due"], (1, tenant, shelf, limit))]

    def gone(self, tenant: TenantKey, *, limit: int, anew: bool = False) -> list[Behind]:
        return [Behind(*row) for row in self._run(STATEMENTS["behind_gone"], (int(not anew), tenant, limit))]

    def readers(self, keys: Sequence[SessionKey]) -> dict[SessionKey, list[Reading]]:
        found: dict[SessionKey, list[Reading]] = {}
        for chunk in in_chunks(keys):
            for source, *reading in self._run(STATEMENTS["search_readers"], chunk):
                found.setdefault(SessionKey(source), []).append(Reading(*reading))
        return {source: sorted(readings) for source, readings in found.items()}

    def looked_at(
        self, tenant: TenantKey, *, after: int, limit: int
    ) -> tuple[list[tuple[Behind, bool]], int | None]:
        rows = self._run(STATEMENTS["looked_at"], (1, after, limit))
        found = [Behind(*row) for of, shelf, *row in rows if of == tenant and shelf in SHELVES]
        last = rows[-1][2] if len(rows) == limit else None
        return [(one, one.head_seq > one.indexed_seq) for one in found], last

    def has_title(self, key: SessionKey) -> bool:
        return bool(self._run(STATEMENTS["doc_of_event"], (key << 32,)))

    def indexed(self, *, after: int, limit: int) -> list[Indexed]:
        return [Indexed(*row) for row in self._run(STATEMENTS["whole_indexed"], (after, limit))]

    def indexes(self) -> list[TenantKey]:
        return [TenantKey(tenant) for (tenant,) in self._run(STATEMENTS["whole_search_tenants"])]

    def unindexed(self, tenant: TenantKey, *, anew: bool) -> int:
        ((count,),) = self._run(STATEMENTS["whole_behind"], (int(not anew), tenant))
        return int(count)


class SqlIndexing:
    """The index over `run`, as it is built."""

    def __init__(self, run: Run, search: SqlSearch) -> None:
        self._run = run
        self._search = search

    def begin(self, tenant: TenantKey, tokens: int) -> None:
        self._run(STATEMENTS["begin_search_index"], (tenant, tokens))
        self._run(STATEMENTS["whole_search_due_gone"], (tenant,))

    def take_turn(self, tenant: TenantKey, turn: int) -> bool:
        return bool(self._run(STATEMENTS["take_search_turn"], (tenant, turn)))

    def move(self, tenant: TenantKey, standing: Standing) -> None:
        values = (standing.next_doc, standing.next_part, standing.listed_to, standing.looked_to, tenant)
        self._run(STATEMENTS["move_search_index"], values)

    def outdate(self, tenant: TenantKey) -> None:
        self._run(STATEMENTS["outdate_search_index"], (tenant,))
        self._run(STATEMENTS["whole_search_due_gone"], (tenant,))

    def make_due(self, tenant: TenantKey, key: SessionKey) -> None:
        self._run(STATEMENTS["add_search_due"], (tenant, key))

    def indexed(self, tenant: TenantKey, key: SessionKey, seq: int) -> None:
        self._run(STATEMENTS["put_search_session"], (key, seq))
        self._run(STATEMENTS["drop_search_due"], (key,))

    def add_docs(self, tenant: TenantKey, docs: Iterable[Doc]) -> None:
        for doc in docs:
            self._run(STATEMENTS["add_search_doc"], (tenant, doc.number, doc.key << 32 | doc.seq, doc.at))

    def add_part(self, tenant: TenantKey, part: Part) -> None:
        self._run(STATEMENTS["add_search_part"], (tenant, *part))

    def set_part(self, tenant: TenantKey, part: Part) -> None:
        self._run(STATEMENTS["set_search_part"], (part.state, part.reached, tenant, part.number))

    def add_pages(self, tenant: TenantKey, part: int, pages: Iterable[Page]) -> None:
        for page in pages:
            self._run(STATEMENTS["add_search_page"], (tenant, part, page.first, page.data))

    # What was forgotten

    def clean(self, tenant: TenantKey, *, pages: int) -> bool:
        todo = next((part for part in self._search.parts(tenant) if part.dirty), None)
        if todo is None:
            return False
        self._run(STATEMENTS["hold_search_index"], (tenant,))
        # Read again behind the lock: another process may have come first.
        for part in self._search.parts(tenant):
            if part.number == todo.number and part.dirty:
                self._clean(tenant, part, pages)
        return True

    def empty(self, tenant: TenantKey, *, rows: int) -> bool:
        run = self._run
        run(STATEMENTS["hold_search_index"], (tenant,))
        ((last,),) = run(STATEMENTS["last_of_docs"], (tenant, rows))
        if last is not None:
            run(STATEMENTS["drop_docs"], (tenant, last + 1))
        pages = run(STATEMENTS["any_pages"], (tenant, rows // 8))
        for part, first in pages:
            run(STATEMENTS["drop_search_page"], (tenant, part, first))
        sessions = run(STATEMENTS["search_sessions"], (0, tenant, rows))
        for (session,) in sessions:
            run(STATEMENTS["drop_search_session"], (session,))
        if last is not None or pages or sessions:
            return True
        for one in self._search.parts(tenant):
            run(STATEMENTS["drop_search_part"], (tenant, one.number))
        return False

    def renew(self, tenant: TenantKey, tokens: int) -> None:
        self._run(STATEMENTS["renew_search_index"], (tokens, tenant))

    def _clean(self, tenant: TenantKey, part: Part, most: int) -> None:
        from retoma.model.postings import kept

        pages = self._search.pages_behind(tenant, part.number, part.reached or b"", limit=most)
        ended = len(pages) < most
        if part.state == GOING:
            for page in pages:
                self._run(STATEMENTS["drop_search_page"], (tenant, part.number, page.first))
            if ended:
                self._run(STATEMENTS["drop_search_part"], (tenant, part.number))
            return
        docs = self._search.docs_between(tenant, part.first_doc, part.end, limit=part.docs)
        if not docs:
            self.set_part(tenant, part._replace(state=GOING, reached=None))
            return
        alive = {doc.number & 0xFFFF for doc in docs}
        for page in pages:
            left = kept(page, alive)
            if left != [page]:
                self._run(STATEMENTS["drop_search_page"], (tenant, part.number, page.first))
                self.add_pages(tenant, part.number, left)
        self.set_part(tenant, part._replace(reached=None if ended else pages[-1].first))


def _pages(rows: Sequence[Row]) -> list[Page]:
    from retoma.model.postings import Page  # most commands ask only how far the index has come

    return [Page(*row) for row in rows]


def _doc(row: Row) -> Doc:
    number, k, at = row
    return Doc(number, SessionKey(k >> 32), k & _SEQ, at)
