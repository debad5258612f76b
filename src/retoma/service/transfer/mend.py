"""JSON that a crash, an editor or another program's writer has spoiled, read as far as it can be.

Every function here takes time in proportion to what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from retoma.model.codec import Json

# A whole string, a bracket, or the quote of a string that does not end.
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}]|"', re.DOTALL)
# A string that does not end is taken to the end: to try again at each of its quotes would take for ever.
_STRING_OR_NUMBER = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|-?Infinity|NaN|-?[0-9][0-9.]*+[eE][+-]?[0-9]++', re.DOTALL
)
_CONTROL = re.compile(rb"[\x00-\x1f]")
_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\\\"
)
_PAIR: Final = 12  # the length of two escapes that are one letter
_ESCAPES: Final = {b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}

_decode = msgspec.json.Decoder().decode


class Value(NamedTuple):
    """What was read, its JSON on one line, and whether something of it was lost on the way."""

    value: Json
    data: bytes
    changed: bool = False


def read(data: bytes) -> Value | None:
    """Return what `data` says, mended if it must be; None when it is not JSON even so."""
    found = read_as_is(data)
    if found is not None:
        return found
    for mended, changed in _mended(data):
        found = read_as_is(mended)
        if found is not None:
            return found._replace(changed=changed)
    return None


def several(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the objects that `data` begins with, one after the other, and what is behind the last whole one."""
    whole: list[bytes] = []
    depth = start = 0
    for match in _MARK.finditer(data):
        mark = match.group()
        if mark == b'"' or (depth == 0 and mark != b"{"):
            break
        if depth == 0 and data[start : match.start()].strip(b" \t\r\n\0"):
            break
        depth += (mark in b"{[") - (mark in b"}]")
        if depth == 0:
            whole.append(data[start : match.end()].strip(b" \t\r\n\0"))
            start = match.end()
    return whole, data[start:].strip(b" \t\r\n\0")


def open_string(data: bytes) -> bool:
    """Return whether `data` ends inside a string."""
    return any(match.group() == b'"' for match in _MARK.finditer(data))


def one_line(data: bytes) -> bytes:
    """Return JSON without line breaks; its numbers and texts stay as they were written."""
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data


def read_as_is(data: bytes) -> Value | None:
    """Return what `data` says; None when it is not JSON."""
    try:
        return Value(_decode(data), one_line(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _mended(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield `data` mended a little, then more: each with whether something of it was lost."""
    changed = False
    mended = _STRING_OR_NUMBER.sub(_escaped, data)
    if mended != data:
        yield mended, False
    try:
        mended.decode()
    except UnicodeDecodeError:
        mended, changed = mended.decode(errors="replace").encode(), True
        yield mended, changed
    further = _SURROGATE.sub(_paired, _STRING_OR_NUMBER.sub(_finite, mended))
    if further != mended:
        yield further, True


def _escaped(match: re.Match[bytes]) -> bytes:
    """Escape what may not stand in a string as it is: a line break, a tab."""
    text = match.group()
    if not text.startswith(b'"'):
        return text
    return _CONTROL.sub(lambda one: _ESCAPES.get(one.group(), b"\\u%04x" % one.group()[0]), text)


def _finite(match: re.Match[bytes]) -> bytes:
    """Replace a number that JSON does not have, or that is too large, by null."""
    text = match.group()
    if text.startswith(b'"'):
        return text
    try:
        return text if abs(float(text)) != float("inf") and b"N" not in text else b"null"
    except ValueError:
        return text


def _paired(match: re.Match[bytes]) -> bytes:
    """Replace half a letter: JavaScript cuts texts inside one, and UTF-8 cannot hold what remains."""
    text = match.group()
    return text if len(text) == _PAIR or text == b"\\\\" else b"\\ufffd"
