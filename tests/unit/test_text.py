"""Text for a terminal: nothing in it is obeyed, and every line fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retoma.interfaces.cli.text import (
    Styled,
    clean,
    columns,
    counted,
    fit,
    number,
    painted,
    size,
    width_of,
    wrapped,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain — text", "plain — text"),
        ("a\x1b[2Jb", "a␛[2Jb"),
        ("a\x07\x7f\x9b", "a␇��"),
        ("a\u202eb\u2066", "a�b�"),
        ("a\r\nb\tc\rd", "a\nb\tc␍d"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_cell_is_one_line() -> None:
    assert clean("a\r\nb\tc", lines=False) == "a b c"


@given(st.text())
def test_nothing_that_steers_gets_through(text: str) -> None:
    assert all(letter in "\n\t" or ord(letter) >= 32 for letter in clean(text))
    assert "\x1b" not in painted(text, colour=True)
    assert "\n" not in clean(text, lines=False)


def test_only_our_own_styles_are_colour() -> None:
    assert painted(Styled("a\x1b[0m", "bold"), colour=True) == "\x1b[1ma␛[0m\x1b[0m"
    assert painted(Styled("a", "red"), colour=False) == "a"


ROWS = [
    ["- my-experiment", "flow tour", "at scenic", "2 min ago"],
    ["- user-123", "chat", "14 messages", "yesterday"],
]


def test_columns_are_aligned() -> None:
    assert columns(ROWS, width=80, colour=False) == [
        "- my-experiment  flow tour  at scenic    2 min ago",
        "- user-123       chat       14 messages  yesterday",
    ]


def test_a_column_that_is_empty_in_every_row_takes_no_room() -> None:
    assert columns([["a", "", "b"], ["c", "", "d"]], width=80, colour=False) == ["a  b", "c  d"]


@given(
    st.lists(st.lists(st.text("ab漢é\n\x1b ", max_size=30), min_size=1, max_size=6), max_size=4),
    st.integers(20, 100),
)
def test_columns_fit(rows: list[list[str]], width: int) -> None:
    lines = columns(rows, width=width, colour=False)
    assert len(lines) == len(rows)
    assert all(width_of(line) <= width for line in lines)


def test_without_a_terminal_nothing_is_cut() -> None:
    assert columns([["a" * 300, "b"]], width=None, colour=False) == ["a" * 300 + "  b"]


def test_widths() -> None:
    assert [fit("abcdef", 4), fit("漢漢漢", 4), fit("abc", 3), fit("abc", 0)] == ["abc…", "漢…", "abc", ""]
    assert width_of("é漢") == 3


def test_numbers_and_sizes() -> None:
    assert number(1204) == "1,204"
    assert [counted(n, "event") for n in (0, 1, 1204)] == ["0 events", "1 event", "1,204 events"]
    assert [size(n) for n in (0, 999, 1500, 412_000_000, 9_999_999)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "412 MB",
        "10 MB",
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'\xef\xbb\xbf{"n": 1}', {"n": 1}), (b"\xef\xbb\xbf[1]\n", [1]), (b"\xef\xbb\xbfhello\r\n", "hello"),
        (b"\xef\xbb\xbf", ""), ("\ufeff\ufeffx".encode(), "\ufeffx"), ("a\ufeffb".encode(), "a\ufeffb"),
    ],
)  # fmt: skip
def test_a_byte_order_mark_is_no_part_of_what_a_tool_says(data: bytes, expected: object) -> None:
    from retoma.programs.program import read_output

    assert read_output(data) == expected


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    from retoma.interfaces.cli.lines import checked

    line = "\ufeffAna\r".encode()
    assert checked(line, 1) == "Ana"
    assert checked(line, 2) == "\ufeffAna"


def test_an_id_is_never_cut_and_the_rest_goes_below_it_on_a_narrow_terminal() -> None:
    id = "- f3a7521f-0b0c-48fd-a937-aaf17590a1b2"
    row = [id, "", "3 messages", "just now", "", "Fix the importer for the old shop"]
    assert columns([row], width=80, colour=False, whole=0) == [
        f"{id}  3 messages  just now  Fix the importer …"
    ]
    assert columns([row], width=40, colour=False, whole=0) == [id, "    3 messages  just now  Fix the impor…"]
    assert columns([[id]], width=20, colour=False, whole=0) == [id]


@given(
    st.lists(st.lists(st.text("ab漢é\n\x1b ", max_size=30), min_size=3, max_size=6), max_size=4),
    st.integers(1, 100),
    st.integers(0, 2),
)
def test_the_column_of_ids_is_whole_at_any_width(rows: list[list[str]], width: int, whole: int) -> None:
    shown = "\n".join(columns(rows, width=width, colour=False, whole=whole))
    for row in rows:
        assert clean(row[whole], lines=False).rstrip() in shown


@given(st.text("ab漢é \u0301", max_size=80), st.integers(2, 30))
def test_wrapped_text_fits_and_loses_nothing(text: str, room: int) -> None:
    lines = wrapped(text, room)
    assert all(width_of(line) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
