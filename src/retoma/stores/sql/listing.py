"""Pages of sessions: the statement that a listing asks for, driven by one index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from retoma.model.ids import TenantKey
from retoma.stores.contract.store import Listing, Place
from retoma.stores.sql.statements import FRAGMENTS, Value


class Asked(NamedTuple):
    """A statement with the values it binds; its last column is the instant that a page goes by."""

    text: str
    values: dict[str, Value]


def page(tenant: TenantKey, listing: Listing, *, after: Place | None, limit: int) -> Asked:
    """Return what reads at most `limit` sessions behind `after`."""
    source, values, names = _source(tenant, listing)
    text = FRAGMENTS["page"].format(columns=FRAGMENTS["columns"], source=source, **names)
    suffix = "_name" if listing.sort == "id" else ""
    if after is not None:
        text += " " + FRAGMENTS[f"after{suffix}"].format_map(names)
        values |= {"pinned": after.pinned, "at": after.at, "pk": after.key, "name": after.id}
    text += " " + FRAGMENTS[f"order{suffix}"].format_map(names)
    return Asked(text, values | {"limit": limit})


def among(tenant: TenantKey, listing: Listing, *, keys: Sequence[int]) -> Asked:
    """Return what reads those of `keys`, as many as a statement takes, that `listing` means."""
    values: dict[str, Value] = {"tenant": tenant, "shelf": listing.shelf}
    values |= {f"k{n}": key for n, key in enumerate(keys)}
    source = FRAGMENTS["from_keys"].format(keys=", ".join(f":k{n}" for n in range(len(keys))))
    source += _filters(listing, list(listing.tags), list(listing.contexts), values)
    return Asked(
        FRAGMENTS["page"].format(columns=FRAGMENTS["columns"], source=source, at="s.listed_at"), values
    )


def count(tenant: TenantKey, listing: Listing, *, most: int) -> Asked:
    """Return what counts the sessions of `listing`, no further than `most`."""
    source, values, _ = _source(tenant, listing)
    return Asked(FRAGMENTS["count"].format(source=source), values | {"limit": most})


def _source(tenant: TenantKey, listing: Listing) -> tuple[str, dict[str, Value], dict[str, str]]:
    """Return FROM and WHERE, the values they bind, and the names of what the order goes by."""
    values: dict[str, Value] = {"tenant": tenant, "shelf": listing.shelf}
    tags, contexts = list(listing.tags), list(listing.contexts)
    names = {"o": "s", "at": "s.listed_at", "key": "s.pk"}
    if listing.sort == "id":
        text = FRAGMENTS["from_name"]
    elif listing.sort == "created":
        text = FRAGMENTS["from_recent"]
        names["at"] = "s.created_at"
    elif tags or contexts:
        names = {"o": "o", "at": "o.listed_at", "key": "o.session"}
        text = FRAGMENTS["from_tag" if tags else "from_context"]
        if tags:
            values["tag"] = tags.pop(0)
        else:
            values["kind"], values["ref"] = contexts.pop(0)
    else:
        text = FRAGMENTS["from_recent"]
    text += _filters(listing, tags, contexts, values)
    return text, values, names


def _filters(
    listing: Listing, tags: list[str], contexts: list[tuple[str, str]], values: dict[str, Value]
) -> str:
    """Return what is put behind the driving index, and bind it."""
    text = ""
    simple: dict[str, Value] = {
        "status": listing.status,
        "agent": listing.agent,
        "flow": listing.flow,
        "parent": listing.parent,
        "since": listing.since,
        "before": listing.before,
    }
    for name, value in simple.items():
        if value is not None:
            text += " " + FRAGMENTS[f"with_{name}"]
            values[name] = value
    if listing.ephemeral:
        text += " " + FRAGMENTS["with_expiry"]
    for n, tag in enumerate(tags):
        text += " " + FRAGMENTS["with_tag"].format(n=n)
        values[f"tag{n}"] = tag
    for n, (kind, ref) in enumerate(contexts):
        text += " " + FRAGMENTS["with_context"].format(n=n)
        values |= {f"kind{n}": kind, f"ref{n}": ref}
    return text
