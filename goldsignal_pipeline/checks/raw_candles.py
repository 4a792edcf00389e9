"""Checks of `raw_candles`: suspect, not wrong, so they warn and stop nothing."""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from goldsignal_pipeline.resources import ClockResource, DatabaseResource

_WARNING: Final = {
    "rows_are_plausible": "At most 2 % of the rows that a source delivered for open hours were turned away.",
    "newest_versions_are_digested": "Every month with observations has a digest, so that candles can tell when they are stale.",
}


@dg.multi_asset_check(
    name="raw_candles_checks",
    specs=[dg.AssetCheckSpec(name, asset="raw_candles", description=text) for name, text in _WARNING.items()],
)
def raw_candles_checks(
    context: dg.AssetCheckExecutionContext, database: DatabaseResource, clock: ClockResource
) -> Iterator[dg.AssetCheckResult]:
    """Verify the months of the run, or the running month when there is none."""
    from goldsignal_pipeline.checks.findings import observation_findings
    from goldsignal_pipeline.checks.months import months_of_run

    with database.open() as opened:
        findings = observation_findings(opened, months=months_of_run(context, now=clock.now()))
    for name, rows in findings.items():
        yield dg.AssetCheckResult(
            asset_key="raw_candles",
            check_name=name,
            passed=not rows.count,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=rows.metadata(),
        )
