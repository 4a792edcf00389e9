from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.hours import Session, TradingCalendar, load_calendar, parse_calendar, sessions
from goldsignal_pipeline.market.reasons import ClosedReason
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import NEW_YORK, to_datetime, to_instant

CALENDAR = load_calendar()
ZONE = ZoneInfo(NEW_YORK)
DAY = timedelta(days=1)
TABLE_TEXT = resources.files("goldsignal_pipeline.market").joinpath("calendar.csv").read_text(encoding="utf-8")
TABLE = {row.split(",")[0]: row.split(",") for row in TABLE_TEXT.splitlines()[2:]}


def new_york(day: str, clock: str = "00:00") -> datetime:
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), ZONE).astimezone(UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def instants(*moments: datetime) -> np.ndarray:
    return np.array([to_instant(moment) for moment in moments])


def reason_at(moment: datetime) -> str:
    return str(CALENDAR.closed_reason(instants(moment))[0])


def count(timeframe: Timeframe, start: datetime, end: datetime) -> int:
    return len(CALENDAR.expected_opens(timeframe=timeframe, start=start, end=end))


def counts_of_trading_day(day: str) -> dict[Timeframe, int]:
    end = new_york(day, "17:00")
    start = new_york(str(date.fromisoformat(day) - DAY), "17:00")
    return {timeframe: count(timeframe, start, end) for timeframe in Timeframe}


def obviously_open(moment: datetime) -> bool:
    """The rule once more, one instant at a time, from the zone database and the text of the table."""
    local = moment.astimezone(ZONE)
    evening = local.hour >= 17
    day = local.date() + (DAY if evening else timedelta())
    opens, closes = TABLE.get(str(day), ("", "18:00", "17:00"))[1:3]
    if day.weekday() >= 5 or not opens:
        return False
    return local.time() >= time.fromisoformat(opens) if evening else local.time() < time.fromisoformat(closes)


DAYS_OF_NOTE = [
    date.fromisoformat(day) for day in ("2025-03-09", "2025-03-30", "2025-10-26", "2025-11-02", "2024-02-29", "2026-04-03")
]
MOMENTS = (
    st.datetimes(datetime(2003, 5, 1), datetime(2030, 12, 31))
    | st.builds(
        lambda day, minutes: datetime.combine(day, time()) + timedelta(minutes=minutes),
        st.sampled_from(DAYS_OF_NOTE + [date.fromisoformat(day) for day in TABLE]),
        st.integers(-2880, 2880),
    )
).map(lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC))


@settings(deadline=None)
@given(MOMENTS)
def test_the_market_is_open_exactly_when_the_rule_and_the_table_say_so(moment: datetime) -> None:
    assert bool(CALENDAR.is_open(instants(moment))[0]) == obviously_open(moment)
    assert (reason_at(moment) == "") == obviously_open(moment)


@settings(max_examples=25, deadline=None)
@given(
    MOMENTS, st.integers(1, 4 * 1440), st.sampled_from([Timeframe.M5, Timeframe.M30, Timeframe.H1, Timeframe.H4, Timeframe.D1])
)
def test_a_bar_is_expected_exactly_when_one_of_its_minutes_is_open(start: datetime, minutes: int, timeframe: Timeframe) -> None:
    end = start + timedelta(minutes=minutes)
    later = [start + timedelta(minutes=step) for step in range(minutes + 1500)]
    by_bar: dict[datetime, bool] = {}
    for minute in later:
        local = minute.astimezone(ZONE).replace(tzinfo=None)
        if timeframe.is_utc_aligned:
            label = minute - timedelta(minutes=(minute.hour * 60 + minute.minute) % timeframe.minutes)
        else:
            since_roll = (local - datetime(2003, 1, 1, 17)) % timedelta(minutes=timeframe.minutes)
            label = (local - since_roll).replace(tzinfo=ZONE).astimezone(UTC)
        by_bar[label] = by_bar.get(label, False) or obviously_open(minute)
    expected = [label for label, traded in sorted(by_bar.items()) if traded and start <= label < end]
    found = CALENDAR.expected_opens(timeframe=timeframe, start=start, end=end)
    assert [to_datetime(instant) for instant in found] == expected


