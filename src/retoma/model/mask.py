"""Secrets in what a tool says: found in every common spelling, and replaced before anything is kept or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from retoma.model.call import Came
from retoma.model.codec import Json, encode

_MARKS: Final = ("[secret]", "***", "")
_SHORT: Final = 4
"""A secret of fewer characters is masked as a word alone: its letters stand in every text."""
_LONG: Final = 128
"""A secret of more characters is looked for in its usual forms, blanks aside: patterns of it would take too long."""
_REST: Final = 3
"""What is left of a secret at the end of a text that was cut, and has fewer characters, may be chance."""
_LINE: Final = 8
"""A line of so many characters is masked by itself: programs quote single lines of a key."""
_ENTITIES: Final = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_ESCAPES: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_WRAPPED: Final = r"(?:[\r\n]+[ \t]*)?"
_BASE64: Final = "[A-Za-z0-9+/_-]"


class Mask:
    """The secrets that a run knows, and how to take them out of what a tool says.

    A secret is found as it is, JSON-escaped (also twice), URL-encoded (every form, hexadecimal in both cases),
    HTML-escaped, as hexadecimal, and in base64 at each of the three places where its first byte can stand.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secrets)
        spelled: dict[str, bool] = {}
        for secret in sorted(self._secrets):
            spelled |= dict.fromkeys(_spellings(secret), len(secret) > _LONG)
        known = sorted((one for one in spelled if len(one) >= _SHORT), key=len, reverse=True)
        forms = [form for one in known if not spelled[one] for form in _forms(one)]
        self._long = re.compile("|".join(forms)) if forms else None
        words = "|".join(_written(one) for one in spelled if len(one) < _SHORT)
        self._short = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None
        self._plain = tuple(form for one in known for form in _plain_forms(one))
        dense = {"".join(form.split()) for one in known if spelled[one] for form in _plain_forms(one)}
        self._dense = sorted(dense, key=len, reverse=True)
        self._mark = next(mark for mark in _MARKS if not mark or not self._found(mark))

    def also(self, secrets: Iterable[str]) -> Mask:
        """Return a mask of these secrets, too."""
        more = self._secrets.union(secrets)
        return self if more == self._secrets else Mask(more)

    def text(self, text: str) -> str:
        """Return `text` with a mark in place of each secret."""
        if self._dense and len(text) >= len(self._dense[-1]):
            text = self._without_dense(text)
        for pattern in (self._long, self._short):
            if pattern is not None:
                text = pattern.sub(self._mark, text)
        return text

    def piece(self, text: str, *, head: bool, tail: bool) -> str:
        """Return a piece of a text without secrets. Where it was cut (`head`, `tail`), the rest of one goes, too."""
        text = self.text(text)
        if head:
            rest = text.lstrip("\ufffd")
            cut = max((_overlap(rest, form) for form in self._plain), default=0)
            text = self._mark + rest[cut:] if cut else text
        if tail:
            cut = max((_overlap(form, text) for form in self._plain), default=0)
            text = text[: len(text) - cut] + self._mark if cut else text
        return text

    def value(self, value: Json) -> Json:
        """Return `value` without secrets in its texts, numbers and keys, nor in the JSON that it is written as."""
        masked = self._inside(value)
        if self._long is None:
            return masked
        # A secret such as `1,2,3` can stand across several values.
        written = encode(masked).decode()
        return self.text(written) if self._long.search(written) else masked

    def came(self, came: Came) -> Came:
        """Return what came of a call without secrets."""
        return Came(outcome=came.outcome, result=self.value(came.result), text=self.text(came.text))

    def _inside(self, value: Json) -> Json:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self._inside(one) for one in value]
            case dict():
                return {self.text(key): self._inside(one) for key, one in value.items()}
            case None | bool():
                return value
            case _:
                return self._mark if self._found(str(value)) else value

    def _without_dense(self, text: str) -> str:
        """Return `text` without the secrets that are long, also where it was wrapped or indented."""
        dense, places = "".join(text.split()), [at for at, one in enumerate(text) if not one.isspace()]
        parts, end = [], 0
        for start, after in _spans(dense, self._dense):
            parts += [text[end : places[start]], self._mark]
            end = places[after - 1] + 1
        return "".join([*parts, text[end:]])

    def _found(self, text: str) -> bool:
        return any(pattern is not None and pattern.search(text) for pattern in (self._long, self._short))


