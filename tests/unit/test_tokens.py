"""What a text's terms are: one rule for the index, for queries and for what a snippet marks."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retoma.errors import Invalid
from retoma.model.query import Query, parse
from retoma.model.ranking import Judge, recency
from retoma.model.snippet import cut
from retoma.model.times import DAY
from retoma.model.tokens import BREAK, TERM_LENGTH, fold, index_text, run_of, runs

LETTERS = "aBzéÇñßıİΣςΩйЁאבּ عَربي हिन्दी ไทย 東京カナがぎ한국어ｶﾞｱ 019²½ﬁ_-./'\"*\u0301\u200d\u00ad\U0001f600\n"
TEXTS = st.one_of(st.text(max_size=60), st.text(alphabet=LETTERS, max_size=60))
WORDS = st.text(alphabet="abcXYZéç漢字019_.", min_size=1, max_size=6)


def terms(text: str) -> list[str]:
    return [part.term for run in runs(text).findall(text) for part in run_of(run).row]


def index_terms(text: str) -> tuple[set[str], set[tuple[str, str]]]:
    """Return what the index has of a text: its terms, and those that stand side by side."""
    found = index_text(text).split(" ") if index_text(text) else []
    pairs = {pair for pair in pairwise(found) if BREAK not in pair}
    return {term for term in found if term != BREAK}, pairs


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A sessão, às 9h", "a sessao as 9 h"),
        ("don't l'école", "don t l ecole"),
        ("snake_case __init__ foo.bar", "snake case init foo bar"),
        ("getUserName HTTPServer", "get user name http server"),
        ("utf8 v2 error404", "utf 8 v 2 error 404"),
        ("9f86d081884c7d65", "9f86d081884c7d65"),
        ("東京都 x", "東京 京都 都 x"),
        ("가나 다", "가나 나 다"),
        ("ｶﾞｷﾞ", "ガギ ギ"),
        ("Straße ŁÓDŹ ﬁne İstanbul", "strasse lodz fine istanbul"),
        ("Ἀθῆναι ΟΔΟΣ", "αθηναι οδοσ"),
        ("हिन्दी में", "हिन्दी में"),
        ("co\u00adoperate e\u0301te\u0301", "cooperate ete"),
        ("", ""),
        ("—…!? \u0301", ""),
    ],
)
def test_a_text_is_its_words_folded(text: str, wanted: str) -> None:
    assert " ".join(terms(text)) == wanted


def test_what_has_parts_is_there_whole_too() -> None:
    assert {"getusername", "get", "user", "name", "utf8", "utf", "8"} == index_terms("getUserName utf8")[0]
    assert ("the", "getusername") in index_terms("the getUserName")[1]
    assert ("the", "get") in index_terms("the getUserName")[1]
    assert ("get", "the") not in index_terms("the getUserName")[1]


def test_a_term_has_a_bounded_length() -> None:
    found, _ = index_terms("x" * 10_000 + " " + "漢" * 500)
    assert max(map(len, found)) == TERM_LENGTH


@given(TEXTS)
def test_the_index_has_the_parts_of_every_run(text: str) -> None:
    found, pairs = index_terms(text)
    row = terms(text)
    wholes = {whole.term for run in runs(text).findall(text) for whole in run_of(run).wholes}
    assert found == {*row, *wholes}
    assert pairs >= {*pairwise(row)}
    assert all(term and ord(term[0]) > 0x20 and not term.isspace() for term in found)


@given(TEXTS)
def test_forms_of_the_same_text_have_the_same_terms(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert index_terms(unicodedata.normalize(form, text)) == index_terms(
            unicodedata.normalize("NFC", text)
        )
    assert fold(fold(text)) == fold(text)


@given(TEXTS)
def test_the_parts_of_a_run_say_where_they_are(text: str) -> None:
    for run in runs(text).findall(text):
        row, wholes, _ = run_of(run)
        assert [part.place for part in row] == list(range(len(row)))
        for part in (*row, *wholes):
            assert 0 <= part.start < part.end <= len(run)


def parsed(text: str) -> Query | None:
    try:
        return parse(text)
    except Invalid as refused:
        assert refused.code == "empty_query"
        return None


@given(TEXTS)
def test_any_text_is_a_query_or_has_nothing_to_look_for(text: str) -> None:
    query = parsed(text)
    assert query is None or query.wanted


@given(TEXTS, TEXTS, TEXTS)
def test_a_text_is_found_by_any_piece_of_it(before: str, piece: str, after: str) -> None:
    piece = piece.replace('"', " ")
    query = parsed(f'"{piece}"')
    assume(query is not None)
    assert query is not None
    assert Judge(query).relevance(f"{before} {piece} {after}") is not None


@given(
    st.lists(WORDS, max_size=8).map(" ".join),
    st.lists(WORDS, min_size=1, max_size=3),
    st.sampled_from([" ", "* ", '" "']),
)
def test_whatever_the_judge_finds_the_index_has(text: str, words: list[str], between: str) -> None:
    query = parsed(f'"{between.join(words)}"' if between == '" "' else between.join(words) + between)
    if query is None or Judge(query).relevance(text) is None:
        return
    found, pairs = index_terms(text)
    for item in query.wanted:
        assert set(item.terms) <= found
        assert set(item.pairs) <= pairs
        assert all(any(term.startswith(begins) for term in found) for begins in item.beginnings)


@given(TEXTS, st.lists(WORDS, min_size=1, max_size=4), TEXTS, st.integers(20, 200))
def test_a_snippet_has_what_was_looked_for_and_says_where(
    before: str, words: list[str], after: str, width: int
) -> None:
    query = parsed(" ".join(words))
    assume(query is not None)
    assert query is not None
    text = f"{before} {' '.join(words)} {after * 5}"
    snippet = cut(text, Judge(query).ranges(text), width)
    assert len(snippet.text) <= max(width, 2 * TERM_LENGTH)
    assert snippet.marks
    assert "\n" not in snippet.text
    ends = [0, *(place for mark in snippet.marks for place in mark)]
    assert ends == sorted(ends)
    assert ends[-1] <= len(snippet.text)
    marked = {term for start, end in snippet.marks for term in terms(snippet.text[start:end])}
    assert marked & {atom.term for item in query.wanted for atom in item.atoms}


def score(query: str, text: str) -> int:
    found = Judge(parse(query)).relevance(text)
    assert found is not None
    return found


def test_what_answers_better_is_worth_more() -> None:
    in_order = [
        "the disk is full",
        "the disk, and it is nearly full",
        "full of hope, as on " + "many other days " * 20 + "the disk",
    ]
    worth = [score("disk full", text) for text in ("disk full", *in_order)]
    assert worth == sorted(worth, reverse=True)
    assert len(set(worth)) == 4
    assert score("sessão", "a sessão") > score("sessão", "a sessao")
    assert score("pool", "pool pool pool") > score("pool", "the pool there")
    assert score("pool", "the pool") > score("pool", "the pool " + "and more " * 50)
    ages = [recency(0, days * DAY) for days in (0, 3, 20, 60, 200, 1_000)]
    assert ages == sorted(ages, reverse=True)
    assert recency(5, 0) == recency(0, 0)


def test_many_hits_cost_no_more_than_they_are() -> None:
    text = "a b " * 50_000
    judge = Judge(parse("a b"))
    assert judge.relevance(text) is not None
    assert cut(text, judge.ranges(text)).marks
