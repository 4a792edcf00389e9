"""The sensors: what must be repaired, and what the operator must know.

1. `repair_sensor` finds months whose candles are older than their observations, and stretches worth asking the vendor for
   again; it asks for one run over their range.
2. `run_failure_events` writes one operator event per failed run, with the cause and not only the step.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from goldsignal_pipeline.assets.partitions import month_of, next_month, range_tags
from goldsignal_pipeline.automation.jobs import backfill, derive
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource

if TYPE_CHECKING:
    from goldsignal_pipeline.storage.database import Database

LONGEST_REPAIR_MONTHS: Final = 12
# A live cycle stores observations and derives candles seconds later; what is younger than this is its work, not a repair.
SETTLING_TIME: Final = timedelta(minutes=3)
HOLES_LOOKBACK_DAYS: Final = 7


@dg.sensor(
    jobs=[derive, backfill],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for the months whose candles are older than their observations, and for recent holes of the vendor.",
)
def repair_sensor(
    context: dg.SensorEvaluationContext,
    database: DatabaseResource,
    feed: FeedResource,
    clock: ClockResource,
    settings: SettingsResource,
) -> dg.SensorResult | dg.SkipReason:
    """At most one derive run and one backfill run per tick, each keyed by what it repairs."""
    from goldsignal_pipeline.automation.repairs import hole_to_refetch, stale_ranges

    now, chosen = clock.now(), settings.read()
    with database.open() as opened:
        stale = stale_ranges(opened, grace=chosen.grace, source_order=chosen.source_order, settled_before=now - SETTLING_TIME)
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
        first, last = stale.months[0], min(stale.months[-1], next_month(stale.months[0], steps=LONGEST_REPAIR_MONTHS - 1))
        # The hour is part of the key, so that a repair that failed is asked for again while its months stay stale.
        key = f"derive:{stale.digest}:{now:%Y-%m-%dT%H}"
        requests.append(dg.RunRequest(run_key=key, job_name="derive", tags=range_tags(first, last)))
    if hole is not None:
        requests.append(_hole_request(*hole, now=now))
    if not requests:
        return dg.SkipReason("every month is as new as its observations, and no recent hole is worth a call")
    return dg.SensorResult(run_requests=requests, cursor=json.dumps({"at": now.isoformat(), "requests": len(requests)}))


def _hole_request(begin: datetime, end: datetime, *, now: datetime) -> dg.RunRequest:
    # The begin alone is the key: the end moves with the clock, and a call that failed is not worth another on the same day.
    key = f"hole:{begin:%Y-%m-%dT%H:%MZ}:{now:%Y-%m-%d}"
    return dg.RunRequest(run_key=key, job_name="backfill", tags=range_tags(month_of(begin), month_of(max(end, now))))


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


def _causes(context: dg.RunFailureSensorContext) -> list[str]:
    causes = []
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
