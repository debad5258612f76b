"""What a caller relies on: keys make writes happen once, errors say what to do, nothing is half done."""

from __future__ import annotations

import pytest
from tests.calls import Calls

from retoma.errors import Busy, Conflict, Invalid, Limit, NotFound, Refused
from retoma.model.ids import TenantKey
from retoma.model.lease import LEASE_TTL_MS, Holder
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import NewSession
from retoma.runtime import lease as leasing
from retoma.service import leases
from retoma.stores.contract.store import Listing
from retoma.wiring import Sources

HOLDER = Holder("other", "boot", 7, 1, "retoma run")


def make(client, name="s", **facts):
    return client.create(NewSession(id=name, **facts))


def test_the_same_key_makes_a_session_once(client):
    first = client.create(NewSession(title="T"), key="k")
    assert client.create(NewSession(title="T"), key="k") == first
    with pytest.raises(Conflict, match="another request"):
        client.create(NewSession(title="other"), key="k")
    assert len(client.list([Listing()]).items) == 1


def test_the_same_key_appends_once(client):
    make(client)
    seq = client.append("s", "user", "hello", key="k")
    client.append("s", "user", "between")
    assert client.append("s", "user", "hello", key="k") == seq
    with pytest.raises(Conflict, match="another request"):
        client.append("s", "user", "changed", key="k")
    assert [message.text for message in client.messages("s")] == ["hello", "between"]


def test_the_same_key_changes_and_deletes_once(client):
    make(client)
    client.change("s", "suspended", key="pause")
    client.change("s", "active")
    assert client.change("s", "suspended", key="pause") == ("active", "active")
    client.delete("s", key="rm")
    client.delete("s", key="rm")
    with pytest.raises(NotFound):
        client.delete("s")


def test_a_key_of_one_session_is_free_in_another(client):
    make(client)
    make(client, "t")
    client.append("s", "user", "a", key="k")
    client.append("t", "user", "b", key="k")
    assert [message.text for message in client.messages("t")] == ["b"]


def test_expect_says_what_it_was_based_on(client):
    make(client)
    seq = client.append("s", "user", "a", expect=1)
    with pytest.raises(Conflict, match="2 events, not 1"):
        client.append("s", "user", "b", expect=1)
    assert client.append("s", "user", "b", expect=seq) == 3


def test_an_id_is_taken_once_and_free_after_deletion(client):
    make(client)
    with pytest.raises(Conflict, match="already"):
        make(client)
    client.delete("s")
    make(client)
    assert client.messages("s") == []


def test_generated_ids_are_readable_and_differ(client):
    ids = {client.create(NewSession(title="Broken pager in the importer!")) for _ in range(20)}
    assert len(ids) == 20
    assert all(id.startswith("broken-pager-in-the-importer-") for id in ids)
    assert client.create(NewSession(title="Ações da sessão")).startswith("acoes-da-sessao-")
    assert client.create(NewSession(title="世界")).startswith("session-")


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ([], "active"),
        (["suspended"], "suspended"),
        (["completed"], "active"),
        (["completed"], "failed"),
        (["failed"], "suspended"),
        (["suspended", "completed"], "active"),
    ],
)
def test_a_refused_transition_names_both_states_and_what_is_allowed(client, path, to):
    make(client)
    for status in path:
        client.change("s", status)
    now = path[-1] if path else "active"
    with pytest.raises(Refused) as refused:
        client.change("s", to)
    assert now in str(refused.value)
    assert to in str(refused.value)
    assert refused.value.status == now
    assert client.get("s").status == now


@pytest.mark.parametrize("status", ["suspended", "completed", "failed"])
def test_only_an_active_session_takes_messages(client, status):
    make(client)
    client.change("s", status)
    with pytest.raises(Refused, match=f"is {status} and accepts no messages"):
        client.append("s", "user", "a")
    assert client.messages("s") == []


def test_a_missing_session_is_told_with_the_nearest(client):
    make(client, "experiment-one")
    for call in (client.show, client.messages, client.position, lambda s: client.append(s, "user", "a")):
        with pytest.raises(NotFound, match="Did you mean 'experiment-one'"):
            call("experimnt-one")


