"""Outcomes of signals, for the months in which they became known, and the steps on the way, in one transaction.

1. Signals of the months and of the one before are resolved by the one kernel, from the levels they were published with.
2. Outcomes follow the candles held now. What happened to a live signal was told once: a later revision of its end is a further
   event (`corrected`), never a change of the first.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from goldsignal_pipeline.assets import market_record
from goldsignal_pipeline.assets.gate_record import read_spreads
from goldsignal_pipeline.assets.keeping import Kept, Writing, by_symbol, digests_by_month, keep_digests
from goldsignal_pipeline.assets.outcome_rows import new_events, outcome_rows, trade_events
from goldsignal_pipeline.assets.partitions import next_month
from goldsignal_pipeline.assets.rules import trades_rules
from goldsignal_pipeline.market.digests import combine
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.simulation.closed_trades import trade_table
from goldsignal_pipeline.storage import keyed_rows
from goldsignal_pipeline.storage.keyed_rows import MergeResult, Scope
from goldsignal_pipeline.storage.locks import lock_months
from goldsignal_pipeline.storage.signals import (
    OUTCOMES,
    SIGNAL_EVENTS,
    read_events,
    read_signals,
    store_events,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database

EARLIER_MONTHS: Final = 1
STEPS: Final = ("filled", "tp1_reached", "closed", "corrected")


def resolve_signals(database: Database, writing: Writing) -> Kept:
    """Bring `outcomes` and the events of the months in line with the signals and candles held, for every symbol."""
    done = Kept()
    with database.transaction() as connection:
        # A signal that another run takes away must not go between its reading and its outcome.
        lock_months(connection, table="signals", months=[next_month(writing.months[0], steps=-1), *writing.months])
        lock_months(connection, table="outcomes", months=writing.months)
        for symbol, own in by_symbol(connection, writing):
            done = done.with_symbol(symbol, _resolve(connection, symbol=symbol, writing=own))
    return done


def _resolve(connection: Connection, *, symbol: str, writing: Writing) -> MergeResult:
    span: dict[str, Any] = {"symbol": symbol, "start": writing.start, "end": writing.end}
    signals, trades = resolved_signals(connection, symbol=symbol, writing=writing)
    outcomes = _within(outcome_rows(trades), "resolved_at", writing)
    scope = Scope({"symbol": symbol}, "resolved_at", writing.start, writing.end)
    merged = keyed_rows.replace(connection, OUTCOMES, scope, outcomes.assign(run_id=writing.run_id or ""))
    told = read_events(connection, symbol=symbol, start=writing.earlier(EARLIER_MONTHS), end=_far(writing))
    events = _within(new_events(trade_events(trades, signals), told=told, now=writing.now), "at", writing)
    store_events(connection, **span, events=events.assign(run_id=writing.run_id or ""), kinds=STEPS)
    kept_events = read_events(connection, **span)
    contents = [
        (rows, combine([digest, steps]))
        for (rows, digest), (_, steps) in zip(
            digests_by_month(outcomes, shape=OUTCOMES, time="resolved_at", months=writing.months),
            digests_by_month(kept_events, shape=SIGNAL_EVENTS, time="at", months=writing.months),
            strict=True,
        )
    ]
    rules = trades_rules(grace=writing.grace, spreads=read_spreads(connection, symbol=symbol))
    keep_digests(connection, writing, asset="outcomes", symbol=symbol, contents=contents, rules=rules)
    return merged


def resolved_signals(connection: Connection, *, symbol: str, writing: Writing) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The signals that may end in the months, and the trade of each, in the same order."""
    start = writing.earlier(EARLIER_MONTHS)
    signals = read_signals(connection, symbol=symbol, start=start, end=writing.end)
    bars = market_record.base_bars(
        connection, symbol=symbol, start=start - timedelta(days=1), end=writing.end, now=writing.now, grace=writing.grace
    )
    return signals, trade_table(signals, bars, calendar=load_calendar(), grace=writing.grace).frame


def _within(rows: pd.DataFrame, time: str, writing: Writing) -> pd.DataFrame:
    return rows[(rows[time] >= writing.start) & (rows[time] < writing.end)].reset_index(drop=True)


def _far(writing: Writing) -> datetime:
    """After everything that can have been told of these signals, so that a correction is told once."""
    return max(writing.end, writing.now) + timedelta(days=1)
