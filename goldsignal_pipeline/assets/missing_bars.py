"""Every expected bar of a range that is missing, with its reason, and how long the market was closed and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from sqlalchemy import text

from goldsignal_pipeline.assets import kept_candles
from goldsignal_pipeline.assets.partitions import month_of, month_start, next_month
from goldsignal_pipeline.market.coverage import DEFAULT_BASE, day_grid
from goldsignal_pipeline.market.gaps import closed_minutes, find_gaps
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.storage import fetches, trading_days

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The grid of a month begins with the trading day in which the month does, which may open before a long weekend.
_REACH: Final = timedelta(days=7)

# A row that was turned away because its bar had not closed yet says nothing about the bar.
_QUARANTINED: Final = """
    SELECT DISTINCT timeframe, timestamp FROM quarantined_candles
    WHERE symbol = :symbol AND timestamp >= :start AND timestamp < :end AND reason NOT IN ('forming', 'future')
"""


@dataclass(frozen=True, slots=True)
class GapReport:
    """The gaps that begin in [start, end), and the closed minutes there by reason."""

    symbol: str
    start: datetime
    end: datetime
    gaps: pd.DataFrame
    closed_minutes: dict[str, int]

    @property
    def missing_bars(self) -> dict[str, int]:
        """Missing bars by reason."""
        return {str(reason): int(count) for reason, count in self.gaps.groupby("reason")["missing_bars"].sum().items()}

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values; times in UTC."""
        rows = [
            {str(name): value for name, value in row.items()} | {name: row[name].to_pydatetime() for name in ("start", "end")}
            for row in self.gaps.to_dict("records")
        ]
        return {
            "symbol": self.symbol,
            "from": self.start,
            "to": self.end,
            "missing_bars": self.missing_bars,
            "closed_minutes": self.closed_minutes,
            "gaps": rows,
        }


def find(connection: Connection, *, grace: timedelta, symbol: str, start: datetime, end: datetime, now: datetime) -> GapReport:
    """The gaps of the record that begin in [start, end), as of `now`; days never derived count on the default base."""
    calendar = load_calendar()
    first, beyond = month_start(month_of(start)), month_start(next_month(month_of(end)))
    parts = _day_parts(connection, symbol=symbol, start=start, end=end, now=now)
    bases = sorted(set(parts["base_timeframe"]))
    found = find_gaps(
        _held(connection, symbol=symbol, bases=bases, start=first, end=beyond),
        day_parts=parts,
        calendar=calendar,
        now=now,
        grace=grace,
        quarantined=_quarantined(connection, symbol=symbol, start=first, end=beyond),
        asked=_asked(connection, symbol=symbol, start=first, end=beyond),
    )
    closed = closed_minutes(calendar=calendar, start=start, end=min(end, now)) if start < now else {}
    return GapReport(symbol, start, end, _cut(found, start=start, end=end), closed)


def _cut(found: pd.DataFrame, *, start: datetime, end: datetime) -> pd.DataFrame:
    """The gaps within [start, end); one that reaches across an end keeps what lies inside."""

    def expected(timeframe: str, since: datetime, until: datetime) -> int:
        return len(load_calendar().expected_opens(timeframe=Timeframe(timeframe), start=since, end=until)) if since < until else 0

    rows = found.to_dict("records")
    for row in rows:
        row["missing_bars"] -= expected(row["timeframe"], row["start"], start) + expected(row["timeframe"], end, row["end"])
    cut = found.assign(
        missing_bars=[row["missing_bars"] for row in rows],
        start=found["start"].where(found["start"] >= start, start),
        end=found["end"].where(found["end"] <= end, end),
    )
    return cut[cut["missing_bars"] > 0].reset_index(drop=True)


def _day_parts(connection: Connection, *, symbol: str, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
    """Every part of the calendar's grid that [start, end) touches, with the base that it was derived on where it was."""
    first, beyond = month_start(month_of(start)), month_start(next_month(month_of(end)))
    grid = day_grid(calendar=load_calendar(), start=first, end=beyond, now=now)
    parts = pd.DataFrame({"trading_day": grid.trading_days.astype("datetime64[us]"), "month": grid.months.astype(str)})
    parts = parts[(grid.ends > to_instant(start)) & (grid.begins < to_instant(end))]
    known = trading_days.read(connection, symbol=symbol, start=first - _REACH, end=beyond)
    merged = parts.merge(known[["trading_day", "month", "base_timeframe"]], on=["trading_day", "month"], how="left")
    return merged.fillna({"base_timeframe": DEFAULT_BASE.value})


def _held(connection: Connection, *, symbol: str, bases: list[str], start: datetime, end: datetime) -> pd.DataFrame:
    timeframes, columns = [Timeframe(base) for base in bases], ("timeframe", "timestamp")
    read = kept_candles.read(connection, symbol=symbol, timeframes=timeframes, start=start - _REACH, end=end, columns=columns)
    return pd.concat(list(read.values()), ignore_index=True)


def _asked(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Every window that any source was asked for: whoever delivers no hour of a day has no five minutes of it either."""
    frames = [
        fetches.windows(connection, symbol=symbol, timeframe=timeframe, start=start - _REACH, end=end) for timeframe in Timeframe
    ]
    return pd.concat(frames, ignore_index=True)


def _quarantined(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    rows = connection.execute(text(_QUARANTINED), {"symbol": symbol, "start": start - _REACH, "end": end}).all()
    frame = pd.DataFrame(rows, columns=["timeframe", "timestamp"])
    return frame.astype({"timeframe": "str", "timestamp": "datetime64[us, UTC]"})
