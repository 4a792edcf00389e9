"""`pruned_candles`: months of which retention deleted the candles of a timeframe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, text

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.tables import PrunedCandle

_COMPLETE_FROM: Final = text(
    "SELECT symbol, timeframe, count(*) AS months_deleted,"
    " to_char(max(to_date(month, 'YYYY-MM')) + interval '1 month', 'YYYY-MM') AS complete_from"
    " FROM goldsignal.pruned_candles GROUP BY symbol, timeframe ORDER BY symbol, timeframe"
)


def months(connection: Connection, *, symbol: str) -> dict[Timeframe, set[str]]:
    """The months that are not held, by timeframe; timeframes that are held whole are left out."""
    query = select(PrunedCandle.timeframe, PrunedCandle.month).where(PrunedCandle.symbol == symbol)
    found: dict[Timeframe, set[str]] = {}
    for timeframe, month in connection.execute(query):
        found.setdefault(Timeframe(timeframe), set()).add(month)
    return found


def complete_from(connection: Connection) -> list[RowMapping]:
    """For each symbol and timeframe with deleted bars: how many months are not held, and the first after them."""
    return list(connection.execute(_COMPLETE_FROM).mappings())


def mark(connection: Connection, *, symbol: str, timeframe: Timeframe, month: str, rows: int, now: datetime) -> None:
    """Say that the bars of a month are gone."""
    marked = {"symbol": symbol, "timeframe": str(timeframe), "month": month, "rows": rows, "pruned_at": now}
    connection.execute(insert(PrunedCandle).values(**marked))


def unmark(connection: Connection, *, symbol: str, months: Sequence[str]) -> None:
    """Say that the bars of months are there again, of every timeframe."""
    connection.execute(delete(PrunedCandle).where(PrunedCandle.symbol == symbol, PrunedCandle.month.in_(months)))
