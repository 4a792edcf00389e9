"""Costs: what a trade pays beside the spread, as typed parameters in whole ticks and basis points."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeInt


class TradeCosts(BaseModel):
    """Slippage per market or stop fill (targets pay none), and the yearly swap rates charged at each roll."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slippage_ticks: NonNegativeInt = 5
    swap_long_basis_points: NonNegativeInt = 500
    swap_short_basis_points: NonNegativeInt = 0
