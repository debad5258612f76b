"""A tool's arguments: rendered when the call is decided, with secrets left out, which are filled in when it starts.

A secret is in the memory of the run alone, and what is rendered is journalled. So a text that shows one is journalled
with the secret's mark, and beside it stand its pieces: what was around the secret, and the key that it is saved to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from retoma.flows.answer import SECRET
from retoma.flows.model import ToolUse
from retoma.model.call import Call, Part
from retoma.model.codec import Json, JsonMap, encode
from retoma.template import template


def call_of(node: str, use: ToolUse, context: JsonMap, ans: Json, secrets: Collection[str]) -> Call:
    """Return the call that `use` makes with this context. Raises TemplateError with the line of the text."""
    marks = _marks(context, secrets)
    told = {**context, **marks, "sys": {"ans": ans}}
    lines = iter(use.texts)
    args = _each(use.args, lambda text: _rendered(text, told, next(lines, (text, use.line))[1]))
    found: dict[str, list[Part]] = {}
    kept = _without_secrets(args, {mark: key for key, mark in marks.items()}, "", found)
    return Call(node=node, name=use.name, args=kept, id=use.id, secrets=found)


def needed(call: Call) -> list[str]:
    """Return the keys of the secrets that the call's arguments hold."""
    return sorted({part[0] for parts in call.secrets.values() for part in parts if isinstance(part, list)})


def filled(call: Call, known: Mapping[str, str]) -> Json:
    """Return the call's arguments with its secrets put in. All that are `needed` must be known."""
    return _fill(call.args, call.secrets, known, "")


def _fill(value: Json, secrets: Mapping[str, list[Part]], known: Mapping[str, str], at: str) -> Json:
    if at in secrets:
        return "".join(known[part[0]] if isinstance(part, list) else part for part in secrets[at])
    if isinstance(value, dict):
        return {key: _fill(inner, secrets, known, _below(at, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, secrets, known, _below(at, str(n))) for n, inner in enumerate(value)]
    return value


def _marks(context: JsonMap, secrets: Collection[str]) -> dict[str, str]:
    """Return for each secret in the context a text that stands for it, and that nothing in the context holds."""
    there = [key for key in sorted(secrets) if context.get(key) == SECRET]
    if not there:
        return {}
    said, number = encode(dict(context)).decode(), 0
    while f"\ue000{number}:" in said:
        number += 1
    return {key: f"\ue000{number}:{at}\ue001" for at, key in enumerate(there)}


def _rendered(text: str, told: JsonMap, line: int) -> Json:
    try:
        return template.value(text, told)
    except template.TemplateError as error:
        error.line += line - 1
        raise


def _each(value: Json, render: Callable[[str], Json]) -> Json:
    """Return `value` with each text in it rendered, in the order in which they are written."""
    match value:
        case str():
            return render(value)
        case list():
            return [_each(item, render) for item in value]
        case dict():
            return {key: _each(item, render) for key, item in value.items()}
        case _:
            return value


def _without_secrets(value: Json, marks: Mapping[str, str], at: str, found: dict[str, list[Part]]) -> Json:
    match value:
        case str() if any(mark in value for mark in marks):
            found[at] = list(_pieces(value, marks))
            return dict(SECRET)
        case list():
            return [_without_secrets(item, marks, _below(at, str(n)), found) for n, item in enumerate(value)]
        case dict():
            return {key: _without_secrets(item, marks, _below(at, key), found) for key, item in value.items()}
        case _:
            return value


def _pieces(text: str, marks: Mapping[str, str]) -> Iterator[Part]:
    while text:
        at, mark = min(((text.find(mark), mark) for mark in marks if mark in text), default=(len(text), ""))
        if at:
            yield text[:at]
        if not mark:
            return
        yield [marks[mark]]
        text = text[at + len(mark) :]


def _below(at: str, key: str) -> str:
    """Return the JSON pointer of what `key` names below `at`."""
    return f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
