"""How much may be kept: sessions of a tenant, and events of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec


class Most(NamedTuple):
    """A limit that holds for one session, with the key that sets it."""

    events: int
    key: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant may have, and a session; None is no limit.

    `by_template` has the events that a session made from a template may have, where the template says so. `set_in` says
    which file set a limit, by its key: `limits.sessions`.
    """

    sessions: int | None = None
    sessions_active: int | None = None
    events_per_session: int | None = None
    by_template: Mapping[str, int] = {}
    set_in: Mapping[str, str] = {}

    def events_of(self, template: str) -> Most | None:
        """Return how many events a session of `template` (empty: of none) may have; the lower limit of two holds."""
        own = self.by_template.get(template)
        said = [Most(own, f"templates.{template}.limits.events_per_session")] if own is not None else []
        if self.events_per_session is not None:
            said.append(Most(self.events_per_session, "limits.events_per_session"))
        return min(said, default=None)

    def where(self, key: str) -> str:
        """Return the file that sets `key`, as far as that is known."""
        return self.set_in.get(key, "retoma.toml")


NO_LIMITS = Limits()
