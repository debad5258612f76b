"""A user's regular expression: Python's syntax and meaning, a bound on time, and never while other writers wait."""

from __future__ import annotations

import random
import re
import warnings

import pytest
from tests.calls import Calls

from retoma.errors import Invalid
from retoma.model import pattern as patterns
from retoma.model.changes import Changes
from retoma.model.pattern import Pattern
from retoma.model.session import NewSession
from retoma.model.veil import Veil
from retoma.service.forget.erasing import Selection

EVIL = ["(a+)+$", "(a|aa)+$", "(a|a?)+b", r"(\w+\s?)*:", r"(?:a?){30}a{30}", r"(x+x+)+y"]
TEXT = "a" * 30 + " x" * 20 + "x" * 40 + "!"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(patterns, "PATIENCE_S", 0.05)


@pytest.mark.parametrize("source", EVIL)
def test_a_match_has_a_bound(impatient, source):
    pattern = Pattern(source)
    for text in (TEXT, "a" * 2_000 + "!", "a" * 29, "x" * 200_000):
        for search in (pattern, lambda text: pattern.sub("#", text), Veil((), (source,)).text):
            try:
                search(text)
            except Invalid as error:
                assert error.code == "slow_pattern"
                assert f"on a text of {len(text):,} characters" in error.message


@pytest.mark.parametrize("source", ["(?:(?:a{1000}){1000}){1000}", "a{10001}", "((ab){100}(cd){100}){100}"])
def test_a_pattern_that_asks_for_too_many_characters_is_refused(source):
    with pytest.raises(Invalid, match="the limit is 10,000"):
        Pattern(source)


@pytest.mark.parametrize(
    "source", ["(", "x*", "", "a|", r"\p{L}", "(?r)a", r"\m", "(?|a|b)", "(?V1)a", "(?e)a", "a{2}{3}"]
)
def test_what_python_does_not_take_or_finds_everything_is_refused(source):
    with pytest.raises(Invalid) as refused:
        Pattern(source)
    assert refused.value.code == "bad_pattern"


@pytest.mark.parametrize(
    ("source", "found", "not_found"),
    [
        (r"(\w)\1", "aa", "ab"),
        (r"(?<=key )\w+(?! off)", "key x", "x"),
        (r"(?P<q>['\"]).(?P=q)", "'a'", "'a\""),
        (r"\bsenhá\b", "a senhá.", "senhás"),
        (r"\d{4}", "٣٣٣٣", "123"),
        ("x$", "x\n", "x\n\n"),
        (r"(?i)straße", "STRAßE", "strasse"),
        (r"a\sb", "a\x1cb", "ab"),
        ("a{e}", "a{e}", "a"),
        ("a{e<=1}b", "a{e<=1}b", "ab"),
        ("[a&&b]c", "&c", "d"),
        ("[[:alpha:]]", "a]", "b]"),
        ("a++b", "aab", "a"),
        ("(?>a|ab)c", "ac", "abc"),
    ],
)
@pytest.mark.filterwarnings("ignore:Possible")
def test_a_pattern_means_what_it_means_in_python(source, found, not_found):
    pattern = Pattern(source)
    assert (re.search(source, found) is not None, re.search(source, not_found)) == (True, None)
    assert (pattern(found), pattern(not_found)) == (True, False)


ATOMS = [
    *"abéÉ1٣_ \n.^$|*+?(){}", r"\d", r"\w", r"\s", r"\b", r"\B", r"\D", r"\W", r"\S", r"\A", r"\Z", "[ab]", "[^a]",
    "[[]", "[a&&b]", r"[\s-]", "[]a]", "{e}", "{,2}", "{2}", "{1,2}", "*?", "+?", "(?:", "(?=", "(?!", "(?<=", "(?<!",
    "(?>", "(?i:", r"\1", r"\{", r"\xe9", "ß", "ſ", "K",
]  # fmt: skip


def test_random_patterns_mean_what_they_mean_in_python():
    choose, judged = random.Random(7), 0
    while judged < 3_000:
        source = "".join(choose.choices(ATOMS, k=choose.randint(1, 6)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ours, theirs = Pattern(source), re.compile(source)
            except Invalid:
                continue
        for text in ("".join(choose.choices("aabbéÉ1٣_ \n{}eKKſsSß\u2028\x1c[-", k=8)) for _ in range(5)):
            assert (source, text, ours.sub("#", text)) == (source, text, theirs.sub("#", text))
            judged += 1


# Redaction


class Watched(Pattern):
    """Notes which texts are searched through while other writers wait."""

    def __init__(self, source: str) -> None:
        self.hurried_through: list[str] = []
        super().__init__(source)

    def _search(self, text: str) -> bool:
        if self._spare is not None:
            self.hurried_through.append(text)
        return super()._search(text)


def told(client: Calls) -> None:
    client.create(NewSession(id="s", title="plain"))
    for number in range(5):
        client.append("s", "user", f"the word {number}")


def test_nothing_is_searched_through_while_other_writers_wait(client):
    told(client)
    wanted = Watched("word [13]")
    assert client.redact("s", Selection(wanted=wanted)).events == (3, 5)
    assert wanted.hurried_through == []


def test_what_comes_meanwhile_is_found(client, monkeypatch):
    told(client)
    wanted, before = Watched("word"), client._store.write
    writes = iter(["the word, again", ""])

    def write(use_case):
        if title := next(writes, ""):
            client.update("s", Changes(title=title))
        return before(use_case)

    monkeypatch.setattr(client._store, "write", write)
    taken = client.redact("s", Selection(wanted=wanted))
    assert (len(taken.events), taken.fields) == (5, ("title",))
    assert wanted.hurried_through == ["the word, again"]


def test_what_comes_meanwhile_and_takes_long_is_searched_through_while_nobody_waits(client, monkeypatch):
    told(client)
    wanted, before = Watched("(a|aa)+$|word"), client._store.write
    slow = "a" * 26 + "! word"
    monkeypatch.setattr(patterns, "_HURRY_S", 0.000_001)
    titles = iter([slow])

    def write(use_case):
        if title := next(titles, ""):  # once: this writes, too
            client.update("s", Changes(title=title))
        return before(use_case)

    monkeypatch.setattr(client._store, "write", write)
    assert client.redact("s", Selection(wanted=wanted)).fields == ("title",)
    assert wanted.hurried_through == [slow]
    assert client.check().damage == []


def test_a_pattern_that_takes_too_long_changes_nothing(impatient, client):
    told(client)
    client.append("s", "user", "a" * 2_000 + "!")
    before = client.get("s").seq
    with pytest.raises(Invalid, match="took more than"):
        client.redact("s", Selection(wanted=Pattern("(a+)+$|word")))
    assert client.get("s").seq == before
    assert len(client.messages("s")) == 6


def test_a_set_in_a_set_is_no_warning() -> None:
    assert Pattern("[[a-z]--[b]]")("q--b]")
