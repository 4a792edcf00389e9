"""What failed checks say, for whoever must be told: one sentence per broken rule, or per check that has no rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from goldsignal_pipeline.checks.building import BROKEN

if TYPE_CHECKING:
    from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule of an asset, or a check of it, that failed; `cause` is what was found, in words."""

    asset: str
    name: str
    sentence: str
    cause: str | None
    is_error: bool

    @property
    def words(self) -> str:
        """All that is known, in one line."""
        return f"{self.sentence} {self.cause or ''}".strip()


def failures(evaluations: Iterable[AssetCheckEvaluation]) -> list[Failure]:
    """The broken rules and failed checks among evaluations."""
    return [one for evaluation in evaluations if not evaluation.passed for one in _failures_of(evaluation)]


def failures_of_run(instance: dg.DagsterInstance, run_id: str) -> list[Failure]:
    """The broken rules and failed checks of a run."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    events = [record.event_log_entry.dagster_event for record in records]
    return failures(event.asset_check_evaluation_data for event in events if event is not None)


def _failures_of(evaluation: AssetCheckEvaluation) -> list[Failure]:
    asset = evaluation.asset_key.to_user_string()
    broken = evaluation.metadata.get(BROKEN)
    if not isinstance(broken, dg.TableMetadataValue):
        words = [f"{name} {value.value}" for name, value in evaluation.metadata.items() if _is_word(value)]
        is_error = evaluation.severity is dg.AssetCheckSeverity.ERROR
        sentence = f"Check {evaluation.check_name} of {asset} failed."
        return [Failure(asset, evaluation.check_name, sentence, "; ".join(words) or None, is_error)]
    return [_broken(asset, evaluation, record) for record in broken.records]


def _broken(asset: str, evaluation: AssetCheckEvaluation, record: dg.TableRecord) -> Failure:
    name, rows = str(record.data["rule"]), record.data["rows"]
    shown = evaluation.metadata.get(name)
    first = f" First: {_row(shown.records[0])}." if isinstance(shown, dg.TableMetadataValue) else ""
    return Failure(
        asset=asset,
        name=name,
        sentence=f"Rule {name} of {asset} is broken; rows that break it: {rows}.",
        cause=f"{record.data['promise']}{first}",
        is_error=bool(record.data["blocks"]),
    )


def _row(record: dg.TableRecord) -> str:
    return ", ".join(f"{name} {value}" for name, value in record.data.items())


def _is_word(value: dg.MetadataValue) -> bool:
    return isinstance(value.value, str | int | float)
