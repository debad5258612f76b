"""Instants and durations as people write and read them.

Everywhere in Retoma an instant is an `int`: milliseconds since 1970-01-01 UTC. A duration is an `int` of milliseconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from retoma.errors import Invalid

__all__ = [
    "DAY",
    "DURATION",
    "FIRST",
    "HOUR",
    "LAST",
    "MINUTE",
    "SECOND",
    "TIMEOUT",
    "WEEK",
    "duration",
    "instant",
    "relative",
    "rfc3339",
    "span",
    "timeout_s",
]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_UNITS = {"w": WEEK, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
DURATION = "".join(rf"(?:{_NUMBER}{letter})?" for letter in "wdhms")
"""The form of a duration, as a regular expression; the empty text fits it too, and is none."""
TIMEOUT = rf"(?:{_NUMBER}(?:ms|[wdhms]))+"
"""The form of a flow's duration: as Trellis writes it, with milliseconds, and the units in any order."""
_INSTANT = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
)
_AGO = (
    (MINUTE, SECOND, ""),
    (HOUR, MINUTE, "min"),
    (DAY, HOUR, "h"),
    (2 * WEEK, DAY, "days"),
    (9 * WEEK, WEEK, "weeks"),
)
_LONGEST = 36_525 * DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# An export prints an instant for every event: without a time zone that takes a third of the time.
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999  # 0001-01-01T00:00:00.000Z, 9999-12-31T23:59:59.999Z


def duration(text: str) -> int:
    """Return the milliseconds that `30m`, `1h30m`, `1.5h`, `2w` or `90s` says; at most a hundred years.

    A unit is always there, each at most once, the larger first. Raises Invalid.
    """
    total = _milliseconds(text.strip(), DURATION)
    if total is None:
        raise Invalid(
            f"'{text}' is not a duration.",
            code="bad_duration",
            hint="Examples: 90s, 30m, 5h, 1h30m, 1.5h, 1d, 2w.",
        )
    if total > _LONGEST:
        raise Invalid(
            f"'{text}' is longer than a hundred years.", code="bad_duration", hint="Give a shorter duration."
        )
    return round(total)


def timeout_s(text: str) -> float | None:
    """Return the seconds of a flow's `5s` or `1m30s`; None when it is no duration, 0, or longer than ten years."""
    total = _milliseconds(text, TIMEOUT)
    return total / SECOND if total and total <= 3_650 * DAY else None


def span(ms: int) -> str:
    """Return a duration as `duration` reads it, exactly: `1h30m`, `1m30s` for ninety seconds, `30d`, `2w`, `0s`."""
    parts: list[str] = []
    rest = abs(ms)
    # Weeks beside days are hard to read: they stand alone, from two on, or not at all.
    weeks = rest % WEEK == 0 and rest >= 2 * WEEK
    for letter in "wdhm"[not weeks :]:
        count, rest = divmod(rest, _UNITS[letter])
        if count:
            parts.append(f"{count}{letter}")
    seconds, fraction = divmod(rest, SECOND)
    if fraction:
        parts.append(f"{seconds}.{fraction:03}".rstrip("0") + "s")
    elif seconds or not parts:
        parts.append(f"{seconds}s")
    return "".join(parts)


def instant(text: str, *, now_ms: int) -> int:
    """Return the instant that an RFC 3339 time, a date (its midnight, UTC) or a duration before `now_ms` says.

    Finer than a millisecond is cut off. Raises Invalid.
    """
    written = text.strip()
    match = re.fullmatch(_INSTANT, written)
    if match is None and not (written and re.fullmatch(DURATION, written)):
        raise _not_an_instant(text)
    try:
        ms = _calendar(*match.groups()) if match else now_ms - duration(written)
    except ValueError:
        raise _not_an_instant(text) from None
    if not FIRST <= ms <= LAST:
        raise _not_an_instant(text)
    return ms


def rfc3339(ms: int) -> str:
    """Return `2026-11-21T10:02:03.123Z`. Raises Invalid outside the years 1 to 9999."""
    if not FIRST <= ms <= LAST:
        raise Invalid(f"The instant {ms} is outside the years 1 to 9999.", code="bad_instant")
    return (_NAIVE_EPOCH + timedelta(0, 0, 0, ms)).isoformat("T", "milliseconds") + "Z"


def relative(ms: int, now_ms: int) -> str:
    """Return how long ago or ahead, for people: `just now`, `2 min ago`, `yesterday`, `in 4 h`; then a date."""
    ago = now_ms - ms
    if ago < 0:
        return _ahead(-ago, ms)
    if DAY <= ago < 2 * DAY:
        return "yesterday"
    for bound, unit, word in _AGO:
        if ago < bound:
            return f"{ago // unit} {word} ago" if word else "just now"
    return rfc3339(ms)[:10]


def _ahead(left: int, ms: int) -> str:
    # Rounded to the nearest: what was set to 4 h a moment ago is read as 4 h, not as 3.
    for unit, bound, word in ((SECOND, 60, "s"), (MINUTE, 60, "min"), (HOUR, 24, "h")):
        count = (left + unit // 2) // unit
        if count < bound:
            return f"in {max(count, 1)} {word}"
    days = (left + DAY // 2) // DAY
    if days == 1:
        return "tomorrow"
    return f"in {days} days" if days < 60 else f"on {rfc3339(ms)[:10]}"


def _milliseconds(text: str, form: str) -> float | None:
    # No duration is longer than 60 letters, and the form is tried again from each digit of what is none.
    if not text or len(text) > 60 or not re.fullmatch(form, text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(rf"({_NUMBER})(ms|[wdhms])", text))


def _calendar(
    date: str, clock: str | None, second: str | None, fraction: str | None, zone: str | None
) -> int:
    # 60 is a leap second's; it is read as the second after, as POSIX clocks do.
    leap = second == "60"
    at = datetime.fromisoformat(
        f"{date}T{clock or '00:00'}:{'59' if leap else second or '00'}{(zone or 'Z').upper()}"
    )
    return (
        (at - _EPOCH) // timedelta(milliseconds=1) + leap * SECOND + int((fraction or "")[:3].ljust(3, "0"))
    )


def _not_an_instant(text: str) -> Invalid:
    return Invalid(
        f"'{text}' is not a date.",
        code="bad_instant",
        hint="Examples: 2026-11-21, 2026-11-21T10:02:03Z, 2026-11-21T10:02:03+01:00, or how long ago: 2h, 7d.",
    )
