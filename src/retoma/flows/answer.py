"""What an input means at a node: the choice it makes, the number it is, or why it is asked for again."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from unicodedata import normalize

import msgspec

from retoma.flows.model import Node, Option
from retoma.model.codec import Json
from retoma.template.functions import folded

SECRET: dict[str, Json] = {"secret": True}
REFUSALS = frozenset({"n", "no", "false", "deny"})

YES_OR_NO = "Please answer yes or no."

_YES = frozenset({"y", "yes", "true", "1", "s", "sim"})
_NO = frozenset({"n", "no", "false", "0", "nao", "não"})
_INT = re.compile(r"[-+]?[0-9]{1,19}")
_FLOAT = re.compile(r"[-+]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is what conditions see; `kept` what may be saved and shown again (not a secret).

    `unmatched` says that a choice matched none of its options; then only an unconditional way may take it.
    """

    value: Json
    kept: Json
    option: Option | None = None
    unmatched: bool = False


class Again(msgspec.Struct, frozen=True):
    """The input is not one; `notice` says what would be."""

    notice: str


def understand(node: Node, options: Sequence[Option], default: str | None, text: str) -> Answer | Again:
    """Return what `text` means at `node`; `options` are those shown, `default` stands for nothing typed."""
    kind = node.asks or "text"
    if kind == "secret":
        return Answer(value=text or default or "", kept=dict(SECRET))
    typed = text.strip() or (default or "").strip()
    match kind:
        case "confirm":
            return _confirmed(typed or "yes")
        case "int":
            return _integer(typed)
        case "float":
            return _real(typed)
    option = _chosen(options, typed)
    if option is not None:
        return Answer(value=option.text, kept=option.text, option=option)
    return Answer(value=typed, kept=typed, unmatched=kind == "choice")


def confirmation(text: str) -> str | None:
    """Return `yes`, `no`, or None when `text` is neither, in English or in Portuguese."""
    word = normalize("NFC", text.strip().lower())
    if word in _YES:
        return "yes"
    return "no" if word in _NO else None


def is_refusal(value: Json) -> bool:
    return isinstance(value, str) and value.strip().lower() in REFUSALS


def choices(options: Sequence[Option]) -> str:
    """Name the options for a sentence."""
    return ", ".join(f"{at}. {option.text}" for at, option in enumerate(options, 1))


def _confirmed(typed: str) -> Answer | Again:
    word = confirmation(typed)
    return Again(YES_OR_NO) if word is None else Answer(value=word, kept=word)


def _integer(typed: str) -> Answer | Again:
    if _INT.fullmatch(typed) and -(2**63) <= int(typed) < 2**63:
        return Answer(value=int(typed), kept=int(typed))
    return Again("Please type a whole number.")


def _real(typed: str) -> Answer | Again:
    if _FLOAT.fullmatch(typed) and math.isfinite(float(typed)):
        return Answer(value=float(typed), kept=float(typed))
    return Again("Please type a number.")


def _chosen(options: Sequence[Option], typed: str) -> Option | None:
    # Texts before numbers: an option whose text is "2" is not shadowed by the second in the list.
    wanted = folded(typed)
    for option in options:
        if folded(option.text.strip()) == wanted:
            return option
    if typed.isascii() and typed.isdigit() and len(typed) < 6 and 0 < int(typed) <= len(options):
        return options[int(typed) - 1]
    return None
