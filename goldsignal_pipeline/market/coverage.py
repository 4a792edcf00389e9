"""Coverage: how much of each trading day a source holds, and which source and timeframe a day is built from.

1. `day_grid` cuts a range of months into *day parts*: a trading day (17:00 to 17:00 New York) within one UTC month of the
   bars' opens. A day that straddles a month end has two parts.
2. `measure` counts, for one series, the bars expected and missing in each part by `now`.
3. `choose` picks one source per trading day, by the day's earliest part that holds any data, so that the choice is the same
   whichever of the two months is computed; then one timeframe per part: the finest that is covered well enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.hours import Days, TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants, to_datetime, to_instant

MISSING_SHARE: Final = 50
"""A day is complete while missing x 50 <= expected: at most 2 % of its bars are missing."""
TOLERATED_TRAILING_MINUTES: Final = 120
DEFAULT_BASE: Final = Timeframe.M5
"""The grid on which a day without any data is counted as missing."""

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class DayGrid:
    """Day parts as arrays of equal length, ascending: trading day, month, and the interval [begins, ends) of opens."""

    trading_days: Days
    months: npt.NDArray[np.datetime64]
    begins: Instants
    ends: Instants

    def __len__(self) -> int:
        return len(self.begins)

    def locate(self, opens: Instants) -> npt.NDArray[np.intp]:
        """The part in which each open lies, or -1."""
        if len(self) == 0:
            return np.full(len(opens), -1, dtype=np.intp)
        part = np.searchsorted(self.begins, opens, side="right") - 1
        inside = (part >= 0) & (opens < self.ends[np.maximum(part, 0)])
        return np.where(inside, part, -1)


def day_grid(*, calendar: TradingCalendar, start: datetime, end: datetime, now: datetime) -> DayGrid:
    """Every part that begins by `now` and can hold a bar closing in [start, end): from the trading day before `start` on.

    `start` and `end` are the first instants of UTC months; raises UsageError otherwise.
    """
    first, last = to_instant(start), to_instant(end)
    for edge in (first, last):
        if edge != edge.astype("datetime64[M]").astype("datetime64[us]"):
            raise UsageError(f"expected the first instant of a month, was {edge}Z", fix="ask for whole months")
    before: Instants = np.subtract(np.array([first, last]), np.timedelta64(1, "us"))
    days = calendar.trading_day(before)
    calendar_days = np.arange(days[0], days[1] + np.timedelta64(1, "D"))
    opens, closes = calendar.trading_day_bounds(calendar_days)
    months = np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + np.timedelta64(1, "M")).astype(
        "datetime64[us]"
    )
    edges = np.unique(np.concatenate([opens, closes[-1:], months]))
    begins, ends = edges[:-1], edges[1:]
    kept = (ends <= last) & (begins <= to_instant(now)) & (calendar.open_minutes_between(begins, ends) > 0)
    begins, ends = begins[kept], ends[kept]
    return DayGrid(calendar.trading_day(begins), begins.astype("datetime64[M]"), begins, ends)


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Per day part: bars `expected` by now, `present`, and `missing` (a short trailing run in the running part is not)."""

    expected: Counts
    present: Counts
    missing: Counts

    @property
    def is_complete(self) -> Flags:
        """Where the part holds data and at most 2 % of the bars expected so far are missing."""
        return np.asarray((self.present > 0) & (self.missing * MISSING_SHARE <= self.expected))

    @property
    def share(self) -> npt.NDArray[np.float64]:
        """The covered share of each part, 0 where it holds nothing."""
        covered = (self.expected - self.missing) / np.maximum(self.expected, 1)
        return np.asarray(np.where(self.present > 0, covered, 0.0))


