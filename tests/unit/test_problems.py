"""Every family has its exit status, and every failure is a sentence that says what to do."""

from __future__ import annotations

import json

import pytest

from retoma import errors
from retoma.errors import Busy, Invalid, NotFound, RetomaError
from retoma.interfaces.problems import as_json, exit_status, sentence

FAMILIES = [getattr(errors, name) for name in errors.__all__ if name != "RetomaError"]


@pytest.mark.parametrize(
    ("family", "status"),
    [
        ("NotFound", 4),
        ("Conflict", 5),
        ("Refused", 5),
        ("Limit", 5),
        ("Busy", 5),
        ("Invalid", 2),
        ("Integrity", 6),
        ("Unavailable", 1),
    ],
)
def test_exit_statuses(family: str, status: int) -> None:
    assert exit_status(getattr(errors, family)("What happened.")) == status


def test_no_family_is_forgotten() -> None:
    assert {as_json(family("It."))["title"] for family in FAMILIES}.isdisjoint({"Failed"})
    assert len(FAMILIES) == 8


def test_other_statuses() -> None:
    assert exit_status(Invalid("Too much.", code="too_large")) == 2
    assert exit_status(KeyboardInterrupt()) == 130
    assert exit_status(ValueError("x")) == 1
    assert exit_status(RetomaError("It.")) == 1


def test_the_hint_is_on_the_line_or_below_it() -> None:
    assert sentence(NotFound("No session 'a'.", hint="Nearest: b.")) == "No session 'a'. Nearest: b."
    assert sentence(NotFound("No. " * 20, hint="Do this. " * 5)).count("\n") == 1
    assert sentence(NotFound("No session 'a'.")) == "No session 'a'."


def test_an_unexpected_exception_is_called_a_defect() -> None:
    said = sentence(KeyError("k\nv"))
    assert "bug in Retoma" in said
    assert "KeyError" in said
    assert "RETOMA_DEBUG=1" in said
    assert said.count("\n") == 1


def test_what_the_system_refuses_is_no_defect() -> None:
    assert (
        sentence(PermissionError(13, "Permission denied", "/a"))
        == "The operating system reported an error: Permission denied (/a)."
    )


def test_as_json_is_plain() -> None:
    shape = as_json(Busy("Driven.", code="busy", hint="Wait.", holder="p", since=5, path=("a", object)))
    assert shape["code"] == "busy"
    assert shape["title"] == "Driven by another"
    assert shape["facts"] == {"holder": "p", "since": 5, "path": ["a", "<class 'object'>"]}
    assert json.loads(json.dumps(shape)) == shape
    assert "secret" not in str(as_json(ValueError("secret")))
