from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.timeframes import Timeframe, bar_close, bar_open, is_aligned
from goldsignal_pipeline.market.zones import LONDON, NEW_YORK, TOKYO, from_wall, to_datetime, to_instant, to_wall

MICROSECOND = np.timedelta64(1, "us")
TIMEFRAMES = st.sampled_from(list(Timeframe))

# Weekends in which a clock changes, and what lies between the American and the European change.
AROUND_CLOCK_CHANGES = st.sampled_from(
    ["2024-03-10", "2024-03-31", "2024-10-27", "2024-11-03", "2025-03-09", "2025-03-20", "2025-03-30", "2025-10-29", "2006-04-02"]
).flatmap(lambda day: st.timedeltas(-timedelta(days=2), timedelta(days=2)).map(lambda by: datetime.fromisoformat(day) + by))
INSTANTS = st.datetimes(datetime(2003, 5, 1), datetime(2030, 12, 31)) | AROUND_CLOCK_CHANGES


def array(moment: datetime) -> np.ndarray:
    return np.array([moment], dtype="datetime64[us]")


def new_york(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=ZoneInfo(NEW_YORK)).astimezone(UTC)


@settings(deadline=None)
@given(INSTANTS, TIMEFRAMES)
def test_a_bar_holds_its_instants_and_the_next_begins_where_it_ends(moment: datetime, timeframe: Timeframe) -> None:
    opens = bar_open(array(moment), timeframe=timeframe)
    closes = bar_close(opens, timeframe=timeframe)
    assert opens <= array(moment) < closes
    assert bar_open(closes - MICROSECOND, timeframe=timeframe) == opens
    assert bar_open(closes, timeframe=timeframe) == closes
    assert is_aligned(opens, timeframe=timeframe)
    assert not is_aligned(opens + MICROSECOND, timeframe=timeframe)


@settings(deadline=None)
@given(INSTANTS, TIMEFRAMES)
def test_a_bar_lies_within_one_bar_of_every_coarser_timeframe(moment: datetime, timeframe: Timeframe) -> None:
    opens = bar_open(array(moment), timeframe=timeframe)
    last = bar_close(opens, timeframe=timeframe) - MICROSECOND
    for coarser in timeframe.coarser():
        assert bar_open(opens, timeframe=coarser) == bar_open(last, timeframe=coarser)


@settings(deadline=None)
@given(INSTANTS, st.sampled_from([NEW_YORK, LONDON, TOKYO]))
def test_local_clocks_are_those_of_the_zone_database(moment: datetime, zone: str) -> None:
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    wall = to_wall(array(moment), zone=zone)
    assert wall[0].item() == local.replace(tzinfo=None)
    first_reading = local.replace(fold=0).astimezone(UTC)
    assert to_datetime(from_wall(wall, zone=zone)[0]) == first_reading


@pytest.mark.fault("time")
@pytest.mark.parametrize("change", ["2025-03-09T07:00", "2025-11-02T06:00", "2025-03-30T01:00", "2025-10-26T01:00"])
@pytest.mark.parametrize("zone", [NEW_YORK, LONDON])
@pytest.mark.parametrize("micros", [-1, 0, 1])
def test_the_new_offset_holds_from_the_very_instant_of_the_change(change: str, zone: str, micros: int) -> None:
    moment = datetime.fromisoformat(change) + timedelta(microseconds=micros)
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    assert to_wall(array(moment), zone=zone)[0].item() == local.replace(tzinfo=None)
    assert to_datetime(from_wall(array(local.replace(tzinfo=None)), zone=zone)[0]) == local.replace(fold=0).astimezone(UTC)


@pytest.mark.fault("time")
@pytest.mark.parametrize(
    ("timeframe", "opens", "hours"),
    [
        (Timeframe.D1, new_york(2025, 3, 7, 17), 24),
        (Timeframe.D1, new_york(2025, 3, 8, 17), 23),
        (Timeframe.D1, new_york(2025, 11, 1, 17), 25),
        (Timeframe.H4, new_york(2025, 3, 8, 21), 4),
        (Timeframe.H4, new_york(2025, 3, 9, 1), 3),
        (Timeframe.H4, new_york(2025, 11, 1, 21), 4),
        (Timeframe.H4, new_york(2025, 11, 2, 1), 5),
        (Timeframe.H1, new_york(2025, 3, 9, 1), 1),
    ],
)
def test_a_bar_across_new_yorks_clock_change_is_as_long_as_its_local_day(
    timeframe: Timeframe, opens: datetime, hours: int
) -> None:
    start = np.array([to_instant(opens)])
    assert is_aligned(start, timeframe=timeframe)
    assert bar_close(start, timeframe=timeframe) - start == np.timedelta64(hours, "h")


@pytest.mark.fault("time")
@pytest.mark.parametrize(
    ("day", "roll_utc"), [("2025-03-07", 22), ("2025-03-10", 21), ("2025-03-31", 21), ("2025-10-27", 21), ("2025-11-03", 22)]
)
def test_the_day_rolls_at_17_new_york_also_while_only_one_side_of_the_atlantic_has_summer_time(day: str, roll_utc: int) -> None:
    roll = np.array([f"{day}T{roll_utc:02d}:00"], dtype="datetime64[us]")
    assert is_aligned(roll, timeframe=Timeframe.D1)
    assert is_aligned(roll, timeframe=Timeframe.H4)


@pytest.mark.fault("time")
def test_the_hosts_zone_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    moments = np.arange(np.datetime64("2025-03-08", "us"), np.datetime64("2025-03-11", "us"), np.timedelta64(37, "m"))
    expected = bar_open(moments, timeframe=Timeframe.H4)
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Australia/Sydney")
        time.tzset()
        assert (bar_open(moments, timeframe=Timeframe.H4) == expected).all()
        assert to_instant(datetime(2025, 3, 9, 12, tzinfo=UTC)) == np.datetime64("2025-03-09T12:00", "us")
    time.tzset()


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        to_instant(datetime(2025, 1, 1))
