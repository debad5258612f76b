"""Columns of values as PostgreSQL's arrays in binary format: what `unnest` makes rows of."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from retoma.stores.sql.statements import Value

_HEAD = struct.Struct(">iiIii")
_NULL = b"\xff\xff\xff\xff"
_BIGINT, _TEXT, _BYTEA = 20, 25, 17
"""PostgreSQL's numbers of its types."""


def columns(rows: Sequence[Sequence[Value]], kinds: str) -> list[bytes]:
    """Return the rows column by column; `kinds` has a letter for each: `i` numbers, `t` texts, `b` bytes."""
    return [_array(kind, values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)]


def _array(kind: str, values: Sequence[Value]) -> bytes:
    number = {"i": _BIGINT, "t": _TEXT, "b": _BYTEA}[kind]
    return b"".join((_HEAD.pack(1, int(None in values), number, len(values), 1), *_dumped(values)))


def _dumped(values: Iterable[Value]) -> Iterable[bytes]:
    for value in values:
        if value is None:
            yield _NULL
            continue
        data = value.to_bytes(8, signed=True) if isinstance(value, int) else value
        data = data.encode() if isinstance(data, str) else data
        yield len(data).to_bytes(4)
        yield data
