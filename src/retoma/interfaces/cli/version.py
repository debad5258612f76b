"""`retoma version`: the versions to include in a problem report."""

from __future__ import annotations

import sys
from contextlib import suppress

from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["version"]


@verb("version", example="retoma version --json")
def version(ctx: Invocation) -> None:
    """Print the versions of Retoma, Python, SQLite and psycopg, and the store format that this Retoma writes."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    import apsw

    from retoma.stores.sql.migrate import FORMAT

    versions = {
        "retoma": installed("retoma"),
        "python": ".".join(map(str, sys.version_info[:3])),
        "sqlite": apsw.sqlite_lib_version(),
        "format": str(FORMAT),
    }
    with suppress(PackageNotFoundError):
        versions["psycopg"] = installed("psycopg")
    if ctx.out.json:
        ctx.out.print_json(versions)
    else:
        ctx.out.facts(versions.items())
