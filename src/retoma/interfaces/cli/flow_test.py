"""`retoma flow test`: run a flow by scripts, in memory, without starting any tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from retoma.errors import NotFound, RetomaError
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

if TYPE_CHECKING:
    from retoma.flows import Flow
    from retoma.runtime.drive import Drive, Request
    from retoma.runtime.rehearsal import Difference

__all__ = ["test"]

TESTS = ".tests"


@verb("flow test", example="retoma flow test examples/trip")
@click.argument("flow", type=click.Path(path_type=Path, readable=False))
@click.argument("scripts", metavar="[SCRIPT.yaml|DIR]...", nargs=-1, type=click.Path(path_type=Path))
def test(ctx: Invocation, *, flow: Path, scripts: tuple[Path, ...]) -> int:
    """Test a flow with scripts, which list its inputs, its tools' answers and the expected result.

    Without SCRIPT, run the scripts in the flow's .tests directory. No tool is started, and no store is used.
    """
    from retoma.flows import check, load

    loaded = load(flow)
    check(loaded)
    files = _files(flow, scripts)
    results = [_one(flow, loaded, file) for file in files]
    failed = sum(difference is not None for _, _, difference in results)
    if ctx.out.json:
        ctx.out.print_json(
            {
                "flow": str(flow),
                "passed": len(results) - failed,
                "failed": failed,
                "scripts": [
                    {
                        "script": str(file),
                        "name": name or None,
                        "ok": difference is None,
                        "difference": difference,
                    }
                    for file, name, difference in results
                ],
            }
        )
        return 1 if failed else 0
    width = max(len(str(file)) for file in files)
    for file, name, difference in results:
        ctx.out.line(f"{'FAIL' if difference else 'ok  '}  {file!s:{width}}  {name}".rstrip())
        for line in _said(file, difference):
            ctx.out.line(f"      {line}")
    count = "1 script" if len(results) == 1 else f"{len(results)} scripts"
    ctx.out.line(f"{count}: {len(results) - failed} ok{f', {failed} failed' if failed else ''}.")
    return 1 if failed else 0


def _files(flow: Path, scripts: tuple[Path, ...]) -> list[Path]:
    """Return the scripts; the scripts of a directory are sorted by name. Raises NotFound."""
    found: list[Path] = []
    for place in scripts or (flow / TESTS,):
        if place.is_dir():
            found += sorted(file for file in place.rglob("*") if file.suffix in (".yaml", ".yml"))
        elif place.is_file():
            found.append(place)
        elif scripts:
            raise NotFound(
                f"There is no script at '{place}'.", code="no_script", hint="Give a file or a directory."
            )
    if not found:
        raise NotFound(
            "There is no script to run.",
            code="no_script",
            hint=f"Write one into {flow / TESTS}, or give one: retoma flow test {flow} SCRIPT.yaml",
        )
    return found


def _one(directory: Path, flow: Flow, file: Path) -> tuple[Path, str, Difference | None]:
    from retoma.commands.flow import RunFlow
    from retoma.commands.opened import opened_at
    from retoma.config import StorePlace
    from retoma.config.opened import open_file
    from retoma.flows import script as scripts
    from retoma.runtime.rehearsal import Difference, rehearse

    try:
        with open_file(file) as opened:
            script, problems = scripts.read(str(file), opened.read())
    except OSError as error:
        return file, "", Difference(what=f"It cannot be read: {error.strerror}.")
    if problems:
        first = min(problems)
        return file, script.name, Difference(what=f"{first.message} {first.hint}".rstrip(), line=first.line)
    memory = StorePlace(kind="memory", url=":memory:", given=False, source="none")
    try:
        with opened_at(memory) as store:

            def drive(request: Request) -> Drive:
                return RunFlow(request=request).run(store)

            return file, script.name, rehearse(drive, directory, flow, script)
    except RetomaError as error:
        return file, script.name, Difference(what=error.message)


def _said(file: Path, difference: Difference | None) -> list[str]:
    if difference is None:
        return []
    place = f"{file.name}:{difference.line}: " if difference.line else ""
    if difference.expected is None:
        return [f"{place}{difference.what}"]
    return [
        f"{place}{difference.what}",
        f"  expected  {difference.expected}",
        f"  got       {difference.got}",
    ]
