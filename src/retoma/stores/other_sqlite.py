"""A SQLite file of another program: read, never written, and nothing is left beside it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import apsw

from retoma.errors import Integrity, Unavailable
from retoma.stores.sql.statements import Row, Value, read
from retoma.stores.sqlite.connection import APPLICATION_ID

MAGIC: Final = b"SQLite format 3\0"
_BESIDE: Final = ("-wal", "-journal")


class OtherDatabase:
    """The database in `path`, called `shown`; its statements are those of a file in `sql/foreign/`.

    Raises Integrity when it is damaged: what a damaged database says is not guessed. Commits that another program left
    in a log beside the file are read, too, from a copy. It is never opened for writing, and no log is made beside it.
    Without `check`, only damage that a statement meets is found.
    """

    def __init__(self, path: Path, *, shown: str, check: bool = True) -> None:
        self._shown = shown
        self._statements, *_ = read("foreign")
        self._closing = ExitStack()
        try:
            self._handle = self._opened(path)
            self._closing.callback(self._handle.close, True)
            if check:
                self._refuse_damage()
        except BaseException:
            self._closing.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def ours(self) -> bool:
        """Whether it is a store of Retoma itself."""
        return bool(self._handle.pragma("application_id") == APPLICATION_ID)

    def rows(self, name: str, values: tuple[Value, ...] = (), **tables: str) -> Iterator[Row]:
        """Yield the rows of a statement, one by one; `tables` are the names that stand in it as "@name"."""
        return (row for row, _ in self._run(name, values, tables))

    def named_rows(self, name: str, values: tuple[Value, ...], **tables: str) -> Iterator[dict[str, Value]]:
        """Yield the rows of a statement, with their columns' names."""
        return (dict(zip(columns, row, strict=True)) for row, columns in self._run(name, values, tables))

    def _run(
        self, name: str, values: tuple[Value, ...], tables: Mapping[str, str]
    ) -> Iterator[tuple[Row, list[str]]]:
        text = self._statements[name]
        for placeholder, table in tables.items():
            quoted = table.replace('"', '""')
            text = text.replace(f'"@{placeholder}"', f'"{quoted}"')
        try:
            cursor = self._handle.cursor()
            columns: list[str] = []
            for row in cursor.execute(text, values):
                columns = columns or [column[0] for column in cursor.getdescription()]
                yield row, columns
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error

    def _opened(self, path: Path) -> apsw.Connection:
        beside = [path.with_name(path.name + end) for end in _BESIDE]
        try:
            if any(file.exists() and file.stat().st_size for file in beside):
                folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="retoma-")))
                copy = folder / "copy.db"
                shutil.copyfile(path, copy)
                for file, end in zip(beside, _BESIDE, strict=True):
                    if file.exists():
                        shutil.copyfile(file, copy.with_name(copy.name + end))
                return apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READWRITE)
            url = f"file:{quote(str(path.absolute()))}?immutable=1"
            return apsw.Connection(url, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        except OSError as error:
            raise Unavailable(f"It cannot be read: {error.strerror}.", code="unreadable_file") from error
        except apsw.Error as error:
            raise self._damaged(str(error)) from error

    def _refuse_damage(self) -> None:
        try:
            found = [str(row[0]) for row in self._handle.execute("PRAGMA integrity_check(3)")]
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error
        if found != ["ok"]:
            raise self._damaged(" ".join(found[0].split())[:200])

    def _damaged(self, why: str) -> Integrity:
        return Integrity(
            f"The database {self._shown} is damaged: {why}",
            code="damaged_import",
            hint="Nothing was imported. Copy the file again while no program has it open, or restore it from a backup.",
        )
