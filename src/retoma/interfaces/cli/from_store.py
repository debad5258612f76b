"""Words that a shell completes from the store: ids of sessions, and tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from retoma.interfaces.cli.text import clean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from retoma.stores.contract.store import Transaction

__all__ = ["SESSION", "SIGNED_TAG", "TAG"]

_MOST = 100


class _Session(click.ParamType[str]):
    """The id of a session."""

    name = "id"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from retoma.model.principal import LOCAL_TENANT

        return _found(ctx, "", lambda tx: tx.sessions.names(LOCAL_TENANT, incomplete, limit=_MOST))


class _Tag(click.ParamType[str]):
    """A tag; with `signed`, a tag after + or -."""

    name = "tag"

    def __init__(self, *, signed: bool = False) -> None:
        self._signed = signed

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from retoma.model.principal import LOCAL_TENANT

        sign = incomplete[:1] if self._signed else ""
        if self._signed and sign not in {"+", "-"}:
            return []
        begun = incomplete[len(sign) :]
        return _found(ctx, sign, lambda tx: tx.sessions.tags(LOCAL_TENANT, begun, limit=_MOST))


SESSION = _Session()
TAG = _Tag()
SIGNED_TAG = _Tag(signed=True)


def _found(
    ctx: click.Context, lead: str, ask: Callable[[Transaction], Sequence[str]]
) -> list[CompletionItem]:
    """Return the store's words. Completion neither creates nor upgrades a store, and reports no errors."""
    from click.shell_completion import CompletionItem

    from retoma.config import find_store, load_settings
    from retoma.errors import RetomaError
    from retoma.wiring import open_store

    try:
        given = ctx.find_root().ensure_object(dict)
        place = find_store(load_settings(overrides={"store": given.get("store")}))
        if place.kind == "memory" or (place.path is not None and not place.path.exists()):
            return []
        store = open_store(place, upgrades=False)
        try:
            # A shell prints words as they are: what a terminal would obey is not offered.
            return [CompletionItem(lead + word) for word in store.read(ask) if clean(word) == word]
        finally:
            store.close()
    except RetomaError:
        return []