FULL_WEEK = {Timeframe.M5: 1380, Timeframe.M15: 460, Timeframe.H1: 115, Timeframe.H4: 30, Timeframe.D1: 5}


@pytest.mark.fault("time")
@pytest.mark.parametrize(
    ("sunday", "first_open_utc"),
    [
        ("2025-03-02", 23),  # winter on both sides
        ("2025-03-09", 22),  # New York has changed
        ("2025-03-16", 22),  # between the changes
        ("2025-03-23", 22),
        ("2025-03-30", 22),  # Europe has changed
        ("2025-10-19", 22),
        ("2025-10-26", 22),  # Europe has changed, New York not yet
        ("2025-11-02", 23),  # New York has changed
        ("2006-03-26", 23),  # the old rule: New York changed on 2 April
        ("2006-04-02", 22),
    ],
)
def test_a_week_around_the_clock_changes_is_a_full_week_that_opens_at_18_new_york(sunday: str, first_open_utc: int) -> None:
    start = utc(sunday)
    for timeframe, bars in FULL_WEEK.items():
        assert count(timeframe, start, start + 7 * DAY) == bars
    opens = CALENDAR.expected_opens(timeframe=Timeframe.M1, start=start, end=start + 7 * DAY)
    assert to_datetime(opens[0]) == start + timedelta(hours=first_open_utc)


# Trading day: bars of M5, H1, H4, counted by hand from New York's clock.
NORMAL, NONE = (276, 23, 6), (0, 0, 0)
TRADING_DAYS = {
    "2024-02-29": NORMAL,
    "2024-12-31": NORMAL,
    "2025-01-01": NONE,
    "2025-01-02": NORMAL,
    "2024-12-24": (240, 20, 6),  # to 14:00
    "2024-12-25": NONE,
    "2024-12-26": NORMAL,
    "2021-12-24": NONE,  # Christmas was a Saturday
    "2026-04-02": NORMAL,
    "2026-04-03": NONE,  # Good Friday
    "2026-04-06": NORMAL,
    "2024-11-29": (252, 21, 6),  # to 15:00
    "2025-11-28": (252, 21, 6),
    "2025-07-04": (228, 19, 5),  # to 13:00: no bar of 13:00 to 17:00
    "2026-01-19": (264, 22, 6),  # to 16:00
    "2022-09-05": (246, 21, 6),  # Labor Day to 14:30: the half hour is a bar
    "2026-09-07": (246, 21, 6),
    "2018-05-28": (228, 19, 5),
    "2013-07-04": (231, 20, 6),  # to 13:15
}


@pytest.mark.fault("time")
@pytest.mark.parametrize(("day", "bars"), TRADING_DAYS.items())
def test_half_days_holidays_leap_day_and_year_end_hold_the_bars_of_an_independent_table(day: str, bars: tuple[int, ...]) -> None:
    counts = counts_of_trading_day(day)
    assert (counts[Timeframe.M5], counts[Timeframe.H1], counts[Timeframe.H4]) == bars
    assert counts[Timeframe.D1] == (1 if bars != NONE else 0)


@pytest.mark.fault("time")
@pytest.mark.parametrize(
    "day",
    [
        "2025-01-09",  # mourning for a president: only stocks rested
        "2025-02-12",  # Lincoln's birthday
        "2026-02-17",  # Chinese New Year
        "2025-04-17",  # Maundy Thursday
        "2025-04-21",  # Easter Monday
        "2025-05-01",  # May Day
        "2021-06-18",  # Juneteenth, before it was a holiday
        "2025-07-03",
        "2025-08-25",  # London's bank holiday
        "2025-10-13",  # Columbus Day
        "2024-11-05",  # election day
        "2025-11-11",  # Veterans Day
        "2025-12-26",  # Boxing Day
        "2025-12-31",  # New Year's Eve
        "2021-12-31",  # before a New Year's Day on a Saturday
    ],
)
def test_days_wrongly_thought_to_be_holidays_trade_in_full(day: str) -> None:
    counts = counts_of_trading_day(day)
    assert (counts[Timeframe.M5], counts[Timeframe.H1], counts[Timeframe.H4]) == NORMAL