def _spellings(secret: str) -> Iterator[str]:
    """Yield the secret, without the blanks around it, its long lines, and how Unicode composes and decomposes them."""
    from unicodedata import normalize

    whole = secret.strip()
    lines = [line.strip() for line in whole.splitlines()]
    for one in (secret, whole, *(line for line in lines if len(line) >= _LINE)):
        if one.strip():
            yield from (one, normalize("NFC", one), normalize("NFD", one))


def _forms(secret: str) -> Iterator[str]:
    """Yield a regular expression for each way in which a long secret is encoded."""
    data = secret.encode("utf-8", "surrogatepass")
    yield _written(secret)
    yield r"[:\s-]?".join(f"(?i:{byte:02x})" for byte in data)
    for shift in range(3):
        yield _in_base64(data, shift)


def _written(secret: str) -> str:
    """Return a regular expression for a secret in which each character is as it is, or escaped in some way."""
    written = []
    for run in re.findall(r"\\+|[^\x00-\x7f]+|[^\\]", secret, re.DOTALL):
        if run[0] == "\\":
            written.append(_backslashes(len(run)))
        elif run.isascii():
            written.append(_character(run))
        else:
            # A tool's output in another encoding than UTF-8. Possessive: the match is tried in one way alone.
            written.append(f"(?:{''.join(map(_character, run))}|\ufffd++)")
    return "".join(written)


def _backslashes(count: int) -> str:
    return rf"(?:\\{{{count},{4 * count}}}|(?:%5[cC]){{{count}}})"


def _character(one: str) -> str:
    data = one.encode("utf-8", "surrogatepass")
    ways = [re.escape(one), "".join(f"%(?i:{byte:02x})" for byte in data)]
    if one in _ESCAPES:
        ways.append(rf"\\{{1,4}}{_ESCAPES[one]}")
    elif not one.isalnum():
        ways.append(rf"\\{{1,4}}{re.escape(one)}")
    units = one.encode("utf-16-be", "surrogatepass").hex()
    ways.append("".join(rf"\\{{1,4}}u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)))
    ways.append("".join(rf"\\{{1,4}}x(?i:{byte:02x})" for byte in data))
    if ord(one) < 0x100:
        ways.append(rf"\\{{1,4}}x(?i:{ord(one):02x})")
    ways.append(rf"&#0*(?:{ord(one)}|[xX]0*(?i:{ord(one):x}));")
    if one in _ENTITIES:
        ways.append(f"&{_ENTITIES[one]};")
    if one == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"


def _in_base64(data: bytes, shift: int) -> str:
    """Return a regular expression for base64 of a text in which the secret follows on `shift` bytes, of every three."""
    from base64 import b64encode

    whole = b64encode(bytes(shift) + data).decode()
    first, last = -(-shift * 8 // 6), (shift + len(data)) * 8 // 6
    letters = (
        {"+": "[+-]", "/": "[/_]"}.get(letter, letter) for letter in whole[first:last]
    )  # letters that hold bits of the secret alone
    before = f"{_BASE64}?" if shift else ""
    return f"{before}{_WRAPPED.join(letters)}(?:{_WRAPPED}{_BASE64}?={{0,2}})"


def _plain_forms(secret: str) -> tuple[str, ...]:
    """Return the forms of which a piece is looked for at the ends of a text that was cut."""
    import json
    from base64 import b64encode, urlsafe_b64encode
    from urllib.parse import quote, quote_plus

    data = secret.encode("utf-8", "surrogatepass")
    encoded = [b64encode(bytes(shift) + data).decode() for shift in range(3)]
    safe = [urlsafe_b64encode(bytes(shift) + data).decode() for shift in range(3)]
    inner = [
        text[-(-shift * 8 // 6) :].rstrip("=")
        for text, shift in zip(encoded + safe, [0, 1, 2] * 2, strict=True)
    ]
    quoted = (quote(data, safe=""), quote(data), quote_plus(data))
    return (
        secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1],
        *quoted, *(text.lower() if "%" in text else text for text in quoted), *inner, data.hex(), data.hex().upper(),
    )  # fmt: skip


def _spans(text: str, forms: Sequence[str]) -> list[tuple[int, int]]:
    """Return where the forms stand in `text`, in its order; those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(one.span() for form in forms for one in re.finditer(re.escape(form), text)):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _overlap(start: str, end: str) -> int:
    """Return how long the longest beginning of `start` is that `end` ends with; 0 when it may be chance."""
    most = min(len(end), len(start))
    return next((n for n in range(most, _REST - 1, -1) if start.startswith(end[-n:])), 0)
