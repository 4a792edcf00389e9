"""What a list of trades earned: count, mean and its interval, and the equity after each trade. Pure.

Rows are mappings with `strategy`, `timeframe`, `resolved_at` and `net_r` (exact), in any order; those of
`storage.reading.signals.trades` are meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import isnan
from typing import Any, Final

import numpy as np

from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.simulation.bootstrap import bootstrap_interval
from goldsignal_pipeline.simulation.rolling import iso_week
from goldsignal_pipeline.simulation.scored_trades import MICRO_R, Integers

Row = Mapping[str, Any]
Track = tuple[str, str]

FEW_TRADES: Final = 30
"""Below this many trades a mean says next to nothing."""


@dataclass(frozen=True, slots=True)
class Earned:
    """What trades earned in R; the interval (95 %, whole weeks drawn again) is None below two weeks of trades."""

    trades: int
    wins: int
    net_r: float
    interval: tuple[float, float] | None

    @property
    def mean_r(self) -> float | None:
        """Mean net R; None without a trade."""
        return self.net_r / self.trades if self.trades else None

    @property
    def reading(self) -> str:
        """What may be concluded, in words."""
        if self.trades < FEW_TRADES:
            return f"too few trades to say anything (fewer than {FEW_TRADES})"
        if self.interval is None:
            return "trades of one week only"
        low, high = self.interval
        if low > 0:
            return "above zero in this range"
        return "below zero in this range" if high < 0 else "not distinguishable from zero"


@dataclass(frozen=True, slots=True)
class Curve:
    """The equity in R after each trade of one strategy and timeframe, or of all."""

    name: str
    times: tuple[datetime, ...]
    gained: tuple[float, ...]


def earned(rows: Sequence[Row], *, key: str) -> Earned:
    """What these trades earned together; `key` seeds the draws of the interval."""
    net = _micro_r(rows)
    weeks = iso_week(np.array([to_instant(row["resolved_at"]) for row in rows], dtype="datetime64[us]"))
    low, high = bootstrap_interval(net, weeks=weeks, key=key)
    return Earned(len(rows), int((net > 0).sum()), int(net.sum()) / MICRO_R, None if isnan(low) else (low, high))


def by_track(rows: Sequence[Row]) -> dict[Track, list[Row]]:
    """The rows of each strategy and timeframe, in the order of their results."""
    ordered = sorted(rows, key=lambda row: (_track(row), row["resolved_at"]))
    return {track: list(own) for track, own in groupby(ordered, key=_track)}


def curves(rows: Sequence[Row]) -> list[Curve]:
    """The equity of all trades together and of each strategy and timeframe; nothing without a trade."""
    if not rows:
        return []
    named = {f"{strategy} {timeframe}": own for (strategy, timeframe), own in by_track(rows).items()}
    together = sorted(rows, key=lambda row: (row["resolved_at"], _track(row)))
    return [_curve("all", together), *(_curve(name, own) for name, own in named.items())]


def _curve(name: str, rows: Sequence[Row]) -> Curve:
    gained = np.cumsum(_micro_r(rows))
    return Curve(name, tuple(row["resolved_at"] for row in rows), tuple(int(value) / MICRO_R for value in gained))


def _track(row: Row) -> Track:
    return row["strategy"], row["timeframe"]


def _micro_r(rows: Sequence[Row]) -> Integers:
    return np.array([int(row["net_r"] * MICRO_R) for row in rows], dtype=np.int64)
