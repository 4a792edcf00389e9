"""Retention on Dagster's real storage: old runs go, but none on which the state of a partition rests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from goldsignal_pipeline.assets.partitioning import months
from goldsignal_pipeline.automation.jobs import LIVE_TAGS
from goldsignal_pipeline.automation.retention import prune_runs
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline_tests.automation.conftest import Deployment

LIVE, OTHER = timedelta(days=3), timedelta(days=30)
KEYS = [dg.AssetKey("raw_candles"), dg.AssetKey("candles")]


def logs_of(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.storage_directory()) / run_id


def filled(instance: dg.DagsterInstance) -> list[set[str]]:
    """The months that Dagster calls materialized, of both assets."""
    return [instance.get_materialized_partitions(key) for key in KEYS]


def test_old_live_runs_go_with_their_logs_but_never_the_newest_of_a_month(
    deployment: Deployment, postgres_instance: dg.DagsterInstance
) -> None:
    instance = postgres_instance
    ranges = [("2024-02", "2024-03"), ("2024-03", "2024-03"), ("2024-03", "2024-03")]
    runs = [deployment.materialize(*each, instance=instance).run_id for each in ranges]
    failed = deployment.materialize("2024-03", "2024-03", instance=_broken(deployment, instance)).run_id
    before = filled(instance)
    assert all(logs_of(instance, run_id).is_dir() for run_id in runs)

    now = datetime.now(UTC)
    assert prune_runs(instance, now=now + timedelta(days=2), live_age=LIVE, other_age=OTHER) == (0, 0)
    assert prune_runs(instance, now=now + timedelta(days=4), live_age=LIVE, other_age=OTHER) == (2, 2)

    left = {run.run_id for run in instance.get_runs()}
    assert left == {runs[0], runs[2]}, "the newest of February and of March"
    assert not logs_of(instance, runs[1]).exists()
    assert not logs_of(instance, failed).exists()
    assert logs_of(instance, runs[2]).is_dir()
    assert filled(instance) == before == [{"2024-02", "2024-03"}] * 2
    assert prune_runs(instance, now=now + timedelta(days=400), live_age=LIVE, other_age=OTHER) == (0, 2)


def test_runs_that_fill_history_are_kept_longer_and_then_only_while_they_are_the_newest(
    deployment: Deployment, postgres_instance: dg.DagsterInstance
) -> None:
    instance = postgres_instance
    first, second = (deployment.materialize("2024-02", "2024-02", instance=instance, kind="batch").run_id for _ in range(2))
    now = datetime.now(UTC)
    assert prune_runs(instance, now=now + timedelta(days=20), live_age=LIVE, other_age=OTHER) == (0, 0)
    assert prune_runs(instance, now=now + timedelta(days=31), live_age=LIVE, other_age=OTHER) == (1, 1)
    assert [run.run_id for run in instance.get_runs()] == [second]
    assert first != second
    statuses = instance.get_status_by_partition(KEYS[1], ["2024-02"], months)
    assert statuses is not None
    assert statuses["2024-02"] is not None


def test_the_newest_good_live_cycle_is_kept_because_the_next_one_reaches_on_from_it(
    postgres_instance: dg.DagsterInstance,
) -> None:
    """Over a long weekend it was pruned otherwise, and what came before the weekend was never fetched."""
    statuses = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    runs = [
        postgres_instance.add_run(dg.DagsterRun(job_name="live_cycle", status=status, tags=LIVE_TAGS)).run_id
        for status in statuses
    ]
    assert prune_runs(postgres_instance, now=datetime.now(UTC) + timedelta(days=9), live_age=LIVE, other_age=OTHER) == (2, 1)
    assert [run.run_id for run in postgres_instance.get_runs()] == [runs[1]]


def test_a_run_in_flight_is_never_deleted(postgres_instance: dg.DagsterInstance) -> None:
    @dg.job
    def nothing() -> None: ...

    run = postgres_instance.create_run_for_job(nothing, tags={"goldsignal/kind": "live"})
    postgres_instance.report_engine_event("started", run)
    assert prune_runs(postgres_instance, now=datetime.now(UTC) + timedelta(days=99), live_age=LIVE, other_age=OTHER) == (0, 0)
    assert postgres_instance.has_run(run.run_id)


def _broken(deployment: Deployment, instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """The same instance, with a feed that fails from now on."""

    class Broken(SimulatedProvider):
        @property
        def symbol(self) -> str:
            raise dg.Failure("the feed is gone", allow_retries=False)

    deployment.feed = Broken(
        seed=7, calendar=load_calendar(), base_timeframe=deployment.feed.base_timeframe, clock=deployment.clock
    )
    return instance
