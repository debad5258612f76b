"""A store with secrets wherever a session holds text; every verb erases them, and they are looked for in its files."""

from __future__ import annotations

import contextlib
import random
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
from tests.calls import Calls
from tests.crash.sessions import EXAMPLES

from retoma.client.client import Client
from retoma.client.session import Session
from retoma.commands.opened import Opened
from retoma.errors import RetomaError
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.retention import Choice, Retention
from retoma.model.session import NewSession
from retoma.model.times import DAY, MINUTE
from retoma.runtime.drive import Request
from retoma.service.search.indexing import step
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources, swept

GRAM = 8
_LETTERS = string.ascii_lowercase + string.digits
_RUNS = re.compile(rb"[a-z0-9]{8,}")

BELIEVED = 11 * MINUTE
"""How long after a jump of the clock a second look at it is believed."""


class Planted:
    """A store at `file` with random sessions; the same seed makes the same ones."""

    def __init__(self, file: Path, seed: int, *, clock: Clock | None = None) -> None:
        self.file = file
        self.clock = clock or Clock()
        self.chance = random.Random(seed)
        self.open()
        self.secrets: dict[str, list[str]] = {}
        """What was planted under each session's first name."""
        self._names: list[str] = []
        self._last = ""
        self._contents: dict[bytes, bytes] = {}
        self._grams: dict[bytes, str] = {}
        self._made = seed % 1_000 * 1_000

    def _opened(self) -> Opened:
        store = SqliteStore(self.file, now=self.clock, random=self.clock.bytes, sweep=swept)
        who, sources = Principal(LOCAL_TENANT, "ana"), Sources(self.clock, self.clock.bytes)
        return Opened(store, who, sources=sources, retention=Retention(completed_after_ms=30 * DAY))

    def open(self) -> None:
        self.door = self._opened()
        self.client = Client(self.door)

    def close(self) -> None:
        self.client.close()

    # Life

    def live(self, times: int) -> None:
        """Do some things that sessions do."""
        for _ in range(times):
            self.clock.now += self.chance.randrange(5_000)
            action = self.chance.choices(_ACTIONS, _WEIGHTS)[0]
            with contextlib.suppress(RetomaError):  # refused by the state that a session is in
                action(self)

    def secret(self, session: str) -> str:
        text = "zq" + "".join(self.chance.choices(_LETTERS, k=22))
        self.secrets.setdefault(session, []).append(text)
        for at in range(len(text) - GRAM + 1):
            self._grams[text[at : at + GRAM].encode()] = text
        return text

    def some(self) -> Session | None:
        while self._names:
            at = self.chance.randrange(len(self._names))
            session = self.client.get(self._names[at])
            if session is not None and session.trashed_at is None:
                self._last = _first(session.id)
                return session
            self._names[at] = self._names[-1]
            self._names.pop()
        return None

    @property
    def calls(self) -> Calls:
        """Return the commands by id on the store that is open."""
        return Calls.of(self.door)

    def create(self) -> None:
        self._made += 1
        name, chance = f"s{self._made}", self.chance
        if chance.random() < 0.2:
            name = self.secret(name)
            self.secrets[name] = [name]

        def maybe() -> str:
            return self.secret(name) if chance.random() < 0.3 else ""

        tag, kind = maybe(), maybe()
        self.calls.create(
            NewSession(
                id=name,
                title=maybe(),
                description=maybe(),
                agent=maybe(),
                channel=maybe(),
                tags=(tag,) if tag else (),
                contexts=(("task", kind),) if kind else (),
                metadata={"note": maybe(), maybe() or "k": 1},
            )
        )
        self._names.append(name)

    def _text(self, session: Session) -> str:
        chance = self.chance
        size = chance.choice((0, 20, 200, 700, 2_500))
        if chance.random() < 0.04:
            one, other = self.secret(_first(session.id)), self.secret(_first(session.id))
            return f"{one} {''.join(chance.choices(string.punctuation, k=20_000))} {other}"
        before, after = ("." * chance.randrange(size + 1) for _ in range(2))
        return f"{before} {self.secret(_first(session.id))} {after}"

    def say(self) -> None:
        if session := self.some():
            session.append("user", self._text(session))

    def put(self) -> None:
        if session := self.some():
            session.state[self.chance.choice("abcxyz")] = self._text(session)
            session.state["z"] = "." * self.chance.randrange(400)

    def batch(self) -> None:
        if session := self.some():
            with session.batch() as batch:
                for _ in range(self.chance.randrange(1, 6)):
                    batch.append("assistant", self._text(session))
                    batch.state[self.chance.choice("abc")] = self._text(session)

    def note(self) -> None:
        if session := self.some():
            session.note(self._text(session))

    def say_of(self) -> None:
        if session := self.some():
            first = _first(session.id)
            match self.chance.randrange(4):
                case 0:
                    session.rename(self.secret(first))
                case 1:
                    session.tag(self.secret(first))
                case 2:
                    session.set_metadata({"more": self.secret(first)})
                case _:
                    session.link({"task": self.secret(first)})

    def fork(self) -> None:
        if session := self.some():
            self._made += 1
            at = self.chance.choice((None, self.chance.randint(1, session.head)))
            self._names.append(session.fork(f"{_first(session.id)}.f{self._made}", at=at).id)

    def undo(self) -> None:
        if session := self.some():
            session.undo()

    def begin_again(self) -> None:
        if session := self.some():
            session.reset()

    def end(self) -> None:
        if session := self.some():
            session.end()

    def flow(self) -> None:
        if session := self.some():
            request = Request(directory=EXAMPLES / "cadastro", session=session.id)
            with self.calls.drive(request) as drive:
                if drive.prompt is not None:
                    drive.send(self.secret(_first(session.id)))

    def index(self) -> None:
        while step(self.door.store, self.door.who, everything=True):
            pass

    # Erasing

    def erase(self) -> str:
        """Erase something by a verb, and return which."""
        verb = self.chance.choices(_VERBS, _VERB_WEIGHTS)[0]
        with contextlib.suppress(RetomaError):
            verb(self)
            return verb.__name__
        return ""

    def rm(self) -> None:
        if session := self.some():
            self.calls.delete(session.id)

    def rm_with_forks(self) -> None:
        if session := self.some():
            self.calls.delete(session.id, with_forks=True)

    def redact_range(self) -> None:
        if session := self.some():
            first = self.chance.randint(1, session.head)
            session.redact(first=first, last=first + self.chance.randrange(4))

    def redact_pattern(self) -> None:
        if session := self.some():
            known = self.secrets.get(_first(session.id), ())
            wanted = self.chance.choice((*known[-3:], "zq[a-m]"))
            session.redact(pattern=wanted)

    def reset_erase(self) -> None:
        if session := self.some():
            session.reset(erase=True)

    def trash_over(self) -> None:
        if session := self.some():
            session.trash()
            self.clock.now += 8 * DAY
            self.calls.collect()
            self.clock.now += BELIEVED
            self.calls.collect()

    def prune(self) -> None:
        """Put what ended in the trash, by hand, and let it lie there too long."""
        self.end()
        self.clock.now += 1
        self.calls.prune(Choice(before=self.clock.now, statuses=("completed",)))
        self.clock.now += 8 * DAY
        self.calls.prune(Choice(before=self.clock.now, statuses=("failed",)))
        self.clock.now += BELIEVED
        self.calls.prune(Choice(before=self.clock.now, statuses=("failed",)))

    def expire(self) -> None:
        """Let retention do the same, as it does after a command that wrote."""
        self.end()
        for _ in range(60):
            for passed in (DAY, BELIEVED):
                self.clock.now += passed
                self.calls.work_due(within_s=0.05)

    # Looking

    def files(self) -> bytes:
        """Return all bytes of all files of the store."""
        return b"\n".join(file.read_bytes() for file in sorted(self.file.parent.iterdir()) if file.is_file())

    def found(self, data: bytes) -> set[str]:
        """Return the secrets of which a part is in `data`: an index cuts a beginning off, the end of a page an end."""
        grams, found = self._grams, set[str]()
        for run in _RUNS.findall(data):
            for at in range(len(run) - GRAM + 1):
                if (secret := grams.get(run[at : at + GRAM])) is not None:
                    found.add(secret)
        return found

    def left(self, *, everything: bool) -> set[str]:
        """Return the secrets that are in the files and in no row, and contents that went and are in the files.

        Those of the session that was erased last are looked for, or `everything`.
        """
        files = self.files()
        if not everything:
            some = {one for one in self.secrets.get(self._last, ()) if _holds(files, one)}
            return some - self.found(rows(self.file)) if some else some
        kept = contents(self.file)
        gone = {
            f"content {hash.hex()}" for hash, piece in self._contents.items() - kept.items() if piece in files
        }
        self._contents = kept
        return gone | (self.found(files) - self.found(rows(self.file)))

    def unread(self) -> set[str]:
        """Return the secrets that are in a row, and in nothing that a read returns."""
        return self.found(rows(self.file)) - self.found(self.readable())

    def readable(self) -> bytes:
        """Return whatever reads return."""
        calls, parts = self.calls, list[bytes]()
        for shelf in ({}, {"deleted": True}, {"archived": True}):
            for session in self.client.list(limit=500, **shelf):
                with contextlib.suppress(RetomaError):
                    parts.append(b"".join(calls.export(session.id, "jsonl")))
                parts.append(repr((session, calls.show(session.id), calls.position(session.id))).encode())
                parts += [repr(event).encode() for event in calls.events(session.id)]
        parts.append(repr(calls.log(limit=1_000)).encode())
        return b"\n".join(parts)


