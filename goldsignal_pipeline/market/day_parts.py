"""Day parts: one row per trading day and month that says what its candles are made of, what is missing, who agrees.

1. `day_parts_table` writes down the choice of source and base timeframe and the counts behind it.
2. `agreement` compares the chosen closes with those of every other source at the same instant, whatever the timeframe: a
   bar's close is the price at its end.
3. `blocked_days` reads the verdict of a whole trading day off its parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.chosen_bars import ChosenBars
from goldsignal_pipeline.market.coverage import DEFAULT_BASE, MISSING_SHARE, Coverage, DayGrid
from goldsignal_pipeline.market.quality import Series
from goldsignal_pipeline.market.source_order import DayOrders

DAY_PART_COLUMNS: Final = (
    "trading_day",
    "month",
    "source",
    "base_timeframe",
    "expected_bars",
    "present_bars",
    "missing_bars",
    "sources_seen",
    "compared_closes",
    "median_difference_ticks",
    "distant_share",
)
DISTANT_PER_MILLE: Final = 1
"""Two closes are distant when they differ by more than 0.1 % of the price (4 USD at 4000)."""

Positions = npt.NDArray[np.intp]


def day_parts_table(
    series: Sequence[Series],
    *,
    coverages: Sequence[Coverage],
    chosen: Positions,
    chosen_bars: ChosenBars,
    orders: DayOrders,
    grid: DayGrid,
) -> pd.DataFrame:
    """One row per part of the grid, `DAY_PART_COLUMNS`.

    `coverages` has one entry per series and a last one for parts without data (`chosen` -1), counted on the default base.
    `source` is "" for those; `trading_day` is `datetime64[us]` without a zone, `month` a text "YYYY-MM". The differences are
    NaN where no other source closed a bar at the same instant.
    """
    part = np.arange(len(grid))
    expected, present, missing = (
        np.stack([getattr(coverage, name) for coverage in coverages])[chosen, part] for name in ("expected", "present", "missing")
    )
    sources = np.array([*(one.source for one in series), ""], dtype=object)[chosen]
    bases = np.array([*(one.timeframe.value for one in series), DEFAULT_BASE.value], dtype=object)[chosen]
    # A bar that reaches beyond its part would be compared with bars of another month, which may not be loaded.
    within_part = chosen_bars.closes <= grid.ends[chosen_bars.parts]
    compared, median, distant = agreement(
        series, chosen_bars=chosen_bars.take(within_part), names=orders.rankings[0], parts=len(grid)
    )
    return pd.DataFrame(
        {
            "trading_day": grid.trading_days.astype("datetime64[us]"),
            "month": pd.Series(grid.months.astype("datetime64[M]").astype(str), dtype="str"),
            "source": pd.Series(sources, dtype="str"),
            "base_timeframe": pd.Series(bases, dtype="str"),
            "expected_bars": expected,
            "present_bars": present,
            "missing_bars": missing,
            "sources_seen": pd.Series(_sources_seen(series, coverages=coverages, orders=orders), dtype="str"),
            "compared_closes": compared,
            "median_difference_ticks": median,
            "distant_share": distant,
        }
    )


def blocked_days(day_parts: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    """The trading days (`datetime64[D]`, ascending) of which more than 2 % of the bars expected so far are missing.

    Needs both parts of a day that straddles a month end.
    """
    days = day_parts.groupby("trading_day", sort=True)[["expected_bars", "missing_bars"]].sum()
    blocked = days.index[days["missing_bars"] * MISSING_SHARE > days["expected_bars"]]
    return np.asarray(blocked.to_numpy().astype("datetime64[D]"))


def agreement(
    series: Sequence[Series], *, chosen_bars: ChosenBars, names: Sequence[str], parts: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Per part: closes compared, the median of their absolute differences in ticks, and the share of distant ones."""
    by_close = np.argsort(chosen_bars.closes, kind="stable")
    closes = chosen_bars.closes[by_close]
    found_parts, found_differences, found_distant = [], [], []
    for source in names:
        instants, prices = _closes_of(source, series)
        at = np.searchsorted(closes, instants)
        matched = at < len(closes)
        matched[matched] = closes[at[matched]] == instants[matched]
        positions = by_close[at[matched]]
        other = chosen_bars.sources[positions] != names.index(source)
        positions, theirs = positions[other], prices[matched][other]
        ours = chosen_bars.bars.close[positions]
        found_parts.append(chosen_bars.parts[positions])
        found_differences.append(np.abs(ours - theirs))
        found_distant.append(np.abs(ours - theirs) * 1000 > DISTANT_PER_MILLE * ours)
    if not found_parts:
        return np.zeros(parts, dtype=np.int64), np.full(parts, np.nan), np.full(parts, np.nan)
    part, difference = np.concatenate(found_parts), np.concatenate(found_differences)
    compared = np.bincount(part, minlength=parts)
    distant = np.bincount(part, weights=np.concatenate(found_distant), minlength=parts)
    with np.errstate(invalid="ignore"):
        return compared.astype(np.int64), _medians(part, difference, counts=compared), distant / compared


def _closes_of(source: str, series: Sequence[Series]) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]:
    """The price of a source at every instant at which one of its bars closes, from the finest bar that closes there."""
    own = sorted((one for one in series if one.source == source), key=lambda one: one.timeframe.minutes)
    instants, first = np.unique(np.concatenate([one.closes for one in own]), return_index=True)
    return instants, np.concatenate([one.bars.close for one in own])[first]


def _medians(
    part: npt.NDArray[np.intp], values: npt.NDArray[np.int64], *, counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The median of the values of each part; NaN for a part without any."""
    medians = np.full(len(counts), np.nan)
    ordered = values[np.lexsort((values, part))]
    held = np.flatnonzero(counts)
    first = (np.cumsum(counts) - counts)[held]
    lower, upper = first + (counts[held] - 1) // 2, first + counts[held] // 2
    medians[held] = (ordered[lower] + ordered[upper]) / 2
    return medians


def _sources_seen(series: Sequence[Series], *, coverages: Sequence[Coverage], orders: DayOrders) -> npt.NDArray[np.object_]:
    """The sources with any bar in each part, in order of preference, separated by blanks."""
    seen = np.full(len(orders.number), "", dtype=object)
    for number, ranking in enumerate(orders.rankings):
        for source in ranking:
            present = np.zeros(len(seen), dtype=bool)
            for one, coverage in zip(series, coverages, strict=False):
                present |= (one.source == source) & (coverage.present > 0)
            present &= orders.number == number
            separator = np.where(seen == "", "", " ")
            seen = np.where(present, seen + separator + source, seen)
    return seen
