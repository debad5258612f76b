"""`python -m retoma` and `retoma`: the one place where an error becomes a sentence and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run `args` (the process's own, if none is given) and return the exit status; nothing is raised."""
    _open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):
        # What a terminal's encoding lacks is written as its escape, rather than ending the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    status = 0
    words = sys.argv[1:] if args is None else args
    try:
        status = _run(words)
        _flush()
    except BrokenPipeError:
        # Whoever read the output has read enough.
        _stop_output()
    except (Exception, KeyboardInterrupt) as error:
        return _reported(error, json=_asks_json(words))
    return status


def _open_closed_streams() -> None:
    """Lead a standard stream that the caller closed to nowhere: the next file opened would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _run(args: Sequence[str]) -> int:
    from retoma.config import read_environment
    from retoma.interfaces.cli.app import complete, run

    if instruction := read_environment().completing:
        return complete(instruction)
    return run(args)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _stop_output()
        raise


def _stop_output() -> None:
    """Send what is left to nowhere: the interpreter's own flush at exit would complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _asks_json(words: Sequence[str]) -> bool:
    """Return whether `--json` is among the options, also of a command line that has an error in it."""
    return "--json" in (words[: list(words).index("--")] if "--" in words else words)


def _reported(error: BaseException, *, json: bool) -> int:
    from retoma.config import read_environment
    from retoma.config.place import without_passwords
    from retoma.interfaces.cli.text import clean
    from retoma.interfaces.problems import exit_status, failure

    try:
        if read_environment().debug:
            import traceback

            sys.stderr.write(clean(without_passwords("".join(traceback.format_exception(error)))))
        after_echo = "\n" if isinstance(error, KeyboardInterrupt) and sys.stderr.isatty() else ""
        sys.stderr.write(after_echo + clean(failure(error, json=json)) + "\n")
    except BrokenPipeError:
        pass
    return exit_status(error)


if __name__ == "__main__":
    sys.exit(main())
