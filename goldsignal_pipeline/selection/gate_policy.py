"""The gate's limits: every number of its rules, as one typed and frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from goldsignal_pipeline.selection.risk import RISK_SHARE

_HOUR: Final = 60


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Limits of the gate; minutes are market-open minutes, except those around news, which are minutes of the clock."""

    account_usd: Decimal
    risk_share: Decimal = RISK_SHARE
    daily_loss_share: Decimal = Decimal("0.02")
    minimum_confidence: int = 60
    duplicate_minutes: int = 4 * _HOUR
    maximum_open: int = 2
    breaker_losses: int = 5
    breaker_drawdown_r: int = 20
    breaker_minutes: int = 24 * _HOUR
    closing_minutes: int = 5 * _HOUR
    news_minutes: int = 30
    avoids_asia: bool = False
