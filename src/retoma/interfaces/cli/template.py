"""`retoma template ls` and `template show`: the templates for new sessions."""

from __future__ import annotations

import click

from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.named import TEMPLATE
from retoma.interfaces.cli.verb import verb
from retoma.model.template import Template, named
from retoma.model.times import span

__all__ = ["ls", "show"]


@verb("template ls", example="retoma template ls")
def ls(ctx: Invocation) -> None:
    """List the templates in the configuration."""
    templates = ctx.settings.templates
    if ctx.out.json:
        items = [_view(ctx, name, one) for name, one in templates.items()]
        ctx.out.page(items)
        return
    if not templates:
        ctx.out.line("No templates found. Add `[templates.NAME]` to a retoma.toml.")
    ctx.out.table([(f"- {name}", _gist(one)) for name, one in templates.items()], whole=0)


@verb("template show", example="retoma template show review")
@click.argument("name", type=TEMPLATE)
def show(ctx: Invocation, *, name: str) -> None:
    """Show the values that a template sets in a new session, and the source of each value."""
    template = named(ctx.settings.templates, name)
    if ctx.out.json:
        ctx.out.print_json(_view(ctx, name, template))
        return
    ctx.out.line(name)
    ctx.out.table([(key, shown, _source(ctx, name, key)) for key, shown in _rows(template) if shown])


def _rows(template: Template) -> list[tuple[str, str]]:
    from retoma.model.codec import encode

    most = template.events_per_session
    return [
        ("title_prefix", template.title_prefix),
        ("tags", ", ".join(template.tags)),
        ("metadata", encode(template.metadata).decode() if template.metadata else ""),
        ("agent", template.agent),
        ("model", template.model),
        ("ttl", span(template.ttl_ms) if template.ttl_ms is not None else ""),
        ("limits.events_per_session", f"{most:,}" if most is not None else ""),
    ]


def _gist(template: Template) -> str:
    return "  ".join(f"{key} {shown}" for key, shown in _rows(template) if shown)


def _source(ctx: Invocation, name: str, key: str) -> str:
    under = f"templates.{name}.{key}"
    sources = ctx.settings.sources
    return next((said for one, said in sources.items() if one == under or one.startswith(f"{under}.")), "")


def _view(ctx: Invocation, name: str, template: Template) -> dict[str, object]:
    from retoma.model.times import span

    return {
        "name": name,
        "title_prefix": template.title_prefix or None,
        "tags": template.tags,
        "metadata": template.metadata,
        "agent": template.agent or None,
        "model": template.model or None,
        "ttl": span(template.ttl_ms) if template.ttl_ms is not None else None,
        "limits": {"events_per_session": template.events_per_session},
        "unused": [key for key in ctx.settings.unused if key.startswith(f"templates.{name}.")],
    }
