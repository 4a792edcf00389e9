"""The sensors: what must be repaired, and what the operator must know.

1. `repair_sensor` finds months that are behind what they are made of, and stretches worth asking the vendor for again; it asks
   for one run over their range.
2. `strategies_sensor` asks for the registry on start and whenever the installed strategies changed.
3. `run_failure_events` writes one operator event per failed run, with the cause and not only the step.
4. `failed_check_events` writes one operator event per broken rule or failed check and day.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from goldsignal_pipeline.assets.partitions import month_of, range_tags
from goldsignal_pipeline.automation.jobs import BATCH_TAGS, backfill, derive, register_strategies
from goldsignal_pipeline.automation.ticks import SETTLING_TIME
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource

if TYPE_CHECKING:
    from goldsignal_pipeline.storage.database import Database

# A run that is older and not finished has lost its process.
LONGEST_RUN: Final = timedelta(hours=1)
HOLES_LOOKBACK_DAYS: Final = 7
UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
NOTHING_TO_REPAIR: Final = "no month is behind what it is made of, and no recent hole is worth a call"


@dg.sensor(
    jobs=[derive, backfill],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for the months that are behind what they are made of, and for recent holes of the vendor.",
)
def repair_sensor(
    context: dg.SensorEvaluationContext,
    database: DatabaseResource,
    feed: FeedResource,
    clock: ClockResource,
    settings: SettingsResource,
) -> dg.SensorResult | dg.SkipReason:
    """At most one derive run and one backfill run per tick, each keyed by what it repairs."""
    from goldsignal_pipeline.automation.repairs import hole_to_refetch, stale_range

    now, chosen = clock.now(), settings.read()
    with database.open() as opened:
        stale = (
            None
            if _is_batch_running(context.instance, now=now)
            else stale_range(opened, chosen, now=now, settled_before=now - SETTLING_TIME)
        )
        hole = hole_to_refetch(
            opened,
            feed.provider(opened, clock),
            since=now - timedelta(days=HOLES_LOOKBACK_DAYS),
            until=now - SETTLING_TIME - chosen.grace - chosen.base_timeframe.length,
            now=now,
            grace=chosen.grace,
        )
    requests = []
    if stale is not None:
        # The hour is part of the key, so that a repair that failed is asked for again while its months stay behind.
        key = f"derive:{stale.digest}:{now:%Y-%m-%dT%H}"
        requests.append(dg.RunRequest(run_key=key, job_name="derive", tags=range_tags(stale.first_month, stale.last_month)))
    if hole is not None:
        requests.append(_hole_request(*hole, now=now))
    if not requests:
        return dg.SkipReason(NOTHING_TO_REPAIR)
    return dg.SensorResult(run_requests=requests, cursor=json.dumps({"at": now.isoformat(), "requests": len(requests)}))


def _is_batch_running(instance: dg.DagsterInstance, *, now: datetime) -> bool:
    """Whether a backfill, a night or a repair is under way; it may bring in line what is behind now."""
    unfinished = dg.RunsFilter(tags=BATCH_TAGS, statuses=UNFINISHED, created_after=now - LONGEST_RUN)
    return instance.get_runs_count(unfinished) > 0


def _hole_request(begin: datetime, end: datetime, *, now: datetime) -> dg.RunRequest:
    # The begin alone is the key: the end moves with the clock, and a call that failed is not worth another on the same day.
    key = f"hole:{begin:%Y-%m-%dT%H:%MZ}:{now:%Y-%m-%d}"
    return dg.RunRequest(run_key=key, job_name="backfill", tags=range_tags(month_of(begin), month_of(max(end, now))))


@dg.sensor(
    job=register_strategies,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Registers the installed strategies on start and when they changed.",
)
def strategies_sensor(
    context: dg.SensorEvaluationContext, database: DatabaseResource, clock: ClockResource
) -> dg.RunRequest | dg.SkipReason:
    """A run while the rows are not those of the installed strategies."""
    from goldsignal_pipeline.assets.registering import is_registered

    with database.open() as opened:
        if is_registered(opened):
            return dg.SkipReason("the installed strategies are registered")
    return dg.RunRequest(run_key=f"strategies:{clock.now():%Y-%m-%dT%H:%M}")


@dg.run_failure_sensor(
    name="run_failure_events",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Writes an operator event with the cause of every failed run.",
)
def run_failure_events(context: dg.RunFailureSensorContext, database: DatabaseResource, clock: ClockResource) -> None:
    """One event per run; a second evaluation of the same run adds nothing."""
    causes = _causes(context)
    with database.open() as opened:
        _record(
            opened,
            run_id=context.dagster_run.run_id,
            job=context.dagster_run.job_name,
            at=clock.now(),
            causes=causes,
        )


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="failed_check_events",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Writes an operator event for every rule and check that fails without failing its run, once a day.",
)
def failed_check_events(context: dg.RunStatusSensorContext, database: DatabaseResource, clock: ClockResource) -> None:
    """One event per rule or check and day; what failed a run is told by `run_failure_events`."""
    from goldsignal_pipeline.checks.broken import failures_of_run

    failed = failures_of_run(context.instance, context.dagster_run.run_id)
    if not failed:
        return
    from goldsignal_pipeline.storage import operator_events

    at = clock.now()
    with database.open() as opened, opened.transaction() as connection:
        for one in failed:
            operator_events.append(
                connection,
                at=at,
                kind="check_failed",
                severity="error" if one.is_error else "warning",
                message=one.sentence,
                cause=one.cause,
                run_id=context.dagster_run.run_id,
                natural_key=f"check_failed:{one.asset}:{one.name}:{at:%Y-%m-%d}",
            )


def _causes(context: dg.RunFailureSensorContext) -> list[str]:
    from goldsignal_pipeline.checks.broken import failures_of_run

    causes = [one.words for one in failures_of_run(context.instance, context.dagster_run.run_id) if one.is_error]
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            causes.append(f"{event.step_key}: {data.user_failure_data.description}")
        elif data.error is not None:
            root = data.error
            while root.cause is not None:
                root = root.cause
            causes.append(f"{event.step_key}: {root.message.strip()}")
    return causes or [context.failure_event.message or "no cause was recorded"]


def _record(database: "Database", *, run_id: str, job: str, at: datetime, causes: Sequence[str]) -> None:
    from goldsignal_pipeline.storage import operator_events

    with database.transaction() as connection:
        operator_events.append(
            connection,
            at=at,
            kind="run_failed",
            severity="error",
            message=f"Run {run_id[:8]} of {job} failed.",
            cause="\n".join(causes),
            run_id=run_id,
            natural_key=f"run_failed:{run_id}",
        )
