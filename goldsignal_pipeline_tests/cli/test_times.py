"""Times as users write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsignal_pipeline.cli.times import parse_instant, parse_month, parse_range
from goldsignal_pipeline.errors import UsageError

NEW_YORK = ZoneInfo("America/New_York")
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-11", TOKYO, datetime(2026, 10, 31, 15, tzinfo=UTC)),
        ("2026-11-23", NEW_YORK, datetime(2026, 11, 23, 5, tzinfo=UTC)),
        ("2026-07-01 08:30", NEW_YORK, datetime(2026, 7, 1, 12, 30, tzinfo=UTC)),
        ("2026-07-01T08:30Z", NEW_YORK, datetime(2026, 7, 1, 8, 30, tzinfo=UTC)),
        ("2026-07-01T08:30:15+02:00", NEW_YORK, datetime(2026, 7, 1, 6, 30, 15, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_meant_in_the_zone_of_the_user(text: str, zone: ZoneInfo, expected: datetime) -> None:
    assert parse_instant(text, zone=zone) == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13", "23.11.2026", "2026-11-31", ""])
def test_what_is_no_time_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(UsageError, match="2026-11-23T01:05Z"):
        parse_instant(text, zone=TOKYO)


@pytest.mark.fault("time")
def test_a_wall_time_that_the_clock_change_skips_is_refused() -> None:
    with pytest.raises(UsageError, match="does not exist in America/New_York"):
        parse_instant("2026-03-08 02:30", zone=NEW_YORK)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), st.sampled_from([NEW_YORK, TOKYO, ZoneInfo("Europe/London")]))
def test_every_instant_written_with_its_offset_is_read_back(naive: datetime, zone: ZoneInfo) -> None:
    instant = naive.replace(tzinfo=UTC)
    assert parse_instant(instant.astimezone(zone).isoformat(), zone=TOKYO) == instant


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        parse_range("2026-11-23", "2026-11-23", zone=TOKYO)
    assert parse_range(None, "2026-11-23T00:00Z", zone=TOKYO) == (None, datetime(2026, 11, 23, tzinfo=UTC))


def test_a_month_is_a_month_whatever_the_zone() -> None:
    assert (parse_month("2026-11"), parse_month("2026-11-01")) == ("2026-11", "2026-11")
    with pytest.raises(UsageError, match="is not a month"):
        parse_month("November")
