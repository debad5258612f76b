"""Calls of the Python API, one after the other, on two stores: what is called, on what and with what goes by chance.

A life is replayed by its seed and number. `said` lists its calls as they were made.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from tests.calls import Calls
from tests.crash.sessions import Maker

from retoma.client.client import Client
from retoma.client.session import Session
from retoma.commands.opened import Opened
from retoma.errors import RetomaError
from retoma.model.event import INLINE_BYTES
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.retention import Choice
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

WORDS = ("one", "two", "Ana", "card 4111", "ç ☎", "naïve =1+1")
KEYS = ("k", "l", "Ana", "two", "")
PATTERNS = ("Ana", "two", "card \\d+", "^k$", "o", "nothing of this")
IDS = ("a", "b", "c", "d")
EVERY_SHELF: tuple[dict[str, bool], ...] = ({}, {"archived": True}, {"deleted": True})


class Life:
    """Two stores in memory, and the calls made so far. Leave it with `close`."""

    def __init__(self, seed: int, number: int) -> None:
        self.chance = random.Random(f"{seed}/{number}")
        self.clock = Clock()
        self.stores = [self._opened(), self._opened()]
        self.said: list[str] = []
        self.files: list[bytes] = []
        self._made = 0
        self._leases = ExitStack()
        self._calls: list[tuple[str, Callable[[], object]]] = [
            (name[5:], getattr(self, name)) for name in sorted(dir(self)) if name.startswith("call_")
        ]
        # What makes a life long and branched comes more often than what ends it.
        often = {
            "batch",
            "batch_of_state",
            "append",
            "put",
            "fork",
            "fork_at",
            "undo",
            "carry",
            "redact_range",
        }
        self._calls += [one for one in self._calls if one[0] in often for _ in range(3)]

    def step(self) -> None:
        """Make one call. What it refuses is an answer; anything else that is raised is a fault."""
        self.clock.now += self.chance.choice((0, 1, 700, 3_000, 60_000))
        name, call = self.chance.choice(self._calls)
        self.said.append(name)
        try:
            answer = call()
        except RetomaError as error:
            self.said[-1] += f" -> {error.code}"
        else:
            self.said[-1] += "" if answer is None else f" -> {answer!s:.60}"

    def damage(self) -> list[str]:
        """Return what `check` finds in either store."""
        return [one.detail for store in self.stores for one in store.check().damage]

    def close(self) -> None:
        try:
            self._leases.close()
        finally:
            for store in self.stores:
                store.close()

    # What a call is given

    def _opened(self) -> Client:
        store = SqliteStore(None, now=self.clock, random=self.clock.bytes)
        who = Principal(LOCAL_TENANT, "ana")
        return Client(Opened(store, who, sources=Sources(self.clock, self.clock.bytes)))

    @property
    def client(self) -> Client:
        """Return the first store most often: the second one is there for what is carried."""
        return self.stores[self.chance.random() < 0.15]

    def _note(self, *said: object) -> None:
        self.said[-1] += " " + " ".join(map(str, said))

    def _session(self) -> Session:
        client = self.client
        shelf = self.chance.choice((*EVERY_SHELF, {}, {}, {}))
        found = list(client.list(limit=100, **shelf)) or list(client.list(limit=100))
        session = self.chance.choice(found) if found else client.create(self._id(), title=self._text())
        self._note(self.stores.index(client), session.id)
        return session

    def _id(self) -> str:
        self._made += 1
        return self.chance.choice((*IDS, f"s{self._made}", f"s{self._made}"))

    def _text(self) -> str:
        words = self.chance.choices(WORDS, k=self.chance.randint(1, 3))
        if self.chance.random() < 0.04:
            words.append("long " * (INLINE_BYTES // 4))
        return " ".join(words)

    def _value(self) -> object:
        return self.chance.choice((1, 0.5, None, [], self._text(), {"Ana": [self._text(), {"two": True}]}))

    def _key(self) -> str | None:
        key = self.chance.choice((None, None, None, "key 1", "key 2"))
        if key:
            self._note(f"key={key!r}")
        return key

    def _expect(self, session: Session) -> int | None:
        return self.chance.choice((None, None, session.head, session.head - 1))

    def _seq(self, session: Session) -> int:
        seq = self.chance.randint(1, session.head)
        self._note("at", seq)
        return seq

    # Sessions

    def call_create(self) -> None:
        new = self._id()
        parent = self.chance.choice((None, None, *IDS))
        self._note(new)
        self.client.create(
            new, title=self._text(), tags=["t"], contexts={"task": self._text()}, metadata={"m": 1}, parent=parent,
            ttl=self.chance.choice((None, None, timedelta(hours=1))), key=self._key(),
        )  # fmt: skip

    def call_get_or_create(self) -> None:
        self.client.get_or_create(self._id(), description=self._text())

    def call_append(self) -> None:
        session = self._session()
        role = self.chance.choice(("user", "user", "assistant", "system"))
        session.append(role, self._text(), key=self._key(), expect=self._expect(session))

    def call_append_many(self) -> None:
        said = [("user", self._text()), ("assistant", self._text())]
        self._session().append_many(said, key=self._key())

    def call_append_parts(self) -> None:
        call = {"type": "tool_call", "id": "1", "name": "look", "arguments": {"Ana": [1, None]}}
        self._session().append("assistant", [call, {"type": "reasoning", "text": self._text()}])

    def call_batch(self) -> None:
        with self._session().batch(key=self._key()) as batch:
            for _ in range(self.chance.randint(2, 6)):
                match self.chance.randrange(3):
                    case 0:
                        batch.state[self.chance.choice(KEYS[:4])] = self._value()
                    case 1:
                        del batch.state[self.chance.choice(KEYS[:4])]
                    case _:
                        batch.append(self.chance.choice(("user", "assistant")), self._text())

    def call_put(self) -> None:
        session = self._session()
        values = {self.chance.choice(KEYS): self._value() for _ in range(2)}
        gone = [self.chance.choice(KEYS[:4])] if self.chance.random() < 0.4 else []
        session.state.put(values, delete=gone, key=self._key(), expect=self._expect(session))

    def call_delete_key(self) -> None:
        state = self._session().state
        state.pop(self.chance.choice(KEYS[:4]), None)

    def call_clear_state(self) -> None:
        self._session().state.clear()

    # Branches

    def call_fork(self) -> str:
        return self._session().fork(self.chance.choice((None, self._id())), key=self._key()).id

    def call_fork_at(self) -> str:
        session = self._session()
        return session.fork(at=self._seq(session), key=self._key()).id

    def call_undo(self) -> str | None:
        return self._session().undo(key=self._key())

    def call_diff(self) -> None:
        one, client = self._session(), self.client
        other = self.chance.choice(list(client.list(limit=100)) or [one])
        client.diff(one.id, other.id)

    def call_state_at(self) -> None:
        session = self._session()
        session.state.at(self._seq(session))

    # Its life

    def call_pause(self) -> None:
        self._session().pause(self._text(), key=self._key())

    def call_resume(self) -> None:
        self._session().resume(key=self._key())

    def call_end(self) -> None:
        self._session().end(self._text())

    def call_fail(self) -> None:
        self._session().fail(self._text())

    def call_reset(self) -> None:
        self._session().reset(key=self._key())

    def call_reset_erase(self) -> None:
        self._session().reset(erase=True)

    def call_trash(self) -> None:
        self._session().trash(key=self._key())

    def call_restore(self) -> None:
        self._session().restore()

    def call_delete(self) -> None:
        session = self._session()
        self.client.delete(session.id, with_forks=self.chance.random() < 0.3, key=self._key())

    def call_redact_range(self) -> None:
        session = self._session()
        first = self._seq(session)
        session.redact(first=first, last=first + self.chance.randrange(3))

    def call_redact_pattern(self) -> None:
        session, pattern = self._session(), self.chance.choice(PATTERNS)
        self._note(repr(pattern))
        session.redact(pattern=pattern, dry_run=self.chance.random() < 0.1)

    def call_prune(self) -> None:
        now = self.clock.now
        Calls.of(self.client._opened).prune(Choice(before=now - 100_000, statuses=("completed", "failed")))

    def call_collect(self) -> None:
        Calls.of(self.client._opened).collect()

    def call_expire(self) -> None:
        self.clock.now += self.chance.choice((3_600_001, 8 * 86_400_000))
        Calls.of(self.client._opened).work_due()

    def call_lease(self) -> None:
        session = self._session()
        with session.lease():
            session.append("assistant", self._text())
            self.client.session(session.id).append("user", "between")

    def call_flow(self) -> None:
        session = self._session()
        maker = Maker(Calls.of(session._opened), self.clock, self.chance.randrange(1 << 30))
        maker._flow(session.id)

    # What is said of it

    def call_rename(self) -> None:
        self._session().rename(self._text(), key=self._key())

    def call_describe(self) -> None:
        self._session().describe(self._text())

    def call_set_id(self) -> None:
        new = self._id()
        self._session().set_id(new, key=self._key())
        self._note(new)

    def call_tag(self) -> None:
        self._session().tag(self._text()[:20], "t")

    def call_untag(self) -> None:
        self._session().untag("t")

    def call_link(self) -> None:
        self._session().link({"task": self._text(), "Ana": "two"})

    def call_unlink(self) -> None:
        self._session().unlink({"Ana": "two"})

    def call_metadata(self) -> None:
        self._session().set_metadata({self.chance.choice(KEYS[:4]): self._value()})

    def call_agent(self) -> None:
        session = self._session()
        session.set_agent(self._text())
        session.set_model("two")

    def call_pin(self) -> None:
        session = self._session()
        session.unpin() if session.pinned else session.pin()

    def call_archive(self) -> None:
        session = self._session()
        session.unarchive() if session.archived else session.archive()

    def call_note(self) -> None:
        self._session().note(self._text(), key=self._key())

    # Carried

    def call_carry(self) -> object:
        """Export, and import into the other store: now, or later, when both have changed."""
        session = self._session()
        format = self.chance.choice(("json", "jsonl"))
        data = b"".join(Calls.of(session._opened).export(session.id, format))
        self.files.append(data)
        return self._imported(data)

    def call_carry_again(self) -> object:
        return self._imported(self.chance.choice(self.files)) if self.files else None

    def call_carry_under_another_id(self) -> object:
        return self._imported(self.chance.choice(self.files), self._id()) if self.files else None

    def call_export_for_readers(self) -> None:
        session = self._session()
        for format in ("csv", "md", "html"):
            list(Calls.of(session._opened).export(session.id, format))

    def _imported(self, data: bytes, name: str | None = None) -> object:
        at = self.chance.choice((0, 1, 1))
        self._note("into", at, *([name] if name else []))
        return self.stores[at].import_(io.BytesIO(data), name=name).outcome

    # Read

    def call_read(self) -> None:
        session = self._session()
        session.refresh()
        session.messages()
        list(session.events())
        session.notes()
        session.state.copy()

    def call_search(self) -> int:
        return len(self.client.search(self.chance.choice(("Ana", "two -one", "na*")), limit=5).items)

    def call_list(self) -> None:
        self.client.list(status="ended", tags=["t"], total=True)
