"""Candles as everybody reads them, whether they are held or were pruned.

1. `prune` deletes old months of short bars, where `raw_candles` gives them again, and marks them.
2. `read` gives the bars of a range: those that are held, and those of marked months by the projection that made them.

So whoever computes, explains or proves reads the same before and after; a pruned month only takes longer. Deriving a month
(`assets.derive`) writes its rows again and removes the mark.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd

from goldsignal_pipeline.assets import derive
from goldsignal_pipeline.assets.gate_record import ensure_source_order, read_source_orders
from goldsignal_pipeline.assets.partitions import month_of, month_start, next_month
from goldsignal_pipeline.market.candles import closing_months
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.projection import project
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import candles, digests, pruned_candles, raw_candles
from goldsignal_pipeline.storage.locks import lock_months

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

MOST_AT_ONCE: Final = 240
"""Months of a timeframe that one run deletes at most."""
_LONGEST_BAR: Final = timedelta(minutes=30)
_LONG_AFTER: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Pruned:
    """A month of a timeframe whose rows were deleted."""

    symbol: str
    timeframe: Timeframe
    month: str
    rows: int


def prune(database: Database, settings: Settings, *, now: datetime) -> list[Pruned]:
    """Delete the bars of each timeframe of `keep_candles` that closed before its months; earliest first, `MOST_AT_ONCE` at most.

    Only of months whose candles are those that `raw_candles` gives now: others have to be derived first.
    """
    with database.transaction() as connection:
        symbols = digests.symbols(connection, asset="candles")
        if symbols and settings.keep_candles:
            ensure_source_order(connection, settings, symbols=symbols, now=now)
        due = [
            (month, symbol, timeframe)
            for timeframe, kept in settings.keep_candles.items()
            for symbol in symbols
            for month in candles.months_before(
                connection, symbol=symbol, timeframe=timeframe, before=month_start(next_month(month_of(now), steps=-kept))
            )
        ]
    done = [
        _prune_month(database, settings, month=month, symbol=symbol, timeframe=timeframe, now=now)
        for month, symbol, timeframe in sorted(due)[:MOST_AT_ONCE]
    ]
    return [one for one in done if one.rows]


def _prune_month(
    database: Database, settings: Settings, *, month: str, symbol: str, timeframe: Timeframe, now: datetime
) -> Pruned:
    with database.transaction() as connection:
        lock_months(connection, table=candles.TABLE, months=[month])
        rules = derive.Rules.of(connection, symbol=symbol, grace=settings.grace, source_order=settings.source_order)
        if month in derive.stale_months(connection, symbol=symbol, rules=rules):
            return Pruned(symbol, timeframe, month, 0)
        start, end = month_start(month), month_start(next_month(month))
        rows = candles.delete_closing(connection, symbol=symbol, timeframe=timeframe, start=start, end=end)
        if rows:
            pruned_candles.mark(connection, symbol=symbol, timeframe=timeframe, month=month, rows=rows, now=now)
        return Pruned(symbol, timeframe, month, rows)


def read(
    connection: Connection,
    *,
    symbol: str,
    timeframes: Sequence[Timeframe],
    start: datetime,
    end: datetime,
    columns: Sequence[str] = tuple(candles.KINDS),
    only_base: bool = False,
) -> dict[Timeframe, pd.DataFrame]:
    """The bars of each timeframe that open in [start, end), ascending, as `storage.candles.read` gives them."""
    held = candles.read_each(
        connection, symbol=symbol, timeframes=timeframes, start=start, end=end, columns=columns, only_base=only_base
    )
    marked = pruned_candles.months(connection, symbol=symbol)
    wanted = {one: _within(marked[one], start=start, end=end) for one in timeframes if one in marked}
    missing = sorted(set().union(*wanted.values()))
    if not missing:
        return held
    again = _derived_again(connection, symbol=symbol, months=missing)
    if only_base:
        again = again[(again["base_timeframe"] == again["timeframe"]).to_numpy()]
    closes_in = closing_months(again)
    for timeframe, months in wanted.items():
        own = (again["timeframe"] == timeframe.value).to_numpy() & pd.Series(closes_in).isin(months).to_numpy()
        rows = again[own & ((again["timestamp"] >= start) & (again["timestamp"] < end)).to_numpy()][list(columns)]
        frames = [frame for frame in (held[timeframe], rows) if len(frame)]
        if frames:
            held[timeframe] = pd.concat(frames, ignore_index=True).sort_values("timestamp", ignore_index=True)
    return held


def read_all(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The bars of all timeframes that open in [start, end), by timeframe (shortest first) and open."""
    frames = read(connection, symbol=symbol, timeframes=tuple(Timeframe), start=start, end=end)
    return pd.concat([frame for frame in frames.values() if len(frame)] or [*frames.values()][:1], ignore_index=True)


def _within(months: Collection[str], *, start: datetime, end: datetime) -> set[str]:
    """Those in which a bar closes that opens in [start, end)."""
    return {month for month in months if month_start(month) - _LONGEST_BAR < end and start < month_start(next_month(month))}


def _derived_again(connection: Connection, *, symbol: str, months: Sequence[str]) -> pd.DataFrame:
    """The candles of months (ascending, holes allowed) from what was observed, as they were derived once."""
    orders = read_source_orders(connection, symbol=symbol, otherwise=())
    parts = []
    for first, last in _neighbours(months):
        begin, start, end = month_start(next_month(first, steps=-1)), month_start(first), month_start(next_month(last))
        projection = project(
            raw_candles.newest(connection, symbol=symbol, start=begin, end=end),
            calendar=load_calendar(),
            start=start,
            end=end,
            now=end + _LONG_AFTER,
            grace=timedelta(0),
            source_order=orders,
        )
        parts.append(projection.candles)
    return pd.concat(parts, ignore_index=True)


def _neighbours(months: Sequence[str]) -> list[tuple[str, str]]:
    """The first and last of each run of consecutive months."""
    firsts = [month for month in months if next_month(month, steps=-1) not in months]
    lasts = [month for month in months if next_month(month) not in months]
    return list(zip(firsts, lasts, strict=True))
