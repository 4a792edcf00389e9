"""All rules of an asset are one evaluation: it names every broken rule with its rows, and only rules that block make it block."""

from __future__ import annotations

import dagster as dg
import pytest

from goldsignal_pipeline.checks.broken import failures
from goldsignal_pipeline.checks.building import BROKEN, Rule, verdict
from goldsignal_pipeline.checks.findings import Finding

RULES = {
    "strict": Rule("Prices are positive."),
    "lenient": Rule("Days are complete.", is_blocking=False),
    "other": Rule("Other."),
}
SOUND = Finding(0, [])


def evaluated(**broken: Finding) -> dg.AssetCheckEvaluation:
    """The evaluation as Dagster records it, of a check without a table behind it."""

    @dg.asset
    def prices() -> None: ...

    @dg.asset_check(asset=prices, name="rules", blocking=True)
    def rules() -> dg.AssetCheckResult:
        return verdict(RULES, {name: broken.get(name, SOUND) for name in RULES})

    @dg.asset(deps=[prices])
    def following() -> None: ...

    result = dg.materialize([prices, rules, following], raise_on_error=False)
    started = {event.step_key for event in result.filter_events(lambda event: event.event_type_value == "STEP_START")}
    (evaluation,) = result.get_asset_check_evaluations()
    blocks = not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert ("following" in started) is not blocks
    return evaluation


def test_kept_rules_are_told_by_their_number_alone() -> None:
    evaluation = evaluated()
    assert evaluation.passed
    assert {name: value.value for name, value in evaluation.metadata.items()} == {"rules": 3}
    assert failures([evaluation]) == []


@pytest.mark.parametrize(
    ("names", "severity"), [(["lenient"], "WARN"), (["strict"], "ERROR"), (["lenient", "strict", "other"], "ERROR")]
)
def test_broken_rules_are_named_with_their_rows_and_a_warning_never_blocks(names: list[str], severity: str) -> None:
    evaluation = evaluated(**{name: Finding(41, [{"month": f"{name} 2026-03"}]) for name in names})
    assert not evaluation.passed
    assert evaluation.severity.value == severity
    table = evaluation.metadata[BROKEN]
    assert isinstance(table, dg.TableMetadataValue)
    assert {record.data["rule"] for record in table.records} == set(names)
    told = {one.name: one for one in failures([evaluation])}
    assert told.keys() == set(names)
    for name, one in told.items():
        assert one.sentence == f"Rule {name} of prices is broken; rows that break it: 41."
        assert one.cause == f"{RULES[name].promise} First: month {name} 2026-03."
        assert one.is_error is RULES[name].is_blocking
