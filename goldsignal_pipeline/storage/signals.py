"""Verdicts, signals, their events and outcomes.

Rows of signals and events whose origin is live are only ever added: `store_signals` and `store_events` make the backfill rows of
a range equal to those of a frame, and append the live ones that are new.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from goldsignal_pipeline.storage import keyed_rows
from goldsignal_pipeline.storage.keyed_rows import MergeResult, Scope, TableShape
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.setups import KEY_KINDS
from goldsignal_pipeline.storage.tables.words import SIGNAL_EVENT_KINDS, SIGNAL_KEY

LIVE: Final = "live"
BACKFILL: Final = "backfill"
_ONLY_BACKFILL: Final = {"origin": BACKFILL}
_SIZE: Final = dict.fromkeys(("size_ounces", "size_lots", "risk_usd"), Kind.MONEY)
_TRADE_ORDER: Final = ("timestamp", "strategy", "timeframe", "direction")

GATE_DECISIONS: Final = TableShape(
    table="gate_decisions",
    key=SIGNAL_KEY,
    columns={
        **KEY_KINDS,
        "decided_for": Kind.INSTANT,
        "known_at": Kind.INSTANT,
        "is_accepted": Kind.BOOLEAN,
        "is_shadow": Kind.BOOLEAN,
        "reasons": Kind.TEXTS,
        "evidence": Kind.TEXT,
        "rank": Kind.INTEGER,
        "rank_score": Kind.METRIC,
        **_SIZE,
        "origin": Kind.TEXT,
        "run_id": Kind.TEXT,
    },
    order=("decided_for", *_TRADE_ORDER),
)
"""Sizes are hundredths; reasons stand one per line, in the order of the rules."""

SIGNALS: Final = TableShape(
    table="signals",
    key=SIGNAL_KEY,
    columns={
        **KEY_KINDS,
        "confirmed_at": Kind.INSTANT,
        **dict.fromkeys(
            ("reference", "stop", "take_profit_1", "take_profit_2", "invalidation_price", "planned_risk"), Kind.TICKS
        ),
        "risk_reward": Kind.METRIC,
        "confidence": Kind.INTEGER,
        "conditions": Kind.JSON,
        "evidence": Kind.TEXT,
        "rank": Kind.INTEGER,
        "rank_score": Kind.METRIC,
        "composite_score": Kind.METRIC,
        **_SIZE,
        "session": Kind.TEXT,
        "regime": Kind.TEXT,
        "deadline": Kind.INSTANT,
        "reasons": Kind.TEXTS,
        "origin": Kind.TEXT,
        "known_at": Kind.INSTANT,
        **dict.fromkeys(("code_version", "strategy_version", "parameters_digest", "calendar_version"), Kind.TEXT),
        "events_digest": Kind.TEXT,
        "inputs_digest": Kind.TEXT,
        "run_id": Kind.TEXT,
    },
    order=_TRADE_ORDER,
    replaceable=_ONLY_BACKFILL,
)

SIGNAL_STATES: Final = TableShape(
    table="signal_states",
    key=SIGNAL_KEY,
    columns={**SIGNALS.columns, "status": Kind.TEXT, "ended_at": Kind.INSTANT},
    order=_TRADE_ORDER,
)
"""A view, to be read only: signals with `status` (active or a result) and when that was reached."""

SIGNAL_EVENTS: Final = TableShape(
    table="signal_events",
    key=(*SIGNAL_KEY, "kind", "at"),
    columns={
        **KEY_KINDS,
        "kind": Kind.TEXT,
        "at": Kind.INSTANT,
        "known_at": Kind.INSTANT,
        "origin": Kind.TEXT,
        "detail": Kind.JSON,
        "run_id": Kind.TEXT,
    },
    order=("at", *_TRADE_ORDER, "kind"),
    replaceable=_ONLY_BACKFILL,
)

OUTCOMES: Final = TableShape(
    table="outcomes",
    key=SIGNAL_KEY,
    columns={
        **KEY_KINDS,
        "result": Kind.TEXT,
        "entered_at": Kind.INSTANT,
        "resolved_at": Kind.INSTANT,
        "entry_quote": Kind.LEVEL,
        "fill_price": Kind.LEVEL,
        "first_exit_at": Kind.INSTANT,
        "first_exit_price": Kind.LEVEL,
        "second_exit_price": Kind.LEVEL,
        **dict.fromkeys(("gross_usd", "cost_usd", "net_usd"), Kind.UNITS),
        **dict.fromkeys(("gross_r", "cost_r", "net_r", "counterfactual_r", "favourable_r", "adverse_r"), Kind.METRIC),
        "bars_held": Kind.INTEGER,
        "resolution": Kind.TEXT,
        "ambiguous": Kind.BOOLEAN,
        "worst_r": Kind.METRIC,
        "best_r": Kind.METRIC,
        "run_id": Kind.TEXT,
    },
    order=("resolved_at", "strategy", "timeframe", "direction", "timestamp"),
)


def store_signals(connection: Connection, *, symbol: str, start: datetime, end: datetime, signals: pd.DataFrame) -> MergeResult:
    """Make the backfill signals that confirm in [start, end) equal to those of the frame, and add its live ones that are new.

    `signals` has the columns of `SIGNALS`, `symbol` aside. A signal that goes takes its events and its outcome along.
    """
    return _store(connection, SIGNALS, Scope({"symbol": symbol}, "confirmed_at", start, end), signals)


def store_events(
    connection: Connection,
    *,
    symbol: str,
    start: datetime,
    end: datetime,
    events: pd.DataFrame,
    kinds: Sequence[str] = SIGNAL_EVENT_KINDS,
) -> MergeResult:
    """The same for the events of these kinds that happened in [start, end), with the columns of `SIGNAL_EVENTS`."""
    return _store(connection, SIGNAL_EVENTS, Scope({"symbol": symbol, "kind": tuple(kinds)}, "at", start, end), events)


def read_decisions(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The verdicts on setups that confirm in [start, end), in order of time."""
    return keyed_rows.read(connection, GATE_DECISIONS, Scope({"symbol": symbol}, "decided_for", start, end))


def read_signals(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The signals of any origin that confirm in [start, end), in order of time."""
    return keyed_rows.read(connection, SIGNALS, Scope({"symbol": symbol}, "confirmed_at", start, end))


def read_live_signals(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The published signals that confirm in [start, end), in order of time, with their origin."""
    scope = Scope({"symbol": symbol, "origin": (LIVE,)}, "confirmed_at", start, end)
    return keyed_rows.read(connection, SIGNALS, scope)


def read_states(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The same with `status` and `ended_at`."""
    return keyed_rows.read(connection, SIGNAL_STATES, Scope({"symbol": symbol}, "confirmed_at", start, end))


def read_events(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """What happened to signals in [start, end), in order of time."""
    return keyed_rows.read(connection, SIGNAL_EVENTS, Scope({"symbol": symbol}, "at", start, end))


def read_outcomes(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The outcomes that became known in [start, end), in order of time."""
    return keyed_rows.read(connection, OUTCOMES, Scope({"symbol": symbol}, "resolved_at", start, end))


def _store(connection: Connection, shape: TableShape, scope: Scope, rows: pd.DataFrame) -> MergeResult:
    is_live = rows["origin"] == LIVE
    replaced = keyed_rows.replace(connection, shape, scope, rows[~is_live])
    return replaced + keyed_rows.append(connection, shape, scope, rows[is_live])
