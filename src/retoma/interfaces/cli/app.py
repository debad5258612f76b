"""`retoma NOUN VERB`: finds the verb in the table, imports only its module, runs it and reports errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from retoma.config.place import without_passwords
from retoma.errors import Invalid
from retoma.interfaces.cli import table
from retoma.interfaces.cli.verb import EVERYWHERE, global_options
from retoma.interfaces.problems import DONE, INTERRUPTED
from retoma.model.nearest import did_you_mean, nearest
from retoma.model.utf8 import unreadable

__all__ = ["App", "complete", "run"]

_VERSION = "retoma.version"


class App(click.Group):
    """`retoma` (empty `noun`) or one of its nouns. A verb's module is imported when the verb is used."""

    def __init__(self, noun: str = "") -> None:
        super().__init__(
            noun or "retoma", params=global_options(), callback=self._alone, invoke_without_command=True
        )
        self.noun = noun
        self.context_settings["help_option_names"] = ["--help", "-h"]
        if not noun:
            self.params.append(_version_option())

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(table.verbs_of(self.noun))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        path = table.resolve(f"{self.noun} {cmd_name}".strip())
        if not self.noun and path in table.nouns():
            return App(path)
        entry = table.VERBS.get(path)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] == "help":
            if args[1:]:
                return self.resolve_command(ctx, [*args[1:], "--help"])
            sys.stdout.write(self.get_help(ctx) + "\n")
            ctx.exit()
        word = args[0]
        command = None if word.startswith("-") else self.get_command(ctx, word)
        if command is None and not ctx.resilient_parsing:
            raise self._unknown(word)
        return (command.name if command else None), command, args[1:]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from retoma.interfaces.cli.overview import noun_help, program_help

        formatter.write(noun_help(self.noun) if self.noun else program_help())

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return [CompletionItem(option) for option in EVERYWHERE.split() if option.startswith(incomplete)]
        words = table.verbs_of(self.noun)
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    def _alone(self) -> int | None:
        """Run before any verb, and as the command itself when there is no verb. click calls it."""
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is not None:
            return None
        version = self.get_command(ctx, "version") if ctx.meta.get(_VERSION) else None
        if version is not None:
            ctx.invoke(version)
            return DONE
        if self.noun:
            raise Invalid(
                f"`{ctx.command_path}` needs a verb after it.",
                code="usage",
                hint=f"`{ctx.command_path} --help` lists them.",
            )
        sys.stdout.write(self.get_help(ctx) + "\n")
        return DONE

    def _unknown(self, word: str) -> Invalid:
        of_here = table.verbs_of(self.noun)
        help_line = f"`{' '.join(filter(None, ('retoma', self.noun)))} --help` lists them."
        elsewhere = [
            f"retoma {noun} {word}"
            for noun in table.nouns()
            if table.resolve(f"{noun} {word}") in table.VERBS
        ]
        if not self.noun and elsewhere and not nearest(word, of_here):
            return Invalid(
                f"There is no verb '{word}'.",
                code="usage",
                hint=f"Did you mean `{elsewhere[0]}`? {help_line}",
            )
        what = f"'{self.noun}' has no verb '{word}'." if self.noun else f"There is no verb '{word}'."
        return Invalid(
            what, code="usage", hint=f"{did_you_mean(word, of_here, limit=3)} {help_line}".lstrip()
        )


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit status. Every error is raised, click's as Invalid."""
    _check_encoding(args)
    app = App()
    try:
        with app.make_context("retoma", list(args)) as ctx:
            status = app.invoke(ctx)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        raise _misused(error) from error
    return status if isinstance(status, int) else DONE


def complete(instruction: str) -> int:
    """Answer a completion request of a shell. click reads its words from variables."""
    from click.shell_completion import shell_complete

    return shell_complete(App(), {}, "retoma", "_RETOMA_COMPLETE", instruction)


def _check_encoding(args: Sequence[str]) -> None:
    """Raise Invalid for a word that is not valid text, because it could neither be stored nor found."""
    for word in args:
        if bad := unreadable(word):
            raise Invalid(
                f"'{bad}' is not UTF-8.",
                code="not_utf8",
                hint="Type it again, in a terminal that uses UTF-8.",
            )


def _version_option() -> click.Option:
    def asked(ctx: click.Context, option: click.Parameter, value: object) -> None:
        ctx.meta[_VERSION] = value

    return click.Option(["--version", "-V"], is_flag=True, hidden=True, expose_value=False, callback=asked)


def _misused(error: click.ClickException) -> Invalid:
    said = without_passwords(error.format_message().rstrip())
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context is not None else "retoma"
    stop = "" if said.endswith((".", "?", "!", "?)")) else "."
    return Invalid(f"{said}{stop}", code="usage", hint=f"`{where} --help` shows how it is used.")
