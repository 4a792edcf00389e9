"""Holes of real files: the days are blocked, every missing bar is in a gap with its reason (I16)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.assets.missing_bars import GapReport, find
from goldsignal_pipeline.market.reasons import MissingReason
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline_tests.acceptance.conftest import Imported
from goldsignal_pipeline_tests.acceptance.record import CALENDAR, LATER, held, in_clock_mismatch, instants, query

pytestmark = pytest.mark.recorded

SPANS = {
    "oanda": (Timeframe.H1, datetime(2006, 3, 20, tzinfo=UTC), datetime(2019, 2, 26, tzinfo=UTC)),
    "ejtraderlabs": (Timeframe.H1, datetime(2012, 5, 17, 5, tzinfo=UTC), datetime(2022, 3, 4, 22, tzinfo=UTC)),
    "budimanlai": (Timeframe.M5, datetime(2025, 1, 1, 23, tzinfo=UTC), datetime(2025, 10, 27, 21, tzinfo=UTC)),
    "twelvedata": (Timeframe.M5, datetime(2026, 1, 22, 6, 50, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)),
}
EXPECTED_AND_MISSING = {
    "oanda": (76417, 2163),
    "ejtraderlabs": (57871, 309),
    "budimanlai": (58314, 84),
    "twelvedata": (24986, 0),
}


def _gaps(imported: Imported, start: datetime, end: datetime) -> GapReport:
    with imported[0].transaction(read_only=True) as connection:
        return find(connection, grace=Settings().grace, symbol=REAL_SYMBOL, start=start, end=end, now=LATER)


@pytest.mark.parametrize("name", SPANS)
def test_i16_every_expected_bar_of_a_whole_file_is_present_or_lies_in_a_gap_with_a_reason(
    name: str, request: pytest.FixtureRequest
) -> None:
    imported: Imported = request.getfixturevalue(name)
    timeframe, start, end = SPANS[name]
    report = _gaps(imported, start, end)
    expected = CALENDAR.expected_opens(timeframe=timeframe, start=start, end=end)
    absent = ~np.isin(expected, instants(held(imported[0], timeframe)["timestamp"]))
    assert (len(expected), int(absent.sum())) == EXPECTED_AND_MISSING[name]
    begins, ends = instants(report.gaps["start"]), instants(report.gaps["end"])
    at = np.searchsorted(begins, expected, side="right") - 1
    in_gap = (at >= 0) & (expected < ends[np.maximum(at, 0)]) if len(begins) else np.zeros(len(expected), dtype=bool)
    assert (in_gap == absent).all()
    assert set(report.gaps["reason"]) <= set(MissingReason)
    # Days without any row are counted on the default base of five minutes, twelve to the hour.
    by_base = report.gaps.groupby("timeframe")["missing_bars"].sum().to_dict()
    hours = by_base.get("H1", 0) + by_base.get("M5", 0) / (12 if timeframe is Timeframe.H1 else 1)
    assert hours == absent.sum()


def _absent(imported: Imported, name: str) -> pd.DatetimeIndex:
    timeframe, start, end = SPANS[name]
    expected = CALENDAR.expected_opens(timeframe=timeframe, start=start, end=end)
    absent = expected[~np.isin(expected, instants(held(imported[0], timeframe)["timestamp"]))]
    return pd.DatetimeIndex(absent).tz_localize("UTC").tz_convert("America/New_York")


def test_the_missing_hours_of_13_years_are_sunday_evenings_and_days_without_a_file(oanda: Imported) -> None:
    """In New York's summer the file begins its week an hour late; otherwise whole UTC days are absent."""
    wall = _absent(oanda, "oanda")
    sunday = (wall.day_of_week == 6) & (wall.hour == 18)
    summer = np.array([bool(moment.dst()) for moment in wall])
    assert (int((sunday & summer).sum()), int((~(sunday & summer)).sum())) == (438, 1725)
    others = wall[~(sunday & summer)].tz_convert("UTC")
    by_day = pd.Series(others.date).value_counts()
    file_days = set(pd.DatetimeIndex(instants(held(oanda[0], Timeframe.H1)["timestamp"])).date)
    without_a_row = by_day[[day not in file_days for day in by_day.index]]
    assert (len(without_a_row), int(without_a_row.sum())) == (86, 1627)


