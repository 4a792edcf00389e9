"""How the checks of a table are built: rules as data, each a query that selects the rows that break it.

A statement may use the parameters `start` and `end` (the months of the run, half-open) and `now`. What would let wrong rows
travel on blocks; what is merely suspect warns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from goldsignal_pipeline.resources import ClockResource, DatabaseResource


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for every row, in words, and the query for those that break it."""

    promise: str
    breaking_rows: str
    is_blocking: bool = True


def checks_of(asset: str, rules: Mapping[str, Rule]) -> dg.AssetChecksDefinition:
    """One step that verifies all rules of an asset on the months of the run."""

    @dg.multi_asset_check(
        name=f"{asset}_checks",
        specs=[
            dg.AssetCheckSpec(name, asset=asset, blocking=rule.is_blocking, description=rule.promise)
            for name, rule in rules.items()
        ],
    )
    def verify(
        context: dg.AssetCheckExecutionContext, database: DatabaseResource, clock: ClockResource
    ) -> Iterator[dg.AssetCheckResult]:
        from goldsignal_pipeline.checks.findings import rule_findings
        from goldsignal_pipeline.checks.months import months_of_run

        now = clock.now()
        with database.open() as opened, opened.transaction(read_only=True) as connection:
            findings = rule_findings(connection, rules, months=months_of_run(context, now=now), now=now)
        for name, rows in findings.items():
            severity = dg.AssetCheckSeverity.ERROR if rules[name].is_blocking else dg.AssetCheckSeverity.WARN
            yield dg.AssetCheckResult(
                asset_key=asset, check_name=name, passed=not rows.count, severity=severity, metadata=rows.metadata()
            )

    return verify
