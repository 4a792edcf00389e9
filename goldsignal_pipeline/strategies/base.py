"""What a strategy is: a frozen set of parameters and one pure function from directed bars to candidates.

A strategy is written once, for BUY; SELL sees mirrored bars. It names for every candidate bar its conditions, in order, the
trigger as the last required one, and a stop and targets. `judging` then decides what becomes of a candidate:

1. Candidates that fail a required condition other than the trigger are forgotten.
2. Those that fail the trigger alone are near misses, kept at most once per leg, so that silence can be explained.
3. The others are setups, unless planned R lies outside its limits: refused, with the reason, never squeezed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.indicators import Flags, Floats

Positions = npt.NDArray[np.intp]
Comparison = Literal[">", ">=", "<", "<="]
Unit = Literal["ticks", "count", "share", "flag"]
"""What a condition measures: a distance, a number of things, a part of 1, or 1 for yes and 0 for no."""

_COMPARE: Final[dict[str, Callable[[Floats, Floats], Flags]]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}


class Parameters(BaseModel):
    """Parameters of a strategy; every one has a default, nothing changes afterwards, unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    smallest_risk_atr: float = Field(default=1.0, gt=0, description="Planned R below this many ATR14 is refused.")
    largest_risk_atr: float = Field(default=5.0, gt=0, description="Planned R above this many ATR14 is refused.")


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One condition of all candidates: what was measured, and the threshold it had to pass.

    Distances are ticks in the direction; `unit` is what people are told it in. `points` is what meeting it adds to the
    confidence; None means it is required. NaN passes nothing.
    """

    name: str
    measured: Floats
    comparison: Comparison
    threshold: Floats | float
    points: int | None = None
    unit: Unit = "ticks"

    @property
    def passed(self) -> Flags:
        """Where the measured value passes, compared as it is."""
        return np.asarray(_COMPARE[self.comparison](self.measured, np.asarray(self.threshold, dtype=np.float64)))


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What a strategy found, as arrays of equal length in the prices of its directed bars (SELL negated).

    `bar` is the position of the confirming bar; stop, targets and invalidation are prices before rounding. `leg` names the
    leg, box or sweep that a candidate belongs to: it gives one near miss at most, and one setup where `one_setup_per_leg`.
    Where two candidates share a bar the better kind is kept, then the earlier one.
    """

    bar: Positions
    leg: Positions
    stop: Floats
    take_profit_1: Floats
    take_profit_2: Floats
    invalidation: Floats
    conditions: tuple[Condition, ...]
    one_setup_per_leg: bool = False


class Strategy(ABC):
    """A rule that turns bars into candidates; subclasses are registered in the entry-point group `goldsignal.strategies`.

    `find` must be causal (a candidate reads no bar after its own) and pure: no clock, randomness, files or network.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    description: ClassVar[str]
    timeframes: ClassVar[tuple[Timeframe, ...]] = (Timeframe.H1,)
    uses_ema200: ClassVar[bool] = False
    parameters: Parameters

    def warm_up_days(self, timeframe: Timeframe) -> int:
        """Calendar days of bars before the month that an evaluation begins with."""
        if timeframe is Timeframe.H4:
            return 260
        return 70 if timeframe is Timeframe.H1 and self.uses_ema200 else 21

    @abstractmethod
    def find(self, bars: DirectedBars) -> Candidates:
        """All candidates among the bars, the warm-up included."""


def planned_risk(bars: DirectedBars, *, at: Positions, stop: Floats) -> Floats:
    """Planned R in ticks: from the reference, the close of the bar, to the stop on the grid, rounded away from the trade."""
    return np.asarray(bars.close[at] - np.floor(stop))


def common_conditions(bars: DirectedBars, *, at: Positions, overlap_at: Positions | None = None) -> tuple[Condition, ...]:
    """The optional conditions of every strategy: the bar lies in the overlap, and the H4 trend agrees."""
    in_overlap = bars.sessions.overlap[at if overlap_at is None else overlap_at]
    return (
        Condition("overlap", in_overlap.astype(np.float64), ">=", 1.0, points=5, unit="flag"),
        Condition("h4_agrees", bars.h4_gap[at], ">", 0.0, points=5),
    )