def test_the_missing_hours_of_ten_years_are_the_brokers_own_pause(ejtraderlabs: Imported) -> None:
    """In the weeks between the clock changes the broker rests from 18:00 to 19:00 New York, midnight to one on its own clock."""
    wall = _absent(ejtraderlabs, "ejtraderlabs")
    pause = (wall.hour == 18) & in_clock_mismatch(pd.Series(wall))
    assert (int(pause.sum()), int((~pause).sum())) == (143, 166)


def test_the_hole_of_december_2016_is_blocked_and_listed(oanda: Imported) -> None:
    """A quarter of the month's hours: four days without any, six hours of the 16th, all but one of the 22nd."""
    database, _ = oanda
    start, end = datetime(2016, 12, 1, tzinfo=UTC), datetime(2017, 1, 1, tzinfo=UTC)
    blocked = query(
        database,
        "SELECT trading_day, missing_bars, expected_bars FROM trading_day_states WHERE data_blocked"
        " AND trading_day BETWEEN '2016-12-01' AND '2016-12-31' ORDER BY 1",
    )
    empty = [(date(2016, 12, day), 276, 276) for day in (12, 13, 14, 15)]
    assert blocked == [*empty, (date(2016, 12, 16), 6, 23), (date(2016, 12, 22), 22, 23), (date(2016, 12, 23), 1, 23)]
    gaps = _gaps(oanda, start, end).gaps
    assert [
        (row.timeframe, str(row.start)[:16], str(row.end)[:16], row.missing_bars, row.reason) for row in gaps.itertuples()
    ] == [
        ("M5", "2016-12-11 23:00", "2016-12-15 22:00", 4 * 276, "vendor_hole"),
        ("H1", "2016-12-15 23:00", "2016-12-16 05:00", 6, "vendor_hole"),
        ("H1", "2016-12-22 00:00", "2016-12-23 00:00", 23, "vendor_hole"),
    ]
    hours = CALENDAR.expected_opens(timeframe=Timeframe.H1, start=start, end=end)
    absent = 4 * 23 + 6 + 23
    assert len(hours) - len(held(database, Timeframe.H1, span=(start, end))) == absent
    assert 0.24 < absent / len(hours) < 0.26


@pytest.mark.parametrize(("name", "days", "blocked"), [("oanda", 3338, 594), ("ejtraderlabs", 2527, 195), ("budimanlai", 210, 6)])
def test_blocked_days_are_those_that_lack_more_than_a_fiftieth_of_their_bars(
    name: str, days: int, blocked: int, request: pytest.FixtureRequest
) -> None:
    """Counted here from the opens that the file holds, day by day; days before and after the file do not count."""
    database, _ = request.getfixturevalue(name)
    timeframe, start, end = SPANS[name]
    expected = CALENDAR.expected_opens(timeframe=timeframe, start=start, end=end)
    present = np.isin(expected, instants(held(database, timeframe)["timestamp"]))
    tally = (
        pd.DataFrame({"day": CALENDAR.trading_day(expected), "missing": ~present}).groupby("day")["missing"].agg(["sum", "size"])
    )
    theirs = tally.index[tally["sum"] * 50 > tally["size"]].astype(str).tolist()
    ours = query(
        database,
        "SELECT trading_day::text FROM trading_day_states WHERE data_blocked AND trading_day BETWEEN :first AND :last ORDER BY 1",
        first=tally.index[1].date(),
        last=tally.index[-2].date(),
    )
    whole = tally.iloc[1:-1]
    assert [day for (day,) in ours] == [day for day in theirs if day in set(whole.index.astype(str))]
    assert (len(whole), len(ours)) == (days, blocked)
