"""Performance of real signals by the end of each day of the months, and each strategy's health, in one transaction.

The health is that of the fold: the same state at the end of the month before, the same outcomes, the same function. A change of
health that a live symbol goes through is an operator event, told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.assets import market_record
from goldsignal_pipeline.assets.decide_inputs import Inputs, read_inputs
from goldsignal_pipeline.assets.keeping import Kept, Writing, by_symbol, keep
from goldsignal_pipeline.assets.outcome_rows import scored_outcomes
from goldsignal_pipeline.assets.rules import performance_rules
from goldsignal_pipeline.market.hours import Days, load_calendar
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_material import keys_of
from goldsignal_pipeline.selection.history import days_of, tracks_of
from goldsignal_pipeline.selection.month_fold import Judged
from goldsignal_pipeline.selection.performance_rows import Performance, performance_rows
from goldsignal_pipeline.storage import operator_events
from goldsignal_pipeline.storage.locks import lock_months
from goldsignal_pipeline.storage.performance import STRATEGY_PERFORMANCE
from goldsignal_pipeline.storage.signals import read_decisions, read_outcomes, read_signals
from goldsignal_pipeline.strategies.registry import load_strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.strategies.base import Strategy

EARLIER_MONTHS: Final = 4
_DAY: Final = np.timedelta64(1, "D")


def measure_performance(database: Database, settings: Settings, writing: Writing) -> Kept:
    """Bring `strategy_performance` of the months in line with outcomes and decisions held, for every symbol."""
    strategies = list(load_strategies().values())
    done = Kept()
    with database.transaction() as connection:
        lock_months(connection, table="strategy_performance", months=writing.months)
        for symbol, own in by_symbol(connection, writing):
            inputs = read_inputs(connection, strategies, symbol=symbol, writing=own, base=settings.base_timeframe)
            measured = measured_days(connection, inputs, strategies, writing=own)
            merged = keep(
                connection,
                own,
                asset="strategy_performance",
                symbol=symbol,
                shape=STRATEGY_PERFORMANCE,
                time="day",
                rows=measured.rows,
                rules=performance_rules(strategies, grace=own.grace, now=own.now, spreads=inputs.record.spreads),
            )
            _tell_transitions(connection, inputs, measured, writing=own)
            done = done.with_symbol(symbol, merged)
    return done


def measured_days(connection: Connection, inputs: Inputs, strategies: Sequence[Strategy], *, writing: Writing) -> Performance:
    """The rows of every day of the months that is over."""
    start = writing.earlier(EARLIER_MONTHS)
    outcomes = read_outcomes(connection, symbol=inputs.symbol, start=start, end=writing.end)
    signals = read_signals(connection, symbol=inputs.symbol, start=writing.earlier(EARLIER_MONTHS + 1), end=writing.end)
    decisions = read_decisions(connection, symbol=inputs.symbol, start=writing.start, end=writing.end)
    days: Days = np.array(days_of(writing.months), dtype="datetime64[D]")
    over = days[(days + _DAY).astype("datetime64[us]") <= to_instant(inputs.until)]
    measured = performance_rows(
        scored_outcomes(outcomes, signals, calendar=load_calendar()),
        judged=_judged(inputs, decisions),
        health=inputs.state.health,
        days=over if len(over) else days[:1],
        tracks=tracks_of(strategies),
        calendar=load_calendar(),
        record_start=market_record.record_start(connection, symbol=inputs.symbol) or writing.start,
    )
    # In a month that has hardly begun no day is over; its first gives the columns of no rows.
    return measured if len(over) else Performance(measured.rows.iloc[:0], ())


def _judged(inputs: Inputs, decisions: pd.DataFrame) -> Sequence[Judged]:
    """The outcomes of signals and shadows that health reads: those of the state, and of trades that ended since."""
    followed = dict(inputs.state.followed)
    chosen = decisions[(decisions["is_accepted"] | decisions["is_shadow"]).to_numpy()]
    followed |= dict(zip(keys_of(chosen), chosen["is_shadow"].tolist(), strict=True))
    return tuple(sorted([*inputs.state.judged, *_ended(inputs, followed)]))


def _ended(inputs: Inputs, followed: Mapping[SetupKey, bool]) -> Iterable[Judged]:
    for key, is_shadow in followed.items():
        steps = inputs.material.steps.get(key)
        if steps is not None and not steps.is_missed and steps.resolved_at is not None:
            yield Judged(steps.resolved_at, steps.entry_at, key, steps.net_r, is_shadow)


def _tell_transitions(connection: Connection, inputs: Inputs, measured: Performance, *, writing: Writing) -> None:
    """An operator event for each change of health since the symbol is live."""
    since = inputs.record.live_since
    for (strategy, timeframe), moved in measured.transitions:
        if since is None or moved.day < since.date():
            continue
        operator_events.append(
            connection,
            at=writing.now,
            kind="health_changed",
            severity="warning",
            message=f"{strategy} on {timeframe} of {inputs.symbol} is {moved.after} since {moved.day} (it was {moved.before}).",
            cause=None,
            run_id=writing.run_id,
            natural_key=f"health:{inputs.symbol}:{strategy}:{timeframe}:{moved.day}:{moved.after}",
        )
