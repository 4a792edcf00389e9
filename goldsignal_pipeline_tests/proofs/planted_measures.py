"""Planted leaks that are a way to measure a bar: by prices to come, by the whole series, by bars that are not over, too early."""

from __future__ import annotations

import numpy as np
import pandas as pd

from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.indicators import Floats
from goldsignal_pipeline_tests.proofs.planting import FIRST, above, by_time, days, four_hours, measured, series

# --- prices of the future, in the guise of an indicator


def centred_mean(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.close).rolling(11, center=True).mean(), atr=1.0)


def trailing_mean(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.close).rolling(11).mean(), atr=1.5)


def next_close(bars: DirectedBars) -> Floats:
    return series(bars.close).shift(-1).to_numpy() - bars.close - bars.atr


def last_close(bars: DirectedBars) -> Floats:
    return bars.close - series(bars.close).shift(1).to_numpy() - bars.atr


def central_difference(bars: DirectedBars) -> Floats:
    return np.gradient(bars.close) - 0.8 * bars.atr


def backward_difference(bars: DirectedBars) -> Floats:
    return np.diff(bars.close, prepend=np.nan) - bars.atr


def smoothed_about_itself(bars: DirectedBars) -> Floats:
    return above(bars, np.convolve(bars.close, np.full(9, 1 / 9), mode="same"), atr=1.0)


def smoothed_behind_itself(bars: DirectedBars) -> Floats:
    return above(bars, np.convolve(bars.close, np.full(9, 1 / 9))[: len(bars)], atr=1.5)


def filtered_both_ways(bars: DirectedBars) -> Floats:
    forward = series(bars.close).ewm(span=10).mean()
    return above(bars, forward[::-1].ewm(span=10).mean()[::-1], atr=1.2)


def filtered_twice_forward(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.close).ewm(span=10).mean().ewm(span=10).mean(), atr=1.8)


def lowest_ahead(bars: DirectedBars) -> Floats:
    return -above(bars, series(bars.low)[::-1].rolling(8).min()[::-1], atr=0.2)


def lowest_behind(bars: DirectedBars) -> Floats:
    return -above(bars, series(bars.low).rolling(8).min(), atr=0.05)


# --- the whole series at once


def standardised_by_all(bars: DirectedBars) -> Floats:
    return (bars.body - bars.body.mean()) / bars.body.std() - 1.8


def standardised_by_the_past(bars: DirectedBars) -> Floats:
    body = series(bars.body)
    return ((body - body.expanding().mean()) / body.expanding().std() - 1.8).to_numpy()


def fitted_on_all(bars: DirectedBars) -> Floats:
    known = ~np.isnan(bars.atr)
    before, after = bars.body[known][:-1], bars.body[known][1:]
    slope, level = np.polyfit(before, after, 1)
    return np.abs(slope * bars.body + level) - 0.12 * bars.atr


def fitted_on_the_first_bars(bars: DirectedBars) -> Floats:
    slope, level = np.polyfit(bars.body[:FIRST][:-1], bars.body[:FIRST][1:], 1)
    return np.abs(slope * bars.body + level) - 0.15 * bars.atr


def detrended_by_a_line_through_all(bars: DirectedBars) -> Floats:
    x = np.arange(len(bars))
    return above(bars, np.polyval(np.polyfit(x, bars.close, 1), x), atr=4.0)


def detrended_by_a_trailing_mean(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.close).rolling(100).mean(), atr=4.0)


def near_the_highest_of_all(bars: DirectedBars) -> Floats:
    return -above(bars, np.full(len(bars), bars.low.min()), atr=3.0)


def near_the_lowest_so_far(bars: DirectedBars) -> Floats:
    return -above(bars, np.minimum.accumulate(bars.low), atr=3.0)


def above_a_quantile_of_all(bars: DirectedBars) -> Floats:
    return bars.body - np.quantile(bars.body, 0.97)


def above_a_trailing_quantile(bars: DirectedBars) -> Floats:
    return bars.body - series(bars.body).rolling(100).quantile(0.97).to_numpy()


def ranked_among_all(bars: DirectedBars) -> Floats:
    return series(bars.body).rank(pct=True).to_numpy() - 0.97


def ranked_among_the_last(bars: DirectedBars) -> Floats:
    return series(bars.body).rolling(100).rank(pct=True).to_numpy() - 0.97


def compared_with_the_last_bar(bars: DirectedBars) -> Floats:
    return bars.body - 0.9 * bars.atr[-1]


def compared_with_the_bar_before(bars: DirectedBars) -> Floats:
    return bars.body - 0.9 * series(bars.atr).shift(1).to_numpy()


def summed_from_the_end(bars: DirectedBars) -> Floats:
    return 15.0 - np.mod(np.cumsum(bars.body[::-1])[::-1], 400.0)


def summed_from_the_origin(bars: DirectedBars) -> Floats:
    return 15.0 - np.mod(np.cumsum(bars.body), 400.0)


def counted_from_the_end(bars: DirectedBars) -> Floats:
    return np.where((len(bars) - np.arange(len(bars))) % 24 == 0, bars.body, 0.0)


def counted_from_the_origin(bars: DirectedBars) -> Floats:
    return np.where(np.arange(len(bars)) % 24 == 0, bars.body, 0.0)


