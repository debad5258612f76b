"""The JSON Schema of what the verbs print with `--json`, made from the shapes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from retoma.model import outcomes, pages, shapes
from retoma.model.instant import Instant
from retoma.model.message import Message

SESSION_VERBS: Final[dict[str, object]] = {
    "session append": outcomes.Written,
    "session archive": pages.Page[outcomes.Outcome],
    "session create": shapes.Whole,
    "session describe": shapes.Whole,
    "session diff": outcomes.Difference,
    "session end": outcomes.Changed,
    "session export": outcomes.Exported,
    "session fail": outcomes.Changed,
    "session fork": outcomes.Forked,
    "session import": pages.Page[outcomes.Imported],
    "session inspect": (shapes.State, shapes.Trellis),
    "session link": shapes.Whole,
    "session log": pages.Page[pages.Event],
    "session ls": pages.Page[shapes.Session],
    "session meta": shapes.Whole,
    "session note": outcomes.Written,
    "session pause": outcomes.Changed,
    "session pick": shapes.Session,
    "session pin": pages.Page[outcomes.Outcome],
    "session prune": outcomes.Pruned,
    "session read": pages.Page[Message],
    "session redact": outcomes.Redacted,
    "session rename": shapes.Whole,
    "session reset": outcomes.Begun,
    "session restore": pages.Page[outcomes.Outcome],
    "session resume": outcomes.Changed,
    "session rm": pages.Page[outcomes.Outcome],
    "session search": pages.Found,
    "session set-agent": shapes.Whole,
    "session set-channel": shapes.Whole,
    "session set-id": outcomes.Renamed,
    "session set-model": shapes.Whole,
    "session set-thinking": shapes.Whole,
    "session show": shapes.Shown,
    "session signal": outcomes.Signalled,
    "session tag": shapes.Whole,
    "session trash": pages.Page[outcomes.Outcome],
    "session tree": shapes.Tree,
    "session undo": outcomes.Undone,
    "session unarchive": pages.Page[outcomes.Outcome],
    "session unlink": shapes.Whole,
    "session unpin": pages.Page[outcomes.Outcome],
}
"""What each verb prints; of several shapes one, as its options say.

`export` without a file prints the session, and `log --follow` an event a line.
"""


def schema() -> dict[str, object]:
    """Return the schema: `verbs` says which definition in `$defs` is whose; `failure` is every verb's."""
    types = [one for shape in SESSION_VERBS.values() for one in _several(shape)] + [outcomes.Failure]
    found, definitions = msgspec.json.schema_components(
        types, schema_hook=_instant, ref_template="#/$defs/{name}"
    )
    made = dict(zip(map(id, types), found, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What retoma prints with --json",
        "description": "Later versions may add keys. No key is removed within a major version.",
        "verbs": {
            verb: _one_of([made[id(one)] for one in _several(shape)]) for verb, shape in SESSION_VERBS.items()
        },
        "failure": made[id(outcomes.Failure)],
        "$defs": {name: _said(definitions[name]) for name in sorted(definitions)},
    }


def _several(shape: object) -> tuple[object, ...]:
    return shape if isinstance(shape, tuple) else (shape,)


def _one_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    return found[0] if len(found) == 1 else {"oneOf": found}


def _instant(kind: type) -> dict[str, Any]:
    if not issubclass(kind, Instant):
        raise NotImplementedError(kind)
    return {
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        "format": "date-time",
    }


def _said(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition without what is said in Python: an example, and defaults. Every key is there in JSON."""
    fields = definition.get("properties", {})
    if "enum" not in fields.get(
        "type", {}
    ):  # a part of a message is given by users, who may leave something out
        whole = [name for name, field in fields.items() if "default" in field]
        definition["required"] = sorted([*definition.get("required", ()), *whole])
        for name in whole:
            del fields[name]["default"]
    for name, field in fields.items():
        if field.pop("nullable", False):
            fields[name] = {"anyOf": [field, {"type": "null"}]}
    if "description" in definition:
        definition["description"] = definition["description"].partition(">>>")[0].strip()
    return definition
