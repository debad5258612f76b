"""A directory → the files in it that hold sessions, and what looked like one and was not read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from retoma.config.opened import open_file
from retoma.errors import Integrity, NotFound, RetomaError, Unavailable
from retoma.importers.detect import DATABASES, HEAD_BYTES, Format, Source, by_name, format_of
from retoma.importers.openai_agents import has_messages
from retoma.service.transfer.given import Given, looked_at
from retoma.service.transfer.notices import MOST_OF_ONE, Notices
from retoma.stores.other_sqlite import MAGIC

_PACKED: Final = ".zst"
_ENDINGS: Final = (".json", ".jsonl", f".jsonl{_PACKED}", *DATABASES)
_ENTERED: Final = (".trellis", ".claude", ".copilot", ".codex")
_DEEPEST: Final = 12
_APPLICATION: Final = slice(68, 72)  # where SQLite has the application's id
_COPIED = re.compile(r"(.+\.jsonl?)(?:[.~-].*|~)", re.IGNORECASE)


class Aside:
    """What a directory held and was not read: `errors` for what could not be, `notices` for what is no session."""

    def __init__(self) -> None:
        self.errors: list[tuple[Path, RetomaError]] = []
        self.notices = Notices()
        self._others: list[str] = []

    def unreadable(self, path: Path, error: OSError) -> None:
        """Take a file or a directory that could not be read."""
        sentence = f"It cannot be read: {error.strerror}."
        self.errors.append((path, Unavailable(sentence, code="unreadable_file")))

    def other(self, path: Path) -> None:
        """Take a file whose ending is that of a session and whose content is not."""
        self._others.append(path.name)

    def end(self) -> None:
        """Take note that all of the directory was seen."""
        if not self._others:
            return
        count = len(self._others)
        named = ", ".join(dict.fromkeys(self._others[:MOST_OF_ONE])) + ", …" * (count > MOST_OF_ONE)
        what = "1 other file has" if count == 1 else f"{count:,} other files have"
        self.notices.say(
            "no_session", f"{what} no session and {'was' if count == 1 else 'were'} not read: {named}"
        )


def sessions_in(
    directory: Path, source: Source = "auto", aside: Aside | None = None
) -> list[tuple[Path, Format]]:
    """Return the files below a directory that hold sessions, in order, and their formats; `aside` takes the others.

    Raises NotFound when there is none, and none that could not be read.
    """
    aside = aside or Aside()
    found = [
        (path, format)
        for path in _files(directory, aside)
        if (format := _wanted(path, aside)) is not None and source in ("auto", format)
    ]
    aside.end()
    if not found and not aside.errors:
        what = "session of a tool that Retoma can import" if source == "auto" else f"session of {source}"
        raise NotFound(
            f"There is no {what} in '{directory}'.",
            code="no_session_file",
            hint="Give the file itself, and its format with --from.",
        )
    # What belongs to another session comes behind it.
    return sorted(found, key=lambda one: (one[0].name.startswith("agent-"), str(one[0])))


def _wanted(path: Path, aside: Aside) -> Format | None:
    plain = path.with_suffix("") if path.suffix == _PACKED else path
    try:
        with open_file(path) as file:
            _, head = looked_at(Given(str(path), file, 0, path), HEAD_BYTES)
    except OSError as error:
        if plain.suffix == ".jsonl" or by_name(plain):
            aside.unreadable(path, error)
        else:
            aside.other(path)
        return None
    format = format_of(head, plain)
    # A store of Retoma may lie there, too, and the databases in which tools keep other things.
    if head[_APPLICATION] == b"RTMA" or (head.startswith(MAGIC) and not _has_messages(path)):
        format = None
    if format is None:
        aside.other(path)
    return format


def _has_messages(path: Path) -> bool:
    try:
        return has_messages(path)
    except Integrity:
        return True  # reading it says what is damaged


def _files(directory: Path, aside: Aside) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        aside.unreadable(Path(str(error.filename)), error)

    for folder, folders, names in os.walk(directory, onerror=unreadable):
        here = Path(folder)
        depth = len(here.relative_to(directory).parts)
        folders[:] = sorted(name for name in folders if _enters(here, name, depth, aside))
        for name in sorted(names):
            path = here / name
            if name.lower().endswith(_ENDINGS):
                if not name.endswith(".meta.json") and not _packed_copy(path):
                    yield path
            elif (copied := _COPIED.fullmatch(name)) and by_name(path.with_name(copied[1])):
                ending = name.removeprefix(copied[1])
                aside.notices.say("passed_over", f"{path}: not read, because its name ends in '{ending}'.")


def _packed_copy(path: Path) -> bool:
    """Return whether a file is a compressed copy of one that is here, too."""
    plain = path.with_suffix("")
    return path.suffix == _PACKED and plain.is_file() and plain.stat().st_size > 0


def _enters(folder: Path, name: str, depth: int, aside: Aside) -> bool:
    if name == "node_modules" or (name.startswith(".") and name not in _ENTERED):
        return False
    path = folder / name
    if path.is_symlink():
        aside.notices.say("passed_over", f"{path}: not read, because it is a link to a directory.")
        return False
    if depth >= _DEEPEST:
        aside.notices.say("passed_over", f"{path}: not read, because it is more than {_DEEPEST} levels deep.")
        return False
    # The files of sub-agents are read with that of their session, if it is there.
    return not (name == "subagents" and folder.with_name(folder.name + ".jsonl").exists())
