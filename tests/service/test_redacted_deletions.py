"""A key of the state that was deleted stays deleted, also when the event that deleted it is forgotten."""

from __future__ import annotations

import io

import pytest
from tests.calls import Calls
from tests.service.test_damaged_imports import empty

from retoma import Client
from retoma.commands.opened import Opened
from retoma.model.fold import fold
from retoma.model.pattern import Pattern
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.model.veil import Veil
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

WHO = Principal(LOCAL_TENANT, "ana")


@pytest.fixture
def calls(clock: Clock):
    """A session whose third event sets `kept` and deletes `gone`, and whose second had set `gone`."""
    store, sources = SqliteStore(None, now=clock, random=clock.bytes), Sources(clock, clock.bytes)
    with Calls(store, WHO, sources=sources) as calls:
        calls.create(NewSession(id="s"))
        state = Client(Opened(store, WHO, sources=sources)).session("s").state
        state["gone"] = "old"
        state.put({"kept": "planted-7f3a9c"}, delete=["gone"])
        yield calls


def state_of(calls: Calls, name: str = "s") -> dict:
    said = fold(calls.events(name)).state
    assert calls.position(name).position.context == said
    assert calls.check().damage == []
    return said


@pytest.mark.parametrize(
    "selection", [Selection(first=3, last=3), Selection(wanted=Pattern("planted"))], ids=["seq", "pattern"]
)
def test_it_does_not_come_back_when_its_deletion_is_redacted(calls, selection):
    assert calls.redact("s", selection).events == (3,)
    assert state_of(calls) == {"kept": "[redacted]"}
    calls.fork("s", "then", at=3)
    assert state_of(calls, "then") == {"kept": "[redacted]"}


def test_it_does_not_come_back_when_the_redaction_is_redacted_too(calls):
    calls.redact("s", Selection(first=3, last=3))
    assert len(calls.redact("s", Selection(wanted=Pattern("kept"))).events) == 1
    assert state_of(calls) == {}


def test_it_does_not_come_back_from_a_redacted_export(calls):
    file = b"".join(calls.export("s", "jsonl", veil=Veil((), ("planted",))))
    assert b"planted" not in file
    with empty() as other:
        other.import_(io.BytesIO(file))
        assert state_of(other) == {"kept": "[redacted]"}
