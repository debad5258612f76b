"""`retoma run`: a flow in a durable session, on the terminal, headless or as JSON lines."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from retoma.errors import Invalid, RetomaError
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.keyboard import Keyboard
from retoma.interfaces.cli.lines import Lines, TimedOut
from retoma.interfaces.cli.screen import JsonScreen, Screen, TextScreen
from retoma.interfaces.cli.verb import verb
from retoma.interfaces.cli.words import SESSION
from retoma.interfaces.problems import FAILED, INTERRUPTED, STOPPED, sentence
from retoma.model.codec import JsonMap
from retoma.runtime.drive import Drive, Request

__all__ = ["run"]

_EXAMPLE = """For example --context '{"name": "Ana"}', or --context @FILE."""


@verb("run", example="retoma run examples/tour --session my-experiment")
@click.argument("flow", type=click.Path(path_type=Path, readable=False))
@click.option("--session", metavar="ID", type=SESSION, help="Start or resume this session; else a new one.")
@click.option("--fresh", is_flag=True, help="Begin again in the same session: a new epoch.")
@click.option("--resume", is_flag=True, help="Resume the session if it is paused.")
@click.option("--context", metavar="JSON|@FILE", help="What the flow knows from the start.")
@click.option("--headless", is_flag=True, help="No prompt, no colour; a line of input is an answer.")
@click.option("--plain", is_flag=True, help="Text as it is written, also on a terminal.")
def run(
    ctx: Invocation,
    *,
    flow: Path,
    session: str | None,
    fresh: bool,
    resume: bool,
    context: str | None,
    headless: bool,
    plain: bool,
) -> int:
    """Start a flow in a session, or take it up where it stands. Stopped in any way, the same command goes on."""
    request = Request(
        directory=flow,
        session=session,
        context=_context(context),
        fresh=fresh,
        resume=resume,
        locale=ctx.environment.lang,
    )
    screen = JsonScreen() if ctx.out.json else TextScreen(ctx.out, headless=headless, plain=plain or headless)
    try:
        drive = ctx.client.drive(request)
    except RetomaError as error:
        screen.refused(error)
        raise
    with drive:
        return _Run(ctx, drive, screen, asks=not headless and not ctx.out.json and sys.stdin.isatty()).go()


class _Run:
    """One run from the opened drive to the exit status. `asks` says that a person types the answers."""

    def __init__(self, ctx: Invocation, drive: Drive, screen: Screen, *, asks: bool) -> None:
        self._ctx = ctx
        self._drive = drive
        self._screen = screen
        self._asks = asks
        self._lines = _keyboard() if asks and ctx.out.terminal else Lines()

    def go(self) -> int:
        drive, screen = self._drive, self._screen
        status = "interrupted"
        cause = ""
        try:
            self._greet()
            while True:
                screen.show(drive.shown)
                if drive.over or drive.failure:
                    status, cause = ("failed", drive.failure) if drive.failure else ("finished", "")
                    return FAILED if cause else 0
                if not self._turn():
                    status = drive.position.status
                    return STOPPED
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            # Whoever read the output has read enough; that is no end of the flow.
            return 0 if drive.over else STOPPED
        except RetomaError as error:
            status, cause = "stopped", error.message
            raise
        finally:
            with suppress(BrokenPipeError):
                screen.end(status, drive, cause)

    def _greet(self) -> None:
        drive, note = self._drive, self._ctx.out.note
        if not drive.history and not drive.final:
            return  # it could not begin
        if drive.final:
            ended = "failed" if drive.final == "failed" else "ended"
            where = f"at '{drive.position.node}' node" if drive.position.node else "with no flow in it"
            note(f">>> Session '{drive.session}' {ended} before, {where}. Begin anew with --fresh.")
            return
        note(f">>> Session '{drive.session}' active.")
        for line in drive.notices:
            note(f">>> {line}")
        if drive.resumed:
            note(f">>> Resuming at '{drive.position.node}' node...")

    def _turn(self) -> bool:
        """Ask until the flow takes an input; False when the input ended."""
        drive, prompt = self._drive, self._drive.prompt
        assert prompt is not None, "a flow that is not over waits for input"
        self._screen.ask(prompt)
        try:
            text = (
                self._screen.secret(prompt)
                if self._hidden(prompt.input_type)
                else self._lines.next(self._screen.label(prompt), prompt.timeout_s)
            )
            if text is None:
                return False
            return self._send(self._screen.given(text))
        except TimedOut:
            if drive.signal("timeout") is None:
                drive.prompt = msgspec.structs.replace(prompt, timeout_s=None)
                drive.shown = ()
            return True
        except KeyboardInterrupt:
            if drive.signal("interrupt") is None:
                raise
            return True
        except Invalid as error:
            if not self._asks:
                raise
            self._ctx.out.problem(sentence(error))
            drive.shown = ()
            return True

    def _send(self, text: str) -> bool:
        try:
            step = self._drive.send(text)
        except Invalid:
            raise
        except RetomaError:
            hidden = self._drive.prompt is not None and self._drive.prompt.input_type == "secret"
            if not hidden:
                self._ctx.out.problem(f"What was typed was not kept: {text[:500]}")
            raise
        if step.notice:
            self._screen.again(step.notice)
        return True

    def _hidden(self, input_type: str) -> bool:
        return input_type == "secret" and sys.stdin.isatty() and not self._ctx.out.json


def _keyboard() -> Keyboard | Lines:
    try:
        return Keyboard()
    except ImportError:
        return Lines()  # a Python built without readline


def _context(text: str | None) -> JsonMap:
    from retoma.model.codec import decode

    if text is None:
        return {}
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise Invalid(
                f"The context file '{text[1:]}' cannot be read: {why}.", code="bad_context", hint=_EXAMPLE
            ) from error
    try:
        value = decode(text)
    except Invalid as error:
        raise Invalid(f"--context: {error.message}", code="bad_context", hint=_EXAMPLE) from error
    if not isinstance(value, dict):
        raise Invalid("--context is not a JSON object.", code="bad_context", hint=_EXAMPLE)
    return value
