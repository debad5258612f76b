"""`retoma flow validate`."""

from __future__ import annotations

from pathlib import Path

import click

from retoma.errors import Invalid
from retoma.flows import Problem, load
from retoma.flows import validate as problems_of
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["validate"]


@verb("flow validate", example="retoma flow validate examples/tour")
@click.argument("flow", type=click.Path(path_type=Path, readable=False))
def validate(ctx: Invocation, *, flow: Path) -> int:
    """Say everything that is wrong in a flow's directory, with file and line, without running it."""
    nodes = 0
    try:
        loaded = load(flow)
        problems: list[Problem] = problems_of(loaded)
        nodes = len(loaded.nodes)
    except Invalid as error:
        found = error.facts.get("problems")
        if not isinstance(found, (list, tuple)) or not found:
            raise
        problems = list(found)
    errors = sum(problem.level == "error" for problem in problems)
    if ctx.out.json:
        ctx.out.print_json({"flow": str(flow), "valid": not errors, "nodes": nodes, "problems": problems})
    else:
        for problem in problems:
            hint = f" {problem.hint}" if problem.hint else ""
            ctx.out.line(f"{problem.file}:{problem.line}: {problem.level}: {problem.message}{hint}")
        warnings = len(problems) - errors
        looks = f", {warnings} to look at" if warnings else ""
        if errors:
            ctx.out.note(f"{errors} to mend{looks}.")
        else:
            count = "1 node" if nodes == 1 else f"{nodes:,} nodes"
            ctx.out.line(f"{flow}: {count}, nothing to mend{looks}.")
    return 2 if errors else 0