def test_a_beginning_that_means_several_is_refused(client):
    make(client, "abc-1")
    make(client, "abc-2")
    with pytest.raises(Invalid, match="abc-1, abc-2"):
        client.resolve("abc")
    assert client.resolve("abc-2") == "abc-2"


def test_last_is_the_one_that_this_user_wrote_last(client, clock):
    for name in ("a", "b"):
        clock.now += 5_000
        make(client, name)
    clock.now += 5_000
    client.append("a", "user", "x")
    assert client.resolve("@last") == "a"
    other = Calls(client._store, Principal(client._who.tenant, "eva"), sources=Sources(clock, clock.bytes))
    with pytest.raises(NotFound, match="eva has not written to any session"):
        other.resolve("@last")


def test_what_is_another_tenants_looks_absent(client, clock):
    make(client)
    theirs = Calls(client._store, Principal(TenantKey(2), "eva"), sources=Sources(clock, clock.bytes))
    assert theirs.get("s") is None
    assert theirs.list([Listing()]).items == []
    for call in (theirs.show, theirs.messages, theirs.delete, lambda s: theirs.change(s, "completed")):
        with pytest.raises(NotFound):
            call("s")
    make(theirs)
    theirs.delete("s")
    assert client.get("s") is not None


def test_who_may_only_read_writes_nothing(client, clock):
    make(client)
    reader = Calls(
        client._store, Principal(client._who.tenant, "eva", "read"), sources=Sources(clock, clock.bytes)
    )
    for write in (
        lambda: make(reader, "t"),
        lambda: reader.append("s", "user", "a"),
        lambda: reader.change("s", "completed"),
        lambda: reader.delete("s"),
    ):
        with pytest.raises(Refused, match="may read this store, but not write"):
            write()
    assert reader.get("s").status == "active"


def test_limits_hold(client, clock):
    limited = Calls(
        client._store,
        client._who,
        sources=Sources(clock, clock.bytes),
        limits=Limits(sessions=3, sessions_active=2),
    )
    make(limited, "a")
    make(limited, "b")
    with pytest.raises(Limit, match="2 active sessions"):
        make(limited, "c")
    limited.change("a", "completed")
    make(limited, "c")
    limited.change("c", "completed")
    with pytest.raises(Limit, match="3 sessions"):
        make(limited, "d")


def test_a_message_of_more_than_a_mebibyte_is_refused(client):
    make(client)
    with pytest.raises(Invalid, match=r"the limit is 1,048,576"):
        client.append("s", "user", "x" * (1 << 20))
    assert client.get("s").messages == 0


def test_a_dead_holder_does_not_keep_others_from_writing(client, monkeypatch, clock):
    make(client)
    client._store.write(lambda tx: leases.acquire(tx, client._who, "s", HOLDER))
    with pytest.raises(Busy, match="process 7 on other"):
        client.append("s", "user", "a")
    monkeypatch.setattr(leasing, "is_gone", lambda holder: True)
    client.append("s", "user", "b")
    monkeypatch.undo()
    client._store.write(lambda tx: leases.acquire(tx, client._who, "s", HOLDER))
    clock.now += LEASE_TTL_MS + 1
    client.append("s", "user", "c")
    assert [message.text for message in client.messages("s")] == ["b", "c"]


def test_reading_pages_back_through_other_events(client):
    make(client)
    for n in range(60):
        client.append("s", "user", str(n))
        client.change("s", "suspended")
        client.change("s", "active")
    assert [message.text for message in client.messages("s", last=50)] == [str(n) for n in range(10, 60)]
    assert [message.text for message in client.messages("s", since=client.get("s").seq - 3)] == ["59"]
    assert [event.seq for event in client.events("s", since=100)] == list(range(101, 182))


def test_a_parent_must_exist(client):
    make(client, "p")
    make(client, "c", parent="p")
    assert client.get("c").parent == "p"
    with pytest.raises(NotFound):
        make(client, "d", parent="nobody")
    client.delete("p")
    assert client.get("c").parent is None