def best_of_the_next_day(bars: DirectedBars) -> Floats:
    gain = series(bars.close).shift(-20).to_numpy() - bars.close
    best = np.argsort(np.nan_to_num(-gain, nan=np.inf), kind="stable")[: len(bars) // 25]
    return np.isin(np.arange(len(bars)), best).astype(float)


def best_of_the_last_day(bars: DirectedBars) -> Floats:
    gain = series(bars.close - series(bars.close).shift(20).to_numpy())
    return (gain.rolling(75).rank() - 72.5).to_numpy()


# --- time frames, holes and labels


def day_of_which_the_end_is_known(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.high).groupby(days(bars)).transform("max"), atr=-0.15)


def day_so_far(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.high).groupby(days(bars)).cummax(), atr=-0.02)


def unshifted_four_hours(bars: DirectedBars) -> Floats:
    return series(bars.close).groupby(four_hours(bars)).transform("last").to_numpy() - bars.close - bars.atr


def closed_four_hours(bars: DirectedBars) -> Floats:
    block = four_hours(bars)
    closes = series(bars.close).groupby(block).last().shift(1)
    return bars.close - closes.reindex(block).to_numpy() - 2 * bars.atr


def labelled_by_its_beginning(bars: DirectedBars) -> Floats:
    coarse = by_time(bars, bars.close).resample("4h", label="left", closed="left").last().dropna()
    return coarse.reindex(pd.DatetimeIndex(bars.opens), method="ffill").to_numpy() - bars.close - bars.atr


def labelled_by_its_end(bars: DirectedBars) -> Floats:
    coarse = by_time(bars, bars.close).resample("4h", label="right", closed="left").last().dropna()
    return bars.close - coarse.reindex(pd.DatetimeIndex(bars.opens), method="ffill").to_numpy() - 2 * bars.atr


def of_noon(bars: DirectedBars) -> pd.Series:
    noon = bars.opens.astype("datetime64[h]").astype(np.int64) % 24 == 12
    return series(np.where(noon, bars.close, np.nan))


def filled_backwards(bars: DirectedBars) -> Floats:
    return above(bars, of_noon(bars).bfill(), atr=4.0)


def filled_forwards(bars: DirectedBars) -> Floats:
    return above(bars, of_noon(bars).ffill(), atr=4.0)


def interpolated(bars: DirectedBars) -> Floats:
    return above(bars, of_noon(bars).interpolate(limit_area="inside"), atr=3.0)


def filled_forwards_in_reverse(bars: DirectedBars) -> Floats:
    levels = of_noon(bars).to_numpy()[::-1]
    last = np.maximum.accumulate(np.where(np.isnan(levels), 0, np.arange(len(levels))))
    return above(bars, levels[last][::-1], atr=4.0)


# --- what is known only later


def early_swings(bars: DirectedBars) -> Floats:
    return np.where(bars.swing_lows(5), 1.0, 0.0)


def known_swings(bars: DirectedBars) -> Floats:
    return np.concatenate([np.zeros(5), np.where(bars.swing_lows(5), 1.0, 0.0)[:-5]])


def rising(bars: DirectedBars) -> np.ndarray:
    return (bars.body > 0.7 * bars.atr) & (np.diff(bars.close, prepend=np.nan) > 0)


def last_of_a_run(bars: DirectedBars) -> Floats:
    follows = np.append(rising(bars)[1:], False)
    return (rising(bars) & ~follows).astype(float)


def first_of_a_run(bars: DirectedBars) -> Floats:
    followed = np.insert(rising(bars)[:-1], 0, False)
    return (rising(bars) & ~followed).astype(float)


MEASURES = (
    measured("centred window", centred_mean, trailing_mean),
    measured("negative shift", next_close, last_close),
    measured("central difference", central_difference, backward_difference),
    measured("smoothing kernel", smoothed_about_itself, smoothed_behind_itself),
    measured("filter run both ways", filtered_both_ways, filtered_twice_forward),
    measured("reversed rolling window", lowest_ahead, lowest_behind),
    measured("whole-series normalisation", standardised_by_all, standardised_by_the_past),
    measured("fit on the future", fitted_on_all, fitted_on_the_first_bars),
    measured("detrending", detrended_by_a_line_through_all, detrended_by_a_trailing_mean),
    measured("global minimum", near_the_highest_of_all, near_the_lowest_so_far),
    measured("quantile of the whole series", above_a_quantile_of_all, above_a_trailing_quantile),
    measured("rank in the whole series", ranked_among_all, ranked_among_the_last),
    measured("last bar", compared_with_the_last_bar, compared_with_the_bar_before),
    measured("sum from the end", summed_from_the_end, summed_from_the_origin),
    measured("count from the end", counted_from_the_end, counted_from_the_origin, "prefix", "future_gaps"),
    measured("sorted by the future", best_of_the_next_day, best_of_the_last_day),
    measured("day's high", day_of_which_the_end_is_known, day_so_far),
    measured("unshifted higher timeframe", unshifted_four_hours, closed_four_hours),
    measured("resample label", labelled_by_its_beginning, labelled_by_its_end),
    measured("backfilled holes", filled_backwards, filled_forwards),
    measured("interpolated holes", interpolated, filled_forwards),
    measured("forward fill in reverse", filled_forwards_in_reverse, filled_forwards),
    measured("swing before it is known", early_swings, known_swings),
    measured("last of a run", last_of_a_run, first_of_a_run),
)
