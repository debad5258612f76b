"""Files, variables and options, merged; each value with its source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from retoma.config.environment import Environment, read_environment, working_directory
from retoma.config.file import FILE, GUIDE_FILE, ConfigFile, files_in, find_directory, read_file
from retoma.config.place import StorePlace, found_place, named_place
from retoma.errors import Invalid
from retoma.model.nearest import nearest_sentence

__all__ = ["Limits", "Settings", "find_store", "load_settings"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be kept, in one tenant and in one session. None: no limit is set."""

    sessions: int | None = None
    sessions_active: int | None = None
    events_per_session: int | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds. `sources` has for each key the file, variable or option that set it, or `default`.

    `store_base` is the directory from which a relative `store` starts: that of the file that names it, else `cwd`.
    `unused` are the documented keys that a file sets and this version does not act on.
    """

    cwd: Path
    environment: Environment
    store: str | None
    store_base: Path
    limits: Limits
    files: tuple[Path, ...]
    unused: tuple[str, ...]
    sources: Mapping[str, str]


KEYS = ("store", *(f"limits.{name}" for name in Limits.__struct_fields__))


def load_settings(
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Return what holds in `cwd` with `environ` (both the process's own, if not given) and options, which win.

    `overrides` has dotted keys: `store`, `limits.sessions`…; None is not given. Raises Invalid naming file and line
    for what is no TOML, an unknown key or a wrong value, and Refused for a file of another owner or writable by others.
    """
    here = working_directory() if cwd is None else cwd
    environment = read_environment(environ)
    files = _files(here, environment)
    merged: dict[str, object] = {}
    sources = dict.fromkeys(KEYS, "default")
    for file in files:
        merged |= file.values
        sources |= dict.fromkeys(file.values, file.source)
    if environment.store:
        merged["store"], sources["store"] = environment.store, "RETOMA_STORE"
    for key, value in _options(overrides or {}).items():
        merged[key], sources[key] = value, f"--{key.replace('.', '-')}"
    return Settings(
        cwd=here,
        environment=environment,
        store=_text(merged.get("store")),
        store_base=_store_base(here, files, sources["store"]),
        limits=Limits(**{name: _count(merged.get(f"limits.{name}")) for name in Limits.__struct_fields__}),
        files=tuple(file.path for file in reversed(files)),
        unused=tuple(dict.fromkeys(key for file in reversed(files) for key in file.unused)),
        sources=sources,
    )


def find_store(settings: Settings) -> StorePlace:
    """Return the store by the one rule: the one named, else the nearest `.retoma/` upwards, else the user's own.

    Nothing is opened or made. Raises Refused for a found directory of another owner or writable by others, Invalid
    for a name that says no store.
    """
    if settings.store is None:
        return found_place(cwd=settings.cwd, data_directory=settings.environment.data_directory())
    source = settings.sources["store"]
    return named_place(
        settings.store,
        base=settings.store_base,
        home=settings.environment.home,
        source=source,
        given=not source.startswith((FILE, GUIDE_FILE)),
    )


def _files(cwd: Path, environment: Environment) -> tuple[ConfigFile, ...]:
    """Return the user's own files and the nearest ones, in the order in which they are laid over each other."""
    places = [environment.config_directory(), find_directory(cwd)]
    there = dict.fromkeys(path for place in places if place is not None for path in files_in(place))
    return tuple(read_file(path) for path in there)


def _options(overrides: Mapping[str, object]) -> dict[str, object]:
    for key in overrides:
        if key not in KEYS:
            raise Invalid(
                f"No setting '{key}'.", code="unknown_key", hint=nearest_sentence(key, KEYS), key=key
            )
    return {key: value for key, value in overrides.items() if value is not None}


def _store_base(cwd: Path, files: tuple[ConfigFile, ...], source: str) -> Path:
    """Return where a relative store starts: beside the file that names it; else where the command was given."""
    return next((file.path.parent for file in files if source == file.source), cwd)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
