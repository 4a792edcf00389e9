"""The first pass over a file: which minutes it holds and how lively they are, in memory that does not grow with the file.

From these counts follow the timeframe (`decide_timeframe`), the runs of daily bars under an intraday name (`daily_runs`),
the hours of trading (`trading_slots`) and the rows that look frozen (`frozen.py`), before any row is converted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.providers.files.errors import FileFormatError
from goldsignal_pipeline.providers.files.levels import Level
from goldsignal_pipeline.providers.files.reader import Chunk, Reader, to_floats
from goldsignal_pipeline.providers.files.zones import Slots

Progress = Callable[[int], None]

_FIRST: Final = np.datetime64("1990-01-01", "m")
_MINUTES: Final = int((np.datetime64("2051-01-01", "m") - _FIRST).astype(np.int64))
_QUARTER: Final = 15
_QUARTERS_PER_WEEK: Final = 7 * 24 * 4
_RECENT_ROWS: Final = 60_000
_RECENT_DAYS: Final = np.timedelta64(60, "D")
_SPACING_SHARE: Final = 0.10
_DAY_GAP_MINUTES: Final = 20 * 60
_DAY_RUN_ROWS: Final = 5
# A file that fills closed hours holds nearly every slot; gold trades 115 of 168 hours.
_ALWAYS_OPEN_SHARE: Final = 0.9
_DAYS_TO_JUDGE_FILLER: Final = 6
# Filler moves about 1/17 of a median open bar; the threshold lies between, against the busiest tenth of a week.
_LIVELY_SHARE: Final = 0.12


@dataclass(slots=True)
class Census:
    """Counts over all rows. `seen`: one flag per minute; `ranges`, `counts`: high - low and rows per quarter of an hour.

    `recent`: columns stamp, range, volume of the newest rows (all rows of a file of daily or 4-hour bars).
    """

    seen: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(_MINUTES, dtype=bool))
    ranges: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(_MINUTES // _QUARTER + 1))
    counts: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(_MINUTES // _QUARTER + 1, dtype=np.int32))
    rows: int = 0
    dated: int = 0
    off_minute: int = 0
    priced: int = 0
    all_whole: bool = True
    has_volume: bool = False
    sides: tuple[Side, ...] = ()
    levels: list[Level] = field(default_factory=list)
    recent: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"stamp": [], "range": [], "volume": []}))

    _minutes: npt.NDArray[np.int64] | None = field(default=None, repr=False)

    @property
    def minutes(self) -> npt.NDArray[np.int64]:
        """The distinct minutes with a row, ascending, counted from 1990."""
        if self._minutes is None:
            self._minutes = np.flatnonzero(self.seen)
        return self._minutes

    def add(self, chunk: Chunk) -> None:
        """Count one chunk; a file of bid and ask is judged by its first side."""
        self.rows += len(chunk.stamps) + len(chunk.unreadable)
        self.sides = tuple(dict.fromkeys((*self.sides, *chunk.quotes)))
        quote = next(iter(chunk.quotes.values()))
        frame = row_figures(chunk.stamps, quote)
        minute = (frame["stamp"].to_numpy().astype("datetime64[m]") - _FIRST).astype(np.int64)
        inside = ~np.isnat(chunk.stamps) & (minute >= 0) & (minute < _MINUTES)
        frame, minute = frame[inside], minute[inside]
        self.dated += len(frame)
        stamps = frame["stamp"].to_numpy()
        self.off_minute += int(np.count_nonzero(stamps.astype("datetime64[m]") != stamps))
        self.seen[minute] = True
        self._minutes = None
        ranges = frame["range"].to_numpy()
        known = np.isfinite(ranges)
        np.add.at(self.ranges, minute[known] // _QUARTER, ranges[known])
        np.add.at(self.counts, minute[known] // _QUARTER, 1)
        self.has_volume |= bool((frame["volume"] > 0).any())
        self._add_levels(frame)
        self._add_recent(frame)

    def _add_levels(self, frame: pd.DataFrame) -> None:
        close = frame.loc[np.isfinite(frame["close"]) & (frame["close"] > 0), ["stamp", "close"]]
        self.priced += len(close)
        # Exports that went through a float hold 172068.00000000003.
        self.all_whole &= bool((abs(close["close"] - close["close"].round()) < 1e-6).all())
        for year, closes in close["close"].groupby(close["stamp"].dt.year):
            self.levels.append(Level(year=int(str(year)), median=float(closes.median()), rows=len(closes)))

    def _add_recent(self, frame: pd.DataFrame) -> None:
        fresh = frame[["stamp", "range", "volume"]]
        self.recent = pd.concat([self.recent, fresh], ignore_index=True) if len(self.recent) else fresh.reset_index(drop=True)
        if len(self.recent) > _RECENT_ROWS:
            newest = self.recent["stamp"].max()
            recent = self.recent[self.recent["stamp"] > newest - _RECENT_DAYS].drop_duplicates()
            self.recent = recent.tail(2 * _RECENT_ROWS).reset_index(drop=True)

    def forget(self, stamps: Instants) -> None:
        """Take minutes out again that turned out to be no bars of this timeframe."""
        minute = (stamps.astype("datetime64[m]") - _FIRST).astype(np.int64)
        self.seen[minute] = False
        self._minutes = None
        self.counts[minute // _QUARTER] = 0
        self.ranges[minute // _QUARTER] = 0.0


def take_census(reader: Reader, *, progress: Progress | None) -> Census:
    """Read the whole file once and count; raises FileFormatError when it holds no row with a time and a price."""
    census = Census()
    for chunk in reader.chunks():
        census.add(chunk)
        if progress is not None:
            progress(chunk.position)
    if not census.dated or not census.priced:
        lacking = "time" if not census.dated else "price"
        raise FileFormatError(
            f"none of {census.rows} rows has a readable {lacking}",
            done="nothing was read",
            fix="export the file again; times as 2024-01-31 23:59:00 (UTC offset allowed), prices as plain decimals",
        )
    return census


def row_figures(stamps: Instants, quote: pd.DataFrame) -> pd.DataFrame:
    """Stamp, close, range and volume of each row as plain floats, for judging only; NaN where unreadable."""
    numbers = {name: to_floats(quote[name]) for name in _FIGURES}
    return pd.DataFrame(
        {
            "stamp": stamps,
            "close": numbers["close"],
            "range": numbers["high"] - numbers["low"],
            "volume": numbers["volume"],
        }
    )


_FIGURES: Final = ("high", "low", "close", "volume")


def decide_timeframe(census: Census, *, claimed: Timeframe | None, stated: Timeframe | None) -> Timeframe:
    """The bar length that the spacing of the rows shows; raises FileFormatError when it contradicts `claimed`.

    A file too short to show one needs `claimed` (the user) or `stated` (its header or name). The finest spacing that a
    tenth of the rows have counts: gaps are longer, and daily bars at the head of an hourly file must not decide.
    """
    gaps = np.diff(census.minutes)
    if census.off_minute > census.dated // 2:
        raise FileFormatError(
            "most rows are not on a whole minute: these are ticks, not candles",
            done="nothing was read",
            fix="export candles of M1 or longer",
        )
    if not len(gaps):
        if claimed or stated:
            return claimed or stated  # type: ignore[return-value]  # one of them is not None
        raise FileFormatError("one row does not tell its timeframe", done="nothing was read", fix="name it with --timeframe")
    lengths, counts = np.unique(gaps, return_counts=True)
    frequent = lengths[counts >= _SPACING_SHARE * len(gaps)]
    spacing = int(frequent[0]) if len(frequent) else int(lengths[0])
    found = next((timeframe for timeframe in Timeframe if timeframe.minutes == spacing), None)
    if found is None:
        raise FileFormatError(
            f"rows are {_spoken(spacing)} apart, which is none of the timeframes M1 M5 M15 M30 H1 H4 D1",
            done="nothing was read",
            fix="export one of these timeframes",
        )
    if claimed not in (None, found):
        raise FileFormatError(
            f"rows are {_spoken(spacing)} apart: these are {found} bars, not {claimed}",
            done="nothing was read",
            fix=f"leave --timeframe out or say {found}",
        )
    return found


def daily_runs(census: Census, *, timeframe: Timeframe) -> Instants:
    """Stamps of daily bars in a file of `timeframe`: five or more rows in a row that lie most of a day apart.

    Brokers answer with daily bars where they have no finer history. The row that ends a run belongs to it when it shows
    the same time of day.
    """
    if not timeframe.is_utc_aligned:
        return np.array([], dtype="datetime64[us]")
    minutes = census.minutes
    wide = np.concatenate([np.diff(minutes) >= _DAY_GAP_MINUTES, [False]])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wide, [False]]).astype(np.int8)))
    picked: list[npt.NDArray[np.int64]] = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start < _DAY_RUN_ROWS:
            continue
        run = minutes[start:stop]
        ends_it = stop < len(minutes) and (minutes[stop] - run[-1]) % 1440 == 0
        picked.append(minutes[start : stop + 1] if ends_it else run)
    chosen = np.concatenate(picked) if picked else np.array([], dtype=np.int64)
    return np.asarray(_FIRST + chosen.astype("timedelta64[m]")).astype("datetime64[us]")


def fills_closed_hours(census: Census, *, timeframe: Timeframe) -> bool:
    """True when nearly every slot of the span has a row, so that presence tells nothing about trading hours."""
    minutes = census.minutes
    span = minutes[-1] - minutes[0] + timeframe.minutes
    slot = max(timeframe.minutes, _QUARTER)
    return bool(len(np.unique(minutes // slot)) * slot > _ALWAYS_OPEN_SHARE * span and span >= 2 * 1440)


def shows_hours(census: Census, *, timeframe: Timeframe) -> bool:
    """False for a file that fills closed hours and is shorter than a week: its ranges alone prove nothing."""
    return not fills_closed_hours(census, timeframe=timeframe) or int(np.ptp(census.minutes)) >= _DAYS_TO_JUDGE_FILLER * 1440


def trading_slots(census: Census, *, timeframe: Timeframe) -> Slots:
    """The file's hours as a grid: quarters of an hour up to M15, M30 and H1 their own, H4 and D1 the hours they cover."""
    minutes = census.minutes
    size = min(max(timeframe.minutes, _QUARTER), 60)
    if timeframe.is_utc_aligned:
        active = np.unique(minutes // size)
    else:
        covered = minutes[:, None] + np.arange(0, timeframe.minutes, 60)
        active = np.unique(covered // size)
    grid = np.arange(active[0], active[-1] + 1)
    flags = np.zeros(len(grid), dtype=bool)
    flags[active - active[0]] = True
    if timeframe.is_utc_aligned and fills_closed_hours(census, timeframe=timeframe):
        flags &= _lively(census, grid, size=size)
    stamps = active * size if timeframe.is_utc_aligned else minutes
    stamp_minutes = size if timeframe.is_utc_aligned else timeframe.minutes
    return Slots(_wall(grid * size), flags, size, _wall(stamps), stamp_minutes, min(timeframe.minutes, 60))


def _lively(census: Census, grid: npt.NDArray[np.int64], *, size: int) -> npt.NDArray[np.bool_]:
    """Slots whose mean range is not that of filler, measured against the lively tenth of the week."""
    quarters = (grid[:, None] * size) // _QUARTER + np.arange(size // _QUARTER)
    counts = census.counts[quarters].sum(axis=1)
    mean = census.ranges[quarters].sum(axis=1) / np.maximum(counts, 1)
    week = pd.Series(quarters[:, 0] // _QUARTERS_PER_WEEK)
    typical = pd.Series(np.where(counts > 0, mean, np.nan)).groupby(week).transform("quantile", 0.9).to_numpy()
    return np.asarray(mean >= _LIVELY_SHARE * typical)


def _wall(minutes: npt.NDArray[np.int64]) -> Instants:
    return np.asarray(_FIRST + minutes.astype("timedelta64[m]")).astype("datetime64[us]")


def _spoken(minutes: int) -> str:
    for name, length in (("week", 10_080), ("day", 1_440), ("hour", 60), ("minute", 1)):
        if minutes % length == 0:
            count = minutes // length
            return f"one {name}" if count == 1 else f"{count} {name}s"
    raise AssertionError(minutes)
