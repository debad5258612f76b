"""What is wrong with a file that a person wrote, with its line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from retoma.errors import Invalid

Level: TypeAlias = Literal["error", "warning"]


class Problem(msgspec.Struct, frozen=True, order=True):
    """Something in a flow's files that is wrong (`error`) or looks wrong (`warning`). Lines count from 1."""

    file: str
    line: int
    level: Level
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} {self.hint}".rstrip()


def refusal(what: str, problems: Iterable[Problem], *, code: str = "flow_invalid") -> Invalid:
    """Return the error that lists the error-level `problems`, one a line; its fact `problems` has the warnings, too."""
    found = sorted(set(problems))
    errors = [problem for problem in found if problem.level == "error"]
    lines = "\n".join(str(problem) for problem in errors)
    count = "one problem" if len(errors) == 1 else f"{len(errors)} problems"
    return Invalid(f"{what} has {count}:\n{lines}", code=code, problems=found)
