"""`retoma flow validate`, `flow graph` and `flow schema`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from retoma.errors import Invalid
from retoma.flows import Problem, load
from retoma.flows import validate as problems_of
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.text import counted
from retoma.interfaces.cli.verb import verb

if TYPE_CHECKING:
    from retoma.flows import Flow, Tool
    from retoma.service.flows import Snapshot

__all__ = ["graph", "schema", "validate"]


@verb("flow validate", example="retoma flow validate examples/tour")
@click.argument("flow", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--tools", metavar="FILE", type=click.Path(path_type=Path), help="The file that lists the allowed tools."
)
def validate(ctx: Invocation, *, flow: Path, tools: Path | None) -> int:
    """Report every problem in a flow's directory, with file and line, without running the flow."""
    nodes = 0
    listed = _listed(tools)
    try:
        loaded = load(flow)
        problems: list[Problem] = problems_of(loaded, listed=listed)
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
        warnings = counted(len(problems) - errors, "warning")
        if errors:
            ctx.out.note(f"{counted(errors, 'error')}, {warnings}.")
        else:
            ctx.out.line(f"{flow}: {counted(nodes, 'node')}, {warnings if problems else 'no problems'}.")
    return 2 if errors else 0


def _listed(file: Path | None) -> dict[str, Tool] | None:
    if file is None:
        return None
    from retoma.programs.allow_list import listed_in

    return listed_in(file)


@verb("flow graph", example="retoma flow graph examples/tour --session my-experiment")
@click.argument("flow", type=click.Path(path_type=Path))
@click.option(
    "--session", metavar="ID", help="Mark the nodes that this session visited, and its current node."
)
@click.option(
    "--format", "shape", type=click.Choice(["mermaid", "dot"]), default="mermaid", show_default=True
)
def graph(ctx: Invocation, *, flow: Path, session: str | None, shape: str) -> None:
    """Print a flow as Mermaid or DOT text: its nodes, its transitions, and the nodes that a session visited."""
    from retoma.flows import graph as drawn

    loaded = load(flow)
    at = _position(ctx, flow, loaded, session) if session is not None else None
    visited = at.history if at else []
    current = at.position.node if at else None
    if ctx.out.json:
        ctx.out.print_json(_graph_view(loaded, visited, current))
    else:
        text = drawn(loaded, "dot" if shape == "dot" else "mermaid", visited=visited, current=current)
        ctx.out.line(text.rstrip("\n"))


@verb("flow schema", example="retoma flow schema > node.schema.json")
def schema(ctx: Invocation) -> None:
    """Print the JSON Schema of a node, for front matter and for nodes in YAML or JSON."""
    from retoma.flows.schema import schema as of_a_node

    ctx.out.print_json(of_a_node())


def _position(ctx: Invocation, directory: Path, flow: Flow, session: str) -> Snapshot:
    from retoma.commands.flow import LookAtSession
    from retoma.service.flows import refuse_other_flow

    snapshot = ctx.do(LookAtSession(session=ctx.meant(session)))
    refuse_other_flow(snapshot.session, str(directory.resolve()), bytes.fromhex(flow.version))
    if snapshot.session.flow is None:
        ctx.out.note(f"Session '{snapshot.session.id}' has no flow yet, so no node is marked.")
    return snapshot


def _graph_view(flow: Flow, visited: list[str], current: str | None) -> dict[str, object]:
    from retoma.flows import edges

    return {
        "flow": flow.name,
        "version": flow.version,
        "entry": flow.entry,
        "nodes": [
            {
                "id": node.id,
                "file": node.file,
                "waits": node.waits,
                "visited": node.id in visited,
                "current": node.id == current,
            }
            for node in flow.nodes.values()
        ],
        "edges": [{"from": source, "to": to, "label": label} for source, to, label in edges(flow)],
    }
