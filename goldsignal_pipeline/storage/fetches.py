"""`fetches`: which windows a source was asked for, when, and what came back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Protocol

import pandas as pd
from sqlalchemy import Connection, insert, select

from goldsignal_pipeline.market.sources import Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.tables import Fetch

WINDOW_COLUMNS: Final = ("start", "end", "asked_at")


class AskedWindow(Protocol):
    """Bars of one timeframe that open in [start, end), as `providers.base.FetchWindow` has it."""

    @property
    def timeframe(self) -> Timeframe:
        """The bar length asked for."""
        ...

    @property
    def start(self) -> datetime:
        """The first open asked for."""
        ...

    @property
    def end(self) -> datetime:
        """The end of the window, exclusive."""
        ...


def record(
    connection: Connection,
    *,
    symbol: str,
    source: Source | str,
    window: AskedWindow,
    asked_at: datetime,
    rows: int,
    credits: int,
    run_id: str | None,
) -> None:
    """Write down that a window was asked for, and what came back."""
    connection.execute(
        insert(Fetch).values(
            symbol=symbol,
            source=str(source),
            timeframe=str(window.timeframe),
            window_start=window.start,
            window_end=window.end,
            asked_at=asked_at,
            rows=rows,
            credits=credits,
            run_id=run_id,
        )
    )


def windows(
    connection: Connection,
    *,
    symbol: str,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    source: Source | str | None = None,
) -> pd.DataFrame:
    """The windows asked of `source` (of any when None) that overlap [start, end), by time of asking.

    Columns `start`, `end`, `asked_at`, all `datetime64[us, UTC]`.
    """
    found = _overlapping(connection, symbol=symbol, timeframe=timeframe, start=start, end=end, source=source)
    columns = ([row.window_start for row in found], [row.window_end for row in found], [row.asked_at for row in found])
    return pd.DataFrame(
        {name: pd.Series(values, dtype="datetime64[us, UTC]") for name, values in zip(WINDOW_COLUMNS, columns, strict=True)}
    )


def _overlapping(
    connection: Connection, *, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, source: Source | str | None
) -> list[Any]:
    query = (
        select(Fetch.window_start, Fetch.window_end, Fetch.asked_at)
        .where(Fetch.symbol == symbol, Fetch.timeframe == str(timeframe), Fetch.window_start < end, Fetch.window_end > start)
        .order_by(Fetch.asked_at, Fetch.id)
    )
    if source is not None:
        query = query.where(Fetch.source == str(source))
    return list(connection.execute(query).all())
