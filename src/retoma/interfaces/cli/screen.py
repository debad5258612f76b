"""The output of a run: for a person, in a pipe, or as JSON lines for a program."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from retoma.errors import RetomaError
from retoma.interfaces.cli.output import Output
from retoma.interfaces.cli.text import clean, listed
from retoma.interfaces.cli.words import Words
from retoma.model.call import Call, Came
from retoma.model.codec import decode, encode
from retoma.model.flow import Prompt, Visit
from retoma.runtime.drive import Drive
from retoma.runtime.reload import Reload

if TYPE_CHECKING:
    from rich.markdown import Markdown

__all__ = ["JsonScreen", "Screen", "TextScreen"]

_INTERRUPTED = ">>> Interrupted at '{node}' node. Resume with the same command{named}."

# Setting more than this takes so long that a person would wait for it.
_MARKDOWN_LETTERS = 50_000


class Screen(Protocol):
    """The output of a run, as a protocol."""

    def show(self, visits: Sequence[Visit]) -> None: ...
    def ask(self, prompt: Prompt) -> None: ...
    def label(self, prompt: Prompt) -> str: ...
    def again(self, notice: str) -> None: ...
    def signal(self, name: str, node: str | None, to: str | None) -> None: ...
    def call(self, call: Call) -> None: ...
    def approval(self, call: Call, question: str) -> str: ...
    def came(self, call: Call, came: Came) -> None: ...
    def reloaded(self, reload: Reload) -> None: ...
    def given(self, text: str) -> str: ...
    def end(self, status: str, drive: Drive, cause: str) -> None: ...


class TextScreen:
    """Content and prompts go to standard output, messages of the program to standard error."""

    def __init__(self, out: Output, say: Words, *, headless: bool, plain: bool) -> None:
        self._out = out
        self._say = say
        self._headless = headless
        self._markdown = out.terminal and not plain

    def show(self, visits: Sequence[Visit]) -> None:
        for visit in visits:
            if not visit.content.strip():
                continue
            if self._markdown and len(visit.content) <= _MARKDOWN_LETTERS:
                self._render(visit.content)
            else:
                self._out.line(visit.content.rstrip("\n"))
        sys.stdout.flush()

    def ask(self, prompt: Prompt) -> None:
        """Print the options of the prompt."""
        for number, option in enumerate(prompt.options, 1):
            for line in listed(number, option, width=self._out.width if self._markdown else None):
                self._out.line(line)
        sys.stdout.flush()

    def label(self, prompt: Prompt) -> str:
        """Return what stands before the place to type, on its line."""
        if self._headless:
            return ""
        default = self._say(prompt.default or "") if prompt.input_type == "confirm" else prompt.default
        return clean(f"[{default}] > " if default else "> ", lines=False)

    def again(self, notice: str) -> None:
        self._out.note(self._say.notice(notice))

    def signal(self, name: str, node: str | None, to: str | None) -> None:
        if to is not None:
            text = ">>> Signal '{name}' at '{node}' node: going to '{to}'."
            self._out.note(self._say(text, name=name, node=node, to=to))

    def call(self, call: Call) -> None:
        what = ">>> Undo '{node}': tool '{name}' {args}" if call.undo else ">>> Tool '{name}' {args}"
        args = encode(call.args).decode() if call.args else ""
        self._out.note(self._say(what, node=call.node, name=call.name, args=args).rstrip())

    def approval(self, call: Call, question: str) -> str:
        """Return the question that stands before the place to type."""
        asked = question or self._say("Allow execution?")
        return clean(f"{asked} {self._say('[y/N]')} ", lines=False)

    def came(self, call: Call, came: Came) -> None:
        match came.outcome:
            case "denied":
                text = ">>> Tool '{name}' was refused: {why}"
                self._out.problem(self._say(text, name=call.name, why=came.text))
            case "failed":
                text = ">>> Tool '{name}' failed: {why}"
                self._out.problem(self._say(text, name=call.name, why=came.text))
            case "done":
                pass

    def reloaded(self, reload: Reload) -> None:
        self._out.note(f">>> {reload.sentence}")

    def given(self, text: str) -> str:
        return text

    def end(self, status: str, drive: Drive, cause: str) -> None:
        node, note, say = drive.position.node, self._out.note, self._say
        named = "" if drive.named else say(" and --session {session}", session=drive.session)
        match status:
            case "finished" if drive.position.status != "finished":
                pass  # the session was ended, not the flow: said when it was opened
            case "finished":
                note(say(">>> Finished at '{node}' node.", node=node))
            case "failed" if node is None:
                self._out.problem(say(">>> Failed: {cause}", cause=cause))
            case "failed":
                self._out.problem(say(">>> Failed at '{node}' node: {cause}", node=node, cause=cause))
            case "interrupted":
                sys.stdout.write("" if self._headless else "\n")
                note(say(_INTERRUPTED, node=node, named=named))
            case "terminated":
                note(say(_INTERRUPTED, node=node, named=named))
            case "waiting_for_tool":
                text = (
                    ">>> Stopped at '{node}' node: the tool '{name}' was not called yet. Resume with the "
                    "same command{named}."
                )
                note(say(text, node=node, name=drive.call.name if drive.call else "", named=named))
            case "waiting_for_input" if drive.wanted is not None:
                text = (
                    ">>> Stopped at '{node}' node: the secret '{key}' is needed again. "
                    "Resume with the same command{named}, on a terminal."
                )
                self._out.problem(say(text, node=node, key=drive.wanted, named=named))
            case "waiting_for_input":
                text = ">>> Stopped at '{node}' node: the input ended. Resume with the same command{named}."
                note(say(text, node=node, named=named))
            case _:
                note(say(">>> Stopped at '{node}' node.", node=node))

    def _render(self, content: str) -> None:
        """Print Markdown after a blank line. Trailing spaces are removed, because they would wrap in a narrower
        window."""
        from rich.console import Console
        from rich.markdown import Markdown

        console = Console(no_color=not self._out.color, highlight=False)
        with console.capture() as rendered:
            console.print(_safe(Markdown(content, hyperlinks=False)))
        lines = rendered.get().rstrip("\n").split("\n")
        sys.stdout.write("\n" + "".join(line.rstrip(" ") + "\n" for line in lines))


def _safe(markdown: Markdown) -> Markdown:
    """Return the parsed Markdown with texts that are safe for a terminal. Entities such as `&#27;` are one character
    only after parsing."""
    tokens = [*markdown.parsed]
    for token in tokens:
        token.content = clean(token.content)
        token.info = clean(token.info, lines=False)
        token.attrs = {
            name: clean(value, lines=False) if isinstance(value, str) else value
            for name, value in token.attrs.items()
        }
        tokens += token.children or ()
    return markdown


class JsonScreen:
    """One JSON object per line. The last object is always `end`."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def show(self, visits: Sequence[Visit]) -> None:
        for visit in visits:
            self._line({"type": "render", "node": visit.node, "content": visit.content})

    def ask(self, prompt: Prompt) -> None:
        self._line(
            {"type": "request_input", "node": prompt.node, "input_type": prompt.input_type}
            | {"options": prompt.options, "default": prompt.default}
        )

    def label(self, prompt: Prompt) -> str:
        return ""

    def again(self, notice: str) -> None:
        self._line({"type": "notice", "text": notice})

    def signal(self, name: str, node: str | None, to: str | None) -> None:
        self._line({"type": "signal", "name": name, "node": node, "to": to})

    def call(self, call: Call) -> None:
        from msgspec.structs import asdict

        from retoma.model.shapes import ToolCall

        shown = ToolCall.of(call)
        self._line({"type": "call_tool"} | (asdict(shown) if shown else {}))

    def approval(self, call: Call, question: str) -> str:
        asked = {
            "type": "request_input",
            "node": call.node,
            "input_type": "confirm",
            "options": [],
            "default": "no",
        }
        self._line(asked | {"tool": call.name, "question": question or "Allow execution?"})
        return ""

    def came(self, call: Call, came: Came) -> None:
        said = {"done": "result", "failed": "error", "denied": "denied"}[came.outcome]
        self._line(
            {
                "type": "tool_result",
                "node": call.node,
                "name": call.name,
                "id": call.id or None,
                "undo": call.undo,
            }
            | {"key": call.key, "outcome": came.outcome, said: came.value}
        )

    def reloaded(self, reload: Reload) -> None:
        self._line(
            {"type": "reload", "taken": reload.taken, "version": reload.version, "node": reload.node}
            | {"text": reload.sentence, "problems": reload.problems}
        )

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
        if drive.wanted is not None and not cause:
            cause = f"The secret '{drive.wanted}' is needed again."
        shown = status
        if status in ("interrupted", "terminated", "stopped") and (drive.prompt or drive.call):
            shown = "waiting_for_input" if drive.prompt else "waiting_for_tool"
        at = drive.position
        self._line(
            {"type": "end", "status": shown, "node": at.node, "context": at.context, "history": drive.history}
            | {"session": drive.session or None}
            | ({"cause": cause} if cause else {})
        )

    def _line(self, value: object) -> None:
        self._out.json_line(value)
