"""What a session waits for is in its own rows: in forks, undone lines, exports, erasures, checks and upgrades."""

from __future__ import annotations

from io import BytesIO

import pytest
from tests.service.branching import client, whole
from tests.service.test_tools import END, RING, TOOLS, Fake, done, through

from retoma.errors import Integrity
from retoma.model.call import FLOW_TOOL, Pending, with_call, without_call
from retoma.model.pattern import Pattern
from retoma.model.state import SYS
from retoma.service.forget.erasing import Selection
from retoma.service.upgrade import upgrade

__all__ = ["client"]


@pytest.fixture
def flow(make_flow):
    directory = make_flow(start=RING, end=END)
    (directory / "tools.yaml").write_text(TOOLS)
    return directory


@pytest.fixture
def waiting(client, flow):
    """A session `s` whose flow waits for a tool that was started once, and its call."""
    with pytest.raises(KeyboardInterrupt):
        through(client, flow, Fake(KeyboardInterrupt()), context={"who": "Eva", "n": 1})
    [call] = pending(client, "s")
    return call


def key_of(tx, client, session):
    return tx.sessions.key(client._who.tenant, session)


def pending(client, session):
    return client._store.read(lambda tx: tx.pending.get(key_of(tx, client, session)))


def system(client, session):
    return client._store.read(lambda tx: tx.state.value(key_of(tx, client, session), SYS))


def put(client, call, was):
    def use(tx):
        key = key_of(tx, client, "s")
        tx.pending.drop(key, was.kind)
        if call is not None:
            tx.pending.put(key, call)

    client._store.write(use)


def test_a_flow_waits_for_one_call_until_it_ends(client, flow, waiting):
    assert (waiting.kind, waiting.what["attempt"], waiting.what["key"]) == (FLOW_TOOL, 1, waiting.id)
    assert system(client, "s") == {"ans": None}
    whole(client)
    through(client, flow, Fake(done()))
    assert pending(client, "s") == []
    whole(client)


def test_a_fork_and_an_undone_line_wait_for_calls_of_their_own(client, flow, waiting):
    head = client.get("s").seq
    client.fork("s", "now")
    client.append("s", "user", "wait")
    client.fork("s", "then", at=head - 1)
    client.undo("s")
    calls = {name: pending(client, name) for name in ("s", "s~1", "now", "then")}
    assert all(len(found) == 1 for found in calls.values())
    assert calls["s~1"] == [waiting]
    others = [calls[name][0] for name in ("s", "now", "then")]
    assert len({one.id for one in (*others, waiting)}) == 4
    assert all("attempt" not in one.what for one in others)
    whole(client)
    client.reset("s")
    client.delete("now")
    assert pending(client, "s") == []
    whole(client)


def test_an_export_has_the_call_beside_the_last_answer(client, flow, waiting):
    file = b"".join(client.export("s", "jsonl"))
    [line] = [line for line in file.splitlines() if b'"key":"sys"' in line]
    assert b'"value":{"ans":null,"call":{"node":"start"' in line
    client.delete("s")
    client.import_(BytesIO(file))
    assert pending(client, "s") == [waiting]
    assert line in b"".join(client.export("s", "jsonl"))
    whole(client)
    # The file again with what came since: the rows are handed over.
    through(client, flow, Fake(done()))
    further = b"".join(client.export("s", "jsonl"))
    client.delete("s")
    client.import_(BytesIO(file))
    client.import_(BytesIO(further))
    assert pending(client, "s") == []
    whole(client)


def test_a_file_with_another_call_contradicts_its_journal(client, flow, waiting):
    file = b"".join(client.export("s", "json"))
    client.delete("s")
    with pytest.raises(Integrity):
        client.import_(BytesIO(file.replace(b'"attempt":1', b'"attempt":2')))


def test_a_redaction_takes_the_arguments(client, waiting):
    client.fork("s", "fork")
    client.redact("s", Selection(wanted=Pattern("Eva")))
    for session in ("s", "fork"):
        [call] = pending(client, session)
        assert call.what["args"] == "[redacted]"
    whole(client)


@pytest.mark.parametrize("change", ["id", "kind", "what", "gone", "more"])
def test_each_column_is_compared_with_the_journal(client, waiting, change):
    match change:
        case "id":
            call = Pending("other", waiting.kind, waiting.what)
        case "kind":
            call = Pending(waiting.id, "other", waiting.what)
        case "what":
            call = Pending(waiting.id, waiting.kind, {**waiting.what, "attempt": 2})
        case "gone":
            call = None
        case _:
            call = Pending("more", "other", {})
    put(client, call, waiting if change != "more" else call)
    [damage] = client.check().damage
    assert "the calls that it waits for" in damage.detail


def test_an_upgrade_moves_what_older_formats_kept_in_the_state(client, waiting):
    client.fork("s", "fork")

    def as_before(tx):
        for session in ("s", "fork"):
            key = key_of(tx, client, session)
            [(_, _, seq)] = [row for row in tx.transfers.state(key, after=None, limit=9) if row[0] == SYS]
            [call] = tx.pending.get(key)
            tx.state.put(key, {SYS: with_call({"ans": None}, call.what)}, seq=seq)
            tx.pending.drop(key, call.kind)

    before = pending(client, "s"), pending(client, "fork")
    client._store.write(as_before)
    assert len(client.check().damage) == 4
    for _ in range(2):
        assert client._store.write(lambda tx: upgrade(tx, 7)) == 0
        assert (pending(client, "s"), pending(client, "fork")) == before
    whole(client)


def test_a_call_that_cannot_be_one_stays_where_it_is():
    assert without_call({"ans": 1, "call": 7}) == ({"ans": 1, "call": 7}, None)
    assert without_call(None) == (None, None)
    assert with_call({"ans": 1, "came": "done"}, None) == {"ans": 1, "came": "done"}
    assert list(with_call({"ans": 1, "rollback": {}}, {"key": "k"})) == ["ans", "call", "rollback"]