def test_the_h4_bar_of_17_new_york_trades_three_hours() -> None:
    opens = instants(new_york("2025-07-15", "17:00"))
    assert not CALENDAR.is_open(opens)[0]
    assert CALENDAR.is_expected(opens, timeframe=Timeframe.H4)[0]
    assert CALENDAR.open_minutes_between(opens, opens + np.timedelta64(4, "h")).tolist() == [180]


@pytest.mark.fault("time")
@pytest.mark.parametrize(
    ("day", "clock", "reason"),
    [
        ("2025-07-18", "16:59", ""),
        ("2025-07-18", "17:00", ClosedReason.WEEKEND),
        ("2025-07-19", "12:00", ClosedReason.WEEKEND),
        ("2025-07-20", "17:59", ClosedReason.WEEKEND),
        ("2025-07-20", "18:00", ""),
        ("2025-07-15", "17:00", ClosedReason.DAILY_BREAK),
        ("2025-07-15", "18:00", ""),
        ("2025-07-04", "12:59", ""),
        ("2025-07-04", "13:00", ClosedReason.EARLY_CLOSE),
        ("2025-07-04", "17:00", ClosedReason.WEEKEND),
        ("2025-09-01", "14:30", ClosedReason.EARLY_CLOSE),
        ("2025-09-01", "17:30", ClosedReason.DAILY_BREAK),
        ("2025-09-01", "18:00", ""),
        ("2026-04-02", "16:59", ""),
        ("2026-04-02", "17:00", ClosedReason.HOLIDAY),  # the evening before Good Friday
        ("2026-04-02", "20:00", ClosedReason.HOLIDAY),
        ("2026-04-03", "09:30", ClosedReason.HOLIDAY),
        ("2026-04-03", "17:00", ClosedReason.WEEKEND),
        ("2025-12-24", "15:00", ClosedReason.EARLY_CLOSE),
        ("2025-12-24", "18:00", ClosedReason.HOLIDAY),
        ("2025-12-25", "17:30", ClosedReason.DAILY_BREAK),
        ("2025-12-25", "18:00", ""),  # the evening of a holiday opens the next day
    ],
)
def test_a_closed_market_says_why(day: str, clock: str, reason: str) -> None:
    assert reason_at(new_york(day, clock)) == reason


def test_the_d1_bar_of_a_holiday_is_absent_because_of_the_holiday() -> None:
    """I16: every missing candle has a reason, also where the bar opens inside the daily break."""
    assert reason_at(new_york("2026-01-18", "17:00")) == ClosedReason.WEEKEND
    assert reason_at(new_york("2023-01-01", "17:00")) == ClosedReason.HOLIDAY


def test_trading_days_end_at_17_new_york_and_a_monday_begins_on_sunday() -> None:
    moments = instants(new_york("2025-03-09", "17:00"), new_york("2025-03-10", "16:59"), new_york("2025-03-10", "17:00"))
    assert CALENDAR.trading_day(moments).astype(str).tolist() == ["2025-03-10", "2025-03-10", "2025-03-11"]
    begins, ends = CALENDAR.trading_day_bounds(np.array(["2025-03-09", "2025-03-10"], dtype="datetime64[D]"))
    assert (ends - begins).astype("timedelta64[h]").astype(int).tolist() == [23, 24]
    assert begins[1] == ends[0] == moments[0]


@pytest.mark.fault("time")
def test_mistake_8_sessions_follow_local_clocks_and_no_fixed_utc_hours() -> None:
    """London opens at 08:00 UTC in winter and 07:00 in summer; the overlap moves while only New York has summer time."""
    moments = instants(utc("2025-01-15T07:30"), utc("2025-07-15T07:30"), utc("2025-01-15T12:30"), utc("2025-03-12T12:30"))
    within = sessions(moments)
    assert within[Session.LONDON].tolist() == [False, True, True, True]
    assert within[Session.NEW_YORK].tolist() == [False, False, False, True]
    assert within[Session.OVERLAP].tolist() == [False, False, False, True]


