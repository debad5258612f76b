"""A part of the index: what goes in comes out, merged or taken out of, and its sums agree."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retoma.errors import Integrity
from retoma.model import postings
from retoma.model.postings import Page, fingerprint, kept, merged, of_doc, pages, pair_key, with_pair

TERMS = st.text(alphabet="ab漢é\x01", min_size=1, max_size=4).filter(lambda term: not term.startswith("\x02"))
DOCS = st.lists(
    st.tuples(st.sets(TERMS, max_size=5), st.sets(st.sampled_from([0, 1, 2, 255, 256, 65_535]), max_size=4)),
    max_size=40,
)
FIRST = st.sampled_from([0, 1, 65_530, 1 << 40])
ALL = (1 << 64) - 1


@pytest.fixture(autouse=True, params=[40, 3_800])
def _small_pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "_PAGE_BYTES", request.param)


def page(part: list[Page], key: bytes) -> bytes | None:
    """Return the page on which a key would be, as the store finds it."""
    at = bisect_right([one.first for one in part], key)
    return part[at - 1].data if at else None


def term(part: list[Page], word: str) -> set[int]:
    data = page(part, word.encode())
    return set(postings.with_term(data, word)) if data else set()


def pair(part: list[Page], number: int) -> set[int]:
    data = page(part, pair_key(number))
    return set(with_pair(data, number)) if data else set()


def numbered(first: int, docs: list[tuple[set[str], set[int]]]) -> dict[int, tuple[set[str], set[int]]]:
    return dict(enumerate(docs, first))


def holds(part: list[Page], docs: dict[int, tuple[set[str], set[int]]]) -> None:
    """Assert that a part has just these documents."""
    keys = [one.first for one in part]
    assert keys == sorted(set(keys))
    for word in {word for words, _ in docs.values() for word in words} | {"none", "a"}:
        assert term(part, word) == {number & 0xFFFF for number, (words, _) in docs.items() if word in words}
    for one in (0, 1, 2, 3, 255, 256, 65_535):
        assert pair(part, one) == {number & 0xFFFF for number, (_, rows) in docs.items() if one in rows}
    wanted = sum(of_doc(number, *found) for number, found in docs.items())
    assert sum(map(fingerprint, part)) & ALL == wanted & ALL


@given(FIRST, DOCS)
def test_what_goes_in_comes_out(first: int, docs: list[tuple[set[str], set[int]]]) -> None:
    holds(pages(numbered(first, docs)), numbered(first, docs))


@given(FIRST, st.lists(DOCS, max_size=4), st.integers(1, 3))
def test_parts_are_merged_stretch_by_stretch(
    first: int, some: list[list[tuple[set[str], set[int]]]], step: int
) -> None:
    parts, everything = [], {}
    for docs in some:
        everything |= numbered(first + len(everything), docs)
        parts.append(pages(numbered(first + len(everything) - len(docs), docs)))
    whole: list[Page] = []
    after = b""
    while True:
        # As a step does it: some pages of each, up to where all of them have everything.
        found = [from_key(part, after) for part in parts]
        ends = [part[step].first for part in found if len(part) > step]
        before = min(ends, default=None)
        whole += merged([part[:step] for part in found], after=after, before=before)
        if before is None:
            break
        assert before > after
        after = before
    holds(whole, everything)


def from_key(part: list[Page], key: bytes) -> list[Page]:
    at = bisect_right([one.first for one in part], key)
    return part[max(at - 1, 0) :]


@given(FIRST, DOCS, st.sets(st.integers(0, 39)))
def test_what_is_taken_out_is_gone(first: int, docs: list[tuple[set[str], set[int]]], gone: set[int]) -> None:
    everything = numbered(first, docs)
    left = {number: found for number, found in everything.items() if number - first not in gone}
    alive = {number & 0xFFFF for number in left}
    part = [new for old in pages(everything) for new in kept(old, alive)]
    holds(part, left)
    assert [one for old in part for one in kept(old, alive)] == part


def test_a_beginning_is_found_on_each_of_its_pages() -> None:
    part = pages({n: ({f"ab{n}", "b"}, ()) for n in range(30)})
    found = [postings.with_prefix(one.data, "ab") for one in part]
    assert set().union(*found) == set(range(30))
    assert set().union(*(postings.with_prefix(one.data, "ab2") for one in part)) == {2, *range(20, 30)}


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_bit_that_flips_shows(byte: int, bit: int) -> None:
    (one, *_) = pages({n: ({"word", f"w{n}"}, {n}) for n in range(9)})
    data = bytearray(one.data)
    data[byte % len(data)] ^= 1 << bit
    with pytest.raises(Integrity, match="index is damaged"):
        fingerprint(one._replace(data=bytes(data)))
