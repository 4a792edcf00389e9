"""Quality: which stored bars are suspect, and which are contradicted.

1. `judge` measures each bar against the mean true range of the 14 bars before it (a simple mean over a bounded past, so that
   the verdict does not depend on where the loaded window begins).
2. Flagged, never dropped: `outlier` (range beyond 20 ATR, or an open 15 ATR away from the last close with no session gap
   between; real ones are FOMC, CPI and Sunday opens) and `flat` (a price frozen for half an hour of trading).
3. `contradicted` drops one kind only: the extreme of an outlier that the market took back at once (its close and the whole
   next bar lie within 2 ATR of the last close) and that neither a second source nor a finer bar saw.

Recorded M5 and H1 candles hold single flat bars, and runs only around holidays; a frozen feed is flat for hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.candles import Bars
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants

ATR_BARS: Final = 14
OUTLIER_RANGE_ATR: Final = 20
OUTLIER_JUMP_ATR: Final = 15
CONTRADICTION_ATR: Final = 2
FLAT_MINUTES: Final = 30
FEWEST_FLAT_BARS: Final = 3
SMALLEST_ATR_SHARE: Final = 20_000
"""ATR counts as at least the price over this (0.2 USD at 4000), so that a frozen feed does not make a cent an outlier."""
LONGEST_MEMORY: Final = np.timedelta64(25, "D")
"""The past that a verdict may use: less than the shortest month, so a month and the one before it are enough."""

UNREMARKABLE, FLAT, OUTLIER = np.int8(0), np.int8(1), np.int8(2)

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The bars of one source and timeframe, with the nominal end of each."""

    source: str
    timeframe: Timeframe
    bars: Bars
    closes: Instants

    @classmethod
    def of(cls, bars: Bars, *, source: str, timeframe: Timeframe) -> Series:
        """A series of `bars`, which ascend and are unique."""
        return cls(source, timeframe, bars, bar_close(bars.opens, timeframe=timeframe))

    def take(self, where: Flags) -> Series:
        """The series at a mask."""
        return Series(self.source, self.timeframe, self.bars.take(where), self.closes[where])


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """One entry per bar: `flags` (0 unremarkable, 1 flat, 2 outlier; positions in `candles.FLAGS`) and `retracted`.

    `retracted` marks outliers whose extreme the market took back at once; they are contradicted unless something confirms
    them.
    """

    flags: npt.NDArray[np.int8]
    retracted: Flags


def judge(series: Series, *, calendar: TradingCalendar) -> Verdict:
    """Judge every bar by the bars before it and, for `retracted`, by the next bar of the same UTC month.

    The next bar must follow without trading time between. A month's last bar is therefore never retracted: its successor
    belongs to the next partition, and the verdict must not depend on which months are loaded.
    """
    bars, closes = series.bars, series.closes
    flags = np.full(len(bars), UNREMARKABLE, dtype=np.int8)
    flags[_is_flat(bars, timeframe=series.timeframe)] = FLAT
    retracted = np.zeros(len(bars), dtype=bool)
    if len(bars) <= ATR_BARS + 1:
        return Verdict(flags, retracted)
    last_close = np.concatenate([bars.close[:1], bars.close[:-1]])
    sums, known = _true_range_sums(bars, last_close)
    wide = known & ((bars.high - bars.low) * ATR_BARS > OUTLIER_RANGE_ATR * sums)
    far = np.flatnonzero(known & (np.abs(bars.open - last_close) * ATR_BARS > OUTLIER_JUMP_ATR * sums))
    jumped = far[_without_closed_time(closes[far - 1], bars.opens[far], calendar=calendar)]
    flags[wide] = OUTLIER
    flags[jumped] = OUTLIER

    wide_at = np.flatnonzero(wide[:-1])
    follows = calendar.open_minutes_between(closes[wide_at], bars.opens[wide_at + 1]) == 0
    months = bars.opens.astype("datetime64[M]")
    wide_at = wide_at[follows & (months[wide_at] == months[wide_at + 1])]
    level, bound = last_close[wide_at], CONTRADICTION_ATR * sums[wide_at]
    reach = np.stack([bars.close[wide_at], bars.high[wide_at + 1], bars.low[wide_at + 1]]) - level
    retracted[wide_at[(np.abs(reach) * ATR_BARS <= bound).all(axis=0)]] = True
    return Verdict(flags, retracted)


def contradicted(series: Series, *, retracted: Flags, witnesses: Sequence[Series]) -> Flags:
    """Which retracted bars no witness confirms.

    Witnesses are the series of other sources, and the finer ones of the same source without their contradicted bars. One
    confirms when a bar of it that overlaps in time reaches at least half way from the last close to the extreme.
    """
    dropped = retracted.copy()
    for position in np.flatnonzero(retracted):
        dropped[position] = not any(_confirms(witness, series, int(position)) for witness in witnesses)
    return dropped


def _confirms(witness: Series, accused: Series, position: int) -> bool:
    first = int(np.searchsorted(witness.closes, accused.bars.opens[position], side="right"))
    end = int(np.searchsorted(witness.bars.opens, accused.closes[position], side="left"))
    if first >= end:
        return False
    last_close = accused.bars.close[position - 1]
    rise, fall = accused.bars.high[position] - last_close, last_close - accused.bars.low[position]
    if rise >= fall:
        return bool(2 * (witness.bars.high[first:end].max() - last_close) >= rise)
    return bool(2 * (last_close - witness.bars.low[first:end].min()) >= fall)


def _true_range_sums(bars: Bars, last_close: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Flags]:
    """14 times the ATR of the bars before each bar, in exact ticks, and where that many lie in the bounded past."""
    true_range = np.maximum(bars.high, last_close) - np.minimum(bars.low, last_close)
    total = np.concatenate([[0], np.cumsum(true_range)])
    sums = np.zeros(len(bars), dtype=np.int64)
    first = ATR_BARS + 1
    sums[first:] = total[first:-1] - total[1 : len(total) - first]
    known = np.zeros(len(bars), dtype=bool)
    known[first:] = bars.opens[first:] - bars.opens[:-first] <= LONGEST_MEMORY
    return np.maximum(sums, ATR_BARS * last_close // SMALLEST_ATR_SHARE), known


def _without_closed_time(start: Instants, end: Instants, *, calendar: TradingCalendar) -> Flags:
    """Where the market traded all the way from a close to the next open; H4 and D1 bars may open while it rests."""
    minutes = (end - start).astype("timedelta64[m]").astype(np.int64)
    return np.asarray((calendar.open_minutes_between(start, end) == minutes) & calendar.is_open(end))


def _is_flat(bars: Bars, *, timeframe: Timeframe) -> Flags:
    """Bars at the end of a run that has not moved for half an hour of bars, nor for fewer than three."""
    run = max(FEWEST_FLAT_BARS, FLAT_MINUTES // timeframe.minutes)
    flat = np.zeros(len(bars), dtype=bool)
    if len(bars) < run:
        return flat
    still = bars.high == bars.low
    repeats = np.concatenate([[False], still[1:] & still[:-1] & (bars.close[1:] == bars.close[:-1])])
    repeated = np.cumsum(repeats)
    recent = bars.opens[run - 1 :] - bars.opens[: len(bars) - run + 1] <= LONGEST_MEMORY
    flat[run - 1 :] = (repeated[run - 1 :] - repeated[: len(bars) - run + 1] == run - 1) & recent
    return flat
