"""Parts of the search index, put together: a search looks into each, so there should be few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from retoma.model.ids import TenantKey
from retoma.model.postings import MOST_DOCS, Page, merged
from retoma.stores.contract.search import GOING, LIVE, MAKING, Part, Standing
from retoma.stores.contract.store import Store, Transaction

__all__ = ["merge", "to_merge"]

_TOGETHER: Final = 8
_SIZES: Final = (1_024, 8_192)
_PAGES: Final = 4
"""How many pages of each part a step reads."""


def to_merge(parts: Sequence[Part]) -> Sequence[Part]:
    """Return parts to put together: eight of a size that lie beside each other. Nothing when there are none."""
    live = [part for part in parts if part.state == LIVE]
    for size in range(len(_SIZES)):
        run: list[Part] = []
        for part in live:
            run = [*run, part] if _size(part) <= size else []
            if len(run) == _TOGETHER:
                if sum(one.docs for one in run) <= MOST_DOCS:
                    return run
                run = run[1:]
    return ()


def merge(store: Store, tenant: TenantKey, standing: Standing, parts: Sequence[Part]) -> bool:
    """Go on with the part that is being made, or begin one; return False when none is due."""
    making = next((part for part in parts if part.state == MAKING), None)
    if making is None:
        sources = to_merge(parts)
        if sources:
            store.write(lambda tx: _begin(tx, tenant, standing, sources))
        return bool(sources)
    within = (making.first_doc, making.end)
    sources = [part for part in parts if part.state == LIVE and within[0] <= part.first_doc < within[1]]
    after = making.reached or b""
    pages, before = store.read(lambda tx: _read(tx, tenant, sources, after))
    made = merged(pages, after=after, before=before)

    def write(tx: Transaction) -> None:
        if not tx.indexing.take_turn(tenant, standing.turn):
            return
        tx.indexing.add_pages(tenant, making.number, made)
        tx.indexing.set_part(tenant, making._replace(state=MAKING if before else LIVE, reached=before))
        for source in () if before else sources:
            tx.indexing.set_part(tenant, source._replace(state=GOING, reached=None))

    store.write(write)
    return True


def _begin(tx: Transaction, tenant: TenantKey, standing: Standing, sources: Sequence[Part]) -> None:
    if tx.indexing.take_turn(tenant, standing.turn):
        first, docs = sources[0].first_doc, sources[-1].end - sources[0].first_doc
        tx.indexing.add_part(tenant, Part(standing.next_part, first, docs, MAKING, b""))
        tx.indexing.move(tenant, standing._replace(next_part=standing.next_part + 1))


def _read(
    tx: Transaction, tenant: TenantKey, sources: Sequence[Part], after: bytes
) -> tuple[list[Sequence[Page]], bytes | None]:
    """Return some pages of each source from the key `after` on, and the key up to which they have everything."""
    pages: list[Sequence[Page]] = []
    ends: list[bytes] = []
    for source in sources:
        found = tx.search.pages_from(tenant, source.number, after, limit=_PAGES + 1)
        ends += (page.first for page in found[_PAGES:])
        pages.append(found[:_PAGES])
    return pages, min(ends, default=None)


def _size(part: Part) -> int:
    return next((size for size, most in enumerate(_SIZES) if part.docs < most), len(_SIZES))
