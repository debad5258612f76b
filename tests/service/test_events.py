"""A type of events is one declaration: a type that a test declares is folded, searched, erased, forked and checked."""

from __future__ import annotations

import msgspec
import pytest
from tests.service.branching import client, talk, whole
from tests.service.test_erasing import index

from retoma.model import event as names
from retoma.model.codec import encode
from retoma.model.event import Event, new_event
from retoma.model.events import Kind, Said, as_deleted, as_set, kind_of, known
from retoma.model.events.state import change
from retoma.model.fold import fold
from retoma.model.message import Message
from retoma.model.pattern import Pattern
from retoma.service import access
from retoma.service.forget.erasing import Selection
from retoma.service.search.found import Asked
from retoma.stores.sql.statements import FRAGMENTS, STATEMENTS

__all__ = ["client"]


class Lit(msgspec.Struct, frozen=True, kw_only=True):
    """`lamp.lit`."""

    says: str
    set: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)


def shown(event: Event, data: dict[str, str]) -> Message:
    return Message(seq=event.seq, at=event.at, role="assistant", text=data["says"], sender="lamp")


LIT = Kind(
    name="lamp.lit",
    payload=Lit,
    fold=change,
    sets=as_set,
    deletes=as_deleted,
    said=shown,
    role="assistant",
    searched=lambda data: Said("assistant", data["says"], "lamp"),
)


@pytest.fixture
def lamp(monkeypatch):
    """Declare the type `lamp.lit`. The texts of statements are made of the declarations once."""
    monkeypatch.setitem(known(), LIT.name, LIT)
    forget_texts()
    yield
    forget_texts()


def forget_texts():
    FRAGMENTS.pop("searched_types", None)
    STATEMENTS.pop("whole_indexed", None)


def append(client, session, kind, data):
    """Append an event of any type, and keep what it sets."""

    def use(tx):
        head = access.head_of(tx, client._who, session)
        event = new_event(kind, encode(data))
        moved = access.append(tx, client._who, head, [event], client._operation(None, "append", ""))
        tx.state.put(head.key, kind_of(kind).sets(data), seq=moved.seq)
        return moved.seq

    return client._store.write(use)


def state(client, session):
    return client.position(session).position.context


def found(client, text):
    return sorted(hit.session.id for hit in client.search(Asked(text=text)).items)


def test_every_name_has_a_declaration():
    listed = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert listed == known().keys() == {kind.name for kind in known().values()}


def test_a_type_of_ones_own_is_kept_read_searched_forked_erased_and_checked(client, lamp):
    talk(client, "one", "Is it dark?")
    seq = append(client, "one", LIT.name, {"says": "Incandescent", "set": {"lamp": "on"}})
    assert [message.text for message in client.messages("one")] == ["Is it dark?", "Incandescent"]
    assert fold(client.events("one")).state == state(client, "one") == {"lamp": "on"}
    assert found(client, "incandescent") == ["one"]
    client.fork("one", "two", at=seq)
    assert state(client, "two") == {"lamp": "on"}
    whole(client)

    client.redact("one", Selection(wanted=Pattern("Incandescent")))
    assert [event.erased for event in client.events("one")][seq - 1]
    assert found(client, "incandescent") == []
    for session in ("one", "two"):
        assert state(client, session) == fold(client.events(session)).state == {"lamp": "[redacted]"}
    index(client)
    whole(client)


def test_data_that_the_type_has_not_is_damage(client, lamp):
    talk(client, "one")
    append(client, "one", LIT.name, {"set": {}})
    assert [one.seq for one in client.check().damage] == [2]


def test_a_type_of_another_program_is_kept_and_never_interpreted(client):
    talk(client, "one", "hello")
    seq = append(client, "one", "lights:lit", {"set": {"lamp": "on"}, "role": "user", "content": "glow"})
    assert state(client, "one") == {}
    assert [message.text for message in client.messages("one")] == ["hello"]
    index(client)
    assert found(client, "glow") == []
    client.fork("one", "two", at=seq)
    assert [*client.events("two")][seq - 1].value()["content"] == "glow"
    whole(client)
    client.redact("one", Selection(wanted=Pattern("glow")))
    assert [*client.events("two")][seq - 1].erased
    whole(client)
