"""A whole history: cut anywhere it stays the same, in months of decisions as in the candles themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import bar_close
from goldsignal_pipeline.selection.gate_material import blocked_setups, gate_setups, keys_of, steps_of
from goldsignal_pipeline.selection.history import Conditions, days_of, run_history, tracks_of
from goldsignal_pipeline.selection.month_fold import Material, SelectionState, fold_days
from goldsignal_pipeline.selection.standings import tested_by_day as results_by_day
from goldsignal_pipeline.selection.state_text import parse_state, state_text
from goldsignal_pipeline.simulation.closed_trades import UNDEFINED
from goldsignal_pipeline_tests.market.candle_data import CALENDAR
from goldsignal_pipeline_tests.selection.fold_data import told
from goldsignal_pipeline_tests.selection.walk_data import MONTHS, TERMS, walk_history, walk_record
from goldsignal_pipeline_tests.strategies.records import ALL

GONE = slice(2000, 2003)
"""Three bars in the middle of a record."""


def material() -> Material:
    """What the walk gives the fold, put together here as the graph does it from tables."""
    history, record = walk_history(), walk_record()
    setups = gate_setups(history.evaluation.setups, base=record.base, calendar=CALENDAR)
    return Material(
        tracks=tracks_of(ALL),
        setups=setups,
        steps=steps_of(history.trades.frame),
        tested=results_by_day(history.results),
        blocked=blocked_setups(setups, bars=record.bars, calendar=CALENDAR),
        terms=TERMS,
    )


@settings(max_examples=4, deadline=None)
@given(cuts=st.sets(st.integers(1, len(MONTHS) - 1), max_size=6))
def test_months_decided_one_after_the_other_from_text_are_decided_as_in_one_pass_i8(cuts) -> None:
    whole, made, state = walk_history().folded, material(), SelectionState()
    decisions = []
    for begin, end in pairwise([0, *sorted(cuts), len(MONTHS)]):
        days = days_of(MONTHS[begin:end])
        # A call knows the setups of its own months, and of earlier trades those that it follows.
        own = tuple(one for one in made.setups if f"{one.at:%Y-%m}" in MONTHS[begin:end])
        needed = {one.key for one in own} | state.followed.keys()
        part = replace(made, setups=own, steps={key: steps for key, steps in made.steps.items() if key in needed})
        folded = fold_days(state, part, days=days, until=midnight_after(days[-1]), calendar=CALENDAR)
        decisions += folded.decisions
        state = parse_state(state_text(folded.state))
    assert told(decisions) == told(whole.decisions)
    assert state == whole.state


def midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)


@settings(max_examples=3, deadline=None)
@given(count=st.integers(6, len(MONTHS) - 1))
def test_a_record_that_ends_earlier_decides_the_same_up_to_there_i5_i6(count) -> None:
    record, whole = walk_record(), walk_history()
    edge = np.datetime64(MONTHS[count], "M").astype("datetime64[us]")
    candles = {
        timeframe: frame[bar_close(instants_of(frame["timestamp"]), timeframe=timeframe) <= edge]
        for timeframe, frame in record.candles.items()
    }
    cut = replace(record, candles=candles, bars=record.bars.until(edge))
    early = run_history(cut, ALL, months=MONTHS[:count], conditions=Conditions(TERMS), calendar=CALENDAR)
    last = days_of(MONTHS[:count])[-1]
    # A bar that closes at midnight belongs to the month that begins there.
    before = [one for one in whole.folded.decisions if one.at < midnight_after(last)]
    assert told(early.folded.decisions) == told(before)
    assert early.folded.health == {day: health for day, health in whole.folded.health.items() if day <= last}
    known, later = steps_of(early.trades.closed()), steps_of(whole.trades.closed())
    assert known == {key: later[key] for key in known}
    tried = set(keys_of(early.trades.frame))
    assert {key for key, steps in later.items() if key in tried and steps.resolved_at <= midnight_after(last)} == set(known)


def test_each_setup_is_told_to_the_gate_as_its_row_says() -> None:
    history, record = walk_history(), walk_record()
    rows = history.evaluation.accepted()
    first = keys_of(rows)[0]
    decided_at = {first: datetime(2030, 1, 1, tzinfo=UTC)}
    made = gate_setups(history.evaluation.setups, base=record.base, calendar=CALENDAR, decided_at=decided_at)
    assert len(made) == len(rows) > 500
    for one, row in zip(made, rows.to_dict("records"), strict=True):
        assert (one.key.strategy, one.key.timeframe, one.key.direction) == (row["strategy"], "H1", Direction(row["direction"]))
        assert (one.key.timestamp, one.at) == (row["timestamp"], row["confirmed_at"])
        assert (one.reference, one.stop, one.take_profit_1) == (row["reference"], row["stop"], row["take_profit_1"])
        assert (one.confidence, one.is_asia) == (row["confidence"], row["session"] == "asia")
        assert one.planned_risk_ticks == row["planned_risk"]
        assert one.decided_at == decided_at.get(one.key)
        # Without gaps the next hour is the entry; over a break or a weekend it is the first one that trades.
        assert (one.entry_open - one.at).total_seconds() in (0, 3600) or one.at.weekday() in (2, 3, 4)
        np.testing.assert_array_equal([one.atr, one.median_atr], [row["atr_h1"], row["median_atr_h1"]])


def test_the_steps_of_each_trade_are_its_rows_with_money_in_dollars() -> None:
    frame = walk_history().trades.frame
    steps = steps_of(frame)
    assert len(steps) == frame["entry_at"].notna().sum() > 500
    for key, row in zip(keys_of(frame), frame.to_dict("records"), strict=True):
        if key not in steps:
            assert row["entry_at"] is pd.NaT
            continue
        one = steps[key]
        assert (one.entry_at, one.entry_known_at, one.is_missed) == (
            row["entry_at"],
            row["entry_known_at"],
            row["result"] == "missed",
        )
        assert one.resolved_at == (None if row["resolved_at"] is pd.NaT else row["resolved_at"])
        assert (one.first_target_at is not None) == (row["first_exit"] == "target_one")
        if row["net"] == UNDEFINED:
            assert (one.net_r, one.net_usd) == (0.0, 0)
        else:
            assert one.net_usd == Decimal(row["net"]).scaleb(-4)
            assert one.net_r == row["net_r"]


def test_setups_after_missing_bars_are_blocked_until_the_day_ends() -> None:
    record = walk_record()
    kept = np.ones(len(record.bars), dtype=bool)
    kept[GONE] = False
    arrays = {name: getattr(record.bars, name)[kept] for name in record.bars.__slots__ if name != "known_until"}
    holed = replace(record.bars, **arrays)
    setups = gate_setups(walk_history().evaluation.setups, base=record.base, calendar=CALENDAR)
    assert blocked_setups(setups, bars=record.bars, calendar=CALENDAR) == frozenset()
    blocked = blocked_setups(setups, bars=holed, calendar=CALENDAR)
    day = CALENDAR.trading_day(record.bars.opens[[GONE.start]])[0]
    _, end = CALENDAR.trading_day_bounds(np.array([day]))
    gone_at = record.bars.closes[GONE.start + 2].item().replace(tzinfo=UTC)
    same_day = {one.key for one in setups if gone_at < one.at <= end[0].item().replace(tzinfo=UTC)}
    assert blocked >= same_day
    assert all(end[0].item().replace(tzinfo=UTC) >= one.at for one in setups if one.key in blocked)
