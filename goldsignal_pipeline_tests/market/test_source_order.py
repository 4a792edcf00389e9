"""The order of sources: each trading day by the one in force when it begins, and no day by two."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.source_order import DayOrders, SourceOrders, ranked
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import BID, CALENDAR, OTHER, observed, projected, utc

JUNE, JULY = utc(2025, 6, 1), utc(2025, 7, 1)
THIRD = "three:mid"
NAMES = (BID, OTHER, THIRD)
OBSERVED = pd.concat(
    [observed(Timeframe.H1, utc(2025, 5, 1), JULY, source=source, seed=seed) for seed, source in enumerate(NAMES)],
    ignore_index=True,
)


def instant(text: str) -> np.datetime64:
    return np.datetime64(text, "us")


orders = st.lists(st.sampled_from(NAMES), unique=True, max_size=3).map(tuple)
instants = st.datetimes(datetime(2025, 5, 25), datetime(2025, 7, 3)).map(lambda moment: np.datetime64(moment, "us"))


@given(first=orders, changes=st.dictionaries(instants, orders, max_size=3))
@settings(max_examples=25, deadline=None)
def test_every_day_is_what_the_order_in_force_at_its_beginning_alone_would_make_of_it(
    first: tuple[str, ...], changes: dict[np.datetime64, tuple[str, ...]]
) -> None:
    told = SourceOrders(first, tuple(sorted(changes.items())))
    mixed = projected(OBSERVED, JUNE, JULY, order=told)
    alone = {order: projected(OBSERVED, JUNE, JULY, order=order) for order in {first, *changes.values()}}
    for position, day in enumerate(mixed.day_parts["trading_day"]):
        # 17:00 New York of the day before is 21:00 UTC all through these weeks.
        begin = day - pd.Timedelta("3h")
        in_force = [first, *(order for at, order in told.changes if pd.Timestamp(at) <= begin)][-1]
        expected = alone[in_force]
        pd.testing.assert_series_equal(mixed.day_parts.iloc[position], expected.day_parts.iloc[position])
        within = [frame.candles[_days(frame.candles) == day.to_datetime64()] for frame in (mixed, expected)]
        pd.testing.assert_frame_equal(*(rows.reset_index(drop=True) for rows in within))


def _days(candles: pd.DataFrame) -> np.ndarray:
    return CALENDAR.trading_day(candles["timestamp"].dt.tz_localize(None).to_numpy()).astype("datetime64[ns]")


def test_a_change_within_a_day_waits_for_the_next_one() -> None:
    told = SourceOrders((BID,), ((instant("2025-06-11T21:00:00.000001"), (OTHER,)),))
    parts = projected(OBSERVED, JUNE, JULY, order=told).day_parts.set_index("trading_day")["source"]
    assert parts["2025-06-12"] == BID
    assert parts["2025-06-13"] == OTHER
    exact = SourceOrders((BID,), ((instant("2025-06-11T21:00"), (OTHER,)),))
    assert projected(OBSERVED, JUNE, JULY, order=exact).day_parts.set_index("trading_day")["source"]["2025-06-12"] == OTHER


def test_what_concerns_a_stretch_is_the_order_at_its_start_and_the_real_changes_in_it() -> None:
    told = SourceOrders((), ((instant("2025-01-05"), (BID,)), (instant("2025-02-05"), (BID,)), (instant("2025-03-05"), (OTHER,))))
    assert told.between(instant("2024-01-01"), instant("2025-01-01")) == SourceOrders(())
    assert told.between(instant("2025-01-01"), instant("2025-03-01")) == SourceOrders((), ((instant("2025-01-05"), (BID,)),))
    assert told.between(instant("2025-02-01"), instant("2025-03-01")) == SourceOrders((BID,))
    assert told.between(instant("2025-03-05"), instant("2025-04-01")) == SourceOrders((OTHER,))


def test_an_order_without_changes_is_told_by_its_names_alone() -> None:
    assert SourceOrders((BID, OTHER)).told() == [BID, OTHER]
    changed = SourceOrders((BID,), ((instant("2025-01-05"), (OTHER,)),))
    assert changed.told() == [BID, "from 2025-01-05T00:00:00.000000", OTHER]


def test_sources_that_no_order_names_follow_by_name() -> None:
    assert ranked(["c:mid", "a:bid", "b:bid", "a:bid"], order=("b:bid", "x:ask")) == ("b:bid", "a:bid", "c:mid")


def test_a_range_without_days_has_one_ranking() -> None:
    nothing = np.array([], dtype="datetime64[D]")
    assert DayOrders.of(SourceOrders((OTHER,)), sources=[BID, OTHER], trading_days=nothing).rankings == ((OTHER, BID),)
