"""Parse options and arguments: pairs of a name and a value, and values that are JSON or text."""

from __future__ import annotations

from collections.abc import Sequence

from retoma.errors import Invalid
from retoma.model.codec import Json, JsonMap

__all__ = ["context_of", "moment", "pairs", "value"]


def pairs(values: Sequence[str], option: str) -> list[tuple[str, str]]:
    """Return `NAME=VALUE` texts as pairs. Raises Invalid with the first text that has no `=`."""
    found = []
    for value in values:
        name, mark, rest = value.partition("=")
        if not mark or not name:
            raise Invalid(
                f"{value!r} is not {option}.",
                code="bad_pair",
                hint=f"Write {option}, with an equals sign between name and value.",
            )
        found.append((name, rest))
    return found


def moment(text: str | None, now_ms: int) -> int | None:
    """Return the time of an option, or None without the option. Raises Invalid."""
    if text is None:
        return None
    from retoma.model.times import instant

    return instant(text, now_ms=now_ms)


def value(text: str) -> Json:
    """Return a metadata value: parsed if it is valid JSON, otherwise the text."""
    from retoma.model.exact import decode_exact

    try:
        return decode_exact(text)
    except Invalid:
        return text


_EXAMPLE = """For example --context '{"name": "Ana"}', or --context @FILE."""


def context_of(text: str | None) -> JsonMap:
    """Return the initial context of a flow from a JSON object, or from `@` and a file with a JSON object."""
    from pathlib import Path

    from retoma.config.opened import open_file
    from retoma.model.exact import decode_exact

    if text is None:
        return {}
    if text.startswith("@"):
        try:
            with open_file(Path(text[1:])) as file:
                text = file.read().decode("utf-8-sig")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise Invalid(
                f"The context file '{text[1:]}' cannot be read: {why}.", code="bad_context", hint=_EXAMPLE
            ) from error
    try:
        value = decode_exact(text)
    except Invalid as error:
        raise Invalid(f"--context: {error.message}", code="bad_context", hint=_EXAMPLE) from error
    if not isinstance(value, dict):
        raise Invalid("--context is not a JSON object.", code="bad_context", hint=_EXAMPLE)
    return value
