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

from retoma.errors import Invalid
from retoma.interfaces.cli.context import Invocation

__all__ = ["EVERYWHERE", "Verb", "global_options", "verb"]

P = ParamSpec("P")

EVERYWHERE = "--store PATH|URL --json --quiet --no-color --utc"


def verb(
    path: str, *, example: str, dashed: bool = False, text: bool = False
) -> Callable[[Callable[Concatenate[Invocation, P], int | None]], click.Command]:
    """Make a function the verb at `path` of the table. The help shows the line `example`.

    With `dashed`, an argument may start with a dash, such as -draft in `session tag`. With `text`, the last argument is
    a text, and may start with one dash.
    """

    def made(function: Callable[Concatenate[Invocation, P], int | None]) -> click.Command:
        def call(*args: P.args, **kwargs: P.kwargs) -> int | None:
            with Invocation(_given(click.get_current_context())) as invocation:
                return function(invocation, *args, **kwargs)

        # click's decorators left their options on the function; they move along.
        wrapped = update_wrapper(call, function)
        command = click.command(path.rpartition(" ")[2], cls=Verb)(wrapped)
        command.path = path
        command.example = example
        command.text = text
        command.context_settings["ignore_unknown_options"] = dashed or text
        # -hello is a text there, and not -h with more letters.
        command.context_settings["help_option_names"] = ["--help"] if dashed or text else ["--help", "-h"]
        command.params.extend(global_options())
        return command

    return made


class Verb(click.Command):
    """A command whose help fits on one screen: description, own options, example, and the global options in one
    line."""

    example = ""
    path = ""
    text = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args == ["-h"]:
            args = ["--help"]
        if self.text:
            self._refuse_lost_text(args)
        return super().parse_args(ctx, args)

    def _refuse_lost_text(self, args: list[str]) -> None:
        """Raise Invalid for a text that would be taken for a call for help, or for an option with a typing error."""
        known = {name: option for option in self.params for name in option.opts}
        before_text = sum(isinstance(one, click.Argument) for one in self.params) - 1
        words = iter(args[: args.index("--")] if "--" in args else args)
        given = 0
        for word in words:
            option = known.get(word.partition("=")[0])
            if isinstance(option, click.Option):
                if not option.is_flag and "=" not in word:
                    next(words, None)
            elif word == "--help" and given < before_text:
                return
            elif word.startswith("--"):
                raise Invalid(
                    f"No such option '{word}'."
                    if given < before_text
                    else f"'{word}' is not an option here.",
                    code="usage",
                    hint="Before a text that starts with two dashes, write --. "
                    f"The options: `retoma {self.path} --help`",
                )
            else:
                given += 1

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.hidden = True  # who reads its line knows it already
        return option

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
