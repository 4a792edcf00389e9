"""I4 can be verified from stored rows alone, and one wrong tick is found and named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.consistency import derived_differences
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.projection import project
from goldsignal_pipeline.market.source_order import SourceOrders
from goldsignal_pipeline.market.timeframes import Timeframe

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
SINCE, UNTIL = np.datetime64("2026-03-01", "us"), np.datetime64("2026-04-01", "us")


def observations(*, timeframe: Timeframe, begin: datetime, end: datetime, seed: int) -> pd.DataFrame:
    opens = load_calendar().expected_opens(timeframe=timeframe, start=begin, end=end)
    generator = np.random.default_rng(seed)
    close = 400_000 + np.cumsum(generator.integers(-50, 51, len(opens)))
    open_ = np.concatenate([[400_000], close[:-1]])
    return pd.DataFrame(
        {
            "source": "vendor:bid",
            "timeframe": timeframe.value,
            "timestamp": pd.DatetimeIndex(opens).tz_localize("UTC"),
            "open": open_,
            "high": np.maximum(open_, close) + generator.integers(0, 40, len(opens)),
            "low": np.minimum(open_, close) - generator.integers(0, 40, len(opens)),
            "close": close,
            "volume": generator.integers(1, 500, len(opens)).astype(float),
        }
    )


def projected(rows: pd.DataFrame) -> pd.DataFrame:
    return project(
        rows,
        calendar=load_calendar(),
        start=START,
        end=END,
        now=END + timedelta(days=9),
        grace=timedelta(seconds=120),
        source_order=SourceOrders(),
    ).candles


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    # February is there in H1 only, so that the bars across the month's edge have two bases.
    february = observations(timeframe=Timeframe.H1, begin=START - timedelta(days=20), end=START, seed=1)
    march = observations(timeframe=Timeframe.M15, begin=START, end=END, seed=2)
    return projected(pd.concat([february, march], ignore_index=True))


def test_i4_what_the_projection_makes_is_consistent(candles: pd.DataFrame) -> None:
    assert derived_differences(candles, since=SINCE, until=UNTIL).empty


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_one_tick_in_one_derived_bar_is_found_and_named(candles: pd.DataFrame, data: st.DataObject) -> None:
    derived = candles.index[(candles["timeframe"] != candles["base_timeframe"]) & (candles["timestamp"] >= START)]
    position = data.draw(st.sampled_from(list(derived)))
    column = data.draw(st.sampled_from(["open", "high", "low", "close", "base_bars"]))
    changed = candles.copy()
    changed.loc[position, column] += 1
    found = derived_differences(changed, since=SINCE, until=UNTIL)
    assert found["column"].tolist() == [column]
    assert found["timestamp"].tolist() == [candles.loc[position, "timestamp"]]


def test_a_base_bar_that_vanished_is_found_in_every_bar_above_it(candles: pd.DataFrame) -> None:
    base = candles.index[candles["timeframe"] == "M15"][100]
    found = derived_differences(candles.drop(index=base), since=SINCE, until=UNTIL)
    assert set(found["timeframe"]) == {"M30", "H1", "H4", "D1"}


def test_a_record_without_derived_bars_is_consistent(candles: pd.DataFrame) -> None:
    assert derived_differences(candles[candles["timeframe"] == "M15"], since=SINCE, until=UNTIL).empty
    assert derived_differences(candles.iloc[:0], since=SINCE, until=UNTIL).empty


def test_a_bar_whose_base_bars_lie_outside_the_rows_is_not_judged(candles: pd.DataFrame) -> None:
    """A month is checked alone: the D1 bar that closes in the next month is there, its last base bars are not."""
    half = np.datetime64("2026-03-16", "us")
    rows = candles[(candles["timestamp"] < pd.Timestamp(half, tz="UTC"))]
    assert derived_differences(rows, since=SINCE, until=half).empty
    assert not derived_differences(rows, since=SINCE, until=UNTIL).empty
