"""`backtest_trades` by the month in which their result was known, and `backtest_results` by the month of their day."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from goldsignal_pipeline.market.frames import typed
from goldsignal_pipeline.selection.evidence import EVIDENCE_WINDOW_DAYS
from goldsignal_pipeline.simulation.closed_trades import TRADE_DTYPES
from goldsignal_pipeline.storage import keyed_rows
from goldsignal_pipeline.storage.keyed_rows import Scope, TableShape, Value
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.setups import KEY_KINDS
from goldsignal_pipeline.storage.tables.words import SIGNAL_KEY

BACKTEST_TRADES: Final = TableShape(
    table="backtest_trades",
    key=SIGNAL_KEY,
    columns={
        **KEY_KINDS,
        "confirmed_at": Kind.INSTANT,
        "result": Kind.TEXT,
        "missed_because": Kind.TEXT,
        "entry_at": Kind.INSTANT,
        "entry_known_at": Kind.INSTANT,
        "deadline": Kind.INSTANT,
        "resolved_at": Kind.INSTANT,
        "entry_quote": Kind.TICKS,
        "entry_fill": Kind.TICKS,
        "risk": Kind.TICKS,
        "first_exit": Kind.TEXT,
        "first_exit_at": Kind.INSTANT,
        "first_fill": Kind.LEVEL,
        "second_exit": Kind.TEXT,
        "second_exit_at": Kind.INSTANT,
        "second_fill": Kind.LEVEL,
        "favourable": Kind.TICKS,
        "adverse": Kind.TICKS,
        **dict.fromkeys(("gross", "swap", "cost", "net", "worst", "best", "counterfactual_net"), Kind.UNITS),
        **dict.fromkeys(("gross_r", "cost_r", "net_r", "worst_r", "best_r", "counterfactual_r"), Kind.METRIC),
        "bars_held": Kind.INTEGER,
        "hold_minutes": Kind.INTEGER,
        "resolution_minutes": Kind.INTEGER,
        "coarse_entry": Kind.BOOLEAN,
        "ambiguous": Kind.BOOLEAN,
        "strategy_version": Kind.TEXT,
        "run_id": Kind.TEXT,
    },
    order=("resolved_at", "strategy", "timeframe", "direction", "timestamp"),
)
"""Frames are closed rows of `simulation.closed_trades.TRADE_DTYPES` with the version of their strategy."""

TRADE_METRICS: Final = {
    "trades": Kind.INTEGER,
    "wins": Kind.INTEGER,
    **dict.fromkeys(
        (
            "win_rate",
            "profit_factor",
            "expectancy",
            "expectancy_error",
            "median_r",
            "average_win_r",
            "average_loss_r",
            "sharpe",
            "sortino",
            "max_drawdown_r",
            "calmar",
            "average_hold_hours",
            "exposure",
        ),
        Kind.METRIC,
    ),
    "longest_losing_run": Kind.INTEGER,
    "ambiguous": Kind.INTEGER,
    "missed": Kind.INTEGER,
}
"""The metrics of section 5 of the domain rules, `simulation.metrics.METRIC_COLUMNS`."""

DAILY_KEY: Final = ("symbol", "day", "strategy", "timeframe", "window_days")
DAILY_KEY_KINDS: Final = {
    "symbol": Kind.TEXT,
    "day": Kind.DAY,
    "strategy": Kind.TEXT,
    "timeframe": Kind.TEXT,
    "window_days": Kind.INTEGER,
}
DAILY_ORDER: Final = ("strategy", "timeframe", "day", "window_days")

BACKTEST_RESULTS: Final = TableShape(
    table="backtest_results",
    key=DAILY_KEY,
    columns={
        **DAILY_KEY_KINDS,
        **TRADE_METRICS,
        "interval_low": Kind.METRIC,
        "interval_high": Kind.METRIC,
        "p_value": Kind.METRIC,
        "trials": Kind.INTEGER,
        "walk_forward_efficiency": Kind.METRIC,
        "complete": Kind.BOOLEAN,
        "strategy_version": Kind.TEXT,
        "run_id": Kind.TEXT,
    },
    order=DAILY_ORDER,
)
"""Frames are those of `simulation.rolling.rolling_metrics` with what is known at month ends beside them."""


def read_trades(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The trades whose result was known in [start, end), as the core has them (`TRADE_DTYPES`), by that instant and key."""
    scope = Scope({"symbol": symbol}, "resolved_at", start, end)
    return typed(keyed_rows.read(connection, BACKTEST_TRADES, scope, columns=list(TRADE_DTYPES)), TRADE_DTYPES)


def read_evidence(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The complete results of the evidence window of those days: what deciding may use."""
    where: dict[str, Value] = {"symbol": symbol, "window_days": EVIDENCE_WINDOW_DAYS, "complete": True}
    columns = [name for name in BACKTEST_RESULTS.columns if name not in ("symbol", "run_id")]
    return keyed_rows.read(connection, BACKTEST_RESULTS, Scope(where, "day", start, end), columns=columns)


def read_results(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The results of the days that begin in [start, end), by strategy, timeframe, day and window."""
    return keyed_rows.read(connection, BACKTEST_RESULTS, Scope({"symbol": symbol}, "day", start, end))
