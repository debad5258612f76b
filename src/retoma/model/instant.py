"""The one type of an instant that callers read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retoma.model.times import rfc3339

__all__ = ["Instant"]

_MS = timedelta(milliseconds=1)


class Instant(datetime):
    """A `datetime` in UTC, exact to the millisecond. In JSON it is RFC 3339: `2026-11-21T10:02:03.123Z`."""

    __slots__ = ()

    @classmethod
    def of(cls, ms: int) -> Instant:
        """Return the instant that milliseconds UTC are; the rows and the journal have those."""
        return _EPOCH + ms * _MS

    @classmethod
    def at(cls, ms: int | None) -> Instant | None:
        """Return the instant, None where there is none."""
        return None if ms is None else _EPOCH + ms * _MS

    @property
    def ms(self) -> int:
        """Milliseconds UTC."""
        return (self - _EPOCH) // _MS

    @property
    def text(self) -> str:
        """The text that JSON has."""
        return rfc3339(self.ms)


_EPOCH = Instant(1970, 1, 1, tzinfo=UTC)
