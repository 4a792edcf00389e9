"""Runs of the asset graph from the command line: one run per range of months, in this process, recorded like any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldsignal_pipeline.assets.partitions import months_between, range_tags
from goldsignal_pipeline.cli.services.runs import process_tags
from goldsignal_pipeline.cli.session import dagster_instance

if TYPE_CHECKING:
    import dagster as dg

MONTHS_PER_RUN = 12
REGISTRY = "strategies"
READERS_OF_REGISTRY = frozenset({"setups", "backtest_results"})


# The run's record holds every event; on the terminal they would bury the command's own words.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class RunReport:
    """One finished run: its id, its months, whether it succeeded, how long it took, and the causes when it did not."""

    run_id: str
    first_month: str
    last_month: str
    succeeded: bool
    seconds: float
    causes: tuple[str, ...] = ()


def chunks(first_month: str, last_month: str, *, months_per_run: int = MONTHS_PER_RUN) -> list[tuple[str, str]]:
    """A range cut into runs of at most so many months, in time order."""
    months = months_between(first_month, last_month)
    pieces = [months[start : start + months_per_run] for start in range(0, len(months), months_per_run)]
    return [(piece[0], piece[-1]) for piece in pieces]


def materialize_range(
    *,
    assets: Sequence[str],
    first_month: str,
    last_month: str,
    months_per_run: int = MONTHS_PER_RUN,
    progress: Callable[[RunReport], None] | None = None,
) -> list[RunReport]:
    """Run `assets` over the months, one run per chunk, and stop at the first that fails.

    The addresses must have been adopted (`cli.session`). Every run is visible in the Dagster UI.
    """
    reports = []
    with dagster_instance() as instance:
        for first, last in chunks(first_month, last_month, months_per_run=months_per_run):
            report = _run(instance, assets=assets, first=first, last=last)
            reports.append(report)
            if progress is not None:
                progress(report)
            if not report.succeeded:
                break
    return reports


def with_registry(assets: Sequence[str]) -> list[str]:
    """The assets, and `strategies`, which has no months, where one of them reads it."""
    return [*assets, REGISTRY] if READERS_OF_REGISTRY & set(assets) and REGISTRY not in assets else [*assets]


def _run(instance: dg.DagsterInstance, *, assets: Sequence[str], first: str, last: str) -> RunReport:
    import dagster as dg

    from goldsignal_pipeline.definitions import definitions

    started = time.perf_counter()
    chosen = {dg.AssetKey(name) for name in with_registry(assets)}
    job = definitions.resolve_job_def("backfill")
    # Asked for assets alone, Dagster would add every check of theirs, those that the job leaves to the night included.
    checks = {key for key in job.asset_layer.asset_graph.asset_check_keys if key.asset_key in chosen}
    result = job.get_subset(asset_selection=chosen, asset_check_selection=checks).execute_in_process(
        instance=instance, tags=range_tags(first, last) | process_tags(), raise_on_error=False, run_config=_QUIET
    )
    return RunReport(
        run_id=result.run_id,
        first_month=first,
        last_month=last,
        succeeded=result.success,
        seconds=time.perf_counter() - started,
        causes=tuple(_causes(result)),
    )


def _causes(result: dg.ExecuteInProcessResult) -> list[str]:
    from goldsignal_pipeline.checks.broken import failures

    told = failures(result.get_asset_check_evaluations())
    causes = [one.words for one in told if one.is_error]
    for event in result.filter_events(lambda event: event.is_step_failure):
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            causes.append(data.user_failure_data.description)
        elif data.error is not None:
            causes.append(data.error.message.strip())
    return causes