def measure(
    opens: Instants, *, timeframe: Timeframe, grid: DayGrid, calendar: TradingCalendar, now: datetime, grace: timedelta
) -> Coverage:
    """Count the bars of one series in each part; `opens` are expected bars that have closed by `now`, ascending.

    A bar is expected once its nominal close and the grace have passed. Missing bars at the end of the running part count
    from two hours of trading time on.
    """
    if len(grid) == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return Coverage(nothing, nothing, nothing)
    all_expected = calendar.expected_opens(timeframe=timeframe, start=to_datetime(grid.begins[0]), end=to_datetime(grid.ends[-1]))
    due = all_expected[bar_close(all_expected, timeframe=timeframe) <= to_instant(now - grace)]
    expected, present = _count(due, grid), _count(opens, grid)
    missing = expected - present
    for part in np.flatnonzero(grid.ends > to_instant(now - grace)):
        inside = slice(*np.searchsorted(due, (grid.begins[part], grid.ends[part])))
        held = opens[slice(*np.searchsorted(opens, (grid.begins[part], grid.ends[part])))]
        missing[part] -= _tolerated(held, due[inside], timeframe=timeframe, calendar=calendar)
    return Coverage(expected, present, missing)


def choose(
    coverages: Sequence[Coverage], *, source_ranks: Sequence[int], timeframes: Sequence[Timeframe], grid: DayGrid
) -> npt.NDArray[np.intp]:
    """Pick the source of each trading day and the timeframe of each part.

    Returns for each part the position of the chosen series, or -1 where there is nothing to choose from. The series are given
    by their coverage, the rank of their source (0 is preferred) and their timeframe. The source is the first by rank with a
    complete timeframe in the day's earliest part with any data, else the one that covers most of it (ties by rank). The
    timeframe is the finest complete one of that source, else the one that covers most (ties: finer); a part without a row
    keeps the timeframe of the day's earlier part.
    """
    chosen = np.full(len(grid), -1, dtype=np.intp)
    if not coverages or len(grid) == 0:
        return chosen
    ranks = np.array(source_ranks)
    complete = np.stack([coverage.is_complete for coverage in coverages])
    scores = np.where(complete, 2.0, np.stack([coverage.share for coverage in coverages]))
    minutes = np.array([timeframe.minutes for timeframe in timeframes])
    by_preference = np.lexsort((minutes, ranks))
    first_part = _earliest_part_with_data(scores, grid)
    # argmax returns the first of equals: with rows in order of rank and timeframe, that is the preferred one.
    source = ranks[by_preference][np.argmax(scores[by_preference][:, first_part], axis=0)]
    eligible = np.where(ranks[by_preference][:, None] == source[None, :], scores[by_preference], -1.0)
    best = np.argmax(eligible, axis=0)
    has_row = eligible[best, np.arange(len(grid))] > 0
    chosen[has_row] = by_preference[best[has_row]]
    orphans = np.flatnonzero(~has_row)
    orphans = orphans[orphans > 0]
    same_day = np.asarray(grid.trading_days[orphans] == grid.trading_days[orphans - 1])
    chosen[orphans[same_day]] = chosen[orphans[same_day] - 1]
    return chosen


def _earliest_part_with_data(scores: npt.NDArray[np.float64], grid: DayGrid) -> npt.NDArray[np.intp]:
    """For each part, the part by which its trading day is judged; a day has at most two parts."""
    part = np.arange(len(grid))
    empty = np.asarray(~(scores > 0).any(axis=0))
    starts_day = np.concatenate([[True], grid.trading_days[1:] != grid.trading_days[:-1]])
    first = part[starts_day][np.cumsum(starts_day) - 1]
    return np.where(empty[first], part, first)


def _count(opens: Instants, grid: DayGrid) -> Counts:
    return np.asarray(np.searchsorted(opens, grid.ends) - np.searchsorted(opens, grid.begins), dtype=np.int64)


def _tolerated(held: Instants, due: Instants, *, timeframe: Timeframe, calendar: TradingCalendar) -> int:
    """How many bars at the end of a running part are missing for less than two hours of trading time."""
    trailing = due[due > held[-1]] if len(held) else due
    if len(trailing) == 0:
        return 0
    until = bar_close(trailing[-1:], timeframe=timeframe)
    minutes = int(calendar.open_minutes_between(trailing[:1], until)[0])
    return len(trailing) if minutes < TOLERATED_TRAILING_MINUTES else 0
