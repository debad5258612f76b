"""`retoma config`: what holds, and where each value came from."""

from __future__ import annotations

from retoma.config import Settings, StorePlace
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.output import Styled
from retoma.interfaces.cli.verb import verb

__all__ = ["config"]


@verb("config", example="retoma config --json")
def config(ctx: Invocation) -> None:
    """Print what holds here, and where each value came from."""
    settings, place = ctx.settings, ctx.place
    values = _values(settings, place)
    if ctx.out.json:
        ctx.out.print_json(
            {
                "settings": [{"key": key, "value": value, "source": source} for key, value, source in values],
                "files": [str(path) for path in settings.files],
                "unused": settings.unused,
            }
        )
        return
    ctx.out.table([(key, _shown(value), Styled(source, "dim")) for key, value, source in values])
    for key in settings.unused:
        ctx.out.note(f"{key} is known, and not used by this version.")


def _values(settings: Settings, place: StorePlace) -> list[tuple[str, str | int | None, str]]:
    limits = {f"limits.{name}": getattr(settings.limits, name) for name in settings.limits.__struct_fields__}
    return [("store", place.shown, place.source)] + [
        (key, value, settings.sources[key]) for key, value in limits.items()
    ]


def _shown(value: str | int | None) -> str:
    if value is None:
        return "no limit"
    return f"{value:,}" if isinstance(value, int) else value
