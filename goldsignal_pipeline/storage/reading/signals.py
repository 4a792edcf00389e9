"""Signals and what became of them, now or as known at an instant; outcomes; trades for pictures.

What a live run found counts as known from when it was found (`known_at`); what a backfill found counts from when it happened,
for no run has known it before: rows tell by their `origin` which of the two they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import sql

from goldsignal_pipeline.storage.reading.ids import id_of
from goldsignal_pipeline.storage.reading.queries import Order, Query, conditions
from goldsignal_pipeline.storage.tables.words import SIGNAL_KEY

SIGNAL_ORDER: Final = Order(("confirmed_at", "strategy", "timeframe", "direction", "timestamp"))
OUTCOME_ORDER: Final = Order(("resolved_at", "strategy", "timeframe", "direction", "timestamp"))

_SIGNAL_COLUMNS: Final = [
    "confirmed_at",
    "reference",
    "stop",
    "take_profit_1",
    "take_profit_2",
    "invalidation_price",
    "planned_risk",
    "risk_reward",
    "confidence",
    "evidence",
    "rank",
    "rank_score",
    "composite_score",
    "size_ounces",
    "size_lots",
    "risk_usd",
    "session",
    "regime",
    "deadline",
    "reasons",
    "origin",
    "known_at",
]
_OUTCOME_COLUMNS: Final = [
    "result",
    "entered_at",
    "resolved_at",
    "entry_quote",
    "fill_price",
    "first_exit_at",
    "first_exit_price",
    "second_exit_price",
    "gross_usd",
    "cost_usd",
    "net_usd",
    "gross_r",
    "cost_r",
    "net_r",
    "counterfactual_r",
    "favourable_r",
    "adverse_r",
    "bars_held",
    "resolution",
    "ambiguous",
    "worst_r",
    "best_r",
]
_TRADE_COLUMNS: Final = ["timeframe", "strategy", "direction", "timestamp"]

_SIGNALS: Final = """
    SELECT {id} AS id, {columns}, coalesce(ended.result, 'active') COLLATE "C" AS status, ended.at AS ended_at,
           steps.filled_at, steps.tp1_reached_at, CASE WHEN ended.at IS NOT NULL THEN outcome.net_r END AS net_r
    FROM goldsignal.signals AS signal
    LEFT JOIN LATERAL (
        SELECT event.detail ->> 'result' AS result, event.at FROM goldsignal.signal_events AS event
        WHERE {same_event} AND event.kind IN ('closed', 'corrected') AND {event_known}
        ORDER BY event.known_at DESC NULLS LAST, event.kind DESC, event.at DESC LIMIT 1
    ) AS ended ON true
    LEFT JOIN LATERAL (
        SELECT min(event.at) FILTER (WHERE event.kind = 'filled') AS filled_at,
               min(event.at) FILTER (WHERE event.kind = 'tp1_reached') AS tp1_reached_at
        FROM goldsignal.signal_events AS event WHERE {same_event} AND {event_known}
    ) AS steps ON true
    LEFT JOIN goldsignal.outcomes AS outcome ON {same_outcome}
    WHERE signal.symbol = %(symbol)s AND signal.confirmed_at >= %(start)s AND signal.confirmed_at < %(end)s AND {signal_known}
"""
_OUTCOMES: Final = """
    SELECT {id} AS id, {columns}, signal.confirmed_at, signal.session, signal.origin
    FROM goldsignal.outcomes AS outcome JOIN goldsignal.signals AS signal ON {same_outcome}
    WHERE outcome.symbol = %(symbol)s AND outcome.resolved_at >= %(start)s AND outcome.resolved_at < %(end)s
"""
_BACKTEST_TRADES: Final = """
    SELECT {columns}, trade.confirmed_at, trade.entry_at AS entered_at, trade.resolved_at, trade.result, trade.net_r,
           setup.session, 'backtest' AS origin
    FROM goldsignal.backtest_trades AS trade JOIN goldsignal.setups AS setup ON {same_setup}
    WHERE trade.symbol = %(symbol)s AND trade.resolved_at >= %(start)s AND trade.resolved_at < %(end)s AND trade.net_r IS NOT NULL
"""
_SIGNAL_TRADES: Final = """
    SELECT {columns}, signal.confirmed_at, trade.entered_at, trade.resolved_at, trade.result, trade.net_r,
           signal.session, signal.origin
    FROM goldsignal.outcomes AS trade JOIN goldsignal.signals AS signal ON {same_signal}
    WHERE trade.symbol = %(symbol)s AND trade.resolved_at >= %(start)s AND trade.resolved_at < %(end)s AND trade.net_r IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows of a symbol in [start, end); of one strategy, timeframe or direction where named."""

    symbol: str
    start: datetime
    end: datetime
    strategy: str | None = None
    timeframe: str | None = None
    direction: str | None = None

    def equal(self) -> dict[str, Any]:
        """The columns that are held to one value."""
        return {"strategy": self.strategy, "timeframe": self.timeframe, "direction": self.direction}

    def parameters(self) -> dict[str, Any]:
        """Everything by name."""
        return {"symbol": self.symbol, "start": self.start, "end": self.end, **self.equal()}


def signals(wanted: Wanted, *, as_of: datetime | None = None, status: str | None = None, origin: str | None = None) -> Query:
    """Signals that confirmed in the range with their status and steps, as known at `as_of` when given."""
    known = as_of is not None
    statement = sql.SQL(_SIGNALS).format(
        id=id_of("signal"),
        columns=_columns("signal", (*SIGNAL_KEY, *_SIGNAL_COLUMNS)),
        same_event=_same("event", "signal"),
        same_outcome=_same("outcome", "signal"),
        event_known=sql.SQL("coalesce(event.known_at, event.at) <= %(as_of)s" if known else "true"),
        signal_known=sql.SQL("coalesce(signal.known_at, signal.confirmed_at) <= %(as_of)s" if known else "true"),
    ) + conditions({**wanted.equal(), "origin": origin}, alias="signal")
    if status is not None:
        statement = sql.SQL("SELECT * FROM ({}) AS standing WHERE status = %(status)s").format(statement)
    return Query(statement, {**wanted.parameters(), "as_of": as_of, "status": status, "origin": origin})


def outcomes(wanted: Wanted, *, result: str | None = None) -> Query:
    """Outcomes that became known in the range, with the confirming close, session and origin of their signals."""
    statement = sql.SQL(_OUTCOMES).format(
        id=id_of("outcome"),
        columns=_columns("outcome", (*SIGNAL_KEY, *_OUTCOME_COLUMNS)),
        same_outcome=_same("outcome", "signal"),
    ) + conditions({**wanted.equal(), "result": result}, alias="outcome")
    return Query(statement, {**wanted.parameters(), "result": result})


def trades(wanted: Wanted, *, of_signals: bool) -> Query:
    """Scored trades whose result became known in the range: of signals, or of all setups as they were simulated."""
    template, other = (_SIGNAL_TRADES, "signal") if of_signals else (_BACKTEST_TRADES, "setup")
    statement = sql.SQL(template).format(
        columns=_columns("trade", _TRADE_COLUMNS), **{f"same_{other}": _same("trade", other)}
    ) + conditions(wanted.equal(), alias="trade")
    return Query(statement, wanted.parameters())


def _columns(alias: str, names: tuple[str, ...] | list[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)


def _same(one: str, other: str) -> sql.Composable:
    """Both rows have the same key."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(one, name), sql.Identifier(other, name)) for name in SIGNAL_KEY
    )
