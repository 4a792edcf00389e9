"""How the check of a table is built: rules as data, all of them verified in one step and told in one evaluation.

Dagster writes three events and a state for every check of a run, and a live cycle runs every few minutes. So an asset has one
check, `rules`, whose content the rules are: an evaluation that fails names every broken rule, with the number of rows that break
it and the first of them. What would let wrong rows travel on blocks; what is merely suspect warns and stops nothing, also when
it stands in one check with rules that block.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from goldsignal_pipeline.resources import ClockResource, DatabaseResource

if TYPE_CHECKING:
    from datetime import datetime

    from goldsignal_pipeline.checks.findings import Finding
    from goldsignal_pipeline.storage.database import Database

NAME: Final = "rules"
BROKEN: Final = "broken_rules"
"""The metadata of a failed evaluation that names the rules."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for every row, in words, and whether a row that breaks it stops the run."""

    promise: str
    is_blocking: bool = True

    @property
    def effect(self) -> str:
        """What happens when the rule is broken."""
        return "stops the run" if self.is_blocking else "warns"


@dataclass(frozen=True, slots=True)
class RowRule(Rule):
    """A rule with the query that selects the rows that break it; it may use `start`, `end` (the months, half-open) and `now`."""

    breaking_rows: str = ""


Find = Callable[["Database", Sequence[str], "datetime"], "Mapping[str, Finding]"]
"""The rows of consecutive months that break each rule of an asset, by its name, as of an instant."""


def check_of(asset: str, rules: Mapping[str, Rule], *, find: Find) -> dg.AssetChecksDefinition:
    """The one check of an asset: all its rules on the months of the run, or on the running month when there is none."""

    @dg.asset_check(
        asset=asset,
        name=NAME,
        blocking=any(rule.is_blocking for rule in rules.values()),
        description="\n".join(f"- **{name}** ({rule.effect}): {rule.promise}" for name, rule in rules.items()),
    )
    def verify(context: dg.AssetCheckExecutionContext, database: DatabaseResource, clock: ClockResource) -> dg.AssetCheckResult:
        from goldsignal_pipeline.checks.months import months_of_run

        now = clock.now()
        with database.open() as opened:
            return verdict(rules, find(opened, months_of_run(context, now=now), now))

    return verify


def row_check_of(asset: str, rules: Mapping[str, RowRule]) -> dg.AssetChecksDefinition:
    """The check of an asset whose rules are all queries."""

    def find(database: "Database", months: Sequence[str], now: "datetime") -> "Mapping[str, Finding]":
        from goldsignal_pipeline.checks.findings import rule_findings

        with database.transaction(read_only=True) as connection:
            return rule_findings(connection, rules, months=months, now=now)

    return check_of(asset, rules, find=find)


def verdict(rules: Mapping[str, Rule], findings: "Mapping[str, Finding]") -> dg.AssetCheckResult:
    """One evaluation of all rules: an error, which blocks, only when a rule is broken that blocks."""
    broken = {name: rule for name, rule in rules.items() if findings[name].count}
    metadata: dict[str, Any] = {"rules": len(rules)}
    if broken:
        metadata[BROKEN] = dg.MetadataValue.table(
            [
                dg.TableRecord({"rule": name, "rows": findings[name].count, "blocks": rule.is_blocking, "promise": rule.promise})
                for name, rule in broken.items()
            ]
        )
    for name in broken:
        metadata[name] = findings[name].table()
    severity = dg.AssetCheckSeverity
    return dg.AssetCheckResult(
        passed=not broken,
        severity=severity.ERROR if any(rule.is_blocking for rule in broken.values()) else severity.WARN,
        description="; ".join(f"{name}: {findings[name].count} rows" for name in broken) or None,
        metadata=metadata,
    )
