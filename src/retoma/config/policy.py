"""What settings make of a store's use: limits, retention and templates, as the layers above take them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from retoma.config.place import StorePlace
from retoma.config.value import Value
from retoma.model.codec import JsonMap, decode, encode
from retoma.model.limits import Limits
from retoma.model.retention import Retention
from retoma.model.template import Template

if TYPE_CHECKING:
    from retoma.config.settings import Settings

__all__ = ["limits", "retention", "template_names", "templates", "withheld"]

T = TypeVar("T")

Values = Mapping[str, Value]


def limits(values: Values, sources: Mapping[str, str]) -> Limits:
    """Return the limits, with the file that sets each."""
    own = {name: one.events_per_session for name, one in templates(values).items()}
    return Limits(
        sessions=_a(values, "limits.sessions", int),
        sessions_active=_a(values, "limits.sessions_active", int),
        events_per_session=_a(values, "limits.events_per_session", int),
        by_template={name: most for name, most in own.items() if most is not None},
        set_in={
            key: source.partition(":")[2] or source for key, source in sources.items() if source != "default"
        },
    )


def retention(settings: Settings, place: StorePlace) -> Retention:
    """Return what goes by its age in the store at `place`."""
    kept = withheld(settings, place)
    values = {key: value for key, value in settings.values.items() if key not in kept}
    return Retention(
        idle_timeout_ms=_a(values, "retention.idle_timeout", int),
        completed_after_ms=_a(values, "retention.completed_after", int),
    )


def withheld(settings: Settings, place: StorePlace) -> Mapping[str, Path]:
    """Return the keys of retention that do not hold in the store at `place`, each with the file that sets it.

    A file that was found may rule over the store beside it, and over one that was named on this very command line. Over
    any other, such as the user's own, it rules once it is trusted: whoever enters a directory must lose nothing by it.
    """
    if place.kind == "memory" or place.source == "--store":
        return {}
    from retoma.config.trusted import is_trusted

    found: dict[str, Path] = {}
    for key in (key for key in settings.values if key.startswith("retention.")):
        file = next(file for file in settings.read if file.source == settings.sources[key])
        beside = place.path is not None and place.path.resolve().is_relative_to(file.path.parent.resolve())
        if not beside and not is_trusted(file, settings.environment):
            found[key] = file.path
    return found


def templates(values: Values) -> Mapping[str, Template]:
    """Return the templates by their names, in the order of these."""
    return {name: _template(values, f"templates.{name}.") for name in template_names(values)}


def template_names(values: Values) -> list[str]:
    """Return the names of templates, sorted."""
    return sorted({key.split(".")[1] for key in values if key.startswith("templates.")})


def _template(values: Values, under: str) -> Template:
    tags, metadata = values.get(f"{under}tags"), values.get(f"{under}metadata")
    return Template(
        title_prefix=_a(values, f"{under}title_prefix", str) or "",
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        metadata=_json(metadata) if isinstance(metadata, dict) else {},
        agent=_a(values, f"{under}agent", str) or "",
        model=_a(values, f"{under}model", str) or "",
        ttl_ms=_a(values, f"{under}ttl", int),
        events_per_session=_a(values, f"{under}limits.events_per_session", int),
    )


def _json(table: Mapping[str, Value]) -> JsonMap:
    known = decode(encode(table))
    return known if isinstance(known, dict) else {}


def _a(values: Values, key: str, kind: type[T]) -> T | None:
    value = values.get(key)
    return value if isinstance(value, kind) else None