@settings(deadline=None)
@given(MOMENTS)
def test_sessions_are_those_of_the_zone_database(moment: datetime) -> None:
    def at_work(zone: str, first: int, end: int) -> bool:
        return first <= moment.astimezone(ZoneInfo(zone)).hour < end

    within = {session: bool(flags[0]) for session, flags in sessions(instants(moment)).items()}
    assert within[Session.ASIA] == at_work("Asia/Tokyo", 9, 18)
    assert within[Session.LONDON] == at_work("Europe/London", 8, 17)
    assert within[Session.NEW_YORK] == at_work(NEW_YORK, 8, 17)
    assert within[Session.OVERLAP] == (within[Session.LONDON] and within[Session.NEW_YORK])


@pytest.mark.fault("time")
def test_mistake_9_a_deadline_in_trading_time_does_not_run_through_a_weekend() -> None:
    friday_noon = instants(new_york("2025-07-18", "12:00"))
    deadline = CALENDAR.add_open_time(friday_noon, minutes=24 * 60)
    # Five hours on Friday, then nineteen from Sunday 18:00 on.
    assert to_datetime(deadline[0]) == new_york("2025-07-21", "13:00")


def test_trading_time_that_ends_with_the_week_ends_at_its_close_and_not_at_the_next_opening() -> None:
    friday = instants(new_york("2025-07-18", "16:00"))
    assert to_datetime(CALENDAR.add_open_time(friday, minutes=60)[0]) == new_york("2025-07-18", "17:00")


@settings(max_examples=50, deadline=None)
@given(MOMENTS, st.integers(0, 10_000))
def test_adding_trading_time_is_the_inverse_of_measuring_it(moment: datetime, minutes: int) -> None:
    start = instants(moment)
    end = CALENDAR.add_open_time(start, minutes=minutes)
    assert end >= start
    assert CALENDAR.open_minutes_between(start, end).tolist() == [minutes]
    if minutes:
        assert CALENDAR.is_open(end - np.timedelta64(1, "us"))[0]


@settings(max_examples=25, deadline=None)
@given(MOMENTS, st.integers(0, 6000))
def test_trading_time_is_the_count_of_open_minutes(start: datetime, minutes: int) -> None:
    counted = sum(obviously_open(start + timedelta(minutes=step)) for step in range(minutes))
    assert CALENDAR.open_minutes_between(instants(start), instants(start + timedelta(minutes=minutes))).tolist() == [counted]


def test_trading_time_between_arrays_broadcasts() -> None:
    starts = instants(utc("2025-07-15T00:00"), utc("2025-07-15T01:00"))
    assert CALENDAR.open_minutes_between(starts, instants(utc("2025-07-15T02:00"))).tolist() == [120, 60]


@pytest.mark.fault("time")
def test_mistake_11_expected_opens_are_aligned_whatever_the_window_and_a_full_record_misses_none() -> None:
    start, end = utc("2025-07-13T00:00") + timedelta(seconds=17), utc("2025-07-19T00:00")
    for timeframe in Timeframe:
        record = CALENDAR.expected_opens(timeframe=timeframe, start=utc("2025-07-13T00:00"), end=end)
        expected = CALENDAR.expected_opens(timeframe=timeframe, start=start, end=end)
        assert np.setdiff1d(expected, record).size == 0
        assert expected.size == record.size


def test_a_window_is_half_open() -> None:
    assert count(Timeframe.H1, utc("2025-07-15T10:00"), utc("2025-07-15T12:00")) == 2
    assert count(Timeframe.H1, utc("2025-07-15T10:30"), utc("2025-07-15T12:00")) == 1
    assert count(Timeframe.H1, utc("2025-07-15T10:00"), utc("2025-07-15T10:00")) == 0


def test_next_open_and_last_close_stand_on_either_side_of_a_weekend() -> None:
    good_friday = new_york("2026-04-03", "12:00")
    assert CALENDAR.next_open(good_friday) == new_york("2026-04-05", "18:00")
    assert CALENDAR.last_close(good_friday) == new_york("2026-04-02", "17:00")
    assert CALENDAR.next_open(new_york("2026-04-05", "18:00")) == new_york("2026-04-05", "18:00")
    assert CALENDAR.last_close(new_york("2026-04-02", "17:00")) == new_york("2026-04-02", "17:00")


