"""Indicators: float64 in, float64 of equal length out, NaN until enough bars are known; nothing is rounded.

Averages, ranges and bands are TA-Lib's: the exponential average starts from the simple one, ATR and RSI smooth as Wilder does.
A swing stands at the bar that turned the market, but nobody knows it before `order` further bars have closed: a decision at
the close of bar i may use the swings of bars up to i - order, and no later one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import talib

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def ema(values: Floats, *, period: int) -> Floats:
    """Exponential moving average with weight 2 / (period + 1), started from the simple average of the first `period` values."""
    return np.asarray(talib.EMA(values, timeperiod=period))


def atr(high: Floats, low: Floats, close: Floats, *, period: int = 14) -> Floats:
    """Wilder's average true range; the first value stands at bar `period`, because the first bar has no true range."""
    return np.asarray(talib.ATR(high, low, close, timeperiod=period))


def rsi(close: Floats, *, period: int = 14) -> Floats:
    """Wilder's relative strength index, 0 to 100."""
    return np.asarray(talib.RSI(close, timeperiod=period))


def bollinger_width(close: Floats, *, period: int = 20, deviations: float = 2.0) -> Floats:
    """Upper less lower Bollinger band, in the unit of `close`: it mirrors, which a share of the price would not."""
    upper, _, lower = talib.BBANDS(close, timeperiod=period, nbdevup=deviations, nbdevdn=deviations)
    return np.asarray(upper - lower)


def share_below(values: Floats, *, count: int) -> Floats:
    """Share of the last `count` values, own included, that lie strictly below each value; NaN until all are known."""
    shares = np.full(len(values), np.nan)
    if len(values) < count:
        return shares
    windows = np.lib.stride_tricks.sliding_window_view(values, count)
    known = ~np.isnan(windows).any(axis=1)
    below = (windows < values[count - 1 :, np.newaxis]).sum(axis=1) / count
    shares[count - 1 :] = np.where(known, below, np.nan)
    return shares


def swing_lows(low: Floats, *, order: int) -> Flags:
    """True at bars whose low lies strictly below those of `order` bars before and after; usable only `order` bars later."""
    swings = np.zeros(len(low), dtype=bool)
    if len(low) < 2 * order + 1:
        return swings
    lowest = np.lib.stride_tricks.sliding_window_view(low, order).min(axis=1)
    middle = low[order : len(low) - order]
    swings[order : len(low) - order] = (middle < lowest[: len(middle)]) & (middle < lowest[order + 1 :])
    return swings


def swing_highs(high: Floats, *, order: int) -> Flags:
    """The mirror of `swing_lows`."""
    return swing_lows(-high, order=order)
