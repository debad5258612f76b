"""What the store has, as the values that callers get."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from retoma import values
from retoma.model import event as journal
from retoma.model import lease as driving
from retoma.model import message as conversation
from retoma.model import session as sessions

if TYPE_CHECKING:
    from retoma.commands.listing import Page
    from retoma.model.retention import Entry
    from retoma.service.branch.diff import Diff
    from retoma.service.search.found import Asked, Found

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(ms: int) -> datetime:
    """Return an instant, given as milliseconds UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def milliseconds(at: datetime) -> int:
    """Return an instant as milliseconds UTC; what is finer is cut off."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def message(said: conversation.Message) -> values.Message:
    """Return a message as callers get it."""
    return values.Message(
        seq=said.seq, at=moment(said.at), role=said.role, text=said.text, sender=said.sender, epoch=said.epoch,
        parts=said.parts, tools=said.tools,
    )  # fmt: skip


def messages(said: Sequence[conversation.Message]) -> list[values.Message]:
    """Return messages as callers get them."""
    return list(map(message, said))


def difference(diff: Diff) -> values.Difference:
    """Return two sessions side by side as callers get them."""
    return values.Difference(
        by=diff.common.by,
        to_a=diff.common.a,
        to_b=diff.common.b,
        only_a=tuple(map(message, diff.only("a"))),
        only_b=tuple(map(message, diff.only("b"))),
        state=tuple(diff.state),
    )


def event(happened: journal.Event) -> values.Event:
    """Return an event as callers get it."""
    return values.Event(
        seq=happened.seq,
        type=happened.type,
        at=moment(happened.at),
        actor=happened.actor,
        cause=happened.cause,
        operation=happened.operation.hex() if happened.operation else None,
        data=None if happened.erased else happened.value(),
        hash=happened.hash.hex(),
    )


def note(happened: journal.Event) -> values.Note:
    """Return a note as callers get it."""
    text = happened.value().get("text")
    return values.Note(
        seq=happened.seq,
        at=moment(happened.at),
        actor=happened.actor,
        text=text if isinstance(text, str) else None,
    )


def branches(tree: Sequence[tuple[int, sessions.Session]]) -> list[values.Branch]:
    """Return a tree as callers get it."""
    return [
        values.Branch(
            depth=depth, id=one.id, title=one.title, status=one.status, parent=one.parent, fork_of=one.fork_of,
            fork_seq=one.fork_seq,
        )
        for depth, one in tree
    ]  # fmt: skip


def log(page: Page[Entry]) -> values.Page[values.LogEntry]:
    """Return a page of the store's log as callers get it."""
    items = [
        values.LogEntry(
            at=moment(one.at), actor=one.actor, action=one.deed, why=one.why, count=one.count, session=one.id or None
        )
        for one in page.items
    ]  # fmt: skip
    return values.Page(items, page.next)


def notes(happened: Sequence[journal.Event]) -> list[values.Note]:
    """Return notes as callers get them."""
    return list(map(note, happened))


def usage(session: sessions.Session) -> values.Usage:
    """Return what a session used."""
    return values.Usage(
        tokens_in=session.tokens_in,
        tokens_out=session.tokens_out,
        tokens_cached=session.tokens_cached,
        cost_micros=session.cost_micros,
    )


def flow(session: sessions.Session) -> values.Flow | None:
    """Return where a session's flow stands, None when it runs none."""
    if session.flow is None:
        return None
    return values.Flow(
        name=session.flow,
        path=session.flow_path,
        version=session.flow_version.hex() if session.flow_version else None,
        status=session.flow_status,
        node=session.flow_node,
        visits=session.flow_visits,
    )


def driver(lease: driving.Lease | None, now_ms: int) -> values.Driver | None:
    """Return who drove at that moment, None when nobody did or the term was over."""
    if lease is None or lease.expires_at <= now_ms:
        return None
    return values.Driver(
        host=lease.holder.host,
        pid=lease.holder.pid,
        command=lease.holder.command,
        user=lease.holder.user,
        token=lease.token,
        acquired_at=moment(lease.acquired_at),
        expires_at=moment(lease.expires_at),
    )


def found(page: Found, asked: Asked) -> values.Found:
    """Return a page of what answers `asked`."""
    from retoma.service.search.found import written

    following = written(page.next, asked) if page.next is not None else None
    items = [
        values.Hit(
            session=hit.session.id,
            title=hit.session.title,
            seq=hit.seq or None,
            epoch=hit.epoch,
            at=moment(hit.at),
            role=hit.role,
            sender=hit.sender,
            snippet=hit.snippet.text,
            marks=tuple(hit.snippet.marks),
            score=hit.score,
        )
        for hit in page.items
    ]
    indexed_to = moment(page.indexed_to) if page.indexed_to is not None else None
    return values.Found(items, following, page.total, indexed_to)
