"""Templates: what sessions of one kind begin with, under a name."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from retoma.errors import NotFound
from retoma.model.codec import JsonMap
from retoma.model.nearest import did_you_mean
from retoma.model.session import NewSession


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is given when it is made. `events_per_session` holds for each session made from it."""

    title_prefix: str = ""
    tags: tuple[str, ...] = ()
    metadata: JsonMap = {}
    agent: str = ""
    model: str = ""
    ttl_ms: int | None = None
    events_per_session: int | None = None


def applied(templates: Mapping[str, Template], name: str, new: NewSession) -> NewSession:
    """Return `new` with what the template `name` gives where nothing was said; tags and metadata are joined.

    Raises NotFound with the nearest names for a template that there is not.
    """
    template = named(templates, name)
    return msgspec.structs.replace(
        new,
        template=name,
        title=(template.title_prefix + new.title).strip(),
        tags=(*template.tags, *new.tags),
        metadata=dict(template.metadata) | dict(new.metadata),
        agent=new.agent or template.agent,
        model=new.model or template.model,
        ttl_ms=new.ttl_ms if new.ttl_ms is not None else template.ttl_ms,
    )


def named(templates: Mapping[str, Template], name: str) -> Template:
    """Return the template `name`. Raises NotFound."""
    found = templates.get(name)
    if found is None:
        raise NotFound(
            f"There is no template '{name}'.",
            code="no_template",
            hint=f"{did_you_mean(name, templates, limit=3)} `retoma template ls` lists them.".lstrip(),
            template=name,
        )
    return found
