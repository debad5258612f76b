"""One question on a terminal: its keys, what is shown, and what interrupts it."""

from __future__ import annotations

import asyncio
import signal
import sys
import termios
from collections.abc import Sequence

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import History
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.named_commands import get_by_name
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.layout.processors import BeforeInput, Processor, Transformation, TransformationInput
from prompt_toolkit.output import Output

from retoma.interfaces.cli.echo import Echo
from retoma.interfaces.cli.lines import Bell, Kind, TimedOut, Woken
from retoma.interfaces.cli.signals import ENDING, Ended, led_to, stop
from retoma.interfaces.cli.text import listed

__all__ = ["Question"]


class Question:
    """`ask` may be called once. With `plain`, nothing but the typed text is printed, and no secret."""

    def __init__(
        self,
        label: str,
        kind: Kind,
        options: Sequence[str],
        *,
        input: Input,
        output: Output,
        plain: bool,
        history: History,
        typed: str,
    ) -> None:
        self._label, self._kind, self._options = label, kind, options
        self._plain = plain
        self._echo = Echo(label) if plain and kind != "secret" else None
        self._buffer = Buffer(history=history, multiline=False)
        self._selected = ""  # the number that an arrow key put into the line
        self._came: list[int] = []
        self._stopped = False
        self._app: Application[str] = Application(
            layout=self._layout(), key_bindings=self._keys(), input=input, output=output
        )
        self._buffer.on_text_changed += self._edited
        self._buffer.on_cursor_position_changed += self._edited
        self._typed = typed

    def ask(self, timeout_s: float | None, bell: Bell | None) -> str:
        """Return the answer. Raises TimedOut, Woken, EOFError, KeyboardInterrupt, Ended; the terminal is restored."""

        def begin() -> None:
            loop = asyncio.get_running_loop()
            if timeout_s is not None:
                loop.call_later(timeout_s, self._end, TimedOut())
            if bell is not None:
                loop.add_reader(bell.fileno(), lambda: self._end(Woken(self._buffer.text)))
            self._buffer.document = Document(self._typed)
            self._handle()

        signals = (signal.SIGINT, *ENDING, signal.SIGTSTP, signal.SIGCONT)
        # Set before the label is shown: a secret that is typed at once must not be echoed.
        self._before = termios.tcgetattr(0)
        with led_to(self._signalled, signals), self._app.input.raw_mode():
            self._raw = termios.tcgetattr(0)
            if self._plain:
                sys.stdout.write(self._label)
            sys.stdout.flush()
            try:
                return self._app.run(pre_run=begin, handle_sigint=False, set_exception_handler=False)
            finally:
                # A signal may come too late to end the application; a terminal that is gone ends it by an error.
                for number in self._came:
                    if number in ENDING:
                        raise Ended(number)
                    if number == signal.SIGINT:
                        raise KeyboardInterrupt

    def end_line(self) -> None:
        """End the line of the label, if prompt_toolkit did not."""
        if self._plain and self._label:
            sys.stdout.write("\n")

    # What is shown

    def _layout(self) -> Layout:
        before: list[Processor] = [_Hidden()] if self._kind == "secret" else []
        line = Window(
            BufferControl(self._buffer, input_processors=[*before, BeforeInput(self._label)]),
            wrap_lines=True,
            dont_extend_height=True,
        )
        above = Window(FormattedTextControl(self._menu), dont_extend_height=True)
        return Layout(HSplit([above, line] if self._options else [line]), focused_element=line)

    def _menu(self) -> str:
        """Return the options at the width that the terminal has now, with a sign at the one whose number is typed."""
        width = self._app.output.get_size().columns
        lines: list[str] = []
        for number, option in enumerate(self._options, 1):
            first, *more = listed(number, option, width=width)
            lines += [f">{first[1:]}" if number == self._marked() else first, *more]
        return "\n".join(lines)

    def _marked(self) -> int:
        text = self._buffer.text
        short = text.isascii() and text.isdigit() and len(text) < 6
        return int(text) if short and int(text) <= len(self._options) else 0

    def _edited(self, buffer: Buffer) -> None:
        if buffer.text != self._selected:
            self._selected = ""
        if self._echo is not None:
            self._echo.show(buffer.text, buffer.cursor_position)

    # Keys

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        keys.add("enter")(lambda event: event.app.exit(result=self._buffer.text))
        keys.add("c-c")(lambda event: self._end(KeyboardInterrupt()))
        keys.add("c-d", filter=Condition(lambda: not self._buffer.text))(lambda event: self._end(EOFError()))
        keys.add("c-\\")(lambda event: self._end(Ended(signal.SIGQUIT)))
        keys.add("c-z")(lambda event: self._stop(group=True))
        keys.add(Keys.BracketedPaste)(self._paste)
        # These keys of Emacs hand the line to a reader of several lines: here they would only clear it.
        for unused in (("c-o",), ("escape", "#")):
            keys.add(*unused)(lambda event: None)
        if self._options:
            self._select_with(keys)
        return keys

    def _select_with(self, keys: KeyBindings) -> None:
        def to(number: int) -> None:
            self._selected = str(number)
            self._buffer.document = Document(self._selected)

        last = len(self._options)
        keys.add("up")(lambda event: to(self._marked() - 1 if self._marked() > 1 else last))
        keys.add("down")(lambda event: to(self._marked() + 1 if self._marked() < last else 1))
        nothing_typed = Condition(lambda: self._buffer.text == self._selected)
        keys.add("home", filter=nothing_typed)(lambda event: to(1))
        keys.add("end", filter=nothing_typed)(lambda event: to(last))

        @keys.add(Keys.Any, filter=Condition(lambda: bool(self._selected)))
        def begin(event: KeyPressEvent) -> None:
            self._buffer.reset()
            get_by_name("self-insert").call(event)

    def _paste(self, event: KeyPressEvent) -> None:
        """Insert a paste as one text, with its line breaks; only Enter answers. Consent to a tool cannot be pasted."""
        if self._kind == "consent":
            return
        if self._selected:
            self._buffer.reset()
        self._buffer.insert_text(event.data.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n"))

    # What interrupts

    def _end(self, why: BaseException) -> None:
        if self._app.is_running and not self._app.is_done:
            self._app.exit(exception=why)

    def _signalled(self, number: int) -> None:
        """Note a signal. Raising an error here would leave the terminal as the line needs it."""
        self._came.append(number)
        if (loop := self._app.loop) is not None:
            loop.call_soon_threadsafe(self._handle)

    def _handle(self) -> None:
        while self._came and self._app.is_running and not self._app.is_done:
            match self._came.pop(0):
                case signal.SIGINT:
                    self._end(KeyboardInterrupt())
                case signal.SIGTSTP:
                    self._stop(group=False)
                case signal.SIGCONT:
                    self._continue()
                case number:
                    self._came.insert(0, number)
                    self._end(Ended(number))

    def _stop(self, *, group: bool) -> None:
        def stopped() -> None:
            self._stopped = True
            termios.tcsetattr(0, termios.TCSANOW, self._before)
            try:
                stop(group=group)
            finally:
                self._stopped = False
                self._came = [number for number in self._came if number != signal.SIGCONT]
            if self._echo is not None:
                self._echo.again()

        run_in_terminal(stopped)

    def _continue(self) -> None:
        """Take the terminal back after a stop that could not be seen coming (SIGSTOP)."""
        if self._stopped:
            return
        termios.tcsetattr(0, termios.TCSANOW, self._raw)
        if self._echo is not None:
            self._echo.again()
        elif not self._plain:
            self._app.output.write_raw("\r\n")
            self._app.renderer.reset()
            self._app.invalidate()


class _Hidden(Processor):
    """Shows nothing of the line, and the cursor in one place, so that not even its length is seen."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        return Transformation([], source_to_display=lambda at: 0, display_to_source=lambda at: 0)
