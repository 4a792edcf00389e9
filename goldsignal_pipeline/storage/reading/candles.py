"""Stored candles for readers: rows, or whole columns that the database itself writes as JSON.

A chart of 100,000 bars is half a million numbers. Written by the database as text, they pass through us as a few strings, exact
as NUMERIC prints them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import sql

from goldsignal_pipeline.storage.reading.queries import Query

PRICES: Final = ("open", "high", "low", "close")
COLUMNS: Final = ("timestamp", *PRICES, "volume", "source", "base_timeframe", "base_bars", "flag")

_NEWEST: Final = """
    SELECT {columns} FROM goldsignal.candles
    WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s AND timestamp < %(end)s AND timestamp >= %(start)s
    ORDER BY timestamp DESC LIMIT %(limit)s
"""
_COLUMNS_OF: Final = """
    SELECT count(*) AS rows, min(timestamp) AS first,
           coalesce(string_agg(extract(epoch FROM timestamp)::bigint::text, ','), '') AS time, {prices}
    FROM (SELECT * FROM ({newest}) AS newest ORDER BY timestamp) AS bars
"""
_BEFORE: Final = """
    SELECT EXISTS (SELECT FROM goldsignal.candles WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s
                   AND timestamp >= %(start)s AND timestamp < %(first)s) AS older,
           (SELECT (max(to_date(month, 'YYYY-MM')) + interval '1 month') AT TIME ZONE 'UTC' FROM goldsignal.pruned_candles
            WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s
              AND month >= to_char(%(start)s::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM')
              AND month <= to_char(%(end)s::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM')) AS pruned_until
"""
_NEWEST_OPENS: Final = """
    SELECT listed.timeframe, (SELECT max(timestamp) FROM goldsignal.candles AS held
                              WHERE held.symbol = %(symbol)s AND held.timeframe = listed.timeframe) AS newest
    FROM unnest(%(timeframes)s::text[]) AS listed (timeframe)
"""


@dataclass(frozen=True, slots=True)
class Bars:
    """The newest `limit` bars of a timeframe that open in [start, end)."""

    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    limit: int

    def parameters(self) -> dict[str, Any]:
        """Everything by name."""
        return {
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "start": self.start,
            "end": self.end,
            "limit": self.limit,
        }


def as_rows(bars: Bars) -> Query:
    """The bars, a row each with its `timestamp` and the whole of it as `json`, oldest first."""
    statement = sql.SQL("SELECT timestamp, row_to_json(bar)::text AS json FROM ({}) AS bar ORDER BY timestamp")
    return Query(statement.format(_newest(COLUMNS)), bars.parameters())


def columns(bars: Bars) -> Query:
    """One row: how many bars, the open of the first, and each column as text, oldest first, values separated by commas."""
    prices = sql.SQL(", ").join(
        sql.SQL("coalesce(string_agg({0}::text, ','), '') AS {0}").format(sql.Identifier(name)) for name in PRICES
    )
    statement = sql.SQL(_COLUMNS_OF).format(prices=prices, newest=_newest(("timestamp", *PRICES)))
    return Query(statement, bars.parameters())


def before(bars: Bars, *, first: datetime) -> Query:
    """One row: whether the range holds bars that open before `first`, and until when retention deleted bars of it, if it did."""
    return Query(sql.SQL(_BEFORE), {**bars.parameters(), "first": first})


def newest_opens(*, symbol: str, timeframes: list[str]) -> Query:
    """A row per timeframe: the open of its newest bar, NULL without any."""
    return Query(sql.SQL(_NEWEST_OPENS), {"symbol": symbol, "timeframes": timeframes})


def _newest(columns: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(_NEWEST).format(columns=sql.SQL(", ").join(map(sql.Identifier, columns)))
