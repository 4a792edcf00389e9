"""Walk-forward folds: what they may read, and that too little data never passes."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.simulation.scored_trades import ScoredTrades
from goldsignal_pipeline.simulation.walk_forward import FOLD_COLUMNS, embargo_days, walk_forward
from goldsignal_pipeline_tests.simulation.trade_data import START, frame_of, trade, trade_rows


@settings(max_examples=40, deadline=None)
@given(rows=trade_rows(days=300), length=st.integers(150, 320))
def test_every_fold_is_an_expectancy_by_definition_and_no_test_trade_was_entered_in_training(rows, length) -> None:
    trades = ScoredTrades.of(frame_of(rows))
    result = walk_forward(trades, start=START, end=START + timedelta(days=length))
    embargo = embargo_days(trades, start=START, end=START + timedelta(days=length))
    assert len(result.folds) == max(0, (length - 210 - embargo) // 30 + 1)
    closed = [row for row in rows if not row["is_missed"]]
    for fold in result.folds.itertuples():
        spans = [stamp.to_pydatetime().replace(tzinfo=UTC) for stamp in fold[1:5]]
        train_start, train_end, test_start, test_end = spans
        assert (test_start - train_end).days >= 3
        tested = [row for row in closed if test_start <= row["resolved_at"] < test_end]
        trained = [row["net_r"] for row in closed if train_start <= row["resolved_at"] < train_end]
        assert all(row["entry"] >= train_end for row in tested)
        assert (fold.train_trades, fold.test_trades) == (len(trained), len(tested))
        if trained:
            assert fold.in_sample == pytest.approx(statistics.fmean(trained))
        if not math.isnan(fold.efficiency):
            assert fold.in_sample > 0
            assert fold.in_sample_error <= fold.in_sample
            assert fold.efficiency == pytest.approx(statistics.fmean(row["net_r"] for row in tested) / fold.in_sample)


def alternating(days: int, net_r: tuple[float, ...], *, held: timedelta = timedelta(hours=3)) -> ScoredTrades:
    exits = [START + timedelta(days=n, hours=12) for n in range(days)]
    return ScoredTrades.of(frame_of([trade(e - held, e, net_r[n % len(net_r)]) for n, e in enumerate(exits)]))


@pytest.mark.parametrize("days", [0, 30, 212])
def test_known_mistake_3_a_record_too_short_for_a_fold_has_no_efficiency_and_never_passes(days) -> None:
    result = walk_forward(alternating(days, (0.5, 0.4)), start=START, end=START + timedelta(days=days))
    assert list(result.folds.columns) == list(FOLD_COLUMNS)
    assert len(result.folds) == 0
    assert math.isnan(result.efficiency)
    assert not result.efficiency >= 0


def test_a_full_fold_of_steady_results_is_fully_efficient() -> None:
    result = walk_forward(alternating(213, (0.5, 0.4)), start=START, end=START + timedelta(days=213))
    assert len(result.folds) == 1
    assert result.efficiency == pytest.approx(1.0)


@pytest.mark.parametrize("net_r", [(-0.5, -0.4), (0.5, -0.5), (20.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0)])
def test_efficiency_is_undefined_unless_the_training_shows_a_gain_larger_than_its_error(net_r) -> None:
    trades = alternating(213, net_r)
    fold = walk_forward(trades, start=START, end=START + timedelta(days=213)).folds.iloc[0]
    assert math.isnan(fold["efficiency"]) == (not (fold["in_sample"] > 0 and fold["in_sample_error"] <= fold["in_sample"]))


def test_a_losing_training_has_no_efficiency_even_if_the_test_gains() -> None:
    exits = [START + timedelta(days=n, hours=12) for n in range(213)]
    rows = [trade(e - timedelta(hours=1), e, -0.2 if n < 180 else 0.5) for n, e in enumerate(exits)]
    result = walk_forward(ScoredTrades.of(frame_of(rows)), start=START, end=START + timedelta(days=213))
    assert result.folds["out_of_sample"].tolist() == pytest.approx([0.5])
    assert math.isnan(result.efficiency)


def test_the_embargo_is_the_longest_hold_and_at_least_three_days() -> None:
    span = {"start": START, "end": START + timedelta(days=5)}
    assert embargo_days(alternating(5, (1.0,)), **span) == 3
    assert embargo_days(alternating(5, (1.0,), held=timedelta(days=4, hours=1)), **span) == 5
    assert embargo_days(alternating(0, (1.0,)), **span) == 3


@settings(max_examples=40, deadline=None)
@given(rows=trade_rows(days=300), cut=st.integers(0, 40))
def test_trades_known_before_or_after_the_range_change_nothing_however_long_they_were_held_i5_i7_i8(rows, cut) -> None:
    """Recorded years found this out: one long hold elsewhere in a chunk moved the folds of every year in it."""
    start, end = START + timedelta(days=cut), START + timedelta(days=cut + 250)
    before, after = (trade(known - timedelta(days=20), known, 1.0) for known in (start - timedelta(minutes=15), end))
    inside = [row for row in rows if start <= row["resolved_at"] < end]
    alone = walk_forward(ScoredTrades.of(frame_of(inside)), start=start, end=end)
    among = walk_forward(ScoredTrades.of(frame_of([before, *rows, after])), start=start, end=end)
    pd.testing.assert_frame_equal(alone.folds, among.folds, check_exact=True)
    assert alone.efficiency == among.efficiency or (math.isnan(alone.efficiency) and math.isnan(among.efficiency))
