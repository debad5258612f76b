"""A part of the search index: terms with the documents that have them, on pages as large as the database's.

Documents are numbered through the index, and a part has a stretch of them, so two bytes say which of the part's one is:
the number's last 16 bits. Parts that lie beside each other are merged by putting their pages together, term by term.

A part's pages are in the order of their first key's bytes, and there are two kinds. A page of terms maps each to its
documents. A page of pairs is a sorted list of 4 bytes each: the pair's number, then the document; its key is 0x02 and
the first number. Each page begins with a digest, so a bit that flipped in it shows.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from blake3 import blake3

from retoma.errors import Integrity

__all__ = ["MOST_DOCS", "Page", "fingerprint", "kept", "merged", "of_doc", "pages", "pair_key", "with_pair",
           "with_prefix", "with_term"]  # fmt: skip

MOST_DOCS: Final = 1 << 15
"""So many documents a part has at most."""

_PAGE_BYTES: Final = 3_800
_DIGEST_BYTES: Final = 16
_PAIRS: Final = b"\x02"
_BEHIND_PAIRS: Final = b"\x03"
_LOW: Final = 0xFFFF

_terms_of = msgspec.msgpack.Decoder(dict[bytes, bytes]).decode
_encoded = msgspec.msgpack.Encoder().encode


class Page(NamedTuple):
    """A page as it is kept; `first` is the key of the first term on it."""

    first: bytes
    data: bytes


def pages(docs: Mapping[int, tuple[Iterable[str], Iterable[int]]]) -> list[Page]:
    """Return the pages of a part: of each document's number its terms, and the numbers of its pairs."""
    terms: dict[str, list[int]] = {}
    pairs: list[int] = []
    for number, (words, rows) in docs.items():
        doc = number & _LOW
        for word in words:
            if word in terms:
                terms[word].append(doc)
            else:
                terms[word] = [doc]
        pairs += [row << 16 | doc for row in rows]
    pairs.sort()
    return [*_paged({term.encode(): _packed(terms[term], "H") for term in sorted(terms)}, pairs)]


def with_term(data: bytes, term: str) -> Sequence[int]:
    """Return the documents that have `term`, if it is on this page: the last 16 bits of their numbers."""
    if _is_of_pairs(payload := _opened(data)):
        return ()
    found = _terms_of(payload).get(term.encode())
    return _unpacked(found, "H") if found else ()


def with_prefix(data: bytes, prefix: str) -> set[int]:
    """Return the documents that have a term on this page that begins with `prefix`."""
    found: set[int] = set()
    if not _is_of_pairs(payload := _opened(data)):
        begins = prefix.encode()
        for term, packed in _terms_of(payload).items():
            if term.startswith(begins):
                found.update(_unpacked(packed, "H"))
    return found


def with_pair(data: bytes, number: int) -> Sequence[int]:
    """Return the documents that have a pair of this number, if it is on this page."""
    if not _is_of_pairs(payload := _opened(data)):
        return ()
    numbers = _unpacked(payload[1:], "I")
    low, high = bisect_left(numbers, number << 16), bisect_left(numbers, number + 1 << 16)
    return [found & _LOW for found in numbers[low:high]]


def pair_key(number: int) -> bytes:
    """Return where a pair stands among a part's terms."""
    return _PAIRS + number.to_bytes(2)


def kept(page: Page, alive: Container[int]) -> list[Page]:
    """Return what a page holds of these documents: the page itself when it has no others."""
    payload = _opened(page.data)
    if _is_of_pairs(payload):
        numbers = _unpacked(payload[1:], "I")
        left = [number for number in numbers if number & _LOW in alive]
        return [page] if len(left) == len(numbers) else [*_paged({}, left)]
    terms = _terms_of(payload)
    some: dict[bytes, bytes] = {}
    for term, packed in terms.items():
        docs = _unpacked(packed, "H")
        here = [doc for doc in docs if doc in alive]
        if here:
            some[term] = packed if len(here) == len(docs) else _packed(here, "H")
    return [page] if some == terms else [*_paged(some, [])]


def merged(parts: Sequence[Sequence[Page]], *, after: bytes, before: bytes | None) -> list[Page]:
    """Return the pages of one part for what several have from the key `after` on, and ahead of `before`."""
    terms: dict[bytes, bytes] = {}
    pairs: list[int] = []
    for part in parts:
        for page in part:
            payload = _opened(page.data)
            if _is_of_pairs(payload):
                numbers = _unpacked(payload[1:], "I")
                pairs += numbers[bisect_left(numbers, _bound(after)) : bisect_left(numbers, _bound(before))]
                continue
            for term, packed in _terms_of(payload).items():
                if after <= term and (before is None or term < before):
                    terms[term] = terms.get(term, b"") + packed
    pairs.sort()
    return [*_paged({term: terms[term] for term in sorted(terms)}, pairs)]


