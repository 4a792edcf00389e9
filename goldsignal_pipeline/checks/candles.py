"""Rules of `candles`: what the write transaction refused already is verified again on the stored rows, and stops the run.

Suspect days do not stop anything: they are the `data_blocked` state that a gate reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.checks.building import Rule, check_of

if TYPE_CHECKING:
    from datetime import datetime

    from goldsignal_pipeline.checks.findings import Finding
    from goldsignal_pipeline.storage.database import Database

RULES: Final = {
    "prices_are_ordered": Rule("I1: low <= open, close <= high, and every price positive."),
    "keys_are_unique": Rule("I2: one current candle per symbol, timeframe and timestamp."),
    "nothing_outside_hours": Rule(
        "Every candle opens at a bar of its timeframe while the market trades, by the frozen calendar."
    ),
    "derived_equals_base": Rule("I4: every derived candle equals the aggregation of its base candles."),
    "trading_days_are_complete": Rule(
        "No trading day lacks more than 2 % of its bars; one that does is data_blocked.", is_blocking=False
    ),
}


def _find(database: Database, months: Sequence[str], _: datetime) -> Mapping[str, Finding]:
    from goldsignal_pipeline.checks.findings import candle_findings

    return candle_findings(database, months=months)


candles_rules: Final = check_of("candles", RULES, find=_find)
