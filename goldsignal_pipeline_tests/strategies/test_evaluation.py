"""The fixed origin: no future, no older history and no split of a range changes a single value."""

from __future__ import annotations

import itertools
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.prices import Direction, round_stop, round_target
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline.strategies.setups import CONDITION_DTYPES, SETUP_DTYPES, SETUP_KEY, Evaluation
from goldsignal_pipeline_tests.market.candle_data import utc
from goldsignal_pipeline_tests.strategies.records import ALL, END, MONTHS, NAMES, START, assert_same, run, walk_h1

PRICES = ("reference", "stop", "take_profit_1", "take_profit_2", "invalidation_price")


@pytest.fixture(scope="module")
def whole() -> Evaluation:
    return run(walk_h1(1))


def _until(result: Evaluation, moment: pd.Timestamp) -> Evaluation:
    setups = result.setups[result.setups["confirmed_at"] <= moment]
    conditions = result.conditions[result.conditions["timestamp"] <= moment - timedelta(hours=1)]
    return Evaluation(setups.reset_index(drop=True), conditions.reset_index(drop=True), ())


def test_the_walk_gives_every_kind_for_every_strategy_and_direction(whole):
    counted = whole.setups.groupby(["strategy", "direction"])["kind"].agg(set)
    assert len(counted) == 8
    assert all({"setup", "near_miss"} <= kinds for kinds in counted)
    assert "refused" in set(whole.setups["kind"])


@given(st.integers(0, 1800))
@settings(max_examples=12, deadline=None)
def test_i6_cutting_the_future_changes_nothing_before_the_cut(bars_cut):
    record = walk_h1(1)
    cut = record.iloc[: len(record) - bars_cut]
    end = cut["timestamp"].iloc[-1] + timedelta(hours=1)
    assert_same(_until(run(record), end), _until(run(cut), end))


