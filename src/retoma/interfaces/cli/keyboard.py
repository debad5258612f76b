"""Read answers from a terminal through prompt_toolkit. Import this module only when a terminal is asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.output import DummyOutput, Output
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from retoma.interfaces.cli.lines import Bell, Kind, checked, discard_typed
from retoma.interfaces.cli.question import Question
from retoma.interfaces.cli.text import listed, width_of

__all__ = ["Keyboard"]

_SPARE_ROWS = 2
_SPARE_COLUMNS = 6


class Keyboard:
    """Standard input and output as one terminal, for the main thread. `next` works as in Lines.

    `moves`: the terminal can move its cursor, and the user did not ask for plain text. Without it, no escape sequence
    is printed. `earlier` returns the session's earlier inputs, oldest first.
    """

    def __init__(self, *, moves: bool, earlier: Callable[[], Sequence[str]] = tuple) -> None:
        self.number = 0
        self._moves = moves
        self._history = InMemoryHistory(earlier())
        self._input = Vt100Input(sys.stdin)
        self._output: Output = DummyOutput()
        if moves:
            # The cursor's position is not requested: an answer that comes late would be read as typed text.
            self._output = Vt100_Output(
                sys.stdout, _size, default_color_depth=ColorDepth.DEPTH_1_BIT, enable_bell=False, enable_cpr=False
            )  # fmt: skip

    def draws(self, label: str, options: Sequence[str]) -> bool:
        """Return whether `next` shows the options itself: all are visible, and the label takes one row."""
        size = _size()
        rows = sum(len(listed(1, option, width=size.columns)) for option in options)
        return (
            self._moves
            and 0 < rows <= size.rows - _SPARE_ROWS
            and width_of(label) <= size.columns - _SPARE_COLUMNS
        )

    def forget(self) -> None:
        """Discard what was typed and not read, so that it does not answer the next question."""
        clear_typeahead(self._input)
        discard_typed(0)
        # A new reader, because the old one may have read the beginning of a paste whose end was discarded.
        self._input = Vt100Input(sys.stdin)

    def next(
        self,
        label: str = "",
        timeout_s: float | None = None,
        typed: str = "",
        *,
        bell: Bell | None = None,
        options: Sequence[str] = (),
        kind: Kind = "text",
    ) -> str | None:
        """Return the next answer, or None at Ctrl+D. Raises TimedOut, Woken, Invalid, Ended, and KeyboardInterrupt.

        The line starts with `typed`, which can be edited. With `options`, the arrow keys select one of them. The line
        of `label` is ended.
        """
        shown = self._moves and (kind != "secret" or bool(label))
        question = Question(
            label, kind, options,
            input=self._input, output=self._output if shown else DummyOutput(), plain=not shown,
            history=self._history if kind == "text" else InMemoryHistory(), typed=typed,
        )  # fmt: skip
        try:
            line = question.ask(timeout_s, bell)
        except EOFError:
            question.end_line()
            return None
        except KeyboardInterrupt:
            sys.stdout.write("^C" if label else "")
            raise
        except BaseException:
            question.end_line()
            raise
        question.end_line()
        if kind == "text" and line:
            self._history.append_string(line)
        self.number += 1
        return checked(line.encode(errors="surrogateescape"), self.number)


def _size() -> Size:
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return Size(rows=24, columns=80)
    return Size(rows=size.lines or 24, columns=size.columns or 80)
