"""What a run looks like: for a person, in a pipe, or as JSON lines for a program."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

from retoma.errors import RetomaError
from retoma.interfaces.cli.output import Output
from retoma.interfaces.cli.text import clean
from retoma.model.codec import decode, encode
from retoma.model.flow import Prompt, Visit
from retoma.runtime.drive import Drive

__all__ = ["JsonScreen", "Screen", "TextScreen"]


class Screen(Protocol):
    """Where a run is shown."""

    def show(self, visits: Sequence[Visit]) -> None: ...
    def ask(self, prompt: Prompt) -> None: ...
    def label(self, prompt: Prompt) -> str: ...
    def again(self, notice: str) -> None: ...
    def secret(self, prompt: Prompt) -> str | None: ...
    def given(self, text: str) -> str: ...
    def refused(self, error: RetomaError) -> None: ...
    def end(self, status: str, drive: Drive, cause: str) -> None: ...


class TextScreen:
    """Content and prompts on standard output, the program's own words on standard error."""

    def __init__(self, out: Output, *, headless: bool, plain: bool) -> None:
        self._out = out
        self._headless = headless
        self._markdown = out.terminal and not plain

    def show(self, visits: Sequence[Visit]) -> None:
        for visit in visits:
            if not visit.content.strip():
                continue
            if self._markdown:
                self._render(visit.content)
            else:
                self._out.line(visit.content.rstrip("\n"))
        sys.stdout.flush()

    def ask(self, prompt: Prompt) -> None:
        for number, option in enumerate(prompt.options, 1):
            self._out.line(f"  {number}  {option}")
        sys.stdout.flush()

    def label(self, prompt: Prompt) -> str:
        """Return what stands before the place to type, on its line."""
        if self._headless:
            return ""
        return clean(f"[{prompt.default}] > " if prompt.default else "> ", lines=False)

    def again(self, notice: str) -> None:
        self._out.note(notice)

    def secret(self, prompt: Prompt) -> str | None:
        from getpass import getpass

        try:
            return getpass(self.label(prompt))
        except EOFError:
            sys.stdout.write("\n")
            return None
        except KeyboardInterrupt:
            sys.stdout.write("^C")
            raise

    def given(self, text: str) -> str:
        return text

    def refused(self, error: RetomaError) -> None:
        pass

    def end(self, status: str, drive: Drive, cause: str) -> None:
        node = drive.position.node
        note = self._out.note
        match status:
            case "finished" if drive.position.status != "finished":
                pass  # the session was ended, not the flow: said when it was opened
            case "finished":
                note(f">>> Finished at '{node}' node.")
            case "failed":
                self._out.problem(f">>> Failed at '{node}' node: {cause}")
            case "interrupted":
                sys.stdout.write("" if self._headless else "\n")
                note(f">>> Interrupted at '{node}' node. Go on with the same command{_named(drive)}.")
            case "waiting_for_input":
                note(
                    f">>> Stopped at '{node}' node: the input ended. Go on with the same command{_named(drive)}."
                )
            case _:
                note(f">>> Stopped at '{node}' node.")

    def _render(self, content: str) -> None:
        """Print Markdown, led by a blank line. The blanks that fill its lines would wrap in a window made narrower."""
        from rich.console import Console
        from rich.markdown import Markdown

        console = Console(no_color=not self._out.color, highlight=False)
        with console.capture() as rendered:
            console.print(Markdown(clean(content), hyperlinks=False))
        lines = rendered.get().rstrip("\n").split("\n")
        sys.stdout.write("\n" + "".join(line.rstrip(" ") + "\n" for line in lines))


def _named(drive: Drive) -> str:
    return "" if drive.named else f" and --session {drive.session}"


class JsonScreen:
    """One JSON object a line; `end` is the last, whatever stops the run."""

    def show(self, visits: Sequence[Visit]) -> None:
        from retoma.model.views import render_view

        for visit in visits:
            self._line(render_view(visit))

    def ask(self, prompt: Prompt) -> None:
        from retoma.model.views import prompt_view

        self._line(prompt_view(prompt))

    def label(self, prompt: Prompt) -> str:
        return ""

    def again(self, notice: str) -> None:
        self._line({"type": "notice", "text": notice})

    def secret(self, prompt: Prompt) -> str | None:
        return None  # never asked: a program's input is not echoed

    def given(self, text: str) -> str:
        """An input line is a JSON string or raw text."""
        if text.startswith('"'):
            try:
                value = decode(text)
            except RetomaError:
                return text
            if isinstance(value, str):
                return value
        return text

    def refused(self, error: RetomaError) -> None:
        from retoma.interfaces.problems import as_json

        self._line(
            {"type": "end", "status": "refused", "node": None, "context": {}, "history": []}
            | {"error": as_json(error)}
        )

    def end(self, status: str, drive: Drive, cause: str) -> None:
        from retoma.model.views import end_view

        shown = "waiting_for_input" if status == "interrupted" and drive.prompt else status
        self._line(end_view(shown, drive.position, drive.history, drive.session, cause))

    def _line(self, value: object) -> None:
        sys.stdout.write(encode(value).decode() + "\n")
        sys.stdout.flush()
