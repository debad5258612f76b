"""Files, variables and options, merged; each value with its source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from retoma.config.environment import Environment, read_environment, working_directory
from retoma.config.found import FILE, GUIDE_FILE, files_in, find_directory
from retoma.config.place import StorePlace, found_place, named_place
from retoma.errors import Invalid
from retoma.model.nearest import did_you_mean

if TYPE_CHECKING:
    from retoma.config.file import ConfigFile
    from retoma.config.value import Value
    from retoma.model.limits import Limits
    from retoma.model.retention import Retention
    from retoma.model.template import Template

__all__ = ["Settings", "find_store", "load_settings"]

_LIMITS = ("sessions", "sessions_active", "events_per_session")
_RETENTION = ("idle_timeout", "completed_after")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds. `sources` has for each key the file, variable or option that set it, or `default`.

    `values` has what was set, by dotted key: durations in milliseconds. `store_base` is the directory from which a
    relative `store` starts: that of the file that names it, else `cwd`. `read` are the files, the nearest first;
    `unused` are the keys in them that this version does not act on.
    """

    cwd: Path
    environment: Environment
    store: str | None
    store_base: Path
    values: Mapping[str, Value]
    sources: Mapping[str, str]
    read: tuple[ConfigFile, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file.path for file in self.read)

    def sets(self, table: str) -> bool:
        """Return whether anything in the table of this name is set."""
        return any(key.startswith(f"{table}.") for key in self.values)

    @property
    def limits(self) -> Limits:
        if not (self.sets("limits") or self.sets("templates")):
            from retoma.model.limits import NO_LIMITS

            return NO_LIMITS
        from retoma.config.policy import limits

        return limits(self.values, self.sources)

    def retention(self, place: StorePlace) -> Retention:
        """Return what goes by its age in the store at `place`."""
        from retoma.config.policy import retention

        return retention(self, place)

    def withheld(self, place: StorePlace) -> Mapping[str, Path]:
        """Return the keys of retention that do not hold in the store at `place`, each with the file that sets it."""
        from retoma.config.policy import withheld

        return withheld(self, place)

    @property
    def templates(self) -> Mapping[str, Template]:
        from retoma.config.policy import templates

        return templates(self.values)


KEYS = ("store", *(f"limits.{name}" for name in _LIMITS))
"""What an option can set."""
SHOWN = (*KEYS, *(f"retention.{name}" for name in _RETENTION))
"""What has a source, set or not."""


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
    merged: dict[str, Value] = {}
    sources = dict.fromkeys(SHOWN, "default")
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
        store=str(merged["store"]) if "store" in merged else None,
        store_base=_store_base(here, files, sources["store"]),
        values=merged,
        read=tuple(reversed(files)),
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
    if not there:
        return ()
    from retoma.config.file import read_file  # with every key and its check, too much where there is no file

    return tuple(read_file(path) for path in there)


def _options(overrides: Mapping[str, object]) -> dict[str, str | int]:
    for key in overrides:
        if key not in KEYS:
            raise Invalid(
                f"There is no setting '{key}'.",
                code="unknown_key",
                hint=did_you_mean(key, KEYS, limit=3),
                key=key,
            )
    return {key: value for key, value in overrides.items() if isinstance(value, str | int)}


def _store_base(cwd: Path, files: tuple[ConfigFile, ...], source: str) -> Path:
    """Return where a relative store starts: beside the file that names it; else where the command was given."""
    return next((file.path.parent for file in files if source == file.source), cwd)