def fingerprint(page: Page) -> int:
    """Return a number for what a page holds. Those of a part's pages add up to those of its documents (`of_doc`).

    Raises Integrity for a page that is damaged, or is kept under another key than its first one.
    """
    payload = _opened(page.data)
    if _is_of_pairs(payload):
        numbers = _unpacked(payload[1:], "I")
        first = pair_key(numbers[0] >> 16)
        total = sum(_of_pair(one >> 16) * _weight(one & _LOW) for one in numbers)
    else:
        terms = _terms_of(payload)
        first = next(iter(terms))
        total = sum(
            _of_term(term) * sum(map(_weight, _unpacked(packed, "H"))) for term, packed in terms.items()
        )
    if first != page.first:
        raise _damaged()
    return total & _ALL


def of_doc(number: int, terms: Iterable[str], pairs: Iterable[int]) -> int:
    """Return a document's share of its part's fingerprint."""
    total = sum(_of_term(term.encode()) for term in terms) + sum(map(_of_pair, pairs))
    return total * _weight(number & _LOW) & _ALL


# Pages


def _paged(terms: Mapping[bytes, bytes], pairs: Sequence[int]) -> Iterator[Page]:
    """Yield pages for terms and pairs that are in order."""
    held: dict[bytes, bytes] = {}
    size, waiting = 0, bool(pairs)
    for term, packed in terms.items():
        more = len(term) + len(packed) + 5
        behind_pairs = waiting and term > _PAIRS
        if held and (behind_pairs or size + more > _PAGE_BYTES):
            yield _sealed(next(iter(held)), _encoded(held))
            held, size = {}, 0
        if behind_pairs:
            waiting = False
            yield from _paged_pairs(pairs)
        held[term] = packed
        size += more
    if held:
        yield _sealed(next(iter(held)), _encoded(held))
    if waiting:
        yield from _paged_pairs(pairs)


def _paged_pairs(pairs: Sequence[int]) -> Iterator[Page]:
    start, most = 0, _PAGE_BYTES // 4
    while start < len(pairs):
        end = min(start + most, len(pairs))
        if end < len(pairs):
            # A page ends where a number does: ahead of the one that would be cut, or behind it where it is alone.
            number = pairs[end] >> 16
            ahead = bisect_left(pairs, number << 16, start, end)
            end = ahead if ahead > start else bisect_left(pairs, number + 1 << 16, end)
        yield _sealed(pair_key(pairs[start] >> 16), _PAIRS + _packed(pairs[start:end], "I"))
        start = end


def _sealed(first: bytes, payload: bytes) -> Page:
    return Page(first, blake3(payload).digest(_DIGEST_BYTES) + payload)


def _opened(data: bytes) -> bytes:
    payload = data[_DIGEST_BYTES:]
    if not payload or blake3(payload).digest(_DIGEST_BYTES) != data[:_DIGEST_BYTES]:
        raise _damaged()
    return payload


def _damaged() -> Integrity:
    return Integrity(
        "The search index is damaged.",
        code="damaged_index",
        hint="`retoma store check --repair` rebuilds it. The journals are not changed.",
    )


def _is_of_pairs(payload: bytes) -> bool:
    return payload[:1] == _PAIRS  # no map of MessagePack begins so


def _bound(key: bytes | None) -> int:
    """Return where among the numbers of pairs a key stands."""
    if key is None or key >= _BEHIND_PAIRS:
        return 1 << 32
    return int.from_bytes(key[1:3].ljust(2, b"\0")) << 16 if key >= _PAIRS else 0


def _packed(numbers: Iterable[int], code: str) -> bytes:
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpacked(packed: bytes, code: str) -> array[int]:
    numbers = array(code)
    numbers.frombytes(packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


# The fingerprint: a sum in any order, that one document more or less in one term changes

_ALL: Final = (1 << 64) - 1


def _weight(doc: int) -> int:
    return 2 * doc + 1


@lru_cache(maxsize=32_768)
def _of_term(term: bytes) -> int:
    return int.from_bytes(blake3(term).digest(8))


def _of_pair(number: int) -> int:
    return number * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019
