"""Rolling windows against a from-scratch oracle, and the mistakes that an earlier system made with them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.simulation.rolling import rolling_metrics
from goldsignal_pipeline_tests.simulation.trade_data import START, frame_of, oracle, trade, trade_rows, trading_day

CALENDAR = load_calendar()
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def days_from(first: datetime, number: int) -> np.ndarray:
    return np.arange(np.datetime64(first.date(), "D"), np.datetime64(first.date(), "D") + np.timedelta64(number, "D"))


def roll(rows: list[dict[str, object]], days: np.ndarray, windows: tuple[int, ...] = (30, 60), start: datetime = LONG_AGO):
    return rolling_metrics(frame_of(rows), days=days, calendar=CALENDAR, record_start=start, windows_days=windows)


def touched_days(day: datetime, width: int) -> int:
    """Trading days with open hours in [day - width, day), found minute by minute (every quarter hour)."""
    begin = day - timedelta(days=width)
    quarters = np.arange(
        np.datetime64(begin.replace(tzinfo=None), "us"), np.datetime64(day.replace(tzinfo=None), "us"), np.timedelta64(15, "m")
    )
    open_quarters = quarters[CALENDAR.is_open(quarters)]
    return len({trading_day(moment.astype(datetime).replace(tzinfo=UTC) + timedelta(minutes=1)) for moment in open_quarters})


@settings(max_examples=60, deadline=None)
@given(rows=trade_rows(), offset=st.integers(0, 130), width=st.sampled_from([7, 30, 60]))
def test_every_metric_equals_a_from_scratch_computation_of_its_definition_i13(rows, offset, width) -> None:
    day = START + timedelta(days=offset)
    table = roll(rows, days_from(day, 1), windows=(width,))
    if not rows:
        assert table.empty
        return
    row = table.iloc[0]
    for name, expected in oracle(rows, day, width, touched_days(day, width)).items():
        assert row[name] == pytest.approx(expected, abs=1e-9, rel=1e-7, nan_ok=True), name


@settings(max_examples=40, deadline=None)
@given(net_r=st.integers(-3_000_000, 3_000_000).map(lambda micro: micro / 1_000_000), weeks=st.integers(2, 12))
def test_weeks_of_equal_results_have_an_error_of_exactly_zero(net_r, weeks) -> None:
    entry = datetime(2024, 3, 4, 9, tzinfo=UTC)
    opens = [entry + timedelta(days=day) for day in range(7 * weeks) if day % 7 < 5]
    rows = [trade(opened, opened + timedelta(hours=1), net_r) for opened in opens]
    table = roll(rows, days_from(entry + timedelta(days=7 * weeks - 2), 1), windows=(7 * weeks - 2,))
    assert table["expectancy_error"].tolist() == [0.0]
    assert table["trades"].tolist() == [5 * weeks]


@settings(max_examples=40, deadline=None)
@given(rows=trade_rows(), cut=st.integers(1, 129), seed=st.randoms(use_true_random=False))
def test_chunks_of_days_and_the_order_of_trades_change_no_bit_i8_i13(rows, cut, seed) -> None:
    days = days_from(START, 130)
    whole = roll(rows, days)
    shuffled = list(rows)
    seed.shuffle(shuffled)
    chunks = pd.concat([roll(shuffled, days[:cut]), roll(shuffled, days[cut:])], ignore_index=True)
    pd.testing.assert_frame_equal(whole, chunks, check_exact=True, check_dtype=False)


@settings(max_examples=40, deadline=None)
@given(rows=trade_rows(), names=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["H1", "M5"])), min_size=1))
def test_every_strategy_and_timeframe_is_measured_as_if_it_were_alone(rows, names) -> None:
    tracks = [names[place % len(names)] for place in range(len(rows))]
    named = [
        row | {"strategy": strategy, "timeframe": timeframe} for row, (strategy, timeframe) in zip(rows, tracks, strict=True)
    ]
    days = days_from(START, 130)[::10]
    alone = [roll([row for row, own in zip(named, tracks, strict=True) if own == track], days) for track in sorted(set(tracks))]
    if alone:
        pd.testing.assert_frame_equal(roll(named, days), pd.concat(alone, ignore_index=True), check_exact=True)


@settings(max_examples=40, deadline=None)
@given(rows=trade_rows(), offset=st.integers(1, 120))
def test_trades_known_at_or_after_the_as_of_day_change_nothing_i5_i6(rows, offset) -> None:
    day = START + timedelta(days=offset)
    past = [row for row in rows if row["resolved_at"] < day]
    if past:
        pd.testing.assert_frame_equal(
            roll(rows, days_from(day, 1)), roll(past, days_from(day, 1)), check_exact=True, check_dtype=False
        )


@settings(max_examples=40, deadline=None)
@given(rows=trade_rows(most=12, days=40), offset=st.integers(1, 45))
def test_exposure_is_the_share_of_open_minutes_in_which_any_trade_was_open(rows, offset) -> None:
    day = START + timedelta(days=offset)
    table = roll(rows, days_from(day, 1), windows=(30,))
    begin = day - timedelta(days=30)
    minutes = np.arange(np.datetime64(begin.replace(tzinfo=None), "m"), np.datetime64(day.replace(tzinfo=None), "m"))
    is_open = CALENDAR.is_open(minutes)
    held = np.zeros(len(minutes), dtype=bool)
    for row in rows:
        if not row["is_missed"] and begin <= row["resolved_at"] < day:
            entry, exit_ = (np.datetime64(row[name].replace(tzinfo=None), "m") for name in ("entry", "resolved_at"))
            held |= (minutes >= entry) & (minutes < exit_)
    if rows:
        assert table["exposure"].iloc[0] == pytest.approx((held & is_open).sum() / is_open.sum(), abs=1e-12)


def test_known_mistake_10_thirty_days_are_calendar_days_whatever_the_number_of_bars() -> None:
    day = datetime(2024, 7, 1, tzinfo=UTC)
    exits = [day - timedelta(days=30), day - timedelta(days=30, minutes=15), day - timedelta(minutes=15), day]
    # 720 hourly bars reach back more than six weeks, because the market rests; the trade of 40 days ago must not count.
    exits.append(day - timedelta(days=40))
    table = roll([trade(e - timedelta(hours=1), e, 1.0) for e in exits], days_from(day, 1), windows=(30,))
    assert table["trades"].tolist() == [2]


def test_known_mistake_1_a_trade_counted_twice_is_refused() -> None:
    row = trade(START, START + timedelta(hours=2), 1.0)
    with pytest.raises(DataError, match="twice"):
        roll([row, dict(row)], days_from(START + timedelta(days=2), 1))
    with pytest.raises(DataError, match="twice"):  # the same setup resolved at another time is still the same trade
        roll([row, row | {"resolved_at": START + timedelta(hours=3)}], days_from(START + timedelta(days=2), 1))


def test_two_setups_of_different_bars_are_two_trades_though_they_share_entry_and_result() -> None:
    row = trade(START, START + timedelta(hours=2), 1.0)
    earlier = row | {"timestamp": row["timestamp"] - timedelta(hours=1)}
    assert roll([row, earlier], days_from(START + timedelta(days=2), 1), windows=(7,))["trades"].tolist() == [2]


def test_undefined_is_nan_and_never_zero_or_9999() -> None:
    day = datetime(2024, 7, 1, tzinfo=UTC)
    only_win = roll([trade(day - timedelta(hours=20), day - timedelta(hours=19), 1.0)], days_from(day, 1), windows=(7,)).iloc[0]
    for name in ("profit_factor", "average_loss_r", "expectancy_error", "calmar", "sharpe", "sortino"):
        assert math.isnan(only_win[name]), name
    later = days_from(datetime(2024, 9, 1, tzinfo=UTC), 1)
    nothing = roll([trade(day - timedelta(hours=20), day - timedelta(hours=19), 1.0)], later, windows=(7,)).iloc[0]
    for name in ("win_rate", "profit_factor", "expectancy", "median_r", "max_drawdown_r", "average_hold_hours"):
        assert math.isnan(nothing[name]), name
    assert (nothing["trades"], nothing["exposure"]) == (0, 0.0)


def test_a_bar_that_closes_at_the_roll_is_booked_on_the_day_that_ends_there() -> None:
    friday_close = datetime(2024, 3, 8, 22, 0, tzinfo=UTC)  # 17:00 New York
    day = datetime(2024, 4, 1, tzinfo=UTC)
    rows = [
        trade(friday_close - timedelta(hours=3), friday_close, 1.0),
        trade(friday_close - timedelta(hours=4), friday_close - timedelta(hours=1), -1.0),
    ]
    # Both are Friday's, so every day nets to zero and no daily ratio exists; in one week there is no clustered error either.
    row = roll(rows, days_from(day, 1), windows=(30,)).iloc[0]
    assert math.isnan(row["sharpe"])
    assert math.isnan(row["expectancy_error"])


def test_time_before_the_record_adds_no_quiet_trading_days() -> None:
    start, day = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 15, tzinfo=UTC)
    rows = [
        trade(day - timedelta(hours=30 * n + 2), day - timedelta(hours=30 * n + 1), (-1) ** n * 0.5 + 0.1) for n in range(1, 6)
    ]
    young = roll(rows, days_from(day, 1), windows=(365,), start=start).iloc[0]
    old = roll(rows, days_from(day, 1), windows=(365,)).iloc[0]
    assert math.isnan(young["sharpe"])
    assert not math.isnan(old["sharpe"])
    assert young["exposure"] > old["exposure"]


def test_a_hand_computed_window() -> None:
    day = datetime(2024, 7, 1, tzinfo=UTC)
    exits = [datetime(2024, 6, d, 12, 0, tzinfo=UTC) for d in (4, 5, 11, 12)]
    row = roll(
        [trade(e - timedelta(hours=1), e, r) for e, r in zip(exits, (2.0, -1.0, -1.0, 1.0), strict=True)], days_from(day, 1)
    ).iloc[0]
    # Weeks {2, -1} and {-1, 1}, mean 0.25: residual sums 0.5 and -0.5, error = sqrt(2 / 1 * 0.5) / 4 = 0.25.
    assert row["expectancy_error"] == pytest.approx(0.25)
    assert (row["win_rate"], row["profit_factor"], row["median_r"], row["max_drawdown_r"]) == (0.5, 1.5, 0.0, 2.0)
    assert row["longest_losing_run"] == 2


def test_a_drawdown_begins_at_nothing_won() -> None:
    day = datetime(2024, 7, 1, tzinfo=UTC)
    exits = [datetime(2024, 6, d, 12, 0, tzinfo=UTC) for d in (4, 5, 11)]
    row = roll(
        [trade(e - timedelta(hours=1), e, r) for e, r in zip(exits, (-1.5, 0.5, -0.25), strict=True)], days_from(day, 1)
    ).iloc[0]
    assert row["max_drawdown_r"] == 1.5
