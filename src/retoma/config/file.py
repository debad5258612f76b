"""One retoma.toml, or llmspell.toml: found, trusted, read, and each of its keys known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from retoma.config.found import GUIDE_FILE
from retoma.config.keys import GUIDE, KNOWN, MEANT, NAME, Key, Table
from retoma.config.opened import open_file
from retoma.config.trust import check_trust
from retoma.config.value import WANTED, Value, commands_in, parsed
from retoma.errors import Invalid, Unavailable
from retoma.model.nearest import did_you_mean

__all__ = ["ConfigFile", "read_file"]


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a file sets, by dotted key. `unused` names those that this version does not act on.

    `commands` names those that would run a command. `content` is the file as it was read.
    """

    path: Path
    content: bytes
    values: Mapping[str, Value]
    unused: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """What `retoma config` says of the values that this file sets."""
        return f"{self.path.name}:{self.path}"


def read_file(path: Path) -> ConfigFile:
    """Return what the file at `path` sets. Raises Refused when it is not trusted, Invalid naming file and line."""
    check_trust(path, "The configuration", "Or move it away.")
    content = _content(path)
    text = _text(path, content)
    tree, known = _parsed(path, text), KNOWN
    if path.name == GUIDE_FILE:
        tree, known = _sessions_of(tree), GUIDE
    values: dict[str, Value] = {}
    unused: list[str] = []
    commands: list[str] = []
    for keys, use, written in _leaves(path, text, tree, known, ()):
        dotted = ".".join(keys)
        values[dotted] = value = _value(path, text, keys, use, written)
        if not use.used:
            unused.append(dotted)
        if commands_in(use.kind, value):
            commands.append(dotted)
    for name in _empty(tree, "templates"):
        values[f"templates.{name}.tags"] = []
    return ConfigFile(
        path=path, content=content, values=_meant(values), unused=tuple(unused), commands=tuple(commands)
    )


def _empty(tree: Mapping[str, object], key: str) -> list[str]:
    """Return the names of tables under `key` that say nothing: they are there all the same."""
    tables = tree.get(key)
    return [name for name, table in tables.items() if table == {}] if isinstance(tables, dict) else []


def _sessions_of(parsed: Mapping[str, object]) -> Mapping[str, object]:
    """Return the one table of another program's file that is read, whatever else it may come to hold."""
    runtime = parsed.get("runtime")
    sessions = runtime.get("sessions", {}) if isinstance(runtime, dict) else {}
    return {"runtime": {"sessions": sessions}}


def _meant(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return `values` under the names that they have here."""
    own = {key: value for key, value in values.items() if key not in MEANT}
    said = {MEANT[key]: value for key, value in values.items() if key in MEANT and value != ""}
    return said | own


def _content(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            return file.read()
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}.",
            code="config_unreadable",
            hint="Make it readable, or move it.",
        ) from error


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8.", code="bad_config", hint="Save it as UTF-8.") from error


def _parsed(path: Path, text: str) -> Mapping[str, object]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = re.search(r" \(at line (\d+), column \d+\)$", said)
        # Without a place the text ended too early.
        line = int(place[1]) if place else text.count("\n") + 1
        reason = said[: place.start()] if place else said.removesuffix(" (at end of document)")
        raise Invalid(
            f"{path}:{line}: this is not TOML: {reason}.", code="bad_config", hint="Fix that line."
        ) from error


def _leaves(
    path: Path, text: str, table: Mapping[str, object], known: Table, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Key, object]]:
    """Yield each key with its use and value. Raises Invalid at the first unknown one."""
    for key, value in table.items():
        keys = (*above, key)
        use = known.get(key, known.get("*"))
        if use is not None and key not in known and not NAME.fullmatch(key):
            raise Invalid(
                f"{path}:{_line(text, keys)}: {key!r} cannot be a name.",
                code="bad_name",
                hint="Use 1 to 64 letters, digits, _ and -.",
            )
        if use is None:
            where = f" in [{'.'.join(above)}]" if above else ""
            raise Invalid(
                f"{path}:{_line(text, keys)}: unknown key '{key}'{where}.",
                code="unknown_key",
                hint=did_you_mean(key, known, limit=3),
                key=".".join(keys),
            )
        if isinstance(use, Key):
            yield keys, use, value
        elif isinstance(value, dict):
            yield from _leaves(path, text, value, use, keys)
        else:
            raise _wrong(path, text, keys, f"[{'.'.join(keys)}] is a table", value)


def _value(path: Path, text: str, keys: tuple[str, ...], key: Key, written: object) -> Value:
    value = parsed(key.kind, written)
    if value is None:
        raise _wrong(path, text, keys, f"'{'.'.join(keys)}' is {WANTED[key.kind]}", written)
    return value


def _wrong(path: Path, text: str, keys: tuple[str, ...], wanted: str, value: object) -> Invalid:
    return Invalid(
        f"{path}:{_line(text, keys)}: {wanted}, not {value!r}.", code="bad_value", hint="Correct that line."
    )


def _line(text: str, keys: tuple[str, ...]) -> int:
    """Return the line where a key stands, as near as reading line by line finds it: tomllib keeps no places."""
    table: list[str] = []
    best = 1
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+([^\]#]+)\]", line):
            table = _names(header[1])
            here = table
        elif assigned := re.match(r"\s*([\w.\"' -]+?)\s*=", line):
            here = table + _names(assigned[1])
        else:
            continue
        if tuple(here[: len(keys)]) == keys:
            return number
        if tuple(here) == keys[: len(here)]:
            best = number
    return best


def _names(dotted: str) -> list[str]:
    return [name.strip().strip("\"'") for name in dotted.split(".")]
