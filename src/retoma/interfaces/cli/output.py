"""The output of a verb: results on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from retoma.config.place import without_passwords
from retoma.interfaces.cli.text import Cell, Styled, clean, columns, escaped, painted, wrapped

__all__ = ["Output", "Styled"]


class Output:
    """The two output streams of one command.

    Text is made safe for a terminal here, so a verb may print users' text. With `json`, a verb calls `print_json` or
    `page` once and prints nothing else on standard output.
    """

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        utc: bool = False,
        no_color: bool = False,
        width: int | None = None,
    ) -> None:
        self.json = json
        self.quiet = quiet
        self.utc = utc
        self.terminal = sys.stdout.isatty()
        self.color = self.terminal and not no_color
        # None: not a terminal, nothing is cut.
        self.width = (width or _terminal_width()) if self.terminal else None

    def line(self, *parts: Cell) -> None:
        """Print the parts, one after the other, as a line. A part may contain line breaks."""
        sys.stdout.write("".join(painted(part, colour=self.color) for part in parts) + "\n")

    def table(self, rows: Sequence[Sequence[Cell]], *, whole: int | None = None) -> None:
        """Print aligned columns that fit the terminal; the column `whole` is never cut. Outside a terminal, no column
        is."""
        for line in columns(rows, width=self.width, colour=self.color, whole=whole):
            sys.stdout.write(line + "\n")

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print names and values, without the empty values. A value is wrapped beside its name, or below it on a
        narrow terminal."""
        shown = [(name, clean(value, lines=False)) for name, value in rows if value]
        indent = max((len(name) for name, _ in shown), default=0) + 2
        if self.width is not None and indent > self.width // 2:
            indent = 4
        for name, value in shown:
            lead = name.ljust(indent - 2) + "  "
            self.hanging([lead], value, at=len(lead), indent=indent)

    def hanging(self, lead: Sequence[Cell], text: str, *, at: int, indent: int) -> None:
        """Print `text` after `lead`, which is `at` columns wide. Its further lines, and on a terminal what does not fit
        a line, are indented."""
        lines = text.split("\n")
        if self.width is not None:
            room = max(self.width - indent, 8)
            before = " " * max(at - indent, 0)
            first, *rest = clean(text).expandtabs().split("\n")
            lines = [piece for line in [before + first, *rest] for piece in wrapped(line, room)]
            lines[0] = lines[0][len(before) :]
        self.line(*lead, lines[0])
        for line in lines[1:]:
            self.line((" " * indent + line).rstrip())

    def note(self, text: str) -> None:
        """Print a note on standard error; nothing with `--quiet`."""
        if not self.quiet:
            self.problem(text)

    def problem(self, text: str) -> None:
        """Print an error on standard error, also with `--quiet`."""
        sys.stdout.flush()
        sys.stderr.write(clean(without_passwords(text)) + "\n")

    def failed(self, error: Exception, file: str = "") -> None:
        """Print an error that does not end the command, with the file that it is about."""
        from retoma.interfaces.problems import failure

        self.problem(failure(error, json=self.json, file=file))

    def print_json(self, value: object) -> None:
        """Print `value` as the only JSON document: indented on a terminal, compact elsewhere."""
        from retoma.model.codec import encode

        data = encode(value)
        if self.terminal:
            import msgspec

            data = msgspec.json.format(data, indent=2)
        self.document([data, b"\n"], json=True)

    def json_line(self, value: object) -> None:
        """Print `value` as one line of JSON, at once."""
        from retoma.model.codec import encode

        self.document([encode(value), b"\n"], json=True)
        sys.stdout.flush()

    def document(self, pieces: Iterable[bytes], *, json: bool) -> None:
        """Print a document in UTF-8: unchanged in a file or a pipe, made safe on a terminal; with `json`, as JSON."""
        sys.stdout.flush()
        if not self.terminal:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        from codecs import getincrementaldecoder

        decoder = getincrementaldecoder("utf-8")("replace")  # a piece may end amid a character
        for piece in pieces:
            text = decoder.decode(piece)
            sys.stdout.write(escaped(text) if json else clean(text))

    def page(self, items: Sequence[object], following: str | None = None, total: int | None = None) -> None:
        """Print a list as JSON. `total` is None if it was not requested."""
        from retoma.model.pages import Page

        self.print_json(Page(items=items, next=following, total=total))

    def when(self, ms: int, now_ms: int) -> str:
        """Return a time for people: relative, or the date with `--utc`."""
        from retoma.model.times import relative, rfc3339

        return rfc3339(ms) if self.utc else relative(ms, now_ms)


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80
