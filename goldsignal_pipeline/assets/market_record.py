"""Candles of one symbol as the core reads them: frames by timeframe, base bars, and where the record begins and ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from sqlalchemy import text

from goldsignal_pipeline.assets import kept_candles
from goldsignal_pipeline.assets.gate_record import read_spreads
from goldsignal_pipeline.assets.partitions import month_of, month_start, next_month
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_datetime, to_instant
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.storage import digests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

BASES: Final = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1)
_COLUMNS: Final = ("timeframe", "timestamp", "open", "high", "low", "close", "volume", "source", "base_timeframe")
_INSTANT: Final = timedelta(microseconds=1)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST: Final = text(
    "SELECT min(oldest) FROM unnest(CAST(:timeframes AS text[])) AS listed (timeframe), LATERAL ("
    " SELECT min(timestamp) AS oldest FROM goldsignal.candles AS held"
    " WHERE held.symbol = :symbol AND held.timeframe = listed.timeframe AND held.timestamp >= :since) AS first"
)


def record_start(connection: Connection, *, symbol: str) -> datetime | None:
    """The open of the oldest candle of a symbol; None without any."""
    return _oldest(connection, symbol=symbol, since=_BEGINNING)


def unbroken_records(connection: Connection, *, symbol: str, months: Sequence[str]) -> dict[datetime, list[str]]:
    """The months by the open of the oldest candle of their record, which a month without any candle ends.

    After such a hole indicators have to warm up again, as at the beginning. Months before the first candle are left out.
    """
    held = digests.by_month(connection, asset="candles", symbol=symbol)
    filled = {month for month, digest in held.items() if digest.rows}
    begins = sorted(month for month in filled if next_month(month, steps=-1) not in filled)
    found: dict[datetime, list[str]] = {}
    for first, beyond in zip(begins, [*begins[1:], None], strict=True):
        own = [month for month in months if first <= month and (beyond is None or month < beyond)]
        # The bar of midnight opened in the month before.
        oldest = _oldest(connection, symbol=symbol, since=month_start(next_month(first, steps=-1)))
        if own and oldest is not None:
            found[oldest] = own
    return found


def frames(
    connection: Connection, *, symbol: str, timeframes: Sequence[Timeframe], start: datetime, end: datetime
) -> dict[Timeframe, pd.DataFrame]:
    """The candles of each timeframe that open in [start, end); timeframes without any are left out."""
    read = kept_candles.read(connection, symbol=symbol, timeframes=timeframes, start=start, end=end)
    return {timeframe: frame for timeframe, frame in read.items() if len(frame)}


def base_bars(
    connection: Connection, *, symbol: str, start: datetime, end: datetime, now: datetime, grace: timedelta
) -> BaseBars:
    """The base bars that open at `start` or later and close before `end`, a month's first instant.

    Each has the spread of the table in force at its open, by the settings. The record counts as complete up to the end of the
    last of the months that is over, however many are read at once, or up to the newest close: an expiry over a hole in the
    newest bars of the running month waits for them.
    """
    read = kept_candles.read(connection, symbol=symbol, timeframes=BASES, start=start, end=end, columns=_COLUMNS, only_base=True)
    rows = pd.concat(list(read.values()), ignore_index=True)
    bars = BaseBars.of_candles(rows, spreads=read_spreads(connection, symbol=symbol))
    return bars.until(to_instant(end - _INSTANT)).known(to_instant(over_until(end, now=now, grace=grace) - _INSTANT))


def over_until(end: datetime, *, now: datetime, grace: timedelta) -> datetime:
    """The end of the last month before `end` that is over: what has not come of it did not happen."""
    return min(end, month_start(month_of(now - grace)))


def month_bounds(months: Sequence[str]) -> tuple[datetime, datetime]:
    """The first instant of consecutive months and the first after them."""
    return month_start(months[0]), month_start(next_month(months[-1]))


def newest_close(bars: BaseBars) -> datetime | None:
    """Up to when the bars tell what happened; None without any."""
    return to_datetime(np.datetime64(bars.known_until)) if len(bars) else None


def _oldest(connection: Connection, *, symbol: str, since: datetime) -> datetime | None:
    parameters = {"symbol": symbol, "since": since, "timeframes": [str(timeframe) for timeframe in Timeframe]}
    oldest: datetime | None = connection.execute(_OLDEST, parameters).scalar_one()
    return oldest
