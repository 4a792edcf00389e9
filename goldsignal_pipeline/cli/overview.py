"""Something to look at: open signals, the newest outcomes, and how every strategy did, tested and for real.

No figure stands without the sentence that no strategy is known to have an edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli.output import local_text, table, utc_text

if TYPE_CHECKING:
    from goldsignal_pipeline.storage.database import Database

NO_EDGE: Final = "No strategy is known to have an edge; R is the distance from the fill to the stop."
OUTCOMES_SHOWN: Final = 5

_OPEN: Final = """
    SELECT confirmed_at, strategy, timeframe, direction, reference, stop, take_profit_1, take_profit_2, size_lots, origin
    FROM signal_states WHERE symbol = :symbol AND status = 'active' ORDER BY confirmed_at, strategy
"""
_OUTCOMES: Final = """
    SELECT resolved_at, strategy, timeframe, direction, result, net_r FROM outcomes
    WHERE symbol = :symbol ORDER BY resolved_at DESC, strategy LIMIT :limit
"""
_STRATEGIES: Final = """
    WITH tested AS (
        SELECT * FROM backtest_results WHERE symbol = :symbol AND window_days = 365
          AND day = (SELECT max(day) FROM backtest_results WHERE symbol = :symbol)
    ), real AS (
        SELECT * FROM strategy_performance WHERE symbol = :symbol AND window_days = 90
          AND day = (SELECT max(day) FROM strategy_performance WHERE symbol = :symbol)
    )
    SELECT strategy, timeframe, tested.trades AS tested_trades, tested.expectancy AS tested_r,
           tested.expectancy_error AS tested_error, real.trades AS signals, real.expectancy AS signals_r, real.state
    FROM tested FULL JOIN real USING (strategy, timeframe) ORDER BY strategy, timeframe
"""


def read_overview(database: Database, *, symbol: str) -> dict[str, Any]:
    """What there is to look at, as values that JSON can hold; times in UTC."""
    from sqlalchemy import text

    def rows(query: str, **parameters: object) -> list[dict[str, Any]]:
        found = connection.execute(text(query), {"symbol": symbol, **parameters})
        return [{str(name): _plain(value) for name, value in row.items()} for row in found.mappings()]

    with database.transaction(read_only=True) as connection:
        return {
            "open_signals": rows(_OPEN),
            "newest_outcomes": rows(_OUTCOMES, limit=OUTCOMES_SHOWN),
            "strategies": rows(_STRATEGIES),
        }


def render_overview(console: Console, overview: Mapping[str, Any], *, zone: ZoneInfo, symbol: str) -> None:
    """The overview as tables; times in `zone`."""
    found = overview["open_signals"]
    if found:
        console.print(_open_table(found, zone=zone, symbol=symbol))
    else:
        console.print(f"No signal of {symbol} is open.")
    if overview["newest_outcomes"]:
        rows = [
            (
                _local(row["resolved_at"], zone),
                _who(row),
                row["direction"],
                row["result"],
                _r(row["net_r"]),
            )
            for row in overview["newest_outcomes"]
        ]
        console.print()
        console.print(table(f"ended at ({zone.key})", "by", "", "result", ("net R", "right"), rows=rows, title="newest outcomes"))
    if overview["strategies"]:
        console.print()
        console.print(_strategies_table(overview["strategies"]))
        console.print(NO_EDGE, style="dim")


def _open_table(found: Sequence[Mapping[str, Any]], *, zone: ZoneInfo, symbol: str) -> Any:
    prices = ("reference", "stop", "take_profit_1", "take_profit_2")
    rows = [
        (
            _local(row["confirmed_at"], zone),
            _who(row),
            row["direction"],
            *(f"{row[name]:.2f}" for name in prices),
            f"{row['size_lots']:.2f}",
            row["origin"],
        )
        for row in found
    ]
    names = [("reference", "right"), ("stop", "right"), ("TP1", "right"), ("TP2", "right"), ("lots", "right")]
    title = f"open signals of {symbol}, USD/oz"
    return table(f"confirmed at ({zone.key})", "by", "", *names, "", rows=rows, title=title)


def _strategies_table(found: Sequence[Mapping[str, Any]]) -> Any:
    rows = [
        (
            _who(row),
            str(row["tested_trades"] or 0),
            _r(row["tested_r"]) + (f" +- {row['tested_error']:.2f}" if row["tested_error"] is not None else ""),
            str(row["signals"] or 0),
            _r(row["signals_r"]),
            Text(row["state"] or "", style="" if row["state"] in (None, "healthy") else "yellow"),
        )
        for row in found
    ]
    columns = (("tested, 365 days", "right"), ("mean R", "right"), ("signals, 90 days", "right"), ("mean R", "right"))
    return table("strategy", *columns, "", rows=rows, title="strategies")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    return float(value) if isinstance(value, Decimal) else value


def _local(instant: str, zone: ZoneInfo) -> str:
    return local_text(datetime.fromisoformat(instant), zone=zone, with_zone=False)


def _who(row: Mapping[str, Any]) -> str:
    return f"{row['strategy']} {row['timeframe']}"


def _r(value: Any) -> str:
    return "" if value is None else f"{value:+.2f}"
