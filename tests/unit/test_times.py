"""Durations and instants: what people may write, and that what is printed is read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retoma.errors import Invalid
from retoma.model.times import DAY, HOUR, MINUTE, SECOND, WEEK, duration, instant, relative, rfc3339, span

NOW = 1_795_255_323_123  # 2026-11-21T10:02:03.123Z
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("30m", 30 * MINUTE),
        ("5h", 5 * HOUR),
        ("1d", DAY),
        ("2w", 2 * WEEK),
        ("90s", 90 * SECOND),
        ("1h30m", 90 * MINUTE),
        ("1.5h", 90 * MINUTE),
        ("0.1s", 100),
        (" 2h ", 2 * HOUR),
        ("0s", 0),
    ],
)
def test_durations(text: str, ms: int) -> None:
    assert duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", " ", "5", "h", "-5h", "30m1h", "1h1h", "1.h", ".5h", "1 h", "٣h", "1y", "99999w"]
)
def test_what_is_no_duration_is_invalid(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        duration(text)
    assert caught.value.code == "bad_duration"
    assert caught.value.hint


@given(st.integers(0, 36_525 * DAY))
def test_a_span_is_read_back(ms: int) -> None:
    assert duration(span(ms)) == ms


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("2026-11-21", "2026-11-21T00:00:00.000Z"),
        ("2026-11-21T10:02:03Z", "2026-11-21T10:02:03.000Z"),
        ("2026-11-21T10:02:03.1239Z", "2026-11-21T10:02:03.123Z"),
        ("2026-11-21t10:02:03z", "2026-11-21T10:02:03.000Z"),
        ("2026-11-21 10:02:03+01:00", "2026-11-21T09:02:03.000Z"),
        ("2026-11-21T10:02:03-00:30", "2026-11-21T10:32:03.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2h", "2026-11-21T08:02:03.123Z"),
        ("1d", "2026-11-20T10:02:03.123Z"),
    ],
)
def test_instants(text: str, printed: str) -> None:
    assert rfc3339(instant(text, now_ms=NOW)) == printed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01",
        "2026-02-29",
        "2026-11-21T10:02:03",
        "2026-11-21T24:00:00Z",
        "2026-11-21T10:02:03+24:00",
        "0000-01-01",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_instant_is_invalid(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        instant(text, now_ms=NOW)
    assert caught.value.code == "bad_instant"
    assert "2026-11-21" in caught.value.hint


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_calendar_is_the_standard_librarys(at: datetime) -> None:
    ms = (at - EPOCH) // timedelta(milliseconds=1)
    assert (
        rfc3339(ms)
        == at.strftime("%Y").zfill(4) + at.strftime("-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
    )
    assert instant(rfc3339(ms), now_ms=NOW) == ms


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_offsets_are_the_standard_librarys(at: datetime, minutes: int) -> None:
    local = at.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant(local.isoformat(), now_ms=NOW) == (local - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (0, "just now"),
        (59 * SECOND, "just now"),
        (2 * MINUTE, "2 min ago"),
        (5 * HOUR, "5 h ago"),
        (DAY, "yesterday"),
        (3 * DAY, "3 days ago"),
        (15 * DAY, "2 weeks ago"),
        (325 * DAY, "2025-12-31"),
        (-1, "in 1 s"),
        (-4 * HOUR + 5, "in 4 h"),
        (-59 * MINUTE - 59 * SECOND, "in 1 h"),
        (-DAY, "tomorrow"),
        (-10 * DAY, "in 10 days"),
        (-100 * DAY, "on 2027-03-01"),
    ],
)
def test_relative(ago: int, said: str) -> None:
    assert relative(NOW - ago, NOW) == said
