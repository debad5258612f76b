"""The one JSON codec: compact UTF-8, sorted by nothing, refused above a size.

`Json` is what a state value, a flow's context and an event's data may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from retoma.errors import Invalid

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonField: TypeAlias = Any
"""Json as the field of a struct: msgspec resolves no recursive alias."""
JsonMap: TypeAlias = Mapping[str, Json]

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


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
