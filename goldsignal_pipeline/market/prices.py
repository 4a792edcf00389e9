"""Prices: vendor numbers become whole ticks of 0.01 USD/oz once, at the border, and stay integers from there on.

Rounding is half-even on the decimal the vendor wrote, never on its nearest binary float: 1920.755 is exactly half way and
becomes 1920.76, whatever a float makes of it. Only rows whose float lies near a half are settled by exact arithmetic, so
a million rows take about a second.
"""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.reasons import RejectReason

TICKS_PER_USD: Final = 100
MAX_TICKS: Final = 9_999_999_999
"""99,999,999.99 USD/oz, the largest value of NUMERIC(10,2)."""

MAX_POINTS_PER_USD: Final = 10**8
"""Eight decimal places, the most a vendor writes; integer arithmetic cannot overflow up to here."""

# Below MAX_TICKS a float64 product is wrong by less than 1e-5 ticks, so only this close to a half can it mislead.
_NEAR_HALF: Final = 1e-4

Ticks = npt.NDArray[np.int64]
Reasons = npt.NDArray[np.object_]


class Direction(StrEnum):
    """Which way a trade gains."""

    BUY = "BUY"
    SELL = "SELL"


def to_ticks(values: pd.Series | npt.NDArray[Any], *, points_per_usd: int | None = None) -> tuple[Ticks, Reasons]:
    """Ticks of vendor numbers, and for each why it is no price ("" or a `RejectReason` value; its tick is then 0).

    `values` are decimal strings, floats (read by their shortest decimal) or integers, in USD/oz, or in points when
    `points_per_usd` says how many make a dollar. Reasons: not_a_number (also infinite or missing), not_positive (also
    what rounds to zero), out_of_range (above 99,999,999.99).
    """
    array = values.to_numpy() if isinstance(values, pd.Series) else np.asarray(values)
    points = 1 if points_per_usd is None else points_per_usd
    if not 1 <= points <= MAX_POINTS_PER_USD:
        raise ValueError(f"expected points_per_usd from 1 to {MAX_POINTS_PER_USD}, was {points}")
    ticks, reasons = _integers(array, points=points) if array.dtype.kind in "iu" else _decimals(array, points=points)
    reasons[(reasons == "") & (ticks <= 0)] = RejectReason.NOT_POSITIVE.value
    reasons[(reasons == "") & (ticks > MAX_TICKS)] = RejectReason.OUT_OF_RANGE.value
    ticks[reasons != ""] = 0
    return ticks, reasons


def to_decimal(tick: int) -> Decimal:
    """The exact price in USD/oz, with two places."""
    return Decimal(int(tick)).scaleb(-2)


def round_stop(value_ticks: float, *, direction: Direction) -> int:
    """A stop on the grid: down for BUY and up for SELL, away from the trade, so that rounding never tightens it."""
    return math.floor(value_ticks) if direction is Direction.BUY else math.ceil(value_ticks)


def round_target(value_ticks: float, *, reference: int, direction: Direction) -> int:
    """A target on the grid, rounded away from `reference` (ticks); raises ValueError when it lies on the wrong side."""
    gain = value_ticks - reference if direction is Direction.BUY else reference - value_ticks
    if not gain >= 0:
        raise ValueError(f"expected a {direction} target beyond {reference}, was {value_ticks}")
    return math.ceil(value_ticks) if direction is Direction.BUY else math.floor(value_ticks)


def _integers(array: npt.NDArray[Any], *, points: int) -> tuple[Ticks, Reasons]:
    """Exact ticks of integers; what could overflow is set just beyond the range before it is multiplied."""
    beyond = (MAX_TICKS // TICKS_PER_USD + 2) * points
    numerator = np.clip(array, 0, min(beyond, np.iinfo(array.dtype).max)).astype(np.int64) * TICKS_PER_USD
    quotient, remainder = np.divmod(numerator, points)
    above_half = 2 * remainder > points
    odd_half = (2 * remainder == points) & (quotient % 2 == 1)
    return quotient + (above_half | odd_half), np.full(array.shape, "", dtype=object)


def _decimals(array: npt.NDArray[Any], *, points: int) -> tuple[Ticks, Reasons]:
    """Ticks of strings and floats; exact arithmetic decides the few whose float lies near a half."""
    exact = array if array.dtype == np.float64 else np.array([str(value) for value in array], dtype=object)
    floats = np.asarray(pd.to_numeric(exact, errors="coerce"), dtype=np.float64) * (TICKS_PER_USD / points)
    reasons = np.full(array.shape, "", dtype=object)
    reasons[~np.isfinite(floats)] = RejectReason.NOT_A_NUMBER.value
    floats = np.clip(np.nan_to_num(floats, posinf=0.0, neginf=0.0), 0.0, MAX_TICKS + 1.0)
    ticks = np.rint(floats).astype(np.int64)
    near = np.flatnonzero(np.abs(floats - np.floor(floats) - 0.5) < _NEAR_HALF)
    # str() of a float is its shortest decimal, and round() of a Fraction is half-even.
    ticks[near] = [round(Fraction(str(value)) * TICKS_PER_USD / points) for value in exact[near].tolist()]
    return ticks, reasons