def test_i6_and_mistake_20_a_setup_is_the_same_when_its_confirming_bar_is_the_newest(whole):
    record = walk_h1(1)
    for strategy in ALL:
        rows = whole.setups[(whole.setups["strategy"] == strategy.name) & (whole.setups["kind"] == "setup")]
        for row in rows.iloc[:: max(len(rows) // 12, 1)].itertuples():
            known = run(record[record["timestamp"] <= row.timestamp], months=[f"{row.confirmed_at:%Y-%m}"], strategies=[strategy])
            newest = known.setups[(known.setups["timestamp"] == row.timestamp) & (known.setups["direction"] == row.direction)]
            assert [getattr(row, name) for name in PRICES] == newest[list(PRICES)].iloc[0].tolist()


@given(st.integers(0, 300))
@settings(max_examples=8, deadline=None)
def test_i7_older_history_than_the_origin_changes_nothing(more_days):
    record = walk_h1(1)
    origin = pd.Timestamp(MONTHS[0], tz="UTC") - timedelta(days=260)
    shorter = record[record["timestamp"] >= origin - timedelta(days=more_days % 40)]
    assert_same(run(record), run(shorter, record_start=START))


@given(st.lists(st.booleans(), min_size=3, max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_i8_any_split_into_months_in_any_order_gives_the_same_rows(cuts, random):
    record, groups = walk_h1(2), [[MONTHS[0]]]
    for cut, month in zip(cuts, MONTHS[1:], strict=True):
        groups.append([month]) if cut else groups[-1].append(month)
    random.shuffle(groups)
    parts = []
    for months in groups:
        begin = pd.Timestamp(months[0], tz="UTC") - timedelta(days=260)
        end = pd.Timestamp(months[-1], tz="UTC") + pd.offsets.MonthBegin(1)
        parts.append(run(record[(record["timestamp"] >= begin) & (record["timestamp"] < end)], months=months))
    order = ["timestamp", "strategy", "timeframe", "direction"]
    joined = Evaluation(
        pd.concat([part.setups for part in parts]).sort_values(order, ignore_index=True),
        pd.concat([part.conditions for part in parts]).sort_values([*order, "position"], ignore_index=True),
        (),
    )
    assert_same(run(record), joined)


@pytest.mark.parametrize("seed", [1, 2])
def test_i14_a_record_turned_upside_down_gives_the_mirrored_setups(seed):
    record, around = walk_h1(seed), 6_000_000
    turned = record.assign(
        open=around - record["open"], high=around - record["low"], low=around - record["high"], close=around - record["close"]
    )
    straight, mirrored = run(record), run(turned)
    one = straight.setups.sort_values(["timestamp", "strategy", "direction"], ignore_index=True)
    back = mirrored.setups.assign(direction=mirrored.setups["direction"].map({"BUY": "SELL", "SELL": "BUY"}))
    for name in PRICES:
        back[name] = np.where(back[name] == 0, 0, around - back[name])
    back = back.sort_values(["timestamp", "strategy", "direction"], ignore_index=True)
    pd.testing.assert_frame_equal(one, back, rtol=1e-9)
    one = straight.conditions.sort_values(["timestamp", "strategy", "direction", "position"], ignore_index=True)
    other = mirrored.conditions.assign(direction=mirrored.conditions["direction"].map({"BUY": "SELL", "SELL": "BUY"}))
    other = other.sort_values(["timestamp", "strategy", "direction", "position"], ignore_index=True)
    pd.testing.assert_frame_equal(one, other, rtol=1e-6, atol=1e-5)


def test_mistake_1_a_setup_is_told_once_however_often_it_is_seen(whole):
    assert not whole.setups.duplicated(list(SETUP_KEY)).any()
    assert not whole.conditions.duplicated([*SETUP_KEY, "position"]).any()
    twice = run(walk_h1(1), months=[*MONTHS, *MONTHS])
    assert_same(whole, twice)


def test_levels_lie_on_the_grid_as_the_rounding_of_prices_says(whole):
    rows = whole.accepted()
    multiples = {
        "liquidity_sweep": (1.5, 3.0),
        "trend_continuation": (2.0, None),
        "breakout_expansion": (1.5, 3.0),
        "ema_momentum": (1.5, 3.0),
    }
    for row in rows.itertuples():
        direction, sign = Direction(row.direction), 1 if row.direction == "BUY" else -1
        assert row.planned_risk == sign * (row.reference - row.stop)
        assert row.atr <= row.planned_risk <= 5 * row.atr
        targets = zip((row.take_profit_1, row.take_profit_2), multiples[row.strategy], strict=True)
        for target, multiple in targets:
            if multiple is not None:
                exact = row.reference + sign * multiple * row.planned_risk
                assert target == round_target(exact, reference=row.reference, direction=direction)
        assert sign * (row.take_profit_2 - row.take_profit_1) > 0
        if row.strategy in ("liquidity_sweep", "trend_continuation"):
            assert row.stop == round_stop(row.invalidation_price - sign * 0.5 * row.atr, direction=direction)


def test_every_column_has_its_type_and_an_empty_evaluation_has_them_too(whole):
    nothing = run(walk_h1(1), months=[])
    for result in (whole, nothing):
        assert {name: str(dtype) for name, dtype in result.setups.dtypes.items()} == SETUP_DTYPES
        assert {name: str(dtype) for name, dtype in result.conditions.dtypes.items()} == CONDITION_DTYPES
    assert nothing.accepted().empty
    assert nothing.refusals().empty


def test_confidence_is_fifty_and_the_points_of_what_passed(whole):
    points = whole.conditions["points"].where(whole.conditions["passed"], 0)
    expected = 50 + points.groupby([whole.conditions[name] for name in SETUP_KEY]).sum()
    found = whole.setups.set_index(list(SETUP_KEY))["confidence"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index(), check_names=False)
    every = whole.conditions.groupby("strategy")["name"].agg(set)
    assert all({"overlap", "h4_agrees", "risk_large_enough", "risk_small_enough"} <= names for names in every)


def test_refusals_are_counted_with_their_reason_and_have_no_levels(whole):
    refused = whole.setups[whole.setups["kind"] == "refused"]
    assert whole.refusals().sum() == len(refused) > 0
    assert (refused[["stop", "take_profit_1", "take_profit_2", "planned_risk"]] == 0).all(axis=None)
    risk = whole.conditions[whole.conditions["name"] == "risk_small_enough"].set_index(list(SETUP_KEY))
    for row in refused[refused["refusal"] == "risk_too_large"].itertuples():
        measured = risk.loc[(row.strategy, row.timeframe, row.direction, row.timestamp)]
        assert not measured["passed"]
        assert measured["measured"] > measured["threshold"] == 5 * row.atr


def test_a_month_whose_origin_lies_before_the_record_is_silent_and_says_so():
    record = walk_h1(1, start=utc(2019, 1, 2), end=utc(2019, 5, 1))
    result = run(record, months=["2019-01", "2019-02", "2019-03", "2019-04"], record_start=utc(2019, 1, 2))
    silent = {name: [month for strategy, month in result.silent_months if strategy == name] for name in NAMES}
    assert silent["liquidity_sweep"] == silent["breakout_expansion"] == ["2019-01"]
    assert silent["trend_continuation"] == silent["ema_momentum"] == ["2019-01", "2019-02", "2019-03"]
    assert result.setups["confirmed_at"].min() >= pd.Timestamp("2019-02-01", tz="UTC")
    h4 = result.conditions[result.conditions["name"] == "h4_agrees"]
    assert h4["measured"].isna().all()
    assert not h4["passed"].any()


def test_what_confirms_at_the_first_instant_of_a_month_belongs_to_it_alone():
    found = 0
    for seed in range(4):
        for before, month in (("2019-04", "2019-05"), ("2019-07", "2019-08"), ("2019-09", "2019-10"), ("2019-10", "2019-11")):
            instant = pd.Timestamp(f"{month}-01", tz="UTC")
            own = run(walk_h1(seed), months=[month]).setups["confirmed_at"]
            assert (own >= instant).all()
            assert (run(walk_h1(seed), months=[before]).setups["confirmed_at"] < instant).all()
            found += int((own == instant).sum())
    assert found > 0


def test_candles_of_the_timeframe_must_be_given():
    with pytest.raises(DataError, match="no M5 candles"):
        evaluate(ALL, candles={Timeframe.H1: walk_h1(1)}, timeframe=Timeframe.M5, months=["2019-11"], record_start=START)


def test_importing_the_package_compiles_nothing():
    code = (
        "from goldsignal_pipeline.strategies import liquidity_sweep, breakout_expansion, evaluation\n"
        "print(len(liquidity_sweep._sweeps.signatures) + len(breakout_expansion._boxes.signatures))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "0"


def test_holes_of_any_length_in_the_record_are_survived():
    record = walk_h1(4)
    for first, hours in itertools.product((utc(2019, 10, 1), utc(2019, 11, 20), utc(2020, 2, 25)), (3, 200, 1500)):
        hole = (record["timestamp"] >= first) & (record["timestamp"] < first + timedelta(hours=hours))
        result = run(record[~hole].reset_index(drop=True))
        assert result.setups["timestamp"].max() < pd.Timestamp(END)
