"""Sessions made, found, listed and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from retoma.client import given
from retoma.client.current import current, named
from retoma.client.faces import Blocking
from retoma.client.session import Session
from retoma.commands.session import (
    CreateSession,
    GetOrCreateSession,
    GetSession,
    ResumeSession,
    ShowSession,
)
from retoma.model.codec import JsonField
from retoma.model.session import ARCHIVED, SHOWN, TRASHED, NewSession
from retoma.stores.contract.store import Sort
from retoma.types import Page


class Finding(Blocking):
    """Sessions by their ids, and in lists."""

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
    ) -> Session:
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
        retoma.errors.Conflict: Session 'user-123' already exists. ...
        """
        new = _new(
            id, title=title, description=description, agent=agent, model=model, thinking=thinking, channel=channel,
            parent=parent, tags=tags, contexts=contexts, metadata=metadata, ttl=ttl,
        )  # fmt: skip
        return Session(self._opened, self._run(CreateSession(new=new, template=template), key))

    def get(self, id: str) -> Session | None:
        """Return a handle of the session as it is, or None when there is none. It may be final, or in the trash.

        >>> client.get("demo").title
        'A demonstration'
        >>> client.get("nobody") is None
        True
        """
        whole = self._run(GetSession(session=id))
        return None if whole is None else Session(self._opened, whole)

    def session(self, id: str | None = None) -> Session:
        """Return a handle of the session as it is; without an id, of the current one. Raises NotFound, and Invalid when
        there is no current one.

        >>> client.session("demo").status
        'active'
        >>> client.session("dmo")
        Traceback (most recent call last):
        ...
        retoma.errors.NotFound: There is no session 'dmo'. Did you mean 'demo'? ...
        """
        return Session(self._opened, self._run(ShowSession(session=named(id, self._opened))))

    def resume(self, id: str | None = None, *, key: str | None = None) -> Session:
        """Return a handle of the session, to go on with it: a suspended one is active again, an active one stays so.

        Without an id it is the current one. Raises NotFound when there is none, Refused when it is completed or failed
        (`get` reads it, `session.reset()` begins it anew) or in the trash.

        >>> session.pause()
        >>> client.resume("demo").status
        'active'
        """
        return Session(self._opened, self._run(ResumeSession(session=named(id, self._opened)), key))

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
    ) -> Session:
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
        return Session(self._opened, self._run(GetOrCreateSession(new=new)))

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
    ) -> Page[Session]:
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
        from retoma.commands.listing import ListWhole

        now = self._opened.now()
        found = self._run(
            ListWhole(
                status=status,
                agent=agent,
                tags=given.labels(tags),
                contexts=given.contexts(contexts),
                parent=parent,
                flow=flow,
                ephemeral=ephemeral,
                shelf=TRASHED if deleted else ARCHIVED if archived else SHOWN,
                since=given.instant(since, now),
                before=given.instant(before, now),
                sort=sort,
                limit=limit,
                cursor=cursor,
                total=total,
            )
        )
        return Page(
            items=[Session(self._opened, one) for one in found.items], next=found.next, total=found.total
        )

    def delete(self, id: str, *, with_forks: bool = False, key: str | None = None) -> None:
        """Delete a session for good: its rows, state and journal are in no file of the store any more.

        Whoever drives it is fenced off; its children stay. What forks share of it stays for them alone, until the last
        of them is deleted; `with_forks` they are deleted, too. With `key` a repeated call is no error. Raises NotFound.

        >>> client.delete("demo")
        >>> client.get("demo") is None
        True
        """
        from retoma.commands.forget import DeleteSession

        self._run(DeleteSession(session=id, with_forks=with_forks), key)

    @property
    def current(self) -> Session | None:
        """The current session, if it is one of this client's: see `Session.use`.

        >>> with session.use():
        ...     client.current.id
        'demo'
        >>> client.current is None
        True
        """
        found = current.get()
        return found if isinstance(found, Session) and found._opened is self._opened else None


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
