"""Sessions as users leave them, made by a seeded generator through the client."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

from tests.calls import Calls

from retoma.errors import Invalid, RetomaError
from retoma.flows.script import Answers
from retoma.model import event as kinds
from retoma.model.call import Came
from retoma.model.changes import Changes
from retoma.model.codec import Json, encode
from retoma.model.event import INLINE_BYTES, new_event
from retoma.model.ids import Operation, SessionId
from retoma.model.pattern import Pattern
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.runtime.rehearsal import Mocks
from retoma.runtime.toolbox import Given
from retoma.service import access, sessions
from retoma.service.forget.erasing import Selection
from retoma.service.search.indexing import step
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Transaction

EXAMPLES = Path(__file__).parents[2] / "examples"
FLOWS = ("tour", "cadastro", "oncall", "signup", "trip", "trip")
ANSWERS = {
    "book": Answers(each=(Came(outcome="done", result={"id": "ç-1", "price": 90}),), always=True),
    "pay": Answers(each=(Came(outcome="failed", text="no ☎"),), always=True),
    "cancel": Answers(each=(Came(outcome="done", result="gone"),), always=True),
}
WORDS = [
    "plain",
    "ç ã é",
    "日本語",
    "🧭🗺️",
    "=1+1",
    "# no heading",
    "```",
    '"quoted", and\r\nmore',
    "tab\there",
    "\u2028",
]


class Maker:
    """Makes sessions in `client`, one after the other; the same seed makes the same ones."""

    def __init__(self, client: Calls, clock: Clock, seed: int) -> None:
        self._client = client
        self._clock = clock
        self._chance = random.Random(seed)
        self.made: list[SessionId] = []

    def make(self) -> SessionId:
        """Make one more session and live in it for a while."""
        chance = self._chance
        name = self._client.create(self._new(len(self.made)))
        for _ in range(chance.randrange(12)):
            self._clock.now += chance.randrange(5_000)
            action = chance.choice(
                (
                    self._say,
                    self._say,
                    self._set,
                    self._pause,
                    self._change,
                    self._reset,
                    self._flow,
                    self._flow,
                    self._erase,
                )
            )
            with contextlib.suppress(RetomaError):  # refused by the state it is in: a user meets that too
                action(name)
        if chance.random() < 0.3:
            self._client.change(
                name, chance.choice(("completed", "failed")), reason=self._text()
            ) if self._open(name) else None
        step(self._client._store, self._client._who, everything=True)
        self.made.append(name)
        return name

    def _new(self, number: int) -> NewSession:
        chance = self._chance
        few = range(chance.randrange(4))
        return NewSession(
            id=f"s{number}",
            title=chance.choice(("", self._text()[:50])),
            description=chance.choice(("", self._text())),
            agent=chance.choice(("", "main")),
            model=chance.choice(("", "echo")),
            thinking=chance.choice(("", "high")),
            channel=chance.choice(("", "https://example.org/é")),
            parent=chance.choice((None, *self.made[-3:])),
            tags=tuple(f"tag {n}" for n in few),
            contexts=tuple((f"kind{n}", f"ref {self._text()[:20]}") for n in few if n < 2)
            if chance.random() < 0.5
            else (("task", "7"),),
            metadata={"a": [1, 2.5, None, {"ç": True}], "n": 2**63} if chance.random() < 0.5 else {},
            ttl_ms=chance.choice((None, 3_600_000)),
            template=chance.choice(("", "review")),
        )

    def _text(self) -> str:
        words = " ".join(self._chance.choices(WORDS, k=self._chance.randrange(1, 6)))
        return "".join(letter for letter in words if ord(letter) >= 32)

    def _say(self, name: SessionId) -> None:
        text = " ".join(self._chance.choices(WORDS, k=self._chance.randrange(1, 9)))
        if self._chance.random() < 0.1:
            text += "\n" + "long " * (INLINE_BYTES // 4)
        said: Json = text
        if self._chance.random() < 0.2:
            said = [
                {"type": "reasoning", "text": text},
                {"type": "tool_call", "id": "1", "name": "=look", "arguments": {"ß": [1.5, None]}},
                {"type": "image", "artifact": "a"},
            ][: self._chance.randrange(1, 4)]
        role = self._chance.choice(("user", "assistant", "system", "tool"))
        self._client.append(name, role, said, sender=self._chance.choice(("", "main")))

    def _set(self, name: SessionId) -> None:
        values: dict[str, Json] = {
            self._chance.choice(("k", "ß", "", "deep")): self._chance.choice(
                ("text", 0.1, 1e-7, -1e300, 2**63 - 1, [], {"": {"a": [None, False]}})
            )
        }

        def put(tx: Transaction, head: sessions.Head) -> None:
            event = new_event(kinds.STATE, encode({"set": values}))
            done = access.append(tx, self._client._who, head, [event], self._operation())
            tx.state.put(head.key, values, seq=done.seq)

        self._write(name, put)

    def _pause(self, name: SessionId) -> None:
        self._client.change(name, "suspended", reason=self._text())
        if self._chance.random() < 0.7:
            self._client.change(name, "active")

    def _reset(self, name: SessionId) -> None:
        self._client.reset(name, erase=self._chance.random() < 0.3)

    def _change(self, name: SessionId) -> None:
        chance, client = self._chance, self._client
        match chance.randrange(6):
            case 0:
                client.note(name, self._text() or "x")
            case 1:
                client.update(name, Changes(pinned=chance.random() < 0.5, tag=("new ß",)))
            case 2:
                client.update(
                    name, Changes(archived=chance.random() < 0.5, title="another", untag=("tag 0",))
                )
            case 3:
                client.update(name, Changes(link=(("task", "8"),), metadata={"more": [1]}, forget=("a",)))
            case 4:
                client.trash(name)
                client.restore(name)
            case _:
                client.redact(name, Selection(wanted=Pattern("long|Ana")))

    def _flow(self, name: SessionId) -> None:
        session = self._client.get(name)
        assert session is not None
        path = Path(session.flow_path) if session.flow_path else EXAMPLES / self._chance.choice(FLOWS)
        tools = Given(tools=Mocks(ANSWERS, {}))
        request = Request(directory=path, session=name, context={"pager": "x"}, tools=tools)
        with self._client.drive(request) as drive:
            for _ in range(self._chance.randrange(9)):
                if drive.call is not None and drive.prompt is None:
                    drive.perform("test")
                    continue
                if drive.over or drive.prompt is None:
                    break
                try:
                    drive.send(self._chance.choice((*drive.prompt.options, "1", "Ana", "yes")))
                except Invalid:
                    break

    def _erase(self, name: SessionId) -> None:
        session = self._client.get(name)
        assert session is not None
        seq = self._chance.randint(1, session.seq)
        self._client.redact(name, Selection(first=seq, last=seq + self._chance.randrange(3)))

    def _write(self, name, change) -> None:
        self._client._store.write(lambda tx: change(tx, access.head_of(tx, self._client._who, name)))

    def _open(self, name: SessionId) -> bool:
        session = self._client.get(name)
        return session is not None and session.status in {"active", "suspended"}

    def _operation(self) -> Operation:
        return Operation(self._chance.randbytes(16))
