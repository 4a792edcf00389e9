"""Strategies, their simulated results and the results of their signals, by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from psycopg import sql

from goldsignal_pipeline.storage.backtests import TRADE_METRICS
from goldsignal_pipeline.storage.bulk import names
from goldsignal_pipeline.storage.reading.queries import Order, Query, conditions

DAILY_ORDER: Final = Order(("day", "strategy", "timeframe", "window_days"))

_DAILY_KEY: Final = ("symbol", "day", "strategy", "timeframe", "window_days")
_TESTED: Final = ("interval_low", "interval_high", "p_value", "trials", "walk_forward_efficiency", "complete", "strategy_version")
_LIVED: Final = ("baseline_expectancy", "state", "state_since")
_STRATEGIES: Final = """
    SELECT known.strategy, known.timeframe, known.version, known.parameters, known.description, known.is_active,
           known.changed_at, lived.day AS state_day, lived.state, lived.state_since
    FROM goldsignal.strategies AS known
    LEFT JOIN LATERAL (
        SELECT day, state, state_since FROM goldsignal.strategy_performance AS lived
        WHERE lived.symbol = %(symbol)s AND lived.strategy = known.strategy AND lived.timeframe = known.timeframe
        ORDER BY day DESC LIMIT 1
    ) AS lived ON true
    ORDER BY known.strategy, known.timeframe
"""


@dataclass(frozen=True, slots=True)
class WantedDays:
    """Rows of a symbol and the days [start, end); without a start those of the newest day before `end`."""

    symbol: str
    start: date | None
    end: date
    strategy: str | None = None
    timeframe: str | None = None
    window_days: int | None = None


def strategies(*, symbol: str) -> Query:
    """Every strategy and timeframe, and the newest state of its signals on a symbol."""
    return Query(sql.SQL(_STRATEGIES), {"symbol": symbol})


def backtests(wanted: WantedDays) -> Query:
    """Simulated results as of 00:00 UTC of each day."""
    return _daily("backtest_results", _TESTED, wanted)


def performance(wanted: WantedDays) -> Query:
    """Results of signals at the end of each day, and the state of degradation."""
    return _daily("strategy_performance", _LIVED, wanted)


def _daily(table: str, own: tuple[str, ...], wanted: WantedDays) -> Query:
    equal: dict[str, Any] = {
        "strategy": wanted.strategy,
        "timeframe": wanted.timeframe,
        "window_days": wanted.window_days,
    }
    since: sql.Composable = sql.SQL("%(start)s")
    if wanted.start is None:
        since = sql.SQL("(SELECT max(day) FROM {} WHERE symbol = %(symbol)s AND day < %(end)s)").format(
            sql.Identifier("goldsignal", table)
        )
    statement = sql.SQL("SELECT {} FROM {} AS result WHERE symbol = %(symbol)s AND day >= {} AND day < %(end)s").format(
        names([*_DAILY_KEY, *TRADE_METRICS, *own]), sql.Identifier("goldsignal", table), since
    ) + conditions(equal, alias="result")
    return Query(statement, {"symbol": wanted.symbol, "start": wanted.start, "end": wanted.end, **equal})
