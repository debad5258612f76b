"""Names of things: session ids, generated slugs, operation ids."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NewType

import msgspec
from blake3 import blake3

from retoma.errors import Invalid

SessionId = NewType("SessionId", str)
SessionKey = NewType("SessionKey", int)
"""A session's number in its store, 1 to 2**31 - 1; it never leaves the store."""
TenantKey = NewType("TenantKey", int)

ID_LENGTH = 128
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_:@+=~-]{0,127}")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without the look-alikes i l o 0 1


def session_id(text: str) -> SessionId:
    """Return `text` as a session id. Raises Invalid naming the first thing that is wrong with it."""
    if _ID.fullmatch(text):
        return SessionId(text)
    raise Invalid(
        f"{_shown(text)} cannot be a session id: {_why_not(text)}.",
        code="bad_id",
        hint=f"Use 1 to {ID_LENGTH} letters, digits and _ - : @ + = ~. The first must be a letter, a digit or _.",
    )


def _why_not(text: str) -> str:
    if not text:
        return "it is empty"
    if len(text) > ID_LENGTH:
        return f"it has {len(text)} characters"
    for name, character in (("slash", "/"), ("dot", "."), ("space", " ")):
        if character in text:
            return f"it has a {name}"
    if not re.match(r"[A-Za-z0-9_]", text):
        return f"it begins with {text[0]!r}"
    wrong = next(c for c in text if not re.match(r"[A-Za-z0-9_:@+=~-]", c))
    return f"it has {wrong!r}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "…")


def generated_id(base: str, random: Callable[[int], bytes]) -> SessionId:
    """Return a readable id: a slug of `base` (a title, flow or agent) and six random characters."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", base).encode("ascii", "ignore").decode()
    slug = _NOT_SLUG.sub("-", plain.lower()).strip("-")[:40].strip("-") or "session"
    return SessionId(f"{slug}-{''.join(_ALPHABET[b % len(_ALPHABET)] for b in random(6))}")


def given_operation(key: str) -> bytes:
    """Return the stored form of an idempotency key that a caller chose (any text, 1 to 512 characters)."""
    if not 1 <= len(key) <= 512:
        raise Invalid("An idempotency key has 1 to 512 characters.", code="bad_key")
    return blake3(key.encode()).digest(16)


def new_operation(now_ms: int, random: Callable[[int], bytes]) -> bytes:
    """Return a fresh operation id: 6 bytes of time, then 10 random ones.

    Time comes first so that new ids land beside each other in the index. A clock that is out of all bounds counts on
    from the other end: it has to be unique, not right.
    """
    return (now_ms % (1 << 48)).to_bytes(6, "big") + random(10)


class Operation(msgspec.Struct, frozen=True):
    """The identity of a write. `request` is the hash of what was asked, kept when the caller chose the id.

    `under` returns what `request` is when the session is asked for under another id: it may have had one then.
    """

    id: bytes
    request: bytes | None = None
    under: Callable[[str], bytes] | None = None
