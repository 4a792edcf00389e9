"""The projection: one record of candles, whatever the split of months, the order of observations or the wealth of history."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError, UsageError
from goldsignal_pipeline.market.candles import candle_schema, resample
from goldsignal_pipeline.market.day_parts import DAY_PART_COLUMNS, blocked_days
from goldsignal_pipeline.market.projection import Projection
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import BID, GRACE, MUCH_LATER, OTHER, PRICES, observed, projected, recorded, utc

KEY = ["timeframe", "timestamp"]


def visible(observations: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
    """What the asset loads: bars that open from one month before the range to its end."""
    first = pd.Timestamp(start) - pd.DateOffset(months=1)
    return observations[(observations["timestamp"] >= first) & (observations["timestamp"] < end)]


def month(year: int, number: int) -> datetime:
    return utc(year + (number - 1) // 12, (number - 1) % 12 + 1, 1)


@st.composite
def markets(draw: st.DrawFn, *, months: int = 3) -> tuple[pd.DataFrame, list[datetime]]:
    """Observations of one to three sources over some months, each with its timeframes, holes, spikes and frozen stretches."""
    year, first = draw(st.integers(2005, 2025)), draw(st.integers(1, 12))
    edges = [month(year, first + step) for step in range(months + 1)]
    begin = month(year, first - 1)
    grids = st.lists(
        st.sampled_from([Timeframe.M30, Timeframe.H1, Timeframe.H4, Timeframe.D1]), min_size=1, max_size=2, unique=True
    )
    frames = []
    for source in draw(st.sampled_from([(BID,), (BID, OTHER), (BID, OTHER, "unlisted:mid")])):
        for timeframe in draw(grids):
            frames.append(_disturbed(observed(timeframe, begin, edges[-1], source=source, seed=len(frames)), draw))
    return pd.concat(frames, ignore_index=True), edges


def _disturbed(rows: pd.DataFrame, draw: st.DrawFn) -> pd.DataFrame:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rows[(rng.random(len(rows)) >= draw(st.sampled_from([0.0, 0.015, 0.2]))) | (rows.index == 0)].reset_index(drop=True)
    for _ in range(draw(st.integers(0, 3))):
        hole = int(rng.integers(0, max(1, len(rows) - 1)))
        rows = rows.drop(rows.index[hole + 1 : hole + int(rng.integers(1, 40))]).reset_index(drop=True)
    for at in rng.integers(0, len(rows), draw(st.integers(0, 4))):
        rows.loc[at, "high"] = rows.loc[at, "high"] + 5_000
    # Month ends are where a split could show: put spikes on the bars around them.
    edge = rows["timestamp"].dt.month.diff().fillna(0).to_numpy().nonzero()[0]
    for at in edge:
        rows.loc[max(0, at - int(rng.integers(0, 3))), "high"] += 5_000
    frozen = int(rng.integers(0, len(rows)))
    rows.loc[frozen : frozen + 4, PRICES] = rows.loc[frozen, "close"]
    return rows


def assert_equal(left: Projection, right: Projection) -> None:
    pd.testing.assert_frame_equal(left.candles, right.candles)
    pd.testing.assert_frame_equal(left.excluded, right.excluded)
    pd.testing.assert_frame_equal(left.day_parts, right.day_parts)


def joined(pieces: list[Projection]) -> Projection:
    return Projection(
        candles=pd.concat([piece.candles for piece in pieces]).sort_values(
            KEY, key=_timeframe_order, kind="stable", ignore_index=True
        ),
        excluded=pd.concat([piece.excluded for piece in pieces]).sort_values(
            ["source", "timeframe", "timestamp"], ignore_index=True
        ),
        day_parts=pd.concat([piece.day_parts for piece in pieces], ignore_index=True),
    )


def _timeframe_order(column: pd.Series) -> pd.Series:
    order = {timeframe.value: timeframe.minutes for timeframe in Timeframe}
    return column.map(order) if column.name == "timeframe" else column


# --- invariants --------------------------------------------------------------------------------------------------------


@given(market=markets(), cuts=st.sets(st.integers(1, 2)), seed=st.integers(0, 1000), at_end=st.booleans())
@settings(max_examples=40, deadline=None)
def test_i8_any_split_into_months_and_any_order_equals_one_pass(
    market: tuple[pd.DataFrame, list[datetime]], cuts: set[int], seed: int, at_end: bool
) -> None:
    observations, edges = market
    now = edges[-2] + pd.Timedelta(seconds=90) if at_end else MUCH_LATER
    whole = projected(visible(observations, edges[0], edges[-1]), edges[0], edges[-1], now=now)
    bounds = [0, *sorted(cuts), len(edges) - 1]
    pieces = [
        projected(visible(observations, edges[a], edges[b]).sample(frac=1, random_state=seed), edges[a], edges[b], now=now)
        for a, b in pairwise(bounds)
    ]
    assert_equal(joined(pieces), whole)


@given(market=markets(months=3))
@settings(max_examples=20, deadline=None)
def test_i7_more_earlier_history_changes_nothing_in_the_range(market: tuple[pd.DataFrame, list[datetime]]) -> None:
    observations, edges = market
    assert_equal(
        projected(observations, edges[2], edges[3]),
        projected(visible(observations, edges[2], edges[3]), edges[2], edges[3]),
    )


@given(market=markets(months=1))
@settings(max_examples=25, deadline=None)
def test_i1_i2_the_projection_is_always_a_valid_and_unique_set_of_candles(market: tuple[pd.DataFrame, list[datetime]]) -> None:
    observations, (start, end) = market
    result = projected(observations, start, end)
    candle_schema().validate(result.candles)
    closes = result.candles["timestamp"] + pd.to_timedelta(result.candles["timeframe"].map(lambda t: Timeframe(t).length))
    on_utc = result.candles["timeframe"].isin(["M30", "H1"])
    assert ((closes >= start) & (closes < end))[on_utc].all()
    assert tuple(result.day_parts.columns) == DAY_PART_COLUMNS


@given(market=markets(months=1))
@settings(max_examples=25, deadline=None)
def test_i4_every_derived_candle_equals_the_aggregation_of_the_base_in_its_month(
    market: tuple[pd.DataFrame, list[datetime]],
) -> None:
    observations, (start, end) = market
    candles = projected(observations, start, end).candles
    inside = candles["timestamp"] >= pd.Timestamp(start) + pd.Timedelta("1D")
    base = candles[candles["timeframe"] == candles["base_timeframe"]]
    for target in (Timeframe.H1, Timeframe.H4, Timeframe.D1):
        derived = candles[(candles["timeframe"] == target.value) & (candles["base_timeframe"] != target.value) & inside]
        for name, rows in derived.groupby("base_timeframe"):
            again = resample(base[base["timeframe"] == name], target=target)
            both = rows.merge(again, on="timestamp", suffixes=("", "_again"))
            assert len(both) == len(rows)
            for column in [*PRICES, "base_bars"]:
                assert (both[column] == both[f"{column}_again"]).all()


@given(market=markets(months=1), share=st.floats(0.02, 0.98))
@settings(max_examples=25, deadline=None)
def test_what_is_known_at_an_earlier_moment_reads_nothing_that_closed_later(
    market: tuple[pd.DataFrame, list[datetime]], share: float
) -> None:
    """I5 and I6 for candles: cutting off every bar that has not closed by `now` changes nothing."""
    observations, (start, end) = market
    now = start + (end - start) * share
    cut = observations[observations["timestamp"] + pd.Timedelta("30min") + GRACE <= now]
    assert_equal(projected(observations, start, end, now=now), projected(cut, start, end, now=now))


def test_closed_bars_of_one_source_stay_as_they_were_while_time_goes_on() -> None:
    observations = observed(Timeframe.M5, utc(2025, 5, 1), utc(2025, 7, 1))
    final = projected(observations, utc(2025, 6, 1), utc(2025, 7, 1)).candles
    for now in (utc(2025, 6, 2, 3, 7), utc(2025, 6, 11, 15, 1, 59), utc(2025, 6, 12, 21, 30), utc(2025, 6, 30, 23, 58)):
        early = projected(observations, utc(2025, 6, 1), utc(2025, 7, 1), now=now).candles
        pd.testing.assert_frame_equal(early, final.merge(early[KEY], on=KEY, how="inner").astype(early.dtypes.to_dict()))
        ends = early["timestamp"] + pd.to_timedelta(early["timeframe"].map(lambda t: Timeframe(t).length))
        assert (ends + GRACE <= now).all()
        assert (
            len(early[early["timeframe"] == "M5"])
            == (observations["timestamp"].between(utc(2025, 5, 31), now - GRACE - pd.Timedelta("5min"))).sum()
        )


# --- where a candle belongs ----------------------------------------------------------------------------------------------


def test_a_close_at_midnight_of_the_first_belongs_to_the_new_month() -> None:
    observations = observed(Timeframe.M5, utc(2025, 6, 1), utc(2025, 8, 1))
    june = projected(visible(observations, utc(2025, 6, 1), utc(2025, 7, 1)), utc(2025, 6, 1), utc(2025, 7, 1)).candles
    july = projected(observations, utc(2025, 7, 1), utc(2025, 8, 1)).candles
    last = pd.Timestamp(utc(2025, 6, 30, 23, 55))
    assert last not in set(june["timestamp"])
    first_of_july = july.groupby("timeframe")["timestamp"].min()
    assert first_of_july["M5"] == last
    assert first_of_july["H1"] == pd.Timestamp(utc(2025, 6, 30, 23))
    # 17:00 New York is 21:00 UTC: the H4 bar that closes at 01:00 and the D1 bar that closes at 21:00 of 1 July.
    assert first_of_july["H4"] == first_of_july["D1"] == pd.Timestamp(utc(2025, 6, 30, 21))
    d1 = july[july["timeframe"] == "D1"].iloc[0]
    assert d1["base_bars"] == 23 * 12


def test_the_day_that_straddles_a_month_end_has_two_parts_of_one_source() -> None:
    observations = observed(Timeframe.M5, utc(2025, 6, 1), utc(2025, 8, 1))
    parts = projected(observations, utc(2025, 6, 1), utc(2025, 8, 1)).day_parts
    first = parts[parts["trading_day"] == pd.Timestamp("2025-07-01")]
    assert first["month"].tolist() == ["2025-06", "2025-07"]
    assert first["expected_bars"].tolist() == [2 * 12, 21 * 12]
    assert parts["missing_bars"].sum() == 0


def test_months_are_whole_or_refused() -> None:
    with pytest.raises(UsageError, match="first instant of a month"):
        projected(observed(Timeframe.H1, utc(2025, 6, 1), utc(2025, 6, 3)), utc(2025, 6, 2), utc(2025, 7, 1))


def test_two_versions_of_one_bar_are_refused() -> None:
    rows = observed(Timeframe.H1, utc(2025, 6, 1), utc(2025, 6, 3))
    with pytest.raises(DataError, match="two bars open"):
        projected(pd.concat([rows, rows.iloc[[5]]]), utc(2025, 6, 1), utc(2025, 7, 1))


def test_without_observations_there_are_no_candles_and_every_day_is_missing() -> None:
    nothing = observed(Timeframe.M5, utc(2025, 6, 2), utc(2025, 6, 2, 1)).iloc[:0]
    result = projected(nothing, utc(2025, 6, 1), utc(2025, 7, 1))
    filled = projected(observed(Timeframe.M5, utc(2025, 5, 1), utc(2025, 7, 1)), utc(2025, 6, 1), utc(2025, 7, 1))
    assert len(result.candles) == len(result.excluded) == 0
    assert result.candles.dtypes.to_dict() == filled.candles.dtypes.to_dict()
    assert result.day_parts.dtypes.to_dict() == filled.day_parts.dtypes.to_dict()
    assert (result.day_parts["missing_bars"] == filled.day_parts["expected_bars"]).all()
    assert len(blocked_days(result.day_parts)) == 22


def test_bars_in_hours_that_today_s_calendar_knows_as_closed_are_left_out_with_the_reason() -> None:
    rows = observed(Timeframe.H1, utc(2026, 3, 1), utc(2026, 5, 1))
    good_friday = rows.iloc[[100]].assign(timestamp=pd.Timestamp(utc(2026, 4, 3, 12)))
    result = projected(pd.concat([rows, good_friday]), utc(2026, 4, 1), utc(2026, 5, 1))
    assert result.excluded[["timestamp", "reason"]].to_numpy().tolist() == [[pd.Timestamp(utc(2026, 4, 3, 12)), "holiday"]]
    assert pd.Timestamp(utc(2026, 4, 3, 12)) not in set(result.candles["timestamp"])


# --- recorded --------------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_recorded_m5_become_the_brokers_m15_m30_h1_and_h4(shared_data: Path) -> None:
    observations = recorded(shared_data, Timeframe.M5, "mt5-budimanlai")
    candles = projected(observations, utc(2025, 1, 1), utc(2025, 11, 1)).candles
    for timeframe in (Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1, Timeframe.H4):
        theirs = recorded(shared_data, timeframe, "mt5-budimanlai")
        ours = candles[candles["timeframe"] == timeframe.value]
        both = ours.merge(theirs, on="timestamp", suffixes=("", "_theirs"))
        for column in [*PRICES, "volume"]:
            assert (both[column] == both[f"{column}_theirs"]).all(), (timeframe, column)
        # H4: 96 bars lie off the New York grid in the weeks between the clock changes (see test_candles).
        assert len(theirs) - len(both) == (96 if timeframe is Timeframe.H4 else 0)


@pytest.mark.recorded
def test_recorded_candles_hold_no_contradicted_bar_and_only_a_few_flagged_ones(shared_data: Path) -> None:
    m5 = projected(recorded(shared_data, Timeframe.M5, "mt5-budimanlai"), utc(2025, 1, 1), utc(2025, 11, 1))
    assert len(m5.excluded) == 0
    flagged = m5.candles[(m5.candles["flag"] == "outlier") & (m5.candles["timeframe"] == "M5")]
    assert pd.Timestamp(utc(2025, 9, 17, 18)) in set(flagged["timestamp"])  # the Federal Reserve's decision
    assert len(flagged) <= 5


@pytest.mark.recorded
def test_the_recorded_week_with_a_quarter_of_its_hours_missing_is_blocked(shared_data: Path) -> None:
    hours = recorded(shared_data, Timeframe.H1, "oanda-lean-bid")
    parts = projected(hours, utc(2016, 12, 1), utc(2017, 1, 1)).day_parts
    blocked = set(blocked_days(parts).astype(str))
    assert {"2016-12-12", "2016-12-13", "2016-12-14", "2016-12-15"} <= blocked


@pytest.mark.recorded
def test_recorded_months_computed_alone_equal_one_pass_over_ten_months(shared_data: Path) -> None:
    """I8 on a recorded year."""
    observations = recorded(shared_data, Timeframe.M5, "mt5-budimanlai")
    edges = [utc(2025, number, 1) for number in range(1, 12)]
    pieces = [projected(visible(observations, a, b), a, b) for a, b in pairwise(edges)]
    assert_equal(joined(pieces), projected(observations, edges[0], edges[-1]))
