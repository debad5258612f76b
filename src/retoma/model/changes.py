"""What is said of a session and can be said anew: its texts, labels, metadata and shelf.

A change is journalled as `session.updated` with only what it makes different; `applied` reads such data again, so rows
and journal follow one rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from retoma.errors import Invalid
from retoma.model.codec import Json, JsonMap
from retoma.model.session import PROPERTIES, TEXTS, About, Session, check_labels, check_texts, thinking


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different. None, or nothing listed: left as it is; an empty text takes a value away.

    `metadata` is laid over what is there, `forget` names keys of it that go.
    """

    title: str | None = None
    description: str | None = None
    agent: str | None = None
    model: str | None = None
    thinking: str | None = None
    channel: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    link: tuple[tuple[str, str], ...] = ()
    unlink: tuple[tuple[str, str], ...] = ()
    metadata: JsonMap = {}
    forget: tuple[str, ...] = ()


_ROW = (*PROPERTIES, "pinned", "archived")


def checked(changes: Changes) -> Changes:
    """Return `changes` with its words normalised. Raises Invalid for the first that cannot be."""
    texts = {name: getattr(changes, name) for name in TEXTS}
    check_texts({name: text for name, text in texts.items() if text is not None})
    check_labels(changes.tag, changes.link)
    if both := set(changes.tag) & set(changes.untag):
        raise Invalid(
            f"The tag '{min(both)}' cannot be added and removed in the same command.", code="bad_label"
        )
    if linked := set(changes.link) & set(changes.unlink):
        raise Invalid(
            f"The context '{'='.join(min(linked))}' cannot be added and removed in the same command.",
            code="bad_label",
        )
    if named := set(changes.metadata) & set(changes.forget):
        raise Invalid(
            f"The metadata's key '{min(named)}' cannot be set and removed in the same command.",
            code="bad_key",
        )
    if changes.thinking:
        return msgspec.structs.replace(changes, thinking=thinking(changes.thinking))
    return changes


def difference(session: Session, about: About, changes: Changes) -> dict[str, Json]:
    """Return the data of the event that makes `changes`, empty when all of it holds already."""
    had = {name: getattr(session, name) for name in _ROW} | {"description": about.description}
    new = {name: value for name in had if (value := getattr(changes, name)) is not None}
    known = about.metadata
    parts: dict[str, Any] = {
        "set": {name: value for name, value in new.items() if value != had[name]},
        "tag": sorted(set(changes.tag) - set(about.tags)),
        "untag": sorted(set(changes.untag) & set(about.tags)),
        "link": sorted(set(changes.link) - set(about.contexts)),
        "unlink": sorted(set(changes.unlink) & set(about.contexts)),
        "metadata": {
            name: value
            for name, value in changes.metadata.items()
            if name not in known or known[name] != value
        },
        "forget": sorted(set(changes.forget) & set(known)),
    }
    return {name: part for name, part in parts.items() if part}


def applied(session: Session, about: About, data: Mapping[str, Any]) -> tuple[Session, About]:
    """Return what the data of a `session.updated` event makes of a session."""
    new = dict(data.get("set", {}))
    description = new.pop("description", about.description)
    row = {name: value for name, value in new.items() if name in _ROW}
    metadata = {**about.metadata, **data.get("metadata", {})}
    for name in data.get("forget", ()):
        metadata.pop(name, None)
    contexts = set(about.contexts) | {(kind, ref) for kind, ref in data.get("link", ())}
    return msgspec.structs.replace(session, **row), About(
        description=description,
        metadata=metadata,
        tags=tuple(sorted((set(about.tags) | set(data.get("tag", ()))) - set(data.get("untag", ())))),
        contexts=tuple(sorted(contexts - {(kind, ref) for kind, ref in data.get("unlink", ())})),
    )
