"""Risk: how large a position is, exactly, in lots and ounces.

The account risks a fixed share on the planned R (the distance of reference and stop), less when the market is wilder than its
median. Lots are rounded down to 0.01, which is one troy ounce, so that a size never risks more than it may; at least 0.02 lots
are needed, because half must be closable. The computation is in fractions: a size just at a step is not lost to a float.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from goldsignal_pipeline.market.prices import TICKS_PER_USD

OUNCES_PER_LOT: Final = 100
MINIMUM_OUNCES: Final = 2
SKEW_SIGNALS: Final = 20
RISK_SHARE: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Size:
    """A position: whole troy ounces, the same in lots, and what it loses at the planned stop in US dollars."""

    ounces: int
    lots: Decimal
    risk_usd: Decimal

    @property
    def is_tradable(self) -> bool:
        """Whether half of the position can be closed."""
        return self.ounces >= MINIMUM_OUNCES


def size_of(
    *,
    account_usd: Decimal,
    planned_risk_ticks: int,
    atr: float,
    median_atr: float,
    risk_share: Decimal = RISK_SHARE,
) -> Size:
    """The size for an account in US dollars and a planned R in ticks (above 0).

    `atr` is that of the confirming bar, `median_atr` the median of 720 H1 bars in the same unit; where either is not above 0
    (unknown or NaN) nothing is scaled. A size below the minimum comes back as it is; `Size.is_tradable` tells.
    """
    scale = min(Fraction(1), Fraction(median_atr) / Fraction(atr)) if atr > 0 and median_atr > 0 else Fraction(1)
    risk_per_ounce_usd = Fraction(planned_risk_ticks, TICKS_PER_USD)
    ounces = int(Fraction(account_usd) * Fraction(risk_share) / risk_per_ounce_usd * scale)
    return Size(
        ounces=ounces,
        lots=Decimal(ounces) / OUNCES_PER_LOT,
        risk_usd=Decimal(ounces * planned_risk_ticks) / TICKS_PER_USD,
    )


def direction_skew(directions: Sequence[str]) -> float:
    """The larger share of one direction among the last 20 signals (in order of time); NaN while there are fewer.

    Beyond 0.75 it is reported; it never turns a setup away.
    """
    last = directions[-SKEW_SIGNALS:]
    if len(last) < SKEW_SIGNALS:
        return math.nan
    return max(last.count(direction) for direction in set(last)) / SKEW_SIGNALS
