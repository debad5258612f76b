"""The verbs that make, find and delete sessions, and return their handles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar, get_args

from retoma.client import given, listing
from retoma.client.current import current
from retoma.client.door import Door
from retoma.client.faces import Act, Face, Work, Write, verb
from retoma.errors import Invalid
from retoma.model.codec import JsonField
from retoma.model.session import ARCHIVED, SHOWN, TRASHED, NewSession
from retoma.service import opening, sessions
from retoma.stores.api import Listing, Sort, Transaction
from retoma.values import Page

S = TypeVar("S")


class Finding(Face, Generic[S]):
    """Sessions by their ids, and in lists. `S` is the handle of the face."""

    def __init__(self, door: Door) -> None:
        self._door = door

    @verb
    def create(
        self,
        id: str | None = None,
        *,
        title: str = "",
        description: str = "",
        agent: str = "",
        model: str = "",
        thinking: str = "",
        channel: str = "",
        parent: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        metadata: Mapping[str, JsonField] | None = None,
        ttl: given.Duration | None = None,
        template: str | None = None,
        key: str | None = None,
    ) -> Act[S]:
        """Make a session and return its handle. Without `id` one is made of the title, readable and unique.

        An id has 1 to 128 letters, digits and `_ - : @ + = ~`. `contexts` says what it is about: a mapping of kind to
        one reference or several. `parent` is the id of the session it belongs to. `ttl` is after how long it expires.
        `template` names one of `retoma.toml`, which gives what is left open here. With `key` it is made once, however
        often the call is repeated.

        Raises Conflict when the id is taken or `key` was used for something else, Invalid, NotFound for the parent or
        the template, Limit.

        >>> made = client.create("user-123", title="Generics", tags=["docs"], contexts={"task": "7"})
        >>> made.id, made.tags, made.contexts
        ('user-123', ['docs'], [('task', '7')])
        >>> client.create("user-123")
        Traceback (most recent call last):
        ...
        retoma.errors.Conflict: There is a session 'user-123' already. ...
        """
        new = _new(
            id, title=title, description=description, agent=agent, model=model, thinking=thinking, channel=channel,
            parent=parent, tags=tags, contexts=contexts, metadata=metadata, ttl=ttl,
        )  # fmt: skip
        door = self._door
        operation = door.operation(key, "create", new if template is None else [new, template])
        new = door.filled(template, new)

        def use_case(tx: Transaction) -> sessions.Whole:
            made = sessions.create(tx, door.who, new, operation=operation, limits=door.limits)
            return sessions.show(tx, door.who, made)

        return Write(door, id or "", use_case, self._handle)

    @verb
    def get(self, id: str) -> Act[S | None]:
        """Return a handle of the session as it is, or None when there is none. It may be final, or in the trash.

        >>> client.get("demo").title
        'A demonstration'
        >>> client.get("nobody") is None
        True
        """
        door = self._door

        def use_case(tx: Transaction) -> sessions.Whole | None:
            return sessions.show(tx, door.who, id) if sessions.get(tx, door.who, id) else None

        return Work(door, lambda: self._perhaps(door.read(use_case)))

    @verb
    def session(self, id: str | None = None) -> Act[S]:
        """Return a handle of the session as it is; without an id, of the current one. Raises NotFound, and Invalid when
        there is no current one.

        >>> client.session("demo").status
        'active'
        >>> client.session("dmo")
        Traceback (most recent call last):
        ...
        retoma.errors.NotFound: No session 'dmo'. Nearest: demo. ...
        """
        named = self._named(id)
        return Work(self._door, lambda: self._handle(self._door.calls.show(named)))

    @verb
    def resume(self, id: str | None = None, *, key: str | None = None) -> Act[S]:
        """Return a handle of the session, to go on with it: a suspended one is active again, an active one stays so.

        Without an id it is the current one. Raises NotFound when there is none, Refused when it is completed or failed
        (`get` reads it, `session.reset()` begins it anew) or in the trash.

        >>> session.pause()
        >>> client.resume("demo").status
        'active'
        """
        door, named = self._door, self._named(id)
        operation = door.operation(key, "resume", named)
        return Write(
            door, named, lambda tx: opening.take_up(tx, door.who, named, operation=operation), self._handle
        )

    @verb
    def get_or_create(
        self,
        id: str,
        *,
        title: str = "",
        description: str = "",
        agent: str = "",
        model: str = "",
        thinking: str = "",
        channel: str = "",
        parent: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        metadata: Mapping[str, JsonField] | None = None,
        ttl: given.Duration | None = None,
    ) -> Act[S]:
        """Return a handle of the session as it is; make it when there is none, as `create` does, in one transaction.

        What else is given counts for a new one alone. Of several that call it at once, one makes it. Raises Invalid,
        NotFound for the parent, Limit.

        >>> client.get_or_create("user-123", title="Generics").title
        'Generics'
        >>> client.get_or_create("user-123", title="Something else").title
        'Generics'
        """
        new = _new(
            id, title=title, description=description, agent=agent, model=model, thinking=thinking, channel=channel,
            parent=parent, tags=tags, contexts=contexts, metadata=metadata, ttl=ttl,
        )  # fmt: skip
        door = self._door
        operation = door.operation(None, "create", new)

        def use_case(tx: Transaction) -> sessions.Whole:
            return opening.get_or_create(tx, door.who, new, operation=operation, limits=door.limits)

        return Write(door, id, use_case, self._handle)

    @verb
    def list(
        self,
        *,
        status: str | None = None,
        agent: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        parent: str | None = None,
        flow: str | None = None,
        ephemeral: bool = False,
        archived: bool = False,
        deleted: bool = False,
        since: given.Instant | None = None,
        before: given.Instant | None = None,
        sort: Sort = "updated",
        limit: int = 50,
        cursor: str | None = None,
        total: bool = False,
    ) -> Act[Page[S]]:
        """Return a page of handles, pinned ones first, then the newest by `sort` (`updated`, `created`); or by `id`.

        All conditions must hold. `status` is `active`, `suspended` (or `paused`), `completed`, `failed` or `ended` for
        both. `since` and `before` are about the last change: a `datetime`, a `timedelta` ago, or a text such as `2h`.
        `archived` and `deleted` list those shelves instead. `limit` is 1 to 1,000. `cursor` is the `next` of the page
        before; `total` counts all of them, too. Raises Invalid, NotFound for the parent.

        >>> client.create("user-123", tags=["docs"]).pause()
        >>> [one.id for one in client.list(status="suspended", tags=["docs"])]
        ['user-123']
        >>> page = client.list(sort="id", limit=1)
        >>> page.items[0].id, client.list(sort="id", limit=1, cursor=page.next).items[0].id
        ('demo', 'user-123')
        """
        if sort not in get_args(Sort):
            raise Invalid(f"{sort!r} is no order.", code="bad_sort", hint="Orders: updated, created, id.")
        door = self._door
        now = door.now()
        asked = Listing(
            agent=agent,
            flow=flow,
            tags=given.labels(tags),
            contexts=given.contexts(contexts),
            ephemeral=ephemeral,
            since=given.instant(since, now),
            before=given.instant(before, now),
            shelf=TRASHED if deleted else ARCHIVED if archived else SHOWN,
            sort=sort,
        )
        page = listing.page(
            door.who,
            asked,
            status=status,
            parent=parent,
            after=listing.place(cursor),
            limit=limit,
            total=total,
        )
        return Work(door, lambda: self._page(door.read(page)))

    @verb
    def delete(self, id: str, *, key: str | None = None) -> Act[None]:
        """Delete a session for good: its rows, state and journal are in no file of the store any more.

        Whoever drives it is fenced off; its children stay. With `key` a repeated call is no error. Raises NotFound.

        >>> client.delete("demo")
        >>> client.get("demo") is None
        True
        """
        return Work(self._door, lambda: self._door.calls.delete(id, key=key))

    @property
    def current(self) -> S | None:
        """The current session, if it is one of this client's: see `Session.use`.

        >>> with session.use():
        ...     client.current.id
        'demo'
        >>> client.current is None
        True
        """
        return self._own(current.get())

    # A face's own

    def _handle(self, whole: sessions.Whole) -> S:
        raise NotImplementedError

    def _own(self, found: object) -> S | None:
        """Return `found` when it is a handle of this client."""
        raise NotImplementedError

    def _perhaps(self, whole: sessions.Whole | None) -> S | None:
        return None if whole is None else self._handle(whole)

    def _page(self, found: opening.Listed) -> Page[S]:
        return Page([self._handle(one) for one in found.items], listing.cursor(found.next), found.total)

    def _named(self, id: str | None) -> str:
        """Return `id`, or the current session's. Raises Invalid."""
        if id is not None:
            return id
        found = current.get()
        if found is None or self._own(found) is None:
            raise Invalid(
                "There is no current session."
                if found is None
                else "The current session is another client's.",
                code="no_current",
                hint="Give an id, or make one current: with session.use().",
            )
        return found.id


def _new(
    id: str | None,
    *,
    tags: Iterable[str],
    contexts: given.Contexts | None,
    metadata: Mapping[str, JsonField] | None,
    ttl: given.Duration | None,
    parent: str | None,
    **texts: str,
) -> NewSession:
    return NewSession(
        id=id,
        parent=parent,
        tags=given.labels(tags),
        contexts=given.contexts(contexts),
        metadata=given.mapping(metadata),
        ttl_ms=given.duration(ttl),
        **texts,
    )
