"""The schedules: live cycles after base bars, the night after New York's close, freshness and news every hour, retention."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from goldsignal_pipeline.assets.partitions import range_tags
from goldsignal_pipeline.automation.jobs import economic_calendar, feed_freshness, live_cycle, nightly_backtests, nightly_report
from goldsignal_pipeline.automation.retention import retention
from goldsignal_pipeline.automation.ticks import Idle, LastCycle, cycle_for_tick, night_for_tick
from goldsignal_pipeline.settings import cached_settings

BAR_CLOSE_TAG: Final = "goldsignal/bar_close"


def live_cycle_cron(*, bar_minutes: int, grace_seconds: int) -> str:
    """The cron line of base-bar close plus grace, grace rounded up to whole minutes."""
    offset = -(-grace_seconds // 60) % bar_minutes
    if bar_minutes == 1:
        return "* * * * *"
    return f"{offset} * * * *" if bar_minutes == 60 else f"{offset}-59/{bar_minutes} * * * *"


@dg.schedule(
    job=live_cycle,
    cron_schedule=live_cycle_cron(
        bar_minutes=cached_settings().base_timeframe.minutes, grace_seconds=cached_settings().grace_seconds
    ),
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="After every closed base bar; a missed or failed cycle is made good by the next.",
)
def live_cycle_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run per closed bar, over the months from the last good cycle to now."""
    from goldsignal_pipeline.market.hours import load_calendar

    settings = cached_settings()
    cycle = cycle_for_tick(
        context.scheduled_execution_time.astimezone(UTC),
        calendar=load_calendar(),
        timeframe=settings.base_timeframe,
        grace=settings.grace,
        last_good_close=_last_good_close(context.instance),
        last=_last_cycle(context.instance),
    )
    if isinstance(cycle, Idle):
        return dg.SkipReason(cycle.reason)
    tags = {**range_tags(cycle.first_month, cycle.last_month), BAR_CLOSE_TAG: cycle.bar_close.isoformat()}
    return dg.RunRequest(run_key=cycle.run_key, tags=tags)


@dg.schedule(
    job=nightly_backtests,
    # In the hour in which gold rests, a quarter after the last cycle of the day.
    cron_schedule="20 17 * * 1-5",
    execution_timezone="America/New_York",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="After New York's close on every trading day; live cycles keep the same rows, only pictures wait for the night.",
)
def nightly_backtests_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run per trading day, over the running month and in its first days the one before."""
    from goldsignal_pipeline.market.hours import load_calendar

    night = night_for_tick(context.scheduled_execution_time.astimezone(UTC), calendar=load_calendar())
    if isinstance(night, Idle):
        return dg.SkipReason(night.reason)
    return dg.RunRequest(run_key=night.run_key, tags=range_tags(night.first_month, night.last_month))


@dg.schedule(
    job=economic_calendar,
    # Between two live cycles; the service bears two questions in five minutes.
    cron_schedule="24 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour when a calendar is configured.",
)
def economic_calendar_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run per hour, if there is a calendar to be read."""
    if cached_settings().news_calendar is None:
        return dg.SkipReason("No economic calendar is configured (GOLDSIGNAL_NEWS_CALENDAR).")
    return dg.RunRequest(run_key=f"news-{context.scheduled_execution_time.astimezone(UTC):%Y-%m-%dT%H}")


feed_freshness_schedule: Final = dg.ScheduleDefinition(
    name="feed_freshness_schedule",
    job=feed_freshness,
    cron_schedule="17 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Freshness in trading time, so that it stays green over a weekend.",
)

nightly_report_schedule: Final = dg.ScheduleDefinition(
    name="nightly_report_schedule",
    job=nightly_report,
    # When the night's results are in.
    cron_schedule="50 17 * * 1-5",
    execution_timezone="America/New_York",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The report of the last 90 days, after every trading day.",
)

retention_schedule: Final = dg.ScheduleDefinition(
    name="retention_schedule",
    job=retention,
    cron_schedule="40 21 * * *",
    execution_timezone="America/New_York",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Keeps Dagster's own tables small.",
)


def _last_good_close(instance: dg.DagsterInstance) -> datetime | None:
    runs = instance.get_runs(dg.RunsFilter(job_name="live_cycle", statuses=[dg.DagsterRunStatus.SUCCESS]), limit=20)
    closes = [datetime.fromisoformat(run.tags[BAR_CLOSE_TAG]) for run in runs if BAR_CLOSE_TAG in run.tags]
    return max(closes, default=None)


def _last_cycle(instance: dg.DagsterInstance) -> LastCycle | None:
    for run in instance.get_runs(dg.RunsFilter(job_name="live_cycle"), limit=20):
        if BAR_CLOSE_TAG in run.tags:
            succeeded = run.status == dg.DagsterRunStatus.SUCCESS if run.is_finished else None
            return LastCycle(datetime.fromisoformat(run.tags[BAR_CLOSE_TAG]), succeeded)
    return None
