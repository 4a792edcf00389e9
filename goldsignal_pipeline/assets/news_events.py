"""`news_events`: the economic calendar of the settings, and what of it the gate is told.

`news_events` has no months: a calendar tells of the running week. Its policy is a single run like everyone's.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.versions import NEWS_EVENTS_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="news",
    owners=["team:goldsignal"],
    kinds={"postgres", "python"},
    tags={"layer": "news"},
    code_version=NEWS_EVENTS_VERSION,
    metadata=table_metadata("news_events"),
    description=(
        "Economic events: one row per instant, currency and title, as the configured calendar announces them. Important USD "
        "events become events of the gate, which takes no setup around them. Read by the chart page and the API."
    ),
)
@told()
def news_events(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Bring the calendar and the gate up to date."""
    from goldsignal_pipeline.assets.keep_news import keep_news

    with database.open() as opened:
        kept = keep_news(opened, settings.read().news_calendar, now=clock.now())
    context.log.info(f"{kept.source}: {kept.nothing_because or f'{kept.events} events, {kept.gate_events} new for the gate'}.")
    return dg.MaterializeResult(metadata=kept.metadata())
