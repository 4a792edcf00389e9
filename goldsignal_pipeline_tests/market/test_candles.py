"""Candles: the schema refuses what must never be stored, and aggregation is exact."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaError, SchemaErrors

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import CANDLE_DTYPES, candle_schema, instants_of, resample
from goldsignal_pipeline.market.timeframes import Timeframe, is_aligned
from goldsignal_pipeline_tests.market.candle_data import recorded, utc, walk, walks

NEW_YORK = ZoneInfo("America/New_York")
PRICES = ["open", "high", "low", "close"]


def oracle(frame: pd.DataFrame, target: Timeframe) -> dict[datetime, tuple[int, int, int, int, Decimal | None, int]]:
    """The aggregation in plain Python: datetimes, zoneinfo and Decimal, one row at a time."""
    folded: dict[datetime, list] = {}
    for row in frame.sort_values("timestamp").itertuples():
        moment = row.timestamp.to_pydatetime()
        if target.minutes <= 60:
            label = moment - timedelta(minutes=moment.minute % target.minutes)
        else:
            wall = moment.astimezone(NEW_YORK).replace(tzinfo=None) - timedelta(hours=17)
            midnight = wall.replace(hour=0, minute=0)
            hours = wall.hour // (target.minutes // 60) * (target.minutes // 60)
            label = (midnight + timedelta(hours=hours + 17)).replace(tzinfo=NEW_YORK).astimezone(ZoneInfo("UTC"))
        volume = None if np.isnan(row.volume) else Decimal(str(row.volume))
        bar = folded.setdefault(label, [row.open, row.high, row.low, row.close, None, 0])
        bar[1], bar[2], bar[3] = max(bar[1], row.high), min(bar[2], row.low), row.close
        bar[4] = bar[4] if volume is None else volume + (bar[4] or 0)
        bar[5] += 1
    return {label: tuple(bar) for label, bar in folded.items()}


@given(frame=st.sampled_from([Timeframe.M5, Timeframe.H1]).flatmap(lambda timeframe: walks(timeframe=timeframe)))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("target", [Timeframe.H1, Timeframe.H4, Timeframe.D1])
def test_i4_a_derived_candle_equals_the_aggregation_of_its_base_in_plain_python(frame: pd.DataFrame, target: Timeframe) -> None:
    derived = resample(frame, target=target)
    expected = oracle(frame, target)
    got = {
        row.timestamp.to_pydatetime(): (
            row.open,
            row.high,
            row.low,
            row.close,
            None if np.isnan(row.volume) else Decimal(str(row.volume)),
            row.base_bars,
        )
        for row in derived.itertuples()
    }
    assert got == expected
    assert derived["timestamp"].is_monotonic_increasing


@given(frame=walks(timeframe=Timeframe.M1, largest=300), target=st.sampled_from([Timeframe.M5, Timeframe.M15, Timeframe.M30]))
@settings(max_examples=30, deadline=None)
def test_i4_minute_bars_fold_into_every_quarter_and_half_hour(frame: pd.DataFrame, target: Timeframe) -> None:
    derived = resample(frame, target=target)
    assert [tuple(bar) for bar in derived[PRICES].to_numpy()] == [bar[:4] for bar in oracle(frame, target).values()]


@given(frame=walks(timeframe=Timeframe.M5), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_aggregation_in_two_steps_or_from_another_order_gives_the_same_bars(frame: pd.DataFrame, seed: int) -> None:
    direct = resample(frame, target=Timeframe.D1).drop(columns="base_bars")
    steps = resample(resample(frame.sample(frac=1, random_state=seed), target=Timeframe.H1), target=Timeframe.D1)
    pd.testing.assert_frame_equal(direct, steps.drop(columns="base_bars"))


def test_volumes_that_floats_cannot_add_exactly_are_summed_exactly() -> None:
    opens = np.datetime64("2025-06-02T10:00", "us") + np.arange(10) * np.timedelta64(1, "m")
    frame = walk(opens, seed=1).assign(volume=0.1)
    assert 0.1 * 3 != 0.3  # what a float sum would show
    assert resample(frame.iloc[:3], target=Timeframe.H1)["volume"].tolist() == [0.3]


def test_a_bar_without_any_volume_has_none_and_not_zero() -> None:
    opens = np.datetime64("2025-06-02T10:00", "us") + np.arange(4) * np.timedelta64(30, "m")
    frame = walk(opens, seed=1).assign(volume=[np.nan, np.nan, np.nan, 2.5])
    volume = resample(frame, target=Timeframe.H1)["volume"]
    assert np.isnan(volume[0])
    assert volume[1] == 2.5


def test_the_h4_bar_of_the_evening_holds_three_hours_of_trading() -> None:
    # Monday 2025-06-02 17:00 New York is 21:00 UTC; trading resumes at 22:00.
    opens = np.datetime64("2025-06-02T22:00", "us") + np.arange(4) * np.timedelta64(1, "h")
    bars = resample(walk(opens, seed=1), target=Timeframe.H4)
    assert bars["timestamp"].tolist() == [pd.Timestamp(utc(2025, 6, 2, 21)), pd.Timestamp(utc(2025, 6, 3, 1))]
    assert bars["base_bars"].tolist() == [3, 1]


def test_no_bars_resample_to_no_bars_of_the_same_types() -> None:
    frame = walk(np.array([], dtype="datetime64[us]"), seed=1)
    one = resample(walk(np.array(["2025-06-02T22:00"], "datetime64[us]"), seed=1), target=Timeframe.D1)
    empty = resample(frame, target=Timeframe.D1)
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == one.dtypes.to_dict()


def test_a_repeated_timestamp_is_refused() -> None:
    frame = walk(np.array(["2025-06-02T22:00", "2025-06-02T22:00"], "datetime64[us]"), seed=1)
    with pytest.raises(DataError, match="two bars open at 2025-06-02T22:00"):
        resample(frame, target=Timeframe.D1)


def candles(frame: pd.DataFrame, timeframe: Timeframe) -> pd.DataFrame:
    columns = {"timeframe": timeframe.value, "source": "one:bid", "base_timeframe": "M5", "base_bars": 1, "flag": ""}
    return frame.assign(**columns)[list(CANDLE_DTYPES)]


@given(frame=walks(timeframe=Timeframe.M5))
@settings(max_examples=15, deadline=None)
def test_i1_i2_every_well_formed_frame_passes_the_schema(frame: pd.DataFrame) -> None:
    candle_schema().validate(candles(frame, Timeframe.M5))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("low", lambda row: row["high"] + 1),
        ("open", lambda row: row["high"] + 1),
        ("close", lambda row: row["low"] - 1),
        ("high", lambda row: row["low"]),
        ("low", lambda _: 0),
        ("volume", lambda _: -0.01),
        ("timestamp", lambda row: row["timestamp"] + pd.Timedelta("1min")),
        ("timeframe", lambda _: "M7"),
        ("timeframe", lambda _: "M1"),
        ("base_timeframe", lambda _: "H1"),
        ("base_bars", lambda _: 0),
        ("flag", lambda _: "odd"),
        ("source", lambda _: ""),
    ],
)
def test_i1_one_bad_value_among_good_rows_is_refused(column: str, value) -> None:
    opens = np.datetime64("2025-06-02T10:00", "us") + np.arange(30) * np.timedelta64(5, "m")
    frame = candles(walk(opens, seed=3), Timeframe.M5)
    candle_schema().validate(frame)
    frame.loc[17, column] = value(frame.loc[17])
    with pytest.raises(SchemaError):
        candle_schema().validate(frame)


def test_i2_one_timeframe_and_timestamp_is_never_there_twice() -> None:
    frame = candles(walk(np.array(["2025-06-02T22:00"], "datetime64[us]"), seed=1), Timeframe.M5)
    with pytest.raises(SchemaError):
        candle_schema().validate(pd.concat([frame, frame], ignore_index=True))


def test_a_float_price_or_an_unknown_column_is_refused() -> None:
    frame = candles(walk(np.array(["2025-06-02T22:00"], "datetime64[us]"), seed=1), Timeframe.M5)
    for broken in (frame.astype({"close": "float64"}), frame.assign(spread=1)):
        with pytest.raises((SchemaError, SchemaErrors)):
            candle_schema().validate(broken)


def mismatch_weeks(timestamps: pd.Series) -> np.ndarray:
    """Where New York's clock has changed and Europe's not yet, or the other way round: 6 or 4 hours apart from Berlin."""
    offsets = [
        stamp.astimezone(ZoneInfo("Europe/Berlin")).utcoffset() - stamp.astimezone(NEW_YORK).utcoffset() for stamp in timestamps
    ]
    return np.array([offset != timedelta(hours=6) for offset in offsets])


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "base", "target", "common"),
    [
        ("mt5-budimanlai", Timeframe.M5, Timeframe.M15, 19418),
        ("mt5-budimanlai", Timeframe.M5, Timeframe.M30, 9712),
        ("mt5-budimanlai", Timeframe.M5, Timeframe.H1, 4858),
        ("mt5-budimanlai", Timeframe.M5, Timeframe.H4, 1175),
        ("mt5-ejtraderlabs", Timeframe.H1, Timeframe.H4, 13423),
        ("mt5-ejtraderlabs", Timeframe.H1, Timeframe.D1, 2242),
    ],
)
def test_recorded_bars_derive_the_brokers_own_coarser_files_bar_for_bar(
    shared_data: Path, name: str, base: Timeframe, target: Timeframe, common: int
) -> None:
    """The only difference: this broker's day rolls by Europe's clock, so in the weeks between the clock changes of the US
    and of Europe its H4 and D1 bars lie one hour off the 17:00-New-York grid and cannot be compared."""
    derived = resample(recorded(shared_data, base, name), target=target)
    theirs = recorded(shared_data, target, name)
    off_grid = ~is_aligned(instants_of(theirs["timestamp"]), timeframe=target)
    assert mismatch_weeks(theirs["timestamp"][off_grid]).all()
    both = theirs[~off_grid].merge(derived, on="timestamp", suffixes=("", "_derived"), validate="one_to_one")
    assert len(both) == common == (~off_grid).sum()
    for column in [*PRICES, "volume"]:
        assert (both[column] == both[f"{column}_derived"]).all(), column
    extra = derived[~derived["timestamp"].isin(theirs["timestamp"]) & (derived["timestamp"] >= theirs["timestamp"].min())]
    assert mismatch_weeks(extra["timestamp"]).all()


@pytest.mark.recorded
def test_recorded_vendor_m5_derive_its_m15_but_for_the_cut_first_and_the_forming_last(shared_data: Path) -> None:
    derived = resample(recorded(shared_data, Timeframe.M5, "twelvedata-24x7"), target=Timeframe.M15)
    theirs = recorded(shared_data, Timeframe.M15, "twelvedata-24x7")
    both = theirs.merge(derived, on="timestamp", suffixes=("", "_derived"))
    differs = (both[PRICES].to_numpy() != both[[f"{column}_derived" for column in PRICES]].to_numpy()).any(axis=1)
    # The M5 download begins at 06:50, so the bar of 06:45 is made of two of its three parts; 06:30 has none.
    assert both["timestamp"][differs].tolist() == [pd.Timestamp(utc(2026, 1, 22, 6, 45))]
    assert both["base_bars"][differs].tolist() == [2]
    assert theirs["timestamp"][~theirs["timestamp"].isin(derived["timestamp"])].tolist() == [
        pd.Timestamp(utc(2026, 1, 22, 6, 30))
    ]