def test_instants_beyond_the_calendar_are_closed_and_deadlines_there_are_refused() -> None:
    far = instants(utc("1999-06-01T12:00"), utc("2077-06-02T12:00"))
    assert not CALENDAR.is_open(far).any()
    assert set(CALENDAR.closed_reason(far)) == {ClosedReason.HOLIDAY.value}
    with pytest.raises(DataError, match="calendar ends"):
        CALENDAR.add_open_time(instants(utc("2050-12-30T12:00")), minutes=100_000)


def test_the_table_is_frozen_under_its_version() -> None:
    """Results depend on the table: whoever changes it gives it a new version here and in its first line."""
    assert CALENDAR.version == "1"
    assert hashlib.sha256(TABLE_TEXT.encode()).hexdigest() == "e1609e3cffe08672086cd71fff97f051c5c3cb4e0249c7875bd49b107f7d480c"
    assert (CALENDAR.first_day, CALENDAR.last_day) == (date(2003, 5, 26), date(2030, 12, 25))


@pytest.mark.parametrize(
    "text",
    [
        "date,open,close,reason,basis\n2025-01-01,,,holiday,x\n",
        "# version 2\ndate,open,close,reason,basis\n2025-13-01,,,holiday,x\n",
        "# version 2\ndate,open,close,reason,basis\n2025-01-01,18:00,,holiday,x\n",
        "# version 2\ndate,open,close,reason,basis\n2025-01-01,,,feast,x\n",
        "# version 2\nday,open\n2025-01-01,18:00\n",
    ],
)
def test_a_damaged_table_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        parse_calendar(text)


def test_a_late_opening_can_be_written_down() -> None:
    calendar = parse_calendar("# version 2\ndate,open,close,reason,basis\n2025-01-02,08:00,17:00,holiday,x\n")
    moments = instants(new_york("2025-01-02", "07:59"), new_york("2025-01-02", "08:00"))
    assert calendar.is_open(moments).tolist() == [False, True]
    assert calendar.closed_reason(moments).tolist() == ["holiday", ""]


def recorded(folder: Path, name: str) -> np.ndarray:
    table = pd.read_csv(folder / "candles" / f"xauusd_{name}.csv.gz", usecols=["timestamp"])
    return pd.to_datetime(table["timestamp"]).dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def disagreement(calendar: TradingCalendar, opens: np.ndarray, timeframe: Timeframe) -> tuple[Counter[str], np.ndarray]:
    """Reasons of recorded bars in closed hours, and expected bars that the record lacks."""
    until = to_datetime(opens[-1]) + timedelta(minutes=1)
    expected = calendar.expected_opens(timeframe=timeframe, start=to_datetime(opens[0]), end=until)
    return Counter(calendar.closed_reason(np.setdiff1d(opens, expected))), np.setdiff1d(expected, opens)


@pytest.mark.recorded
def test_a_brokers_year_of_five_minutes_holds_no_bar_in_closed_hours(shared_data: Path) -> None:
    outside, missing = disagreement(CALENDAR, recorded(shared_data, "M5_mt5-budimanlai"), Timeframe.M5)
    assert outside == {}
    assert len(missing) <= 84


@pytest.mark.recorded
def test_ten_years_of_a_brokers_hours_agree_with_the_calendar(shared_data: Path) -> None:
    outside, missing = disagreement(CALENDAR, recorded(shared_data, "H1_mt5-ejtraderlabs"), Timeframe.H1)
    assert sum(outside.values()) <= 38
    assert outside["weekend"] == 0
    assert len(missing) <= 315


@pytest.mark.recorded
def test_a_vendor_that_answers_round_the_clock_misses_no_expected_bar(shared_data: Path) -> None:
    outside, missing = disagreement(CALENDAR, recorded(shared_data, "M5_twelvedata-24x7"), Timeframe.M5)
    assert len(missing) == 0
    assert outside["holiday"] == 288
