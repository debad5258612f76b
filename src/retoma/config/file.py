"""One retoma.toml, or llmspell.toml: found, trusted, read, and each of its keys known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from retoma.config.trust import check_trust
from retoma.errors import Invalid, Unavailable
from retoma.model.nearest import nearest_sentence

__all__ = ["FILE", "GUIDE_FILE", "ConfigFile", "files_in", "find_directory", "read_file"]

FILE = "retoma.toml"
GUIDE_FILE = "llmspell.toml"
"""Another program's: of it, the table [runtime.sessions] alone is read."""

Use: TypeAlias = Literal["text", "count", "backend", "later"]
Table: TypeAlias = Mapping[str, "Use | Table"]

# Every key that the documentation names. `later`: known, and not acted on by this version. `*`: any name.
KNOWN: Table = {
    "store": "text",
    "limits": {
        "sessions": "count",
        "sessions_active": "count",
        "events_per_session": "count",
        "artifacts_per_session": "later",
        "artifact_size": "later",
        "waiting_prompts": "later",
    },
    "agents": {"*": {"model": "later", "instructions": "later", "tools": "later", "limits": "later"}},
    "templates": {
        "*": dict.fromkeys(("title_prefix", "tags", "metadata", "agent", "ttl", "limits"), "later"),
    },
    "retention": {"idle_timeout": "later", "completed_after": "later"},
    "artifacts": {"compress_above": "later", "inline_below": "later", "store": "later"},
    "runtime": {
        "sessions": {
            "enabled": "later",
            "max_sessions": "count",
            "max_artifacts_per_session": "later",
            "artifact_compression_threshold": "later",
            "session_timeout_seconds": "later",
            "storage_backend": "backend",
        }
    },
    "providers": {"*": "later"},
}


_BACKENDS = {"memory": ":memory:", "sled": "", "sqlite": ""}

# What the artifact guide calls it → what it is here. A file's own key for the same thing goes before.
_MEANT = {
    "runtime.sessions.max_sessions": "limits.sessions_active",
    "runtime.sessions.storage_backend": "store",
}


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a file sets, by dotted key: `values` holds now, `unused` is known and not acted on."""

    path: Path
    values: Mapping[str, str | int]
    unused: tuple[str, ...]

    @property
    def source(self) -> str:
        """What `retoma config` says of the values that this file sets."""
        return f"{self.path.name}:{self.path}"


def find_directory(cwd: Path) -> Path | None:
    """Return the nearest directory from `cwd` upwards that has a retoma.toml; without one, an llmspell.toml."""
    above = (cwd, *cwd.parents)
    return next((place for name in (FILE, GUIDE_FILE) for place in above if is_there(place / name)), None)


def files_in(directory: Path) -> list[Path]:
    """Return the configuration files that are in `directory`, the one that goes before last."""
    return [directory / name for name in (GUIDE_FILE, FILE) if is_there(directory / name)]


def is_there(path: Path) -> bool:
    """Return whether a file is at `path`; one in a directory that this user may not enter is not."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def read_file(path: Path) -> ConfigFile:
    """Return what the file at `path` sets. Raises Refused when it is not trusted, Invalid naming file and line."""
    check_trust(path, "The configuration", "Or move it away.")
    text = _text(path)
    parsed, known = _parsed(path, text), KNOWN
    if path.name == GUIDE_FILE:
        parsed, known = _sessions_of(parsed)
    values: dict[str, str | int] = {}
    unused: list[str] = []
    for keys, use, value in _leaves(path, text, parsed, known, ()):
        dotted = ".".join(keys)
        if use == "later":
            unused.append(dotted)
        else:
            values[dotted] = _value(path, text, keys, use, value)
    return ConfigFile(path=path, values=_meant(values), unused=tuple(unused))


def _sessions_of(parsed: Mapping[str, object]) -> tuple[Mapping[str, object], Table]:
    """Return the one table of another program's file that is read, whatever else it may come to hold."""
    runtime = parsed.get("runtime")
    sessions = runtime.get("sessions", {}) if isinstance(runtime, dict) else {}
    ours: Table = {"max_sessions": "count", "storage_backend": "backend", "*": "later"}
    return {"runtime": {"sessions": sessions}}, {"runtime": {"sessions": ours}}


def _meant(values: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return `values` under the names that they have here."""
    own = {key: value for key, value in values.items() if key not in _MEANT}
    said = {_MEANT[key]: value for key, value in values.items() if key in _MEANT and value != ""}
    return said | own


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8.", code="bad_config", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}.",
            code="config_unreadable",
            hint="Make it readable, or move it.",
        ) from error


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
            f"{path}:{line}: this is not TOML: {reason}.", code="bad_config", hint="Mend that line."
        ) from error


def _leaves(
    path: Path, text: str, table: Mapping[str, object], known: Table, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Use, object]]:
    """Yield each key with its use and value. Raises Invalid at the first unknown one."""
    for key, value in table.items():
        keys = (*above, key)
        use = known.get(key, known.get("*"))
        if use is None:
            where = f" in [{'.'.join(above)}]" if above else ""
            raise Invalid(
                f"{path}:{_line(text, keys)}: no key '{key}' is known{where}.",
                code="unknown_key",
                hint=nearest_sentence(key, known),
                key=".".join(keys),
            )
        if isinstance(use, str):
            yield keys, use, value
        elif isinstance(value, dict):
            yield from _leaves(path, text, value, use, keys)
        else:
            raise _wrong(path, text, keys, f"[{'.'.join(keys)}] is a table", value)


def _value(path: Path, text: str, keys: tuple[str, ...], use: Use, value: object) -> str | int:
    if use == "text" and isinstance(value, str) and value:
        return value
    if use == "count" and isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if use == "backend" and isinstance(value, str) and value in _BACKENDS:
        return _BACKENDS[value]
    wanted = {"text": "a text that is not empty", "backend": "'memory', 'sled' or 'sqlite'"}.get(
        use, "a whole number above 0"
    )
    raise _wrong(path, text, keys, f"'{'.'.join(keys)}' is {wanted}", value)


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
