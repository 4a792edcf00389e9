"""Random entries against a slow draw by draw computation, and what neither company, chunk nor future may change."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.simulation.random_entries import MISSING, P_VALUE_COLUMNS, RandomEntries, p_values
from goldsignal_pipeline.simulation.rolling import rolling_metrics
from goldsignal_pipeline.simulation.scored_trades import TRADE_KEY
from goldsignal_pipeline_tests.simulation.entry_data import Case, SlowDraws
from goldsignal_pipeline_tests.simulation.markets import CALENDAR
from goldsignal_pipeline_tests.simulation.trade_data import START, frame_of, trade, trade_rows

CASE = Case.of(seed=1)
DRAWN = CASE.drawn()
LAST_DAY_OF_NOVEMBER = np.datetime64("2024-11-30")
DAYS = np.arange(np.datetime64("2024-10-02"), np.datetime64("2024-12-09"))


def same(one: RandomEntries, other: RandomEntries) -> bool:
    trades = one.trades.equals(other.trades)
    return trades and np.array_equal(one.micro_r, other.micro_r) and np.array_equal(one.due, other.due)


def part(entries: RandomEntries, where: np.ndarray) -> RandomEntries:
    return RandomEntries(entries.trades[where].reset_index(drop=True), entries.micro_r[where], entries.due[where])


@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H1])
def test_draws_equal_those_of_a_slow_trade_entered_at_the_minute_that_the_key_draws(timeframe) -> None:
    case = CASE if timeframe is Timeframe.M15 else Case.of(seed=2, timeframe=timeframe)
    drawn = DRAWN if timeframe is Timeframe.M15 else case.drawn()
    setups = drawn.trades[list(TRADE_KEY)].merge(case.setups, on=list(TRADE_KEY))
    slow, compared = SlowDraws(case), 0
    for position in np.flatnonzero(setups["confirmed_at"].dt.month < 12)[::5].tolist():  # the record ends in December
        expected = slow.results(setups.iloc[position], numbers=range(4))
        found = drawn.micro_r[position, :4].tolist()
        for one, other in zip(found, expected, strict=True):
            assert one == (MISSING if other is None else round(other * 10**6))
            compared += other is not None
    assert compared > 20


def test_draws_are_due_before_the_last_day_of_their_month_and_known_unless_a_minute_has_no_bar() -> None:
    of_november = (DRAWN.trades["timestamp"] + pd.Timedelta(hours=1)).dt.month == 11
    november = part(DRAWN, of_november.to_numpy())
    assert len(november.trades) > 10
    assert november.due.max() < LAST_DAY_OF_NOVEMBER.astype(np.int64)
    assert november.due.min() > np.datetime64("2024-11-01").astype(np.int64)
    assert 0.0 < (november.micro_r == MISSING).mean() < 0.04  # 2 % of the bars of this market are missing


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_and_company_of_trades_and_older_candles_change_no_draw_i7_i8(seed) -> None:
    rng = np.random.default_rng(seed)
    trades = CASE.trades()
    chosen = trades.sample(frac=0.4, random_state=seed)
    first = chosen["timestamp"].min().to_pydatetime().replace(day=1, hour=0)
    origin = to_instant(first) - np.timedelta64(21, "D")
    late = np.flatnonzero(CASE.bars.opens >= origin)
    arrays = {name: getattr(CASE.bars, name)[late] for name in CASE.bars.__slots__ if name != "known_until"}
    candles = CASE.candles[CASE.candles["timestamp"] >= pd.Timestamp(origin, tz="UTC")]
    setups = CASE.setups.iloc[rng.permutation(len(CASE.setups))]
    found = Case(replace(CASE.bars, **arrays), candles, setups).drawn(trades=chosen)
    absurd = CASE.candles.assign(high=CASE.candles["high"].where(CASE.candles.index.isin(candles.index), 10**15))
    assert same(Case(CASE.bars, absurd, setups).drawn(trades=chosen), found)
    whole = DRAWN.trades.merge(chosen[list(TRADE_KEY)], on=list(TRADE_KEY), how="left", indicator=True)
    assert same(found, part(DRAWN, (whole["_merge"] == "both").to_numpy()))


@settings(max_examples=6, deadline=None)
@given(offset=st.integers(12, len(DAYS) - 1), seed=st.integers(0, 1000))
def test_p_values_as_of_a_day_need_no_bar_after_it_and_never_change_i5_i6(offset, seed) -> None:
    day, days = DAYS[offset], DAYS[: offset + 1]
    later = p_values(DRAWN, days=days)
    assert later["p_value"].notna().sum() > 10
    for case in (CASE.until(day), CASE.poisoned_from(day, seed=seed)):
        then = p_values(case.drawn(), days=days)
        both = later.merge(then, on=list(P_VALUE_COLUMNS[:-1]), suffixes=("", "_then"), how="left")
        assert both["p_value"].equals(both["p_value_then"])


def test_as_of_a_day_within_the_month_only_draws_that_were_due_count() -> None:
    """The results of draws with a later deadline may be there already; whether they count must not depend on how they went."""
    day = np.datetime64("2024-11-18")
    late = DRAWN.due >= day.astype(np.int64)
    assert (DRAWN.micro_r[late] != MISSING).any()
    cleared = RandomEntries(DRAWN.trades, np.where(late, MISSING, DRAWN.micro_r), DRAWN.due)
    pd.testing.assert_frame_equal(p_values(DRAWN, days=[day]), p_values(cleared, days=[day]), check_exact=True)
    after = np.array([LAST_DAY_OF_NOVEMBER])
    assert not p_values(DRAWN, days=after).equals(p_values(cleared, days=after))


def test_another_symbol_draws_other_entries_and_the_same_one_the_same() -> None:
    assert same(CASE.drawn(), DRAWN)
    assert not np.array_equal(CASE.drawn(symbol="XAUUSD").due, DRAWN.due)


@settings(max_examples=40, deadline=None)
@given(
    rows=trade_rows(most=12, days=60),
    seed=st.integers(0, 1000),
    offset=st.integers(1, 75),
    holes=st.sampled_from([0.0, 0.5, 0.98]),
)
def test_a_p_value_counts_the_draws_that_do_at_least_as_well(rows, seed, offset, holes) -> None:
    rng = np.random.default_rng(seed)
    closed = [row for row in rows if not row["is_missed"]]
    trades = frame_of(closed).sort_values(["resolved_at", "entry", "direction", "timestamp"], ignore_index=True)
    micro_r = rng.integers(-60, 60, (len(trades), 30)) * 50_000
    micro_r[rng.random(micro_r.shape) < holes] = MISSING
    day = np.datetime64(START.replace(tzinfo=None), "D") + np.timedelta64(offset, "D")
    due = day.astype(np.int64) + rng.integers(-20, 5, micro_r.shape)
    table = p_values(RandomEntries(trades, micro_r, due.astype(np.int32)), days=np.array([day]), windows_days=(7, 30))
    assert list(table.columns) == list(P_VALUE_COLUMNS)
    for row in table.itertuples():
        begins, ends = (pd.Timestamp(edge, tz="UTC") for edge in (day - np.timedelta64(row.window_days, "D"), day))
        inside = ((trades["resolved_at"] >= begins) & (trades["resolved_at"] < ends)).to_numpy()
        expected = brute_force(trades.loc[inside, "net_r"].tolist(), micro_r[inside], due[inside] < day.astype(np.int64))
        assert row.p_value == pytest.approx(expected, abs=1e-12, nan_ok=True)
        assert math.isnan(row.p_value) or 0 < row.p_value <= 1


def brute_force(net_r: list[float], micro_r: np.ndarray, is_due: np.ndarray) -> float:
    known = [[v for v, due in zip(*pair, strict=True) if due and v != MISSING] for pair in zip(micro_r.T, is_due.T, strict=True)]
    means = [sum(map(int, values)) / len(values) / 1e6 for values in known if values]
    if not means:
        return math.nan
    mean = sum(net_r) / len(net_r)
    return (1 + sum(other >= mean - 1e-12 for other in means)) / (1 + len(means))


def test_p_values_stand_beside_the_metrics_of_the_same_windows() -> None:
    days = DAYS[-3:]
    metrics = rolling_metrics(CASE.trades(), days=days, calendar=CALENDAR, record_start=datetime(2024, 9, 1, tzinfo=UTC))
    both = metrics.merge(p_values(DRAWN, days=days), on=list(P_VALUE_COLUMNS[:-1]))
    assert len(both) == len(metrics) == 3 * 2 * 4
    assert (both["p_value"].notna() == (both["trades"] > 0)).all()


def test_an_unbeaten_window_has_p_one_in_1001_and_without_trades_there_is_none() -> None:
    trades = frame_of([trade(START, START.replace(day=2), 3.0)])
    entries = RandomEntries(trades, np.full((1, 1000), 2_999_999), np.zeros((1, 1000), dtype=np.int32))
    days = np.array(["2024-03-03", "2024-03-02"], dtype="datetime64[D]")
    found = p_values(entries, days=days, windows_days=(30,))["p_value"].tolist()
    assert found[0] == 1 / 1001
    assert math.isnan(found[1])
    equalled = RandomEntries(trades, entries.micro_r + 1, entries.due)
    assert p_values(equalled, days=days, windows_days=(30,))["p_value"].iloc[0] == 1.0
    empty = RandomEntries(frame_of([]), np.zeros((0, 1000), dtype=np.int64), np.zeros((0, 1000), dtype=np.int32))
    assert list(p_values(empty, days=days).columns) == list(P_VALUE_COLUMNS)


def test_a_trade_without_its_setup_is_refused() -> None:
    with pytest.raises(DataError, match="setup"):
        replace(CASE, setups=CASE.setups.iloc[1:]).drawn(trades=CASE.trades())
