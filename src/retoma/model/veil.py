"""What an export leaves out: values under the names of secrets, and texts that look like one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from retoma.model.codec import Json
from retoma.model.pattern import Pattern
from retoma.model.redaction import REDACTED

_NOT_IN_NAMES = re.compile(r"[\W_]+")
_SECRET_ENDS: Final = (
    "password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "secretkey", "privatekey",
    "credential", "credentials", "authorization", "cookie", "connectionstring", "senha",
)  # fmt: skip
_SECRET_NAMES: Final = ("pwd", "auth", "cookies", "secrets", "pat")
_SECRET_PATTERNS: Final = tuple(
    (needles, re.compile(text, re.DOTALL))
    for needles, text in (
        (
            ("-----BEGIN",),
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        ),
        (("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        (
            ("gh", "github_pat_", "glpat-", "xox", "sk-"),
            r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|sk-)[\w-]{16,}",
        ),
        (("AIza",), r"\bAIza[\w-]{35}"),
        (("eyJ",), r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"),
        (("earer",), r"\b[Bb]earer\s+[\w.~+/-]{16,}=*"),
        (("://",), r"(?<=://)[^\s/:@]{1,256}:[^\s/@]{1,256}(?=@)"),
    )
)
"""What secrets look like, each with texts of which one stands in it: to look for those first takes far less time."""

_ASSIGNED: Final = r"""(?i:{name})["'\\]*\s*[:=]\s*["'\\]*(?P<value>[^\s"'\\,;&]{{4,}})"""
_WORD_NEEDLES: Final = ("passw", "passphrase", "senha", "secret", "token", "key")
_WORDS: Final = r"password|senha|passwd|passphrase|secret|token|api[ _-]?key|access[ _-]?key|private[ _-]?key"
_LONG: Final = 8
_MOST_LEARNT: Final = 1_000


class Veil:
    """What an export is not to show: values under the names of secrets, and texts that look like one.

    `keys` are names whose values are hidden, too, and `patterns` what is hidden wherever it is found. What `learn` is
    given first teaches the secrets that stand under a name, so that they are hidden everywhere else as well. Raises
    Invalid for a pattern that is none; what looks for one raises it when that takes too long.
    """

    def __init__(self, keys: Sequence[str] = (), patterns: Sequence[str] = ()) -> None:
        self._keys = frozenset(map(_plain, keys))
        names = "|".join([_WORDS, *(re.escape(key) for key in keys)])
        self._assigned = re.compile(_ASSIGNED.format(name=names))
        self._needles = (*_WORD_NEEDLES, *(key.casefold() for key in keys))
        self._patterns = tuple(map(Pattern, patterns))
        self._learnt: dict[str, None] = {}

    def learn(self, value: Json) -> None:
        """Take note of the secrets that stand in `value` under a name."""
        if isinstance(value, list):
            for inner in value:
                self.learn(inner)
        elif isinstance(value, dict):
            for name, inner in value.items():
                if isinstance(inner, str) and self._secret(name) and _telling(inner):
                    if len(self._learnt) < _MOST_LEARNT:
                        self._learnt[inner] = None
                else:
                    self.learn(inner)

    def text(self, text: str) -> str:
        """Return `text` with `[redacted]` where a secret was."""
        for secret in self._learnt:
            text = text.replace(secret, REDACTED)
        folded = text.casefold() if ":" in text or "=" in text else ""
        if any(needle in folded for needle in self._needles):
            text = self._assigned.sub(_kept_name, text)
        for needles, known in _SECRET_PATTERNS:
            if any(needle in text for needle in needles):
                text = known.sub(REDACTED, text)
        for own in self._patterns:
            text = own.sub(REDACTED, text)
        return text

    def value(self, value: Json) -> Json:
        """Return `value` with `[redacted]` wherever a secret was, in texts, numbers and keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if isinstance(value, dict):
            return {
                self.text(name): _hidden(inner, named=_plain(name) in self._keys)
                if self._secret(name)
                else self.value(inner)
                for name, inner in value.items()
            }
        if value is None or isinstance(value, bool):
            return value
        return value if self.text(str(value)) == str(value) else REDACTED

    def hides(self, value: Json) -> bool:
        """Return whether there is a secret in `value`."""
        return self.value(value) != value

    def _secret(self, name: str) -> bool:
        return _plain(name) in self._keys or names_secret(name)


def names_secret(name: str) -> bool:
    """Return whether what stands under this name is a secret: a password, a token, a key."""
    plain = _plain(name)
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDS)


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name.casefold())


def _telling(text: str) -> bool:
    """Return whether a text under a secret's name is one that hardly stands elsewhere by chance."""
    return text != REDACTED and (len(text) >= _LONG or (len(text) >= 6 and not text.isalpha()))


def _kept_name(match: re.Match[str]) -> str:
    return match.group()[: match.start("value") - match.start()] + REDACTED


def _hidden(value: Json, *, named: bool) -> Json:
    """Return what stands for the value of a secret. Of what was not `named` by the caller, numbers may be counts."""
    if isinstance(value, list):
        return [_hidden(inner, named=named) for inner in value]
    if isinstance(value, dict):
        return {name: _hidden(inner, named=named) for name, inner in value.items()}
    if isinstance(value, str):
        return REDACTED if value else value
    return value if value is None or isinstance(value, bool) or not named else REDACTED
