"""`retoma store quarantine`: what `store check --repair` put aside."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from retoma.commands.quarantine import (
    DeleteQuarantined,
    ExportQuarantined,
    ListQuarantine,
    RestoreQuarantined,
)
from retoma.errors import Invalid
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.several import agreed, each
from retoma.interfaces.cli.store_check import there
from retoma.interfaces.cli.verb import verb

__all__ = ["quarantine"]


@verb("store quarantine", example="retoma store quarantine export my-experiment -o rest.jsonl")
@click.argument("action", type=click.Choice(["ls", "export", "restore", "rm"]), default="ls")
@click.argument("ids", nargs=-1, metavar="[ID|NUMBER...]")
@click.option("-o", "--output", metavar="FILE", help="With export: write to this new file.")
@click.option("--as", "new_id", metavar="ID", help="With restore: the session's new id.")
@click.option("--yes", is_flag=True, help="With rm: do not ask.")
def quarantine(
    ctx: Invocation, *, action: str, ids: tuple[str, ...], output: str | None, new_id: str | None, yes: bool
) -> int:
    """List the damaged sessions that `store check --repair` put in quarantine; export what can be read of one; restore
    sessions that are sound again; delete sessions permanently."""
    there(ctx)
    _refuse_unfit(action, ids, output, new_id)
    if action == "ls":
        _list(ctx)
    elif action == "export":
        _export(ctx, ids[0], output)
    elif action == "restore":
        return each(ctx, ids, lambda id: _restore(ctx, id, new_id), done="Restored")
    else:
        what = f"'{ids[0]}'" if len(ids) == 1 else f"{len(ids)} sessions"
        if not yes and not agreed(ctx, f"Delete {what} permanently?", unasked=True):
            ctx.out.note("Nothing was deleted.")
            return 1
        return each(ctx, ids, lambda id: _delete(ctx, id), done="Deleted")
    return 0


def _refuse_unfit(action: str, ids: tuple[str, ...], output: str | None, new_id: str | None) -> None:
    """Raise Invalid for ids and options that the action does not take."""
    least, most = {"ls": (0, 0), "export": (1, 1)}.get(action, (1, 1 if new_id else len(ids)))
    if not least <= len(ids) <= max(least, most):
        wanted = "takes no id" if most == 0 else "needs one id" if most == 1 else "needs an id"
        raise Invalid(
            f"`store quarantine {action}` {wanted}.",
            code="usage",
            hint="`retoma store quarantine` lists them.",
        )
    for option, given, of in (("-o", output, "export"), ("--as", new_id, "restore")):
        if given is not None and action != of:
            raise Invalid(f"{option} belongs to `store quarantine {of}`.", code="usage")


def _list(ctx: Invocation) -> None:
    found = ctx.do(ListQuarantine())
    if ctx.out.json:
        ctx.out.page(found, total=len(found))
        return
    if not found:
        ctx.out.line("Nothing is in quarantine.")
    for one in found:
        since = ctx.out.when(one.at.ms, ctx.now_ms)
        ctx.out.line(
            f"- {one.id or 'rows without a session'} (number {one.number}), since {since}: {one.why}"
        )


def _export(ctx: Invocation, id: str, output: str | None) -> None:
    with closing(ExportQuarantined(name=id).run(ctx.opened)) as pieces:
        if output is None or output == "-":
            ctx.out.document(pieces, json=True)
            return
        from retoma.interfaces.cli.file import write_file

        written = write_file(Path(output), pieces, force=False)
    if ctx.out.json:
        ctx.out.print_json({"id": id, "file": output, "bytes": written})
    else:
        ctx.out.line(f"Wrote {output}: what can be read of {id}.")


def _restore(ctx: Invocation, id: str, new_id: str | None) -> dict[str, object]:
    return {"session": ctx.do(RestoreQuarantined(name=id, new_id=new_id))}


def _delete(ctx: Invocation, id: str) -> dict[str, object]:
    return {"number": ctx.do(DeleteQuarantined(name=id)).number}
