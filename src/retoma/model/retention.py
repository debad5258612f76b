"""What may go by itself, and what a person may have put away: rules, and the words for what was done."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from retoma.model.session import FINAL, Status
from retoma.model.times import DAY, HOUR, MINUTE

ACTOR: Final = "retention"
"""Who the journal says did what nobody did by hand."""

PRUNED: Final[tuple[Status, ...]] = ("suspended", *FINAL)
"""What `prune` takes unasked; active sessions have to be named."""

Deed: TypeAlias = Literal["failed", "trashed", "erased", "swept", "upgraded"]
"""What the store's log tells of: a session failed, was put in the trash, was deleted; leftovers were removed; and the
store got a newer format."""


TRASH_KEPT_MS: Final = 7 * DAY
"""How long the trash keeps a session."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """After how many milliseconds without an event an active session is failed, and a final one put in the trash.

    None: never.
    """

    idle_timeout_ms: int | None = None
    completed_after_ms: int | None = None

    @property
    def off(self) -> bool:
        """Return whether nothing goes by itself."""
        return self.idle_timeout_ms is None and self.completed_after_ms is None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the store's log. `id` is empty when no session is meant, and once it is deleted.

    `count` is how many events the session had, or how many things went. `digest` stands for the id, also afterwards.
    """

    number: int
    at: int
    actor: str
    deed: Deed
    why: str
    count: int
    id: str = ""
    digest: bytes | None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions `prune` means: in one of `statuses`, with no event since `before`, and all that is said besides.

    `why` is what the store's log says of each.
    """

    before: int
    statuses: tuple[Status, ...] = PRUNED
    agent: str | None = None
    flow: str | None = None
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    why: str = "prune"


STEADY_MS: Final = HOUR
"""How far a clock may have gone on since due work last looked at it, and be believed at once."""
SETTLED_MS: Final = 10 * MINUTE
"""How long a clock that went further is watched before it is believed."""


class Looked(NamedTuple):
    """What due work knows of the clock: the time that it believed, and the time that it saw."""

    believed: int
    seen: int


def looked(before: Looked | None, now: int) -> tuple[int, Looked]:
    """Return the time to judge by when the clock says `now`, and what to know of the clock from then on.

    A clock that is far ahead for a moment must make nothing go. So one that went on for more than an hour is believed
    only by a second look, ten minutes later or more, and then as far as the first look saw it.
    """
    if before is None:
        return now, Looked(now, now)
    if 0 <= now - before.believed <= STEADY_MS:
        # Kept anew only when half of that is over, or when a look was far ahead: not every look has to write.
        lately = before.seen <= now <= before.believed + STEADY_MS // 2
        return now, before if lately else Looked(now, now)
    if now < before.seen:
        after = Looked(min(before.believed, now), now)
    elif now - before.seen >= SETTLED_MS:
        after = Looked(before.seen, now)
    else:
        after = before
    return after.believed, after


def went_back(back: Looked | None, before: Looked | None, now: int) -> Looked | None:
    """Return what to know of a clock that was set back: the time believed before, and since when the trash waits.

    What was trashed while the clock was behind looks older than it is, once it is right. So for as long as the trash
    keeps a session nothing leaves it: from when the clock went back, and again from when it is where it was before.
    """
    if before is not None and before.believed - now > STEADY_MS:
        return Looked(max(before.believed, back.believed if back is not None else now), now)
    if back is not None and back.seen < back.believed <= now:
        return Looked(now, now)
    return back
