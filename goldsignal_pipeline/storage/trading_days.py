"""`trading_day_parts`: what each trading day is made of and what it lacks; whole days through `trading_day_states`."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, delete, insert, select, text, tuple_

from goldsignal_pipeline.storage.locks import lock_months, months_in
from goldsignal_pipeline.storage.tables import METADATA, SCHEMA, TradingDayPart

TABLE: Final = "trading_day_parts"
TICKS_PER_USD: Final = 100
_TABLE: Final = METADATA.tables[f"{SCHEMA}.{TABLE}"]
_COLUMNS: Final = tuple(_TABLE.columns.keys())
_ROWS_PER_STATEMENT: Final = 1_000


def replace_range(connection: Connection, *, symbol: str, start: datetime, end: datetime, day_parts: pd.DataFrame) -> int:
    """Make `day_parts` the parts of `symbol` in the UTC months of [start, end); returns how many rows changed.

    `day_parts`: `market.day_parts.DAY_PART_COLUMNS`. Rows that are equal already are not written.
    """
    months = months_in(start, end)
    lock_months(connection, table=TABLE, months=months)
    given = {row[1:3]: row for row in _rows(day_parts, symbol=symbol) if row[2] in set(months)}
    here = (TradingDayPart.symbol == symbol) & TradingDayPart.month.in_(months)
    held = {(row.trading_day, row.month): tuple(row) for row in connection.execute(select(_TABLE).where(here))}
    gone = [key for key, row in held.items() if given.get(key) != row]
    new = [row for key, row in given.items() if held.get(key) != row]
    for at in range(0, len(gone), _ROWS_PER_STATEMENT):
        keys = gone[at : at + _ROWS_PER_STATEMENT]
        connection.execute(delete(TradingDayPart).where(here, tuple_(TradingDayPart.trading_day, TradingDayPart.month).in_(keys)))
    if new:
        connection.execute(insert(TradingDayPart), [dict(zip(_COLUMNS, row, strict=True)) for row in new])
    return len(gone) + len([row for row in new if row[1:3] not in held])


def read(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The parts in the UTC months of [start, end), as `market.day_parts.DAY_PART_COLUMNS`, by day and month."""
    query = (
        select(_TABLE)
        .where(TradingDayPart.symbol == symbol, TradingDayPart.month.in_(months_in(start, end)))
        .order_by(TradingDayPart.trading_day, TradingDayPart.month)
    )
    return _frame(connection.execute(query).all())


def blocked(connection: Connection, *, symbol: str, first: date, last: date) -> npt.NDArray[np.datetime64]:
    """The trading days from `first` to `last` that are `data_blocked`, ascending `datetime64[D]`."""
    query = text(
        "SELECT trading_day FROM goldsignal.trading_day_states WHERE symbol = :symbol AND data_blocked"
        " AND trading_day BETWEEN :first AND :last ORDER BY trading_day"
    )
    days = connection.execute(query, {"symbol": symbol, "first": first, "last": last}).scalars().all()
    return np.array(days, dtype="datetime64[D]")


def _rows(day_parts: pd.DataFrame, *, symbol: str) -> list[tuple[Any, ...]]:
    records: list[dict[str, Any]] = [{str(name): value for name, value in row.items()} for row in day_parts.to_dict("records")]
    return [
        (
            symbol,
            row["trading_day"].date(),
            row["month"],
            row["source"] or None,
            row["base_timeframe"],
            int(row["expected_bars"]),
            int(row["present_bars"]),
            int(row["missing_bars"]),
            row["sources_seen"].split(),
            int(row["compared_closes"]),
            _metric(row["median_difference_ticks"] / TICKS_PER_USD),
            _metric(row["distant_share"]),
        )
        for row in records
    ]


def _metric(value: float) -> Decimal | None:
    return None if np.isnan(value) else Decimal(repr(float(value))).quantize(Decimal("0.0001"))


def _frame(rows: Any) -> pd.DataFrame:
    count = len(rows)
    days = np.array([row.trading_day for row in rows], dtype="datetime64[us]")
    metrics = {
        name: np.array([np.nan if value is None else float(value) for value in (getattr(row, name) for row in rows)])
        for name in ("median_difference", "distant_share")
    }
    return pd.DataFrame(
        {
            "trading_day": days,
            "month": _texts([row.month for row in rows]),
            "source": _texts([row.source or "" for row in rows]),
            "base_timeframe": _texts([row.base_timeframe for row in rows]),
            **{
                name: np.fromiter((getattr(row, name) for row in rows), dtype=np.int64, count=count)
                for name in ("expected_bars", "present_bars", "missing_bars")
            },
            "sources_seen": _texts([" ".join(row.sources) for row in rows]),
            "compared_closes": np.fromiter((row.compared_closes for row in rows), dtype=np.int64, count=count),
            "median_difference_ticks": metrics["median_difference"] * TICKS_PER_USD,
            "distant_share": metrics["distant_share"],
        }
    )


def _texts(values: list[str]) -> pd.Series:
    return pd.Series(values, dtype="str")
