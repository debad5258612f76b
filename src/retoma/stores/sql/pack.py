"""Large content, compressed where that saves a tenth."""

from __future__ import annotations

import sys
from typing import Literal, TypeAlias

Codec: TypeAlias = Literal["raw", "zstd"]


def pack(data: bytes) -> tuple[Codec, bytes]:
    """Return how `data` is kept, and the bytes to keep."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    packed = zstd.compress(data, 3)
    return ("zstd", packed) if len(packed) * 10 <= len(data) * 9 else ("raw", data)


def unpack(codec: str, stored: bytes) -> bytes | None:
    """Return the content again; None when it cannot be had from `stored`."""
    if codec == "raw":
        return stored
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    try:
        return zstd.decompress(stored) if codec == "zstd" else None
    except zstd.ZstdError:
        return None
