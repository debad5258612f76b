"""What of another tool's session is here already, told by the identities of its records.

Its journal here may have labels, notes and redactions between what was imported; those change nothing of what was said.
Anything else means that the session went on here, and then nothing more can be put behind it.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from retoma.model import event as kinds
from retoma.model.event import Event
from retoma.model.events import kind_of
from retoma.service.transfer.foreign import Draft

_AHEAD: Final = 2_048
"""How far records may stand apart here and there: a part of a reply that came late stands behind what followed it."""


class _Ahead(NamedTuple):
    number: int
    id: bytes
    reply: str


class Merge:
    """Drafts against the journal that is here. `new` numbers the drafts that it lacks, in order.

    `other`: something was written here that no record of the file is. `met` has the profiles that were taken from it
    before, and `owned` what of the profile was set here since.
    """

    def __init__(self, drafts: Iterator[Draft]) -> None:
        self.new = array("Q")
        self.other = False
        self.met: set[bytes] = set()
        self.owned: set[str] = set()
        self._drafts = enumerate(drafts)
        self._ahead: deque[_Ahead] = deque()
        self._ids: set[bytes] = set()
        self._fill()

    def take(self, event: Event) -> None:
        """Take the next event of the journal."""
        if event.operation in self._ids:
            self._meet(event)
            return
        if event.type == kinds.CREATED and event.request is not None:
            self.met.add(event.request)
        elif event.type == kinds.UPDATED and event.operation is not None:
            self.met.add(event.operation)
            changed = event.value().get("set")
            self.owned |= set(changed) if isinstance(changed, dict) else set()
        elif event.type != kinds.ERASED and not kind_of(event.type).beside:
            self.other = True

    def end(self) -> None:
        """Take note that the journal ended: whatever was not met is new."""
        self.new.extend(one.number for one in self._ahead)
        self.new.extend(number for number, _ in self._drafts)
        self._ahead.clear()

    def _fill(self) -> None:
        while len(self._ahead) < _AHEAD:
            found = next(self._drafts, None)
            if found is None:
                return
            number, draft = found
            self._ahead.append(_Ahead(number, draft.id, draft.reply))
            self._ids.add(draft.id)

    def _meet(self, event: Event) -> None:
        """Take the draft that an event was made of out of what is ahead, and those that it was joined with."""
        ahead = self._ahead
        place = next(n for n, one in enumerate(ahead) if one.id == event.operation)
        ahead.rotate(-place)
        one = ahead.popleft()
        self._ids.discard(one.id)
        last = event.request
        while last is not None and one.id != last and ahead and one.reply and ahead[0].reply == one.reply:
            one = ahead.popleft()
            self._ids.discard(one.id)
        ahead.rotate(place)
        if place > _AHEAD // 2:
            # They were not met for so long that they will not be: there has to be room for what follows.
            for _ in range(place):
                skipped = ahead.popleft()
                self._ids.discard(skipped.id)
                self.new.append(skipped.number)
        self._fill()
