"""Context: what surrounds a bar whatever the strategy: its sessions, the trend of H4, and how volatile the market is.

H4 trend and volatility are computed from origins of their own (260 days of H4, 70 days of H1 before the month), because their
averages need more bars than a strategy's own warm-up holds. Where such an origin lies before the record they are not
available: NaN, which no comparison passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.hours import Session, sessions
from goldsignal_pipeline.market.zones import LONDON, Instants, to_wall
from goldsignal_pipeline.strategies import indicators
from goldsignal_pipeline.strategies.indicators import Flags, Floats

H4_WARM_UP_DAYS: Final = 260
VOLATILITY_WARM_UP_DAYS: Final = 70
VOLATILITY_BARS: Final = 720
LOW_BELOW_PERCENT: Final = 25.0
HIGH_FROM_PERCENT: Final = 75.0
REGIMES: Final = ("low", "medium", "high")
NO_SESSION: Final = "none"

_FAST, _SLOW = 50, 200
_LONDON_OPEN_HOUR: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Of each bar, by its open: in the overlap of London and New York, in London's first hour, and one label.

    A bar of several sessions is labelled with the most liquid: overlap, london, new_york, asia, and "none" outside them.
    """

    overlap: Flags
    london_open: Flags
    label: npt.NDArray[np.object_]

    def take(self, where: slice) -> Sessions:
        """The sessions of a stretch of bars."""
        return Sessions(self.overlap[where], self.london_open[where], self.label[where])


def sessions_of(opens: Instants) -> Sessions:
    """The sessions of bars by their opens."""
    by_name = sessions(opens)
    label = np.full(len(opens), NO_SESSION, dtype=object)
    for session in (Session.ASIA, Session.NEW_YORK, Session.LONDON, Session.OVERLAP):
        label[by_name[session]] = session.value
    wall = to_wall(opens, zone=LONDON)
    hour = (wall - wall.astype("datetime64[D]")) // np.timedelta64(1, "h")
    return Sessions(by_name[Session.OVERLAP], by_name[Session.LONDON] & (hour == _LONDON_OPEN_HOUR), label)


def trend_gaps(h4_close: Floats) -> Floats:
    """EMA50 - EMA200 of H4 closes, in ticks; its sign is the trend."""
    return np.asarray(indicators.ema(h4_close, period=_FAST) - indicators.ema(h4_close, period=_SLOW))


def last_known(values: Floats, *, known_at: Instants, at: Instants) -> Floats:
    """The newest of `values` whose `known_at` (ascending) is not after `at`; NaN where there is none."""
    position = np.searchsorted(known_at, at, side="right") - 1
    padded = np.append(values, np.nan)
    return np.asarray(padded[np.where(position < 0, len(values), position)])


@dataclass(frozen=True, slots=True, eq=False)
class Volatility:
    """Of H1 at some instants: ATR14 and its median over 720 bars, in ticks, and its percentile among them (0 to 100)."""

    atr: Floats
    median_atr: Floats
    percentile: Floats

    @property
    def regime(self) -> npt.NDArray[np.object_]:
        """Low up to 25, high from 75, medium between; "" where it is not available."""
        regimes = np.full(len(self.percentile), "", dtype=object)
        regimes[self.percentile <= LOW_BELOW_PERCENT] = "low"
        regimes[(self.percentile > LOW_BELOW_PERCENT) & (self.percentile < HIGH_FROM_PERCENT)] = "medium"
        regimes[self.percentile >= HIGH_FROM_PERCENT] = "high"
        return regimes


def volatility(atr_h1: Floats, *, known_at: Instants, at: Instants) -> Volatility:
    """Volatility by the last H1 bar closed at each instant; NaN where 720 values of ATR are not known by then."""
    result = np.full((3, len(at)), np.nan)
    last = np.searchsorted(known_at, at, side="right") - 1
    rows = np.flatnonzero(last >= VOLATILITY_BARS - 1)
    if len(rows) == 0:
        return Volatility(*result)
    windows = np.lib.stride_tricks.sliding_window_view(atr_h1, VOLATILITY_BARS)[last[rows] - VOLATILITY_BARS + 1]
    own = windows[:, -1]
    percentile = 100.0 * (windows < own[:, np.newaxis]).sum(axis=1) / VOLATILITY_BARS
    known = ~np.isnan(windows).any(axis=1)
    result[:, rows] = np.where(known, [own, np.median(windows, axis=1), percentile], np.nan)
    return Volatility(*result)
