"""Rules of `raw_candles`: what breaks them is suspect, not wrong, so they warn and stop nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.checks.building import Rule, check_of

if TYPE_CHECKING:
    from datetime import datetime

    from goldsignal_pipeline.checks.findings import Finding
    from goldsignal_pipeline.storage.database import Database

RULES: Final = {
    "rows_are_plausible": Rule(
        "At most 2 % of the rows that a source delivered for open hours were turned away.", is_blocking=False
    ),
    "newest_versions_are_digested": Rule(
        "Every month with observations has a digest, so that candles can tell when they are stale.", is_blocking=False
    ),
}


def _find(database: Database, months: Sequence[str], _: datetime) -> Mapping[str, Finding]:
    from goldsignal_pipeline.checks.findings import observation_findings

    return observation_findings(database, months=months)


raw_candles_rules: Final = check_of("raw_candles", RULES, find=_find)
