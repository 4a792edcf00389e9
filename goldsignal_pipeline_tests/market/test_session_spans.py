"""Spans of sessions against local clocks asked one half hour after another."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.session_spans import session_spans
from goldsignal_pipeline.market.zones import to_instant

CENTRES = {"asia": ("Asia/Tokyo", 9, 18), "london": ("Europe/London", 8, 17), "new_york": ("America/New_York", 8, 17)}


def is_at_work(name: str, moment: datetime) -> bool:
    zone, first, end = CENTRES[name]
    return first <= moment.astimezone(ZoneInfo(zone)).hour < end


@given(st.datetimes(datetime(2012, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)), st.integers(1, 8 * 24 * 60))
@settings(deadline=None, max_examples=60)
def test_a_half_hour_lies_in_a_span_when_its_centre_is_at_work_and_the_market_open(start: datetime, minutes: int) -> None:
    start = start.replace(second=0, microsecond=0)
    end, calendar = start + timedelta(minutes=minutes), load_calendar()
    spans = session_spans(start=start, end=end, calendar=calendar)
    moment = start + timedelta(minutes=-start.minute % 30)
    while moment < end:
        is_open = bool(calendar.is_open(np.array([to_instant(moment)]))[0])
        inside = {name: any(first <= moment.timestamp() < last for first, last in found) for name, found in spans.items()}
        assert inside == {name: is_open and is_at_work(name, moment) for name in CENTRES} | {
            "overlap": is_open and is_at_work("london", moment) and is_at_work("new_york", moment)
        }
        moment += timedelta(minutes=30)
    for found in spans.values():
        assert all(first < last for first, last in found)
        assert all(before[1] < after[0] for before, after in itertools.pairwise(found))
