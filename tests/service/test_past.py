"""The past of a session, at any of its events: as it was, however it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.branching import FLOW, client, say, talk, whole

from retoma.errors import Invalid
from retoma.model.branch import Line, Segment, shared
from retoma.model.changes import Changes
from retoma.model.ledger import Ledger
from retoma.model.pattern import Pattern
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.service.branch import past, snapshots
from retoma.service.forget.erasing import Selection
from retoma.stores.contract.branches import Kept

__all__ = ["client"]


@pytest.fixture(params=[1_000, 2], ids=["folded", "snapshots"])
def every(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let snapshots stand at every second event, or nowhere near."""
    monkeypatch.setattr(past, "EVERY", request.param)
    monkeypatch.setattr(past, "NEAR", request.param)
    return request.param


def stands(client, at=None):
    snapshot = client.position("one", at=at)
    row = snapshot.session
    position = msgspec.to_builtins(snapshot.position)
    said = (
        row.title,
        row.status,
        row.reason,
        row.epoch,
        row.messages,
        row.flow,
        row.flow_version,
        row.flow_path,
    )
    return snapshot.session.seq, said, position, snapshot.history


def lived(client, make_flow) -> Iterator[tuple[object, ...]]:
    """Live in the session `one`, and yield where it stands after each write."""
    flow = make_flow(**FLOW)
    client.create(NewSession(id="one", title="First"))
    yield stands(client)
    for text in ("a", "b"):
        say(client, "one", text)
        yield stands(client)
    with client.drive(Request(directory=flow, session="one")) as drive:
        yield stands(client)
        drive.send("left")
        yield stands(client)
    client.update("one", Changes(title="Second"))
    yield stands(client)
    client.change("one", "suspended", reason="late")
    yield stands(client)
    client.change("one", "active")
    with client.drive(Request(directory=flow, session="one")) as drive:
        drive.send("right")
    yield stands(client)
    client.reset("one")
    yield stands(client)
    say(client, "one", "c")
    yield stands(client)


def test_each_moment_is_as_it_was(client, make_flow, every):
    moments = list(lived(client, make_flow))
    for _ in range(2):
        for seq, said, position, history in reversed(moments):
            was = stands(client, at=seq)
            # The directory is in no event: it is known of the flow that the session runs.
            assert (was[1][:7], was[2:]) == (said[:7], (position, history))
    client.fork("one", "two")
    client.fork("two", "three", at=5)
    for seq, said, *_ in moments:
        if seq <= 5:
            row = client.position("three", at=seq).session
            assert (row.title, row.messages) == (said[0], said[4])
    whole(client)


def test_an_event_that_is_not_there_has_no_moment(client):
    talk(client, "one", "a")
    with pytest.raises(Invalid, match="its last one is 2"):
        client.position("one", at=3)


def test_snapshots_are_kept_where_the_past_was_asked_for(client, monkeypatch):
    talk(client, "one")
    for n in range(past.NEAR + past.EVERY):
        client.append("one", "user", f"message {n}")
    assert kept(client) == []
    client.position("one", at=past.NEAR + 500)
    assert kept(client) == [1_000, 2_000]
    head = client.get("one").seq
    read = counted(monkeypatch)
    client.fork("one", "two", at=head - past.EVERY)
    assert sum(read) <= past.EVERY + 10
    client.delete("two")
    client.delete("one")
    assert kept(client) == []


def test_a_large_state_does_not_make_a_large_journal(client, monkeypatch):
    monkeypatch.setattr(past, "EVERY", 5)
    monkeypatch.setattr(past, "NEAR", 5)
    names = "".join(chr(0x4E00 + n) for n in range(3_000))  # nothing that compresses
    client.create(NewSession(id="one", description=names, metadata={"k": names}))
    for n in range(100):
        client.append("one", "user", f"{n}")
    client.position("one", at=99)
    seqs = kept(client)
    assert seqs[-1] == 95
    assert len(seqs) < 6


def test_a_snapshot_holds_all_that_a_ledger_knows(client, make_flow):
    lived_in = list(lived(client, make_flow))
    client.redact("one", Selection(wanted=Pattern("left")))
    client.note("one", "noted")
    client.fork("one", "two")
    ledger = Ledger(cut=False)
    for event in client.events("two"):
        ledger.take(event)
        again = snapshots.unpacked(Kept(1, event.seq, event.hash, snapshots.packed(event.hash, ledger)))
        # What a ledger learns later must be in its snapshots, too: their version goes up then.
        assert vars(again) == vars(ledger)
    assert lived_in


def test_a_reader_keeps_no_snapshots_and_sees_the_past_all_the_same(client, monkeypatch):
    monkeypatch.setattr(past, "EVERY", 2)
    monkeypatch.setattr(past, "NEAR", 2)
    talk(client, "one", "a", "b", "c", "d")
    client._who = Principal(client._who.tenant, "eve", "read")
    assert client.position("one", at=5).session.messages == 4
    assert kept(client) == []


