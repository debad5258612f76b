"""`python -m retoma` and `retoma`: runs a command line; the one place where an error becomes a sentence and a status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run `args` (the process's own, if none is given) and return the exit status; nothing is raised."""
    try:
        status = _run(sys.argv[1:] if args is None else args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has read enough; the interpreter's own flush at exit must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return _reported(error)
    return status


def _run(args: Sequence[str]) -> int:
    from retoma.config import read_environment
    from retoma.interfaces.cli.app import complete, run

    if instruction := read_environment().completing:
        return complete(instruction)
    return run(args)


def _reported(error: BaseException) -> int:
    from retoma.config import read_environment
    from retoma.interfaces.cli.text import clean
    from retoma.interfaces.problems import exit_status, sentence

    try:
        if read_environment().debug:
            import traceback

            sys.stderr.write("".join(traceback.format_exception(error)))
        sys.stderr.write(clean(sentence(error)) + "\n")
    except BrokenPipeError:
        pass
    return exit_status(error)


if __name__ == "__main__":
    sys.exit(main())
