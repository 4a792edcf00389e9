"""Checks of `candles`: what the write transaction refused already is verified again on the stored rows, and stops the run.

Each check names the rows it found. Suspect days do not stop anything: they are the `data_blocked` state that a gate reads.
"""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from goldsignal_pipeline.resources import ClockResource, DatabaseResource

_BLOCKING: Final = {
    "prices_are_ordered": "I1: low <= open, close <= high, and every price positive.",
    "keys_are_unique": "I2: one current candle per symbol, timeframe and timestamp.",
    "nothing_outside_hours": "Every candle opens at a bar of its timeframe while the market trades, by the frozen calendar.",
    "derived_equals_base": "I4: every derived candle equals the aggregation of its base candles.",
}
_WARNING: Final = {
    "trading_days_are_complete": "No trading day lacks more than 2 % of its bars; one that does is data_blocked.",
}


@dg.multi_asset_check(
    name="candles_checks",
    specs=[
        *(dg.AssetCheckSpec(name, asset="candles", blocking=True, description=text) for name, text in _BLOCKING.items()),
        *(dg.AssetCheckSpec(name, asset="candles", description=text) for name, text in _WARNING.items()),
    ],
)
def candles_checks(
    context: dg.AssetCheckExecutionContext, database: DatabaseResource, clock: ClockResource
) -> Iterator[dg.AssetCheckResult]:
    """Verify the months of the run, or the running month when there is none."""
    from goldsignal_pipeline.checks.findings import candle_findings
    from goldsignal_pipeline.checks.months import months_of_run

    with database.open() as opened:
        findings = candle_findings(opened, months=months_of_run(context, now=clock.now()))
    for name, rows in findings.items():
        severity = dg.AssetCheckSeverity.ERROR if name in _BLOCKING else dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckResult(
            asset_key="candles",
            check_name=name,
            passed=not rows.count,
            severity=severity,
            metadata=rows.metadata(),
        )
