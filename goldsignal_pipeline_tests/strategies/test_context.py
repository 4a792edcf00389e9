"""Context: sessions by local clocks, H4 only once closed, volatility among 720 H1 bars."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import resample
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.strategies import context
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline_tests.strategies import reference
from goldsignal_pipeline_tests.strategies.records import ALL, MONTHS, START, run, walk_h1


def instants(*moments: str) -> np.ndarray:
    return np.array(moments, dtype="datetime64[us]")


def test_mistake_8_sessions_follow_the_local_clocks_and_not_utc():
    # 2024: London changes on 31 March, New York on 10 March; 15 March lies between.
    winter = context.sessions_of(instants("2024-01-10T07:00", "2024-01-10T08:00", "2024-01-10T12:00", "2024-01-10T13:00"))
    assert winter.london_open.tolist() == [False, True, False, False]
    assert winter.overlap.tolist() == [False, False, False, True]
    between = context.sessions_of(instants("2024-03-15T08:00", "2024-03-15T12:00"))
    assert (between.london_open.tolist(), between.overlap.tolist()) == ([True, False], [False, True])
    summer = context.sessions_of(instants("2024-07-10T07:00", "2024-07-10T08:00", "2024-07-10T12:00", "2024-07-10T16:00"))
    assert summer.london_open.tolist() == [True, False, False, False]
    assert summer.overlap.tolist() == [False, False, True, False]
    labels = context.sessions_of(
        instants("2024-01-10T01:00", "2024-01-10T09:30", "2024-01-10T14:00", "2024-01-10T18:00", "2024-01-10T22:30")
    )
    assert labels.label.tolist() == ["asia", "london", "overlap", "new_york", "none"]


def test_the_last_known_value_is_never_one_that_is_known_later():
    known = context.last_known(
        np.array([1.0, 2.0]),
        known_at=instants("2024-01-01", "2024-01-02"),
        at=instants("2023-12-31", "2024-01-01", "2024-01-01T23:59", "2024-01-02"),
    )
    np.testing.assert_array_equal(known, [np.nan, 1.0, 1.0, 2.0])
    nothing = context.last_known(np.zeros(0), known_at=instants(), at=instants("2024-01-01"))
    np.testing.assert_array_equal(nothing, [np.nan])


def test_regimes_have_their_bounds_where_the_rules_put_them():
    percentile = np.array([0.0, 25.0, 25.01, 74.99, 75.0, 99.9, np.nan])
    measured = context.Volatility(percentile, percentile, percentile)
    assert measured.regime.tolist() == ["low", "low", "medium", "medium", "high", "high", ""]


def test_volatility_counts_among_720_bars_and_not_one_fewer():
    atr = np.random.default_rng(1).normal(100, 10, 900)
    known_at = np.datetime64("2024-01-01", "us") + np.arange(900) * np.timedelta64(1, "h")
    measured = context.volatility(atr, known_at=known_at, at=known_at[[718, 719, 850]] + np.timedelta64(59, "m"))
    assert np.isnan(measured.percentile[0])
    for row, last in ((1, 719), (2, 850)):
        window = sorted(atr[last - 719 : last + 1])
        assert measured.atr[row] == atr[last]
        assert measured.median_atr[row] == (window[359] + window[360]) / 2
        assert measured.percentile[row] == 100 * window.index(atr[last]) / 720


def test_h4_agrees_by_the_last_bar_closed_at_the_confirmation():
    record = walk_h1(3)
    result = run(record)
    h4 = resample(record, target=Timeframe.H4)
    checked = result.conditions[result.conditions["name"] == "h4_agrees"].iloc[::40]
    for row in checked.itertuples():
        month = pd.Timestamp(f"{row.timestamp + timedelta(hours=1):%Y-%m}-01", tz="UTC")
        closed = h4[
            (h4["timestamp"] >= month - timedelta(days=260))
            & (h4["timestamp"] + timedelta(hours=4) <= row.timestamp + timedelta(hours=1))
        ]
        closes = closed["close"].tolist()
        gap = reference.ema(closes, 50)[-1] - reference.ema(closes, 200)[-1]
        np.testing.assert_allclose(row.measured, gap if row.direction == "BUY" else -gap, rtol=1e-9)
        assert row.passed == (row.measured > 0)


def test_without_h4_and_h1_nothing_agrees_and_no_regime_is_named():
    only = resample(walk_h1(1), target=Timeframe.H4)
    result = evaluate(ALL[:1], candles={Timeframe.H4: only}, timeframe=Timeframe.H4, months=MONTHS, record_start=START)
    assert (result.setups["regime"] == "").all()
    h1_alone = evaluate(ALL, candles={Timeframe.H1: walk_h1(1)}, timeframe=Timeframe.H1, months=MONTHS, record_start=START)
    agrees = h1_alone.conditions[h1_alone.conditions["name"] == "h4_agrees"]
    assert not agrees["passed"].any()
    assert set(h1_alone.setups["regime"]) <= {"low", "medium", "high"}
