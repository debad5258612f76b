"""The line that is shown without escape sequences is the line that is typed."""

from __future__ import annotations

import random

import pytest
from tests.glass import Glass

from retoma.interfaces.cli.echo import Echo


@pytest.mark.parametrize("seed", range(50))
def test_any_change_of_the_line_shows_without_a_sequence(capsys, seed):
    chance = random.Random(seed)
    glass, echo, text = Glass(200), Echo("> "), ""
    glass.feed("> ")
    for _ in range(20):
        at = chance.randrange(len(text) + 1)
        text = (
            text[:at]
            + "".join(chance.choices("ab世é ש", k=chance.randrange(4)))
            + text[at + chance.randrange(3) :]
        )
        echo.show(text, chance.randrange(len(text) + 1))
        said = capsys.readouterr().out
        assert "\x1b" not in said
        glass.feed(said)
        assert "".join(glass.rows[0]).rstrip() == f"> {text}".rstrip()
