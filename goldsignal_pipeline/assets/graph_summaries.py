"""What an operator sees of a month of the graph without SQL: counts, tables of the newest rows, reasons for silence, pictures.

`SUMMARIES` names for each asset the queries behind its metadata; `:start` and `:end` are the month, half-open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import pandas as pd
from sqlalchemy import text

from goldsignal_pipeline.assets import kept_candles
from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.assets.pictures import equity_chart, trade_chart
from goldsignal_pipeline.assets.summaries import table
from goldsignal_pipeline.market.timeframes import Timeframe

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database

Window = Mapping[str, datetime]
_IN_MONTH: Final = "day >= CAST(:start AS timestamptz) AT TIME ZONE 'UTC' AND day < CAST(:end AS timestamptz) AT TIME ZONE 'UTC'"
_AROUND: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Summary:
    """The queries of an asset's metadata: one row of figures, tables by name, and a picture."""

    figures: str
    tables: Mapping[str, str] = field(default_factory=dict)
    picture: Callable[[Connection, Window, str], str] | None = None


def graph_summary(database: Database, asset: str, *, months: Sequence[str], with_pictures: bool) -> dict[str, dict[str, Any]]:
    """Metadata of an asset per month, pictures when asked for."""
    with database.transaction(read_only=True) as connection:
        return {month: _month(connection, SUMMARIES[asset], month, with_pictures=with_pictures) for month in months}


def _month(connection: Connection, summary: Summary, month: str, *, with_pictures: bool) -> dict[str, Any]:
    window = {"start": month_start(month), "end": month_start(next_month(month))}
    figures = connection.execute(text(summary.figures), window).mappings().one()
    metadata: dict[str, Any] = {name: _figure(value) for name, value in figures.items()}
    for name, query in summary.tables.items():
        metadata[name] = table(connection.execute(text(query), window).mappings().all())
    if with_pictures and summary.picture is not None:
        metadata["chart"] = dg.MetadataValue.md(summary.picture(connection, window, month))
    return metadata


