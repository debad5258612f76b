"""What a mistyped name may have meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retoma.model.nearest import did_you_mean, distance, nearest

VERBS = ["session", "store", "serve", "config", "completion", "ls", "rm", "run"]


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("sesion", ("session",)),
        ("sessoin", ("session",)),
        ("Store", ("store",)),
        ("conf", ("config",)),
        ("sl", ("ls",)),
        ("xyzzy", ()),
        ("", ()),
    ],
)
def test_nearest(word: str, names: tuple[str, ...]) -> None:
    assert nearest(word, VERBS) == names


def test_the_sentence_says_none_when_there_is_none() -> None:
    assert did_you_mean("sesion", VERBS) == "Did you mean 'session'?"
    assert did_you_mean("xyzzy", VERBS) == ""


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_a_distance_is_symmetric_and_zero_only_for_the_same(one: str, other: str) -> None:
    there = distance(one, other, at_most=20)
    assert there == distance(other, one, at_most=20)
    assert (there == 0) == (one == other)
    assert min(there, 3) == min(distance(one, other, at_most=2), 3)
