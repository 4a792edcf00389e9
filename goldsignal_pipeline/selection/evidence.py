"""Evidence: what the 365 days before a day say of a strategy on a timeframe, and whether it may give signals.

With the week-clustered standard error of the expectancy: *harmful* when expectancy + 1.2816 x error <= 0, *proven* when
expectancy - 1.2816 x error > 0, else *unproven*. 1.2816 is the normal quantile of 90 %. A strategy is eligible when it is not
harmful, has at least 30 closed trades and reaches the evidence the user asks for.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

EVIDENCE_WINDOW_DAYS: Final = 365
FEWEST_TRADES: Final = 30
_QUANTILE: Final = 1.2816


class Evidence(StrEnum):
    """How much the past supports a strategy, weakest first."""

    HARMFUL = "harmful"
    UNPROVEN = "unproven"
    PROVEN = "proven"


_ORDER: Final = tuple(Evidence)


def judge(*, expectancy: float, error: float) -> Evidence:
    """The evidence of an expectancy (R) with its clustered standard error (R); unproven where either is NaN."""
    if math.isnan(expectancy) or math.isnan(error):
        return Evidence.UNPROVEN
    if expectancy + _QUANTILE * error <= 0:
        return Evidence.HARMFUL
    return Evidence.PROVEN if expectancy - _QUANTILE * error > 0 else Evidence.UNPROVEN


def is_eligible(*, evidence: Evidence, trades: int, min_evidence: Evidence = Evidence.UNPROVEN) -> bool:
    """Whether setups of a strategy with this evidence from `trades` closed trades may become signals."""
    enough = trades >= FEWEST_TRADES
    return enough and evidence is not Evidence.HARMFUL and _ORDER.index(evidence) >= _ORDER.index(min_evidence)
