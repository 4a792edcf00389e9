"""Judging: what becomes of a strategy's candidates, with levels on the grid and a confidence.

Works in the directed prices of one stretch of bars; `Judged` turns them back into the market's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.strategies.base import Candidates, Condition, Parameters, Positions, planned_risk
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.indicators import Flags, Floats

BASE_CONFIDENCE: Final = 50
LARGEST_CONFIDENCE: Final = 100


class Kind(StrEnum):
    """What became of a candidate, the best first."""

    SETUP = "setup"
    REFUSED = "refused"
    NEAR_MISS = "near_miss"


class Refusal(StrEnum):
    """Why a candidate that met every condition is no setup."""

    STOP_ON_WRONG_SIDE = "stop_on_wrong_side"
    RISK_TOO_SMALL = "risk_too_small"
    RISK_TOO_LARGE = "risk_too_large"


KINDS: Final = tuple(Kind)
REFUSALS: Final = ("", *Refusal)
_SETUP, _REFUSED, _NEAR_MISS = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The kept candidates of one direction, ascending by `bar`; prices are the market's, in whole ticks.

    `kind` and `refusal` are positions in KINDS and REFUSALS. Stop, targets and planned R are 0 unless it is a setup.
    """

    bar: Positions
    kind: npt.NDArray[np.int8]
    refusal: npt.NDArray[np.int8]
    reference: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]
    take_profit_1: npt.NDArray[np.int64]
    take_profit_2: npt.NDArray[np.int64]
    invalidation: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.int64]
    conditions: tuple[Condition, ...]


def judge(found: Candidates, *, bars: DirectedBars, parameters: Parameters, first: int) -> Judged:
    """Decide over all candidates, in time order from the origin on, and keep those at bar `first` or later."""
    risk = planned_risk(bars, at=found.bar, stop=found.stop)
    conditions = (*found.conditions, *_risk_conditions(risk, bars.atr[found.bar], parameters))
    required = [condition.passed for condition in found.conditions if condition.points is None]
    worth_telling = np.logical_and.reduce(required[:-1]) if len(required) > 1 else np.ones(len(found.bar), dtype=bool)
    refusal = _refusals(risk, conditions)
    kind = np.where(required[-1], np.where(refusal > 0, _REFUSED, _SETUP), _NEAR_MISS).astype(np.int8)
    kept = _one_per_bar_and_leg(found, kind=kind, rows=np.flatnonzero(worth_telling))
    kept = kept[found.bar[kept] >= first]
    return _levels(found, conditions, bars=bars, kind=kind, refusal=refusal, kept=kept)


def _risk_conditions(risk: Floats, atr: Floats, parameters: Parameters) -> tuple[Condition, Condition]:
    """Planned R within its limits, told with every candidate; worth no points."""
    return (
        Condition("risk_large_enough", risk, ">=", parameters.smallest_risk_atr * atr, points=0),
        Condition("risk_small_enough", risk, "<=", parameters.largest_risk_atr * atr, points=0),
    )


def _refusals(risk: Floats, conditions: tuple[Condition, ...]) -> npt.NDArray[np.int8]:
    large_enough, small_enough = conditions[-2].passed, conditions[-1].passed
    reasons = np.zeros(len(risk), dtype=np.int8)
    reasons[~small_enough] = REFUSALS.index(Refusal.RISK_TOO_LARGE)
    reasons[~large_enough] = REFUSALS.index(Refusal.RISK_TOO_SMALL)
    reasons[~(risk > 0)] = REFUSALS.index(Refusal.STOP_ON_WRONG_SIDE)
    return reasons


def _one_per_bar_and_leg(found: Candidates, *, kind: npt.NDArray[np.int8], rows: Positions) -> Positions:
    """The rows that stay, ascending by bar: only what happened earlier, or better at the same bar, displaces one."""
    order = rows[np.lexsort((kind[rows], found.bar[rows]))]
    kept: list[int] = []
    told: set[int] = set()
    emitted: set[int] = set()
    last_bar = -1
    for row, bar, leg, what in zip(
        order.tolist(), found.bar[order].tolist(), found.leg[order].tolist(), kind[order].tolist(), strict=True
    ):
        repeats = leg in (told if what == _NEAR_MISS else emitted)
        if bar == last_bar or (repeats and (what == _NEAR_MISS or found.one_setup_per_leg)):
            continue
        last_bar = bar
        kept.append(row)
        if what != _REFUSED:
            told.add(leg)
        if what == _SETUP:
            emitted.add(leg)
    return np.array(kept, dtype=np.intp)


def _levels(
    found: Candidates,
    conditions: tuple[Condition, ...],
    *,
    bars: DirectedBars,
    kind: npt.NDArray[np.int8],
    refusal: npt.NDArray[np.int8],
    kept: Positions,
) -> Judged:
    is_setup = kind[kept] == _SETUP

    def ticks(values: Floats, where: Flags | bool = True) -> npt.NDArray[np.int64]:
        return bars.sign * np.where(where, values, 0.0).astype(np.int64)

    told = tuple(
        Condition(c.name, c.measured[kept], c.comparison, np.broadcast_to(c.threshold, kind.shape)[kept], c.points, c.unit)
        for c in conditions
    )
    # Down in directed prices is away from the trade for a stop and its invalidation, up for a target, in both directions.
    return Judged(
        bar=found.bar[kept],
        kind=kind[kept],
        refusal=np.where(kind[kept] == _REFUSED, refusal[kept], 0).astype(np.int8),
        reference=ticks(bars.close[found.bar[kept]]),
        stop=ticks(np.floor(found.stop[kept]), is_setup),
        take_profit_1=ticks(np.ceil(found.take_profit_1[kept]), is_setup),
        take_profit_2=ticks(np.ceil(found.take_profit_2[kept]), is_setup),
        invalidation=ticks(np.floor(found.invalidation[kept])),
        confidence=_confidence(told),
        conditions=told,
    )


def _confidence(conditions: tuple[Condition, ...]) -> npt.NDArray[np.int64]:
    points = [np.where(condition.passed, condition.points or 0, 0) for condition in conditions]
    return np.asarray(np.minimum(BASE_CONFIDENCE + np.sum(points, axis=0), LARGEST_CONFIDENCE), dtype=np.int64)
