"""Poisoning: other futures and other pasts, none of which may change what was already known.

The futures are those of the bars that a strategy is handed, because only there prices are floats and can be NaN; candles hold
whole ticks. Bars that closed by the cut stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import PRICE_COLUMNS, instants_of
from goldsignal_pipeline.strategies.context import Sessions
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.indicators import Floats

_KEPT_OF: Final = 7
_SEED: Final = 20_240_229


def no_future(bars: DirectedBars, *, cut: np.datetime64) -> DirectedBars:
    """The bars that closed by `cut` and no more."""
    return _taken(bars, np.arange(_known(bars, cut)))


def noise_after(bars: DirectedBars, *, cut: np.datetime64) -> DirectedBars:
    """Prices of a wild walk after `cut`, and a trend of H4 that means nothing."""
    known = _known(bars, cut)
    start = bars.close[max(known - 1, 0)]
    walked = _wild_walk(start=start, count=len(bars) - known)
    trend = np.random.default_rng(_SEED).normal(0, abs(start) / 100, len(bars) - known)
    return _with_future(bars, known=known, future={**walked, "h4_gap": trend})


def gaps_after(bars: DirectedBars, *, cut: np.datetime64) -> DirectedBars:
    """Of the bars after `cut` one in seven, at prices that jump up and down by half."""
    known = _known(bars, cut)
    kept = np.concatenate([np.arange(known), np.arange(known, len(bars), _KEPT_OF)])
    holed = _taken(bars, kept)
    jumps = np.where(np.arange(len(holed) - known) % 2 == 0, 0.5, -0.5) * abs(bars.close[max(known - 1, 0)])
    future = {name: getattr(holed, name)[known:] + np.rint(jumps) for name in PRICE_COLUMNS}
    return _with_future(holed, known=known, future=future)


def nan_after(bars: DirectedBars, *, cut: np.datetime64) -> DirectedBars:
    """NaN for every price after `cut`, and for the trend of H4."""
    known = _known(bars, cut)
    nothing = np.full(len(bars) - known, np.nan)
    return _with_future(bars, known=known, future=dict.fromkeys((*PRICE_COLUMNS, "h4_gap"), nothing))


def noise_before(frame: pd.DataFrame, *, origin: np.datetime64) -> pd.DataFrame:
    """Candles with those that open before `origin` replaced by a wild walk."""
    count = int(np.searchsorted(instants_of(frame["timestamp"]), origin))
    walked = _wild_walk(start=float(frame["close"].iloc[0]), count=count)
    changed = {name: np.concatenate([walked[name].astype(np.int64), frame[name].to_numpy()[count:]]) for name in PRICE_COLUMNS}
    return frame.assign(**changed)


def turned(frame: pd.DataFrame, *, around: int) -> pd.DataFrame:
    """Candles upside down: each price becomes `around` less itself, and highs and lows change places."""
    return frame.assign(
        open=around - frame["open"], high=around - frame["low"], low=around - frame["high"], close=around - frame["close"]
    )


def _known(bars: DirectedBars, cut: np.datetime64) -> int:
    return int(np.searchsorted(bars.closes, cut, side="right"))


def _taken(bars: DirectedBars, where: npt.NDArray[np.intp]) -> DirectedBars:
    sessions = Sessions(bars.sessions.overlap[where], bars.sessions.london_open[where], bars.sessions.label[where])
    arrays: dict[str, Any] = {name: getattr(bars, name)[where] for name in ("opens", "closes", *PRICE_COLUMNS, "h4_gap")}
    return replace(bars, **arrays, sessions=sessions)


def _with_future(bars: DirectedBars, *, known: int, future: dict[str, Floats]) -> DirectedBars:
    arrays: dict[str, Any] = {name: np.concatenate([getattr(bars, name)[:known], values]) for name, values in future.items()}
    return replace(bars, **arrays)


def _wild_walk(*, start: float, count: int) -> dict[str, Floats]:
    """Whole prices by steps of up to 2 % of the first, whatever the market did there; they stay on their side of zero."""
    random = np.random.default_rng(_SEED)
    step, sign = max(int(abs(start)) // 50, 10), -1 if start < 0 else 1
    moves = np.cumsum(random.integers(-step, step + 1, count))
    close = sign * np.maximum(abs(start) + moves, 2 * step)
    open_ = np.concatenate([[start], close])[:count]
    wicks = random.integers(0, step, (2, count))
    return {
        "open": open_,
        "high": np.maximum(open_, close) + wicks[0],
        "low": np.minimum(open_, close) - wicks[1],
        "close": close,
    }
