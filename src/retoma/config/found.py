"""Where configuration files are: the nearest from the working directory upwards, and the user's own."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FILE", "GUIDE_FILE", "files_in", "find_directory", "is_there"]

FILE = "retoma.toml"
GUIDE_FILE = "llmspell.toml"
"""Another program's: of it, the table [runtime.sessions] alone is read."""


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
