"""How a verb is written.

    @verb("session ls", example="retoma session ls --status active")
    @click.option("--status", help="Only these.")
    def ls(ctx: Invocation, *, status: str | None) -> int | None:
        \"\"\"List sessions, newest first.\"\"\"

The first paragraph of the docstring is shown by `--help`. The verb returns its exit status; None means 0. It raises
RetomaError and prints no errors itself. Users may give the global options before or after the verb; `ctx` has them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate, ParamSpec

import click

from retoma.interfaces.cli.context import Invocation

__all__ = ["EVERYWHERE", "Verb", "global_options", "verb"]

P = ParamSpec("P")

EVERYWHERE = "--store PATH|URL --json --quiet --no-color --utc"


def verb(
    path: str, *, example: str, dashed: bool = False
) -> Callable[[Callable[Concatenate[Invocation, P], int | None]], click.Command]:
    """Make a function the verb at `path` of the table. The help shows the line `example`.

    With `dashed`, an argument may start with a dash, such as -draft in `session tag`.
    """

    def made(function: Callable[Concatenate[Invocation, P], int | None]) -> click.Command:
        def call(*args: P.args, **kwargs: P.kwargs) -> int | None:
            with Invocation(_given(click.get_current_context())) as invocation:
                return function(invocation, *args, **kwargs)

        # click's decorators left their options on the function; they move along.
        wrapped = update_wrapper(call, function)
        command = click.command(path.rpartition(" ")[2], cls=Verb)(wrapped)
        command.example = example
        command.context_settings["ignore_unknown_options"] = dashed
        command.params.extend(global_options())
        return command

    return made


class Verb(click.Command):
    """A command whose help fits on one screen: description, own options, example, and the global options in one
    line."""

    example = ""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.width = min(formatter.width, 80)
        self.format_usage(ctx, formatter)
        paragraph = (self.help or "").partition("\n\n")[0]
        formatter.write_text(" ".join(paragraph.split()))
        self.format_options(ctx, formatter)
        formatter.write_paragraph()
        formatter.write(f"Example: {self.example}\n")
        formatter.write(f"Everywhere: {EVERYWHERE}\n")


def global_options() -> list[click.Parameter]:
    """Return the options that are allowed before and after any verb. They are hidden, because each help lists them
    in one line."""

    def flag(name: str) -> click.Option:
        return click.Option(
            [name],
            is_flag=True,
            flag_value=True,
            default=None,
            hidden=True,
            expose_value=False,
            callback=_record,
        )

    store = click.Option(["--store"], metavar="PATH|URL", hidden=True, expose_value=False, callback=_record)
    return [store, *(flag(name) for name in ("--json", "--quiet", "--no-color", "--utc"))]


def _record(ctx: click.Context, option: click.Parameter, value: object) -> None:
    if value is not None and option.name is not None:
        _given(ctx)[option.name] = value


def _given(ctx: click.Context) -> dict[str, object]:
    given: dict[str, object] = ctx.find_root().ensure_object(dict)
    return given