def test_a_snapshot_that_is_damaged_or_of_a_later_version_is_passed_over(client, monkeypatch):
    monkeypatch.setattr(past, "EVERY", 2)
    monkeypatch.setattr(past, "NEAR", 2)
    talk(client, "one", "a", "b", "c", "d", "e")
    client.position("one", at=6)

    def spoil(how: Callable[[bytes], bytes]) -> None:
        def change(tx) -> None:
            key = tx.sessions.key(1, "one")
            kept = tx.branches.snapshot(key, at=6)
            tx.branches.put_snapshot(key, kept.seq, how(kept.state))

        client._store.write(change)

    for how in (
        lambda state: state[:-1] + bytes([state[-1] ^ 1]),
        lambda state: b"\x63" + state[1:],
        lambda state: b"",
    ):
        spoil(how)
        assert client.position("one", at=6).session.messages == 5
    whole(client)


# What was forgotten since


def test_what_was_erased_since_is_not_known_at_any_moment(client, make_flow, every):
    with client.drive(Request(directory=make_flow(**FLOW), session="one")) as drive:
        drive.send("secret")
        drive.send("other")
    first, second = (event.seq for event in client.events("one") if event.type == "flow.input")
    client.position("one", at=second)
    client.redact("one", Selection(first=first, last=first + 1))
    assert "secret" not in str(msgspec.to_builtins(client.position("one", at=second).position))
    client.fork("one", "two", at=second - 1)
    snapshot = client.position("two")
    assert snapshot.position.context == {"word": REDACTED}
    assert (snapshot.position.ans, snapshot.history) == (None, ["start", "said"])
    assert [event.seq for event in client.events("two") if event.erased] == [first, first + 1]
    with client.drive(Request(directory=make_flow(**FLOW), session="two")) as drive:
        drive.send("more")
        assert drive.over
    whole(client)


def test_snapshots_go_with_what_they_hold(client, monkeypatch):
    monkeypatch.setattr(past, "EVERY", 2)
    monkeypatch.setattr(past, "NEAR", 2)
    talk(client, "one", "a", "b", "c")
    client.fork("one", "two")
    say(client, "two", "d", "e", "f")
    client.position("two", at=client.get("two").seq)
    client.position("one", at=4)
    assert kept(client) == [4, 6, 8]
    client.redact("one", Selection(wanted=Pattern("b")))
    assert kept(client) == []
    client.position("two", at=9)
    client.reset("two", erase=True)
    assert kept(client) == [4]


# Lines


@st.composite
def trees(draw: st.DrawFn) -> list[Line]:
    """Draw sessions forked from one another at any event, as lines."""
    lines = [Line(1, [], 0, draw(st.integers(1, 20)))]
    for key in range(2, draw(st.integers(2, 8)) + 1):
        of = draw(st.sampled_from(lines))
        at = draw(st.integers(1, of.segments[-1].last))
        inherited = of.pieces(0, at)
        lines.append(Line(key, inherited, 0, at + draw(st.integers(1, 9))))
    return lines


@given(trees())
def test_two_lines_share_the_events_whose_rows_are_the_same(lines: list[Line]) -> None:
    for one in lines:
        rows = [(one.source(seq), seq) for seq in range(1, one.segments[-1].last + 1)]
        pieces = [(piece.source, seq) for piece in one.segments for seq in range(piece.first, piece.last + 1)]
        assert rows == pieces
        for other in lines:
            others = [(other.source(seq), seq) for seq in range(1, other.segments[-1].last + 1)]
            together = [a for a, b in zip(rows, others, strict=False) if a == b]
            assert shared(one, other) == len(together)
            assert together == rows[: len(together)]


def test_the_pieces_of_a_line_are_cut_to_what_is_asked_for() -> None:
    line = Line(3, [Segment(1, 4, 1), Segment(5, 5, 2)], 0, 9)
    assert line.pieces(2, 5) == [Segment(3, 4, 1), Segment(5, 5, 2)]
    assert line.pieces(5, 99) == [Segment(6, 9, 3)]
    assert line.pieces(9, 99) == []


# Looking


def kept(client) -> list[int]:
    """Return the events at which there are snapshots, of every journal."""

    def look(tx):
        found = []
        for key, *_ in tx.audit.sessions(after=0, limit=100):
            at = 1 << 31
            while (one := tx.branches.snapshot(key, at=at)) is not None:
                found.append((one.source, one.seq))
                at = one.seq - 1
        return [seq for _, seq in sorted(set(found))]

    return client._store.read(look)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of events of each page that is folded."""
    read: list[int] = []
    take = past._take

    def counting(state, page):
        read.append(len(page))
        return take(state, page)

    monkeypatch.setattr(past, "_take", counting)
    return read