def _first(name: str) -> str:
    return name.partition(".f")[0].partition("~")[0]


def _holds(files: bytes, secret: str) -> bool:
    data = secret.encode()
    return any(data[at : at + GRAM] in files for at in (0, GRAM, 2 * GRAM))


def rows(file: Path) -> bytes:
    """Return the text and bytes of all rows."""
    reader = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        tables = [name for (name,) in reader.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        cells = (cell for table in tables for row in reader.execute(f"SELECT * FROM {table}") for cell in row)
        return b"\n".join(
            cell if isinstance(cell, bytes) else cell.encode()
            for cell in cells
            if isinstance(cell, str | bytes)
        )
    finally:
        reader.close()


def contents(file: Path) -> dict[bytes, bytes]:
    """Return a piece of each content that is kept apart, by its hash, as it is in the file."""
    reader = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        rows = reader.execute("SELECT hash, inline FROM blob").fetchall()
    finally:
        reader.close()
    return {hash: data[600:624] for hash, data in rows}


def spare(file: Path) -> Iterator[str]:
    """Yield what is not zero in overflow and free pages of a file where nothing is, as SQLite's own `dbstat` counts."""
    reader = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        ((size,),) = reader.execute("PRAGMA page_size").fetchall()
        rows = reader.execute("SELECT pageno, pagetype, unused FROM dbstat").fetchall()
    finally:
        reader.close()
    data = file.read_bytes()
    used = {number for number, _, _ in rows}
    for number, kind, unused in rows:
        page = data[(number - 1) * size : number * size]
        if kind == "overflow" and unused and any(page[size - unused :]):
            yield f"page {number}: the end of an overflow page"
        if kind != "overflow":
            yield from _in_tree(page, number, unused)
    for number in set(range(1, len(data) // size + 1)) - used:
        page = data[(number - 1) * size : number * size]
        numbers = [int.from_bytes(page[at : at + 4]) for at in range(0, size, 4)]
        if any(one > len(data) // size for one in numbers):
            yield f"page {number}: a free page"


def _in_tree(page: bytes, number: int, unused: int) -> Iterator[str]:
    at = 100 if number == 1 else 0
    first = at + {2: 12, 5: 12, 10: 8, 13: 8}[page[at]] + 2 * int.from_bytes(page[at + 3 : at + 5])
    content = int.from_bytes(page[at + 5 : at + 7]) or 1 << 16
    if any(page[first:content]):
        yield f"page {number}: before the first cell"
    counted, block = content - first + page[at + 7], int.from_bytes(page[at + 1 : at + 3])
    while block:
        size = int.from_bytes(page[block + 2 : block + 4])
        if any(page[block + 4 : block + size]):
            yield f"page {number}: a free block"
        counted, block = counted + size, int.from_bytes(page[block : block + 2])
    if counted != unused:
        yield f"page {number}: {unused} bytes are free, and {counted} were looked at"


_LIFE: dict[Callable[[Planted], None], int] = {
    Planted.create: 6,
    Planted.say: 10,
    Planted.put: 8,
    Planted.batch: 4,
    Planted.note: 2,
    Planted.say_of: 4,
    Planted.fork: 2,
    Planted.undo: 1,
    Planted.begin_again: 1,
    Planted.flow: 1,
    Planted.index: 2,
}
_ACTIONS, _WEIGHTS = [*_LIFE], [*_LIFE.values()]
_ERASE: dict[Callable[[Planted], None], int] = {
    Planted.rm: 6,
    Planted.rm_with_forks: 2,
    Planted.redact_range: 6,
    Planted.redact_pattern: 5,
    Planted.reset_erase: 5,
    Planted.trash_over: 3,
    Planted.prune: 2,
    Planted.expire: 1,
}
_VERBS, _VERB_WEIGHTS = [*_ERASE], [*_ERASE.values()]
