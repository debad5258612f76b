"""`retoma run`: run a flow in a durable session, on the terminal, headless or with JSON lines."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import click
import msgspec

from retoma.commands.flow import RunFlow
from retoma.errors import Invalid, RetomaError
from retoma.interfaces.cli.answers import Answers
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION
from retoma.interfaces.cli.given import context_of
from retoma.interfaces.cli.lines import TimedOut, Woken
from retoma.interfaces.cli.screen import JsonScreen, Screen, TextScreen
from retoma.interfaces.cli.signals import Ended, perhaps_hung_up
from retoma.interfaces.cli.tool_turns import Allowed, ToolTurns
from retoma.interfaces.cli.verb import verb
from retoma.interfaces.cli.words import Words
from retoma.interfaces.problems import FAILED, INTERRUPTED, STOPPED, sentence
from retoma.runtime.drive import Drive, Request
from retoma.runtime.reload import Found
from retoma.runtime.toolbox import Given
from retoma.runtime.watch import Watch

__all__ = ["run"]


@verb("run", example="retoma run examples/tour --session my-experiment")
@click.argument("flow", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--session", metavar="ID", type=SESSION, help="Start or resume this session; without it, a new session."
)
@click.option("--fresh", is_flag=True, help="Restart the flow in the same session, in a new epoch.")
@click.option("--resume", is_flag=True, help="Resume the session first if it is paused.")
@click.option("--pinned", is_flag=True, help="Keep the flow version the session has; ignore edits.")
@click.option("--watch", is_flag=True, help="Apply changes of the flow's files while it runs.")
@click.option("--context", metavar="JSON|@FILE", help="The initial context of the flow.")
@click.option("--headless", is_flag=True, help="No prompt, no colour; each line of input is one answer.")
@click.option("--plain", is_flag=True, help="Plain text without formatting, also on a terminal.")
@click.option("--yes", is_flag=True, help="Allow every tool.")
@click.option("--deny", is_flag=True, help="Refuse every tool.")
@click.option(
    "--tools", metavar="FILE", type=click.Path(path_type=Path), help="The file that lists the allowed tools."
)
@click.option("--allow-inline", is_flag=True, help="Allow tools that the flow's nodes declare themselves.")
def run(
    ctx: Invocation,
    *,
    flow: Path,
    session: str | None,
    fresh: bool,
    resume: bool,
    pinned: bool,
    watch: bool,
    context: str | None,
    headless: bool,
    plain: bool,
    yes: bool,
    deny: bool,
    tools: Path | None,
    allow_inline: bool,
) -> int:
    """Start a flow in a session, or resume it at its current node. After any stop, the same command resumes the
    flow."""
    if fresh and pinned:
        raise Invalid(
            "--fresh starts the current version of the flow; --pinned continues the stored version.",
            code="usage",
            hint="Use only one of the two.",
        )
    if yes and deny:
        raise Invalid(
            "--yes allows every tool; --deny refuses every tool.",
            code="usage",
            hint="Use only one of the two.",
        )
    if watch and pinned:
        raise Invalid(
            "--pinned keeps the stored version of the flow; --watch applies each new version.",
            code="usage",
            hint="Use only one of the two.",
        )
    request = Request(
        directory=flow,
        session=session,
        context=context_of(context),
        fresh=fresh,
        resume=resume,
        pinned=pinned,
        locale=ctx.environment.lang,
        tools=Given(file=tools, allow_inline=allow_inline, environment=ctx.environment.for_tools),
    )
    screen: Screen
    screen = lines = JsonScreen(ctx.out)
    try:
        drive = ctx.do(RunFlow(request=request))
    except RetomaError as error:
        if ctx.out.json:
            lines.refused(error)
        raise
    say = Words(drive.flow.nodes[drive.flow.entry].language or ctx.environment.lang)
    if not ctx.out.json:
        screen = TextScreen(ctx.out, say, headless=headless, plain=plain or headless)
    with drive, Watch(flow, drive.found) if watch else nullcontext() as watching:
        asks = not headless and not ctx.out.json and sys.stdin.isatty()
        allowed = Allowed("yes" if yes else "headless" if headless else "", deny)
        return _Run(
            ctx,
            drive,
            screen,
            say,
            watching,
            flow=flow,
            asks=asks,
            headless=headless,
            plain=plain,
            allowed=allowed,
        ).go()


class _Run:
    """One run, from the opened drive to the exit status. With `asks`, a person types the answers."""

    def __init__(
        self,
        ctx: Invocation,
        drive: Drive,
        screen: Screen,
        say: Words,
        watch: Watch | None,
        *,
        flow: Path,
        asks: bool,
        headless: bool,
        plain: bool,
        allowed: Allowed,
    ) -> None:
        self._ctx = ctx
        self._drive = drive
        self._screen = screen
        self._asks = asks
        self._headless = headless
        self._say = say
        self._tools = ToolTurns(drive, screen, approved=allowed.by, deny=allowed.none, note=ctx.out.note)
        self._flow = flow
        self._watch = watch
        self._change: Found | None = None
        self._answers = Answers(ctx, drive, screen, asks=asks, plain=plain)

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
                if not self._answered():
                    status = "waiting_for_input" if drive.prompt else "waiting_for_tool"
                    return STOPPED
        except KeyboardInterrupt:
            return INTERRUPTED
        except Ended as ended:
            status = "terminated" if drive.prompt else "waiting_for_tool"
            return 128 + ended.number if self._answers.ended else STOPPED
        except BrokenPipeError:
            # Whoever read the output has read enough; that is no end of the flow.
            return 0 if drive.over else STOPPED
        except RetomaError as error:
            status, cause = "stopped", error.message
            raise
        finally:
            with suppress(BrokenPipeError), perhaps_hung_up() if self._answers.ended else nullcontext():
                screen.end(status, drive, cause)

    def _greet(self) -> None:
        drive, note, say = self._drive, self._ctx.out.note, self._say
        node = drive.position.node
        if not drive.history and not drive.final:
            return  # it could not begin
        if drive.final:
            ended = "failed" if drive.final == "failed" else "ended"
            where = "at '{node}' node" if node else "with no flow in it"
            if drive.position.status == "finished" and not node:
                where = "and was rolled back"
            text = f">>> Session '{{session}}' {ended} before, {where}. Restart it with --fresh."
            note(say(text, session=drive.session, node=node))
            return
        note(say(">>> Session '{session}' active.", session=drive.session))
        for line in drive.notices:
            note(f">>> {line}")
        if drive.resumed:
            note(say(">>> Resuming at '{node}' node...", node=node))
        else:
            self._point_at_warnings()

    def _point_at_warnings(self) -> None:
        """Show a note with the number of warnings that `flow validate` reports."""
        if (count := len(self._drive.flow.warnings)) and self._asks:
            text = ">>> Warnings in this flow: {count}. Show them: retoma flow validate {flow}"
            self._ctx.out.note(self._say(text, count=count, flow=self._flow))

    def _answered(self) -> bool:
        try:
            if self._drive.call is not None and self._drive.prompt is None:
                return self._tools.turn(self._answers.consent, again=self._asks)
            return self._turn()
        except Invalid as error:
            if not self._asks:
                raise
            self._ctx.out.problem(sentence(error))
            self._drive.shown = ()
            return True

    def _turn(self) -> bool:
        """Ask until the flow accepts an input or an edited version; return False at the end of the input."""
        drive, prompt = self._drive, self._drive.prompt
        assert prompt is not None, "a flow that is not over waits for input"
        if self._reloaded():
            return True
        if drive.wanted is not None:
            if self._headless:
                return False
            why = "The secret '{key}' is asked for again, because secrets are not saved."
            self._screen.again(self._say(why, key=drive.wanted))
        try:
            text = self._answers.read(prompt, self._watch, self._reloaded)
        except Woken:
            return True
        except TimedOut:
            if not self._signalled("timeout"):
                drive.prompt = msgspec.structs.replace(prompt, timeout_s=None)
                drive.shown = ()
            return True
        except KeyboardInterrupt:
            if not self._signalled("interrupt"):
                raise
            return True
        return text is not None and self._send(self._screen.given(text))

    def _reloaded(self) -> bool:
        """Handle a change of the flow's files; return whether the session uses the new version.

        A change waits while a secret is asked for again, because the step that needs the secret is not done.
        """
        self._change = (self._watch.take() if self._watch is not None else None) or self._change
        if self._change is None or self._drive.wanted is not None:
            return False
        found, self._change = self._change, None
        reload = self._drive.reload(found)
        self._screen.reloaded(reload)
        if reload.taken:
            self._point_at_warnings()
        return reload.taken

    def _signalled(self, name: str) -> bool:
        """Send a signal to the flow; return False if there is no handler."""
        node, to = self._drive.position.node, self._drive.leads_to(name)
        step = self._drive.signal(name)
        self._screen.signal(name, node, to)
        return step is not None

    def _send(self, text: str) -> bool:
        prompt = self._drive.prompt  # the one that was answered: afterwards it may be the next one
        try:
            step = self._drive.send(text)
        except Invalid:
            raise
        except RetomaError:
            if prompt is None or prompt.input_type != "secret":
                typed = text[:500] or "(an empty line)"
                self._ctx.out.problem(f"Your last answer was not saved: {typed}")
            raise
        if step.notice:
            self._screen.again(step.notice)
        return True
