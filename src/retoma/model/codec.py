"""The one JSON codec: compact UTF-8, sorted by nothing, refused above a size.

`Json` is what a state value, a flow's context and an event's data may hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from retoma.errors import Invalid

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonField: TypeAlias = Any
"""Json as the field of a struct: msgspec resolves no recursive alias."""
JsonMap: TypeAlias = Mapping[str, Json]

T = TypeVar("T")


class Name(str):
    """A text that JSON has as null when it is empty."""

    __slots__ = ()


NameField: TypeAlias = Annotated[str, Meta(extra_json_schema={"nullable": True})]
"""A Name as the field of a struct: whoever makes one by hand may give any text."""


def _text(value: object) -> str | None:
    from retoma.model.instant import Instant

    if isinstance(value, Instant):
        return value.text
    if isinstance(value, Name):
        return str(value) or None
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


_encoder = msgspec.json.Encoder(enc_hook=_text)
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


MOST_LEVELS: Final = 200
"""How deep values may be nested in an event: redacting, folding and comparing them calls itself for each level."""
_MARKS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def is_deep(data: bytes, most: int = MOST_LEVELS) -> bool:
    """Return whether JSON is nested deeper than `most` levels."""
    if data.count(b"[") + data.count(b"{") <= most:
        return False
    level = 0
    for mark in _MARKS.finditer(data):
        if mark[0] in {b"[", b"{"}:
            level += 1
            if level > most:
                return True
        elif mark[0] in {b"]", b"}"}:
            level -= 1
    return False


def encode(value: object) -> bytes:
    """Return `value` as compact JSON in UTF-8. Raises Invalid for what JSON cannot hold."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid(f"This value cannot be written as JSON: {error}.", code="not_json") from error


def decode(data: bytes | str) -> Json:
    """Return what `data` says. Raises Invalid with the place when it is not JSON."""
    try:
        value: Json = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"This is not JSON: {error}.", code="not_json") from error
    return value