def _figure(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    return value if isinstance(value, int | str) else "none" if value is None else float(value)


def _equity(query: str) -> Callable[[Connection, Window, str], str]:
    def draw(connection: Connection, window: Window, month: str) -> str:
        rows = connection.execute(text(query), dict(window)).mappings().all()
        frame = pd.DataFrame([dict(row) for row in rows], columns=["strategy", "resolved_at", "net_r"])
        closed = frame.astype({"resolved_at": "datetime64[us, UTC]", "net_r": "float64"})
        return equity_chart(closed, title=f"Net R by strategy, {month}")

    return draw


_NEWEST_ENDED: Final = text("""
    SELECT symbol, timeframe, strategy, direction, signals.confirmed_at, outcomes.resolved_at, outcomes.result,
           reference, stop, take_profit_1, take_profit_2
    FROM outcomes JOIN signals USING (symbol, timeframe, strategy, direction, timestamp)
    WHERE resolved_at >= :start AND resolved_at < :end ORDER BY resolved_at DESC, strategy LIMIT 1
""")


def _newest_trade(connection: Connection, window: Window, month: str) -> str:
    row = connection.execute(_NEWEST_ENDED, dict(window)).mappings().one_or_none()
    if row is None:
        return "No signal ended in this month."
    span = {"start": row["confirmed_at"] - _AROUND, "end": row["resolved_at"] + _AROUND}
    timeframe = Timeframe(row["timeframe"])
    bars = kept_candles.read(connection, symbol=row["symbol"], timeframes=[timeframe], **span)[timeframe]
    levels = {"reference": "reference", "stop": "stop", "TP1": "take_profit_1", "TP2": "take_profit_2"}
    label = " (simulated)" if row["symbol"].endswith("-SIM") else ""
    what = f"{row['strategy']} {row['direction']} {row['confirmed_at']:%Y-%m-%d %H:%M}: {row['result']}"
    title = f"{row['symbol']}{label} {what}"
    return trade_chart(bars, levels={name: float(row[column]) for name, column in levels.items()}, title=title)


SUMMARIES: Final[Mapping[str, Summary]] = {
    "setups": Summary(
        figures="""
            SELECT count(*) FILTER (WHERE kind = 'setup') AS setups, count(*) FILTER (WHERE kind = 'refused') AS refused,
                   count(*) FILTER (WHERE kind = 'near_miss') AS near_misses,
                   min(confirmed_at) AS first, max(confirmed_at) AS last
            FROM setups WHERE confirmed_at >= :start AND confirmed_at < :end
        """,
        tables={
            "by_strategy": """
                SELECT symbol, strategy, timeframe, kind, coalesce(refusal, '') AS refusal, count(*) AS rows FROM setups
                WHERE confirmed_at >= :start AND confirmed_at < :end GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
            """,
            "newest": """
                SELECT symbol, strategy, timeframe, direction, confirmed_at, reference, stop, take_profit_1, take_profit_2,
                       confidence
                FROM setups WHERE kind = 'setup' AND confirmed_at >= :start AND confirmed_at < :end
                ORDER BY confirmed_at DESC, strategy LIMIT 5
            """,
        },
    ),
    "backtest_trades": Summary(
        figures="""
            SELECT count(*) AS trades, count(*) FILTER (WHERE result = 'missed') AS missed,
                   count(*) FILTER (WHERE ambiguous) AS ambiguous, coalesce(sum(net_r), 0) AS net_r
            FROM backtest_trades WHERE resolved_at >= :start AND resolved_at < :end
        """,
        tables={
            "by_strategy": """
                SELECT symbol, strategy, timeframe, result, count(*) AS trades, sum(net_r) AS net_r FROM backtest_trades
                WHERE resolved_at >= :start AND resolved_at < :end GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            """,
            "newest": """
                SELECT symbol, strategy, direction, entry_at, resolved_at, result, net_r FROM backtest_trades
                WHERE resolved_at >= :start AND resolved_at < :end ORDER BY resolved_at DESC, strategy LIMIT 5
            """,
        },
        picture=_equity("""
            SELECT strategy, resolved_at, net_r FROM backtest_trades
            WHERE result <> 'missed' AND resolved_at >= :start AND resolved_at < :end ORDER BY resolved_at, strategy
        """),
    ),
    "backtest_results": Summary(
        figures=f"""
            SELECT count(DISTINCT day) AS days, count(*) AS rows, count(*) FILTER (WHERE NOT complete) AS incomplete_rows
            FROM backtest_results WHERE {_IN_MONTH}
        """,  # noqa: S608  # a constant
        tables={
            "last_day": f"""
                SELECT symbol, day, strategy, timeframe, trades, expectancy, expectancy_error, interval_low, interval_high,
                       p_value, trials, profit_factor, max_drawdown_r FROM backtest_results
                WHERE window_days = 365 AND (symbol, day) IN (
                    SELECT symbol, max(day) FROM backtest_results WHERE {_IN_MONTH} GROUP BY symbol)
                ORDER BY symbol, strategy, timeframe
            """,  # noqa: S608  # a constant
        },
    ),
    "signals": Summary(
        figures="""
            SELECT count(*) AS verdicts, count(*) FILTER (WHERE is_accepted) AS accepted,
                   count(*) FILTER (WHERE is_shadow) AS shadows, count(*) FILTER (WHERE origin = 'live') AS decided_live
            FROM gate_decisions WHERE decided_for >= :start AND decided_for < :end
        """,
        tables={
            "reasons_for_silence": """
                SELECT symbol, strategy, reasons[1] AS verdict, count(*) AS setups FROM gate_decisions
                WHERE NOT is_accepted AND decided_for >= :start AND decided_for < :end
                GROUP BY 1, 2, 3 ORDER BY 1, 2, 4 DESC, 3
            """,
            "newest": """
                SELECT symbol, strategy, direction, confirmed_at, reference, stop, take_profit_1, take_profit_2, confidence,
                       evidence, size_lots, status, origin
                FROM signal_states WHERE confirmed_at >= :start AND confirmed_at < :end
                ORDER BY confirmed_at DESC, strategy LIMIT 5
            """,
        },
    ),
    "outcomes": Summary(
        figures="""
            SELECT count(*) AS outcomes, count(*) FILTER (WHERE net_r > 0) AS wins, coalesce(sum(net_r), 0) AS net_r,
                   count(*) FILTER (WHERE ambiguous) AS ambiguous
            FROM outcomes WHERE resolved_at >= :start AND resolved_at < :end
        """,
        tables={
            "by_result": """
                SELECT symbol, strategy, result, count(*) AS signals, sum(net_r) AS net_r FROM outcomes
                WHERE resolved_at >= :start AND resolved_at < :end GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """,
            "newest": """
                SELECT symbol, strategy, direction, entered_at, resolved_at, result, net_r, worst_r, best_r FROM outcomes
                WHERE resolved_at >= :start AND resolved_at < :end ORDER BY resolved_at DESC, strategy LIMIT 5
            """,
        },
        picture=_newest_trade,
    ),
    "alerts": Summary(
        figures="""
            SELECT count(*) AS messages, count(*) FILTER (WHERE kind = 'published') AS signals,
                   count(*) FILTER (WHERE kind = 'operator') AS errors
            FROM alerts WHERE at >= :start AND at < :end
        """,
        tables={
            "newest": """
                SELECT kind, at, useful_until, message ->> 'headline' AS headline FROM alerts
                WHERE at >= :start AND at < :end ORDER BY id DESC LIMIT 5
            """,
        },
    ),
    "strategy_performance": Summary(
        figures=f"SELECT count(DISTINCT day) AS days, count(*) AS rows FROM strategy_performance WHERE {_IN_MONTH}",  # noqa: S608
        tables={
            "last_day": f"""
                SELECT symbol, day, strategy, timeframe, state, trades, win_rate, expectancy, expectancy_error,
                       baseline_expectancy
                FROM strategy_performance WHERE window_days = 90 AND (symbol, day) IN (
                    SELECT symbol, max(day) FROM strategy_performance WHERE {_IN_MONTH} GROUP BY symbol)
                ORDER BY symbol, strategy, timeframe
            """,  # noqa: S608  # a constant
        },
        picture=_equity("""
            SELECT strategy, resolved_at, net_r FROM outcomes
            WHERE result <> 'missed' AND resolved_at >= :start AND resolved_at < :end ORDER BY resolved_at, strategy
        """),
    ),
}
