"""Sessions that the OpenAI Agents SDK kept in a SQLite file: one or many, with branches where it made them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from retoma.errors import Invalid
from retoma.importers.responses import KNOWN, answered, asked, kind_of, said
from retoma.model.codec import Json, encode
from retoma.model.message import read_aloud
from retoma.service.transfer import mend
from retoma.service.transfer.foreign import (
    Draft,
    Foreign,
    Profile,
    identity,
    message,
    moment,
    one_too_many,
    pieces,
    record,
    title_of,
    words,
)
from retoma.service.transfer.given import Given
from retoma.service.transfer.notices import Notices
from retoma.stores.other_sqlite import OtherDatabase

_TOOL: Final = "openai-agents"
_MAIN: Final = "main"
_FAKE: Final = "__fake_id__"  # what the SDK writes where a model server gave no id
_MESSAGES: Final = frozenset({"id", "session_id", "message_data"})
_STRUCTURE: Final = frozenset({"session_id", "message_id", "branch_id", "sequence_number"})
_USAGE: Final = frozenset({"session_id", "branch_id", "user_turn_number", "input_tokens"})


class _Tables(NamedTuple):
    """The names that the tables of one kind of session have; empty where there is none."""

    messages: str
    sessions: str = ""
    structure: str = ""
    usage: str = ""


def sessions(given: Given, notices: Notices) -> Iterator[Foreign]:
    """Yield the sessions of a database, each followed by its other branches. Raises Integrity for a damaged one."""
    with _path_of(given) as path, OtherDatabase(path, shown=given.shown) as database:
        if database.ours:
            raise Invalid(
                f"{given.shown} is a store of Retoma, not a database of the OpenAI Agents SDK.",
                code="not_an_export",
                hint="Open it with --store, or export its sessions.",
            )
        found = _tables(database)
        if not found:
            raise Invalid(
                f"{given.shown} is a SQLite database without a table of messages.",
                code="not_an_export",
                hint="The OpenAI Agents SDK creates a table with the columns id, session_id and message_data.",
            )
        for tables in found:
            yield from _Reader(database, tables, given, notices).sessions()


def has_messages(path: Path) -> bool:
    """Return whether a database has a table of messages. Raises Integrity when its list of tables is damaged."""
    with OtherDatabase(path, shown=str(path), check=False) as database:
        return bool(_tables(database))


@contextmanager
def _path_of(given: Given) -> Iterator[Path]:
    if given.path is not None and not given.packed:
        yield given.path
        return
    with tempfile.NamedTemporaryFile(prefix="retoma-", suffix=".db") as copy:
        shutil.copyfileobj(given.stream, copy)
        copy.flush()
        yield Path(copy.name)


def _tables(database: OtherDatabase) -> list[_Tables]:
    columns = {
        name: frozenset(column for (column,) in database.rows("columns", (name,)))
        for (name,) in database.rows("tables")
    }
    found = []
    for name, has in columns.items():
        if not has >= _MESSAGES:
            continue
        above = [table for (table,) in database.rows("refers_to", (name,)) if table in columns]
        found.append(_Tables(messages=name, sessions=above[0] if above else ""))
    if len(found) == 1:
        # The names of these cannot be chosen, so they are of the one table of messages that there is.
        beside = {
            key: next((name for name, has in columns.items() if has >= wanted), "")
            for key, wanted in (("structure", _STRUCTURE), ("usage", _USAGE))
        }
        found = [found[0]._replace(**beside)]
    return found


class _Reader:
    def __init__(self, database: OtherDatabase, tables: _Tables, given: Given, notices: Notices) -> None:
        self._database = database
        self._tables = tables
        self._given = given
        self._notices = notices

    def sessions(self) -> Iterator[Foreign]:
        tables, database = self._tables, self._database
        made: dict[Json, Json] = {}
        if tables.sessions:
            made.update(database.rows("sessions", sessions=tables.sessions))
        speaking = [id for (id,) in database.rows("sessions_of_messages", messages=tables.messages)]
        all_of_them = dict.fromkeys((*made, *speaking))
        if self._given.single and len(all_of_them) > 1:
            raise one_too_many(self._given.shown, len(all_of_them))
        for id in all_of_them:
            if tables.sessions and id not in made:
                detail = f"The row of session {str(id)[:100]!r} is missing; its messages were imported."
                self._notices.say("orphan", detail)
            yield from self._branches(str(id), made.get(id))

    def _branches(self, id: str, made: Json) -> Iterator[Foreign]:
        branches: list[str] = []
        if self._tables.structure:
            rows = self._database.rows("branches", (id,), structure=self._tables.structure)
            branches = [str(branch) for (branch,) in rows]
        main = _MAIN if _MAIN in branches or not branches else branches[0]
        yield self._foreign(id, id, made, main if branches else None)
        for branch in branches:
            if branch != main:
                yield self._foreign(id, f"{id}~{branch}", made, branch, parent=id)

    def _foreign(
        self, id: str, name: str, made: Json, branch: str | None, parent: str | None = None
    ) -> Foreign:
        items = _Items(self._database, self._tables, id, branch, self._notices)
        first = next((at for _, at, _ in items.rows() if at is not None), None)
        at = moment(made)
        began = at if at is not None else first if first is not None else self._given.modified
        items.examine()
        return Foreign(
            profile=Profile(title=title_of(items.prompt)),
            tool=_TOOL,
            id=name,
            created_at=began,
            drafts=lambda: items.drafts(began),
            parent=parent,
        )


class _Items:
    """The items of a session, or of one of its branches, in order."""

    def __init__(
        self, database: OtherDatabase, tables: _Tables, session: str, branch: str | None, notices: Notices
    ) -> None:
        self._database = database
        self._tables = tables
        self._session = session
        self._branch = branch
        self._notices = notices
        self.prompt = ""  # the first message of the user, once the items were examined

    def rows(self) -> Iterator[tuple[bytes | None, int | None, int]]:
        """Yield each row's data, its time and its number; no data where a branch names a row that is gone."""
        messages, structure = self._tables.messages, self._tables.structure
        if self._branch is None:
            found = self._database.rows("messages", (self._session,), messages=messages)
        else:
            found = self._database.rows(
                "messages_of_branch", (self._session, self._branch), messages=messages, structure=structure
            )
        for data, at, row in found:
            yield data, moment(at), row

    def examine(self) -> None:
        """Say what there is to say of the items."""
        calls: dict[str, str] = {}
        for _ in self._drafts(0, calls, self._notices):
            pass
        for call, name in calls.items():
            detail = f"{self._session}: the tool call {call!r} ({name}) has no result."
            self._notices.say("no_result", detail)

    def drafts(self, began: int) -> Iterator[Draft]:
        """Yield what the items become; what has no time of its own has that of the one before, first `began`."""
        return self._drafts(began, {}, Notices())

    def _drafts(self, at: int, calls: dict[str, str], notices: Notices) -> Iterator[Draft]:
        again = _Again()
        for data, own, row in self.rows():
            at = at if own is None else own
            if data is None:
                notices.say(
                    "message_missing", f"{self._session}: the message {row} is missing in its branch."
                )
                continue
            yield from self._of_row(data, at, row, again, calls, notices)
        yield from self._beside(at, notices)

    def _of_row(
        self, data: bytes, at: int, row: int, again: _Again, calls: dict[str, str], notices: Notices
    ) -> Iterator[Draft]:
        bare = data.strip(b"\0")
        if len(bare) < len(data):
            notices.say("nul_bytes", f"Row {row}: NUL bytes were ignored.")
        found = mend.read(bare)
        if found is None or not isinstance(found.value, dict):
            notices.say(
                "unreadable", f"Row {row}: it is not JSON. It was imported unchanged and not interpreted."
            )
            yield from pieces(again.id(data), at, _TOOL, "unreadable", data)
            return
        item = found.value
        if again.came(item, found.data, calls):
            notices.say("duplicate", f"Row {row}: it is a duplicate; it was imported once.")
            return
        if kind_of(item) not in KNOWN:
            notices.unknown(kind_of(item))
        id = again.id(found.data)
        one = said(item)
        if one.role == "user" and not self.prompt:
            self.prompt = read_aloud(one.parts)
        yield from message(id, at, one, tool=_TOOL, raw=found.data)
        if found.changed:
            notices.say("mended", f"Row {row}: it was repaired; the original text was imported too.")
            yield from pieces(identity(id, b"original"), at, _TOOL, "original", bare)

    def _beside(self, at: int, notices: Notices) -> Iterator[Draft]:
        """Yield what is kept beside the items: what stands in no branch, and what the turns cost."""
        tables, again = self._tables, _Again()
        if self._branch == _MAIN:
            found = self._database.rows(
                "messages_of_none", (self._session,), messages=tables.messages, structure=tables.structure
            )
            for data, own, row in found:
                notices.say(
                    "no_branch", f"Row {row} belongs to no branch; it was imported outside the conversation."
                )
                time = moment(own)
                yield from pieces(
                    again.id(data or b""), at if time is None else time, _TOOL, "no_branch", data or b""
                )
        if self._branch is not None and tables.usage:
            values = (self._session, self._branch)
            for turn in self._database.named_rows("usage", values, usage=tables.usage):
                facts: dict[str, Json] = {key: one for key, one in turn.items() if not isinstance(one, bytes)}
                time = moment(facts.get("created_at"))
                raw = encode(facts)
                yield from record(again.id(raw), at if time is None else time, _TOOL, "turn_usage", raw)


class _Again:
    """What came before. An item comes again when it has an id of its own, or answers a call that was answered."""

    def __init__(self) -> None:
        self._times: dict[bytes, int] = {}
        self._own: set[bytes] = set()
        self._outputs: dict[str, bytes] = {}

    def id(self, data: bytes) -> bytes:
        """Return the identity of an item: what it says, and the how manieth of these it is."""
        key = identity(data)
        self._times[key] = times = self._times.get(key, 0) + 1
        return identity(_TOOL, key, str(times))

    def came(self, item: dict[str, Json], data: bytes, calls: dict[str, str]) -> bool:
        """Return whether the same item came before. `calls` are those without a result, which this changes."""
        call, output, own = asked(item), answered(item), words(item.get("id"))
        short = identity(data)
        if own and own != _FAKE:
            if short in self._own:
                return True
            self._own.add(short)
        if call is not None:
            calls[call[0]] = call[1]
        elif output is not None:
            if output not in calls and self._outputs.get(output) == short:
                return True
            calls.pop(output, None)
            self._outputs[output] = short
        return False
