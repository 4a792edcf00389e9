"""Bars as they read at an instant, where that differs from today: what a correction has changed since.

1. `_CORRECTED` finds the bars of which one version was seen by then and another only later. A bar first seen later is no
   correction: it was filled in, and counts from when it closed.
2. The months with such bars, and those in which a day that holds them may open, are projected again from what was known, by the
   projection that makes candles.
3. `corrections` gives the bars of a timeframe that come out otherwise than they are stored.

At most `MOST_MONTHS` months are projected, the newest first, because each costs a good part of a second; where that is not all of
them, `exact_from` says from when on bars read as they did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pandas as pd
from sqlalchemy import text

from goldsignal_pipeline.assets.gate_record import read_source_orders
from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.projection import project
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import candles, raw_candles

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings

MOST_MONTHS: Final = 6
ReadBar = tuple[int, float, float, float, float]
"""Open in epoch seconds; open, high, low and close as they read."""

PRICES: Final = ("open", "high", "low", "close")
_CORRECTED: Final = text("""
    SELECT DISTINCT to_char((timestamp - days.back) AT TIME ZONE 'UTC', 'YYYY-MM') AS month
    FROM goldsignal.raw_candles AS later, unnest(ARRAY[interval '0', interval '1 day']) AS days(back)
    WHERE symbol = :symbol AND timestamp >= :start AND timestamp < :end AND observed_at > :as_of AND EXISTS (
        SELECT FROM goldsignal.raw_candles AS earlier
        WHERE earlier.symbol = later.symbol AND earlier.timestamp = later.timestamp AND earlier.timeframe = later.timeframe
            AND earlier.source = later.source AND earlier.observed_at <= :as_of)
    ORDER BY 1 DESC
""")


@dataclass(frozen=True, slots=True)
class Span:
    """Bars of a timeframe that open in [start, end)."""

    symbol: str
    timeframe: Timeframe
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ReadThen:
    """The bars that read otherwise then, by time. Those that open before `exact_from` read as today, corrected or not."""

    bars: list[ReadBar]
    exact_from: datetime | None = None


def corrections(connection: Connection, settings: Settings, *, span: Span, as_of: datetime) -> ReadThen:
    """The bars of the span that read otherwise at `as_of`."""
    named = {"symbol": span.symbol, "start": span.start, "end": min(span.end, as_of), "as_of": as_of}
    months: Sequence[str] = connection.execute(_CORRECTED, named).scalars().all()
    found: dict[int, ReadBar] = {}
    for month in months[:MOST_MONTHS]:
        found |= {bar[0]: bar for bar in _of_month(connection, settings, span=span, month=month, as_of=as_of)}
    rest = months[MOST_MONTHS:]
    return ReadThen([found[at] for at in sorted(found)], month_start(next_month(rest[0])) if rest else None)


def _of_month(connection: Connection, settings: Settings, *, span: Span, month: str, as_of: datetime) -> list[ReadBar]:
    start, beyond = month_start(month), month_start(next_month(month, steps=2))
    observed = raw_candles.newest(
        connection, symbol=span.symbol, start=month_start(next_month(month, steps=-1)), end=beyond, as_of=as_of
    )
    known = project(
        observed,
        calendar=load_calendar(),
        start=start,
        end=beyond,
        now=as_of,
        grace=settings.grace,
        source_order=read_source_orders(connection, symbol=span.symbol, otherwise=settings.source_order, recorded_until=as_of),
    ).candles
    opens = known["timestamp"]
    known = known[(known["timeframe"] == span.timeframe.value) & (opens >= span.start) & (opens < span.end)]
    today = candles.read(connection, symbol=span.symbol, timeframe=span.timeframe, start=start, end=beyond)
    both = known.merge(today, on="timestamp", suffixes=("", "_today"))
    differs = pd.concat([both[name] != both[f"{name}_today"] for name in PRICES], axis=1).any(axis=1)
    changed = both[differs]
    times = (changed["timestamp"].astype("int64") // 1_000_000).tolist()
    prices = [(changed[name] / 100).tolist() for name in PRICES]
    return list(zip(times, *prices, strict=True))
