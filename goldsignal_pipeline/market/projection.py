"""The projection: from observations of all sources to the one record of candles, now or as it was known then.

1. `_admit` sorts the observations into series (one source, one timeframe) of closed bars within trading hours.
2. `quality` judges each series; a contradicted bar is left out, with its reason.
3. `coverage` cuts the range into day parts and chooses one source per trading day and one base timeframe per part.
4. `_choose_bars` takes the chosen bars, `chosen_bars.derive` aggregates them into every coarser timeframe.
5. `day_parts` tells for every part what was expected, what is missing, and how far the other sources agree.

Candles belong to the range in which they close. Everything is a function of observations that open from one month before the
range to its end, of `now`, and of nothing else: any split of a range into months gives the same rows (I8), more history
changes none (I7).

**Across a month end** the two parts of a trading day may have different base timeframes. An H4 or D1 bar is then made of all
selected bars finer than itself, each stretch of time taken once, from the bar that opens first; a selected bar of that very
timeframe stands as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import CANDLE_DTYPES, FLAGS, PRICE_COLUMNS, bars_of, frame_of, timestamps_of
from goldsignal_pipeline.market.chosen_bars import ChosenBars, derive, join
from goldsignal_pipeline.market.coverage import DEFAULT_BASE, Coverage, DayGrid, choose, day_grid, measure
from goldsignal_pipeline.market.day_parts import day_parts_table
from goldsignal_pipeline.market.frames import ordered, typed
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.quality import Series, contradicted, judge
from goldsignal_pipeline.market.reasons import RejectReason
from goldsignal_pipeline.market.source_order import DayOrders, SourceOrders
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants, to_instant

EXCLUDED_COLUMNS: Final = ("source", "timeframe", "timestamp", *PRICE_COLUMNS, "volume", "reason")

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Projection:
    """What `project` makes of the observations.

    `candles`: `CANDLE_DTYPES`, those that close in the range, by timeframe and timestamp. `excluded`: `EXCLUDED_COLUMNS`,
    observations that close in the range and were left out. `day_parts`: `DAY_PART_COLUMNS`, one row per trading day and month
    of the range.
    """

    candles: pd.DataFrame
    excluded: pd.DataFrame
    day_parts: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """A series without its contradicted bars, the flag of each bar that is left, and the bars left out."""

    series: Series
    flags: npt.NDArray[np.int8]
    excluded: pd.DataFrame


def project(
    observations: pd.DataFrame,
    *,
    calendar: TradingCalendar,
    start: datetime,
    end: datetime,
    now: datetime,
    grace: timedelta,
    source_order: SourceOrders,
) -> Projection:
    """The candles that close in [start, end), two month beginnings, as known from the newest version of every bar.

    `observations`: `source`, `timeframe`, `timestamp`, prices in ticks, `volume`; unique by the first three, in any order,
    those that open from one month before `start` to `end` (others may be there). A bar counts once its close and `grace` have
    passed at `now`. A trading day is taken by the order in force when it begins. Raises DataError for a repeated key.
    """
    closed_by = to_instant(now - grace)
    opening = observations[observations["timestamp"] < end]
    grid = day_grid(calendar=calendar, start=start, end=end, now=now)
    admitted = [_admit(group, key=key, calendar=calendar, closed_by=closed_by) for key, group in _groups(opening)]
    judged = _judge(admitted, calendar=calendar)
    series = [one.series for one in judged]
    orders = DayOrders.of(source_order, sources=[one.source for one in series], trading_days=grid.trading_days)
    names = orders.rankings[0]
    coverages = [
        measure(one.bars.opens, timeframe=one.timeframe, grid=grid, calendar=calendar, now=now, grace=grace) for one in series
    ]
    chosen = _choose(series, coverages=coverages, orders=orders, grid=grid)
    nothing = np.array([], dtype="datetime64[us]")
    unheld = measure(nothing, timeframe=DEFAULT_BASE, grid=grid, calendar=calendar, now=now, grace=grace)
    bars = _choose_bars(judged, chosen=chosen, names=names, grid=grid)
    parts = day_parts_table(series, coverages=[*coverages, unheld], chosen=chosen, chosen_bars=bars, orders=orders, grid=grid)
    within = (to_instant(start), to_instant(end))
    return Projection(
        candles=_candles(bars, names=names, within=within, closed_by=closed_by),
        excluded=_excluded(judged, within=within),
        day_parts=parts[grid.begins >= within[0]].reset_index(drop=True),
    )


def _groups(observations: pd.DataFrame) -> list[tuple[tuple[str, Timeframe], pd.DataFrame]]:
    """The rows of each source and timeframe: sources by name, finer timeframes first."""
    grouped = observations.groupby(["source", "timeframe"], sort=False, observed=True)
    groups = [((str(source), Timeframe(str(timeframe))), rows) for (source, timeframe), rows in grouped]
    return sorted(groups, key=lambda group: (group[0][0], group[0][1].minutes))


def _admit(
    rows: pd.DataFrame, *, key: tuple[str, Timeframe], calendar: TradingCalendar, closed_by: np.datetime64
) -> tuple[Series, pd.DataFrame]:
    """The closed bars within trading hours, and those the calendar of today turns away although they were once admitted."""
    source, timeframe = key
    series = Series.of(bars_of(rows), source=source, timeframe=timeframe)
    series = series.take(series.closes <= closed_by)
    expected = calendar.is_expected(series.bars.opens, timeframe=timeframe)
    outside = series.take(~expected)
    return series.take(expected), _excluded_rows(outside, calendar.closed_reason(outside.bars.opens))


def _judge(admitted: Sequence[tuple[Series, pd.DataFrame]], *, calendar: TradingCalendar) -> list[_Judged]:
    """Judge each series; the finer ones of a source first, because what is left of them testifies for the coarser ones."""
    judged: list[_Judged] = []
    for series, outside in admitted:
        verdict = judge(series, calendar=calendar)
        finer = [one.series for one in judged if one.series.source == series.source]
        others = [other for other, _ in admitted if other.source != series.source]
        dropped = contradicted(series, retracted=verdict.retracted, witnesses=[*finer, *others])
        reasons = np.full(int(dropped.sum()), RejectReason.CONTRADICTED.value, dtype=object)
        excluded = pd.concat([outside, _excluded_rows(series.take(dropped), reasons)], ignore_index=True)
        judged.append(_Judged(series.take(~dropped), verdict.flags[~dropped], excluded))
    return judged


def _choose(series: Sequence[Series], *, coverages: Sequence[Coverage], orders: DayOrders, grid: DayGrid) -> npt.NDArray[np.intp]:
    """The position of the chosen series of each part, by the order of its trading day; -1 where there is nothing."""
    chosen = np.full(len(grid), -1, dtype=np.intp)
    timeframes = [one.timeframe for one in series]
    for number, ranking in enumerate(orders.rankings):
        ranks = [ranking.index(one.source) for one in series]
        of_order = orders.number == number
        chosen[of_order] = choose(coverages, source_ranks=ranks, timeframes=timeframes, grid=grid)[of_order]
    return chosen


def _choose_bars(judged: Sequence[_Judged], *, chosen: npt.NDArray[np.intp], names: Sequence[str], grid: DayGrid) -> ChosenBars:
    """The bars of the chosen series of each part."""
    pieces = []
    for position, one in enumerate(judged):
        series = one.series
        part = grid.locate(series.bars.opens)
        taken = part >= 0
        taken[taken] = chosen[part[taken]] == position
        bars = series.bars.take(taken)
        pieces.append(
            ChosenBars(
                bars=bars,
                closes=series.closes[taken],
                flags=one.flags[taken],
                parts=part[taken],
                sources=np.full(len(bars), names.index(series.source), dtype=np.intp),
                base_minutes=np.full(len(bars), series.timeframe.minutes, dtype=np.int64),
                base_bars=np.ones(len(bars), dtype=np.int64),
            )
        )
    return join(pieces)


def _candles(
    base: ChosenBars, *, names: Sequence[str], within: tuple[np.datetime64, np.datetime64], closed_by: np.datetime64
) -> pd.DataFrame:
    """The base bars and every bar derived from them that close in the range, by timeframe and timestamp."""
    parts = []
    for timeframe in Timeframe:
        standing = base.take(base.base_minutes == timeframe.minutes)
        derived = derive(base, target=timeframe)
        derived = derived.take(~np.isin(derived.bars.opens, standing.bars.opens) & (derived.closes <= closed_by))
        bars = join([standing, derived])
        parts.append(_candle_columns(bars.take(_closing(bars.closes, within)), timeframe=timeframe, names=names))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return typed(columns | {"timestamp": timestamps_of(columns["timestamp"])}, CANDLE_DTYPES)


def _candle_columns(bars: ChosenBars, *, timeframe: Timeframe, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    lengths = np.array([other.value for other in Timeframe], dtype=object)
    minutes = np.array([other.minutes for other in Timeframe])
    return {
        "timeframe": np.full(len(bars), timeframe.value, dtype=object),
        "timestamp": bars.bars.opens,
        **{name: getattr(bars.bars, name) for name in (*PRICE_COLUMNS, "volume")},
        "source": np.array([*names, ""], dtype=object)[bars.sources],
        "base_timeframe": lengths[np.searchsorted(minutes, bars.base_minutes)],
        "base_bars": bars.base_bars,
        "flag": np.array(FLAGS, dtype=object)[bars.flags],
    }


def _excluded_rows(series: Series, reasons: npt.NDArray[np.object_]) -> pd.DataFrame:
    number = len(reasons)
    texts = {"source": [series.source] * number, "timeframe": [series.timeframe.value] * number, "reason": reasons}
    return frame_of(series.bars).assign(
        **{name: pd.Series(values, dtype="str") for name, values in texts.items()}, closes=series.closes
    )


def _excluded(judged: Sequence[_Judged], *, within: tuple[np.datetime64, np.datetime64]) -> pd.DataFrame:
    nothing = Series.of(join([]).bars, source="", timeframe=Timeframe.M1)
    frames = [_excluded_rows(nothing, np.array([], dtype=object)), *(one.excluded for one in judged)]
    rows = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    rows = rows[_closing(rows["closes"].to_numpy(), within)]
    return ordered(rows, ["source", "timeframe", "timestamp"])[list(EXCLUDED_COLUMNS)]


def _closing(closes: Instants, within: tuple[np.datetime64, np.datetime64]) -> Flags:
    return np.asarray((closes >= within[0]) & (closes < within[1]))
