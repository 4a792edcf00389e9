"""`alerts`: messages that are owed for what happened live; a sender delivers them.

1. `assets.owe_alerts` derives them from append-only events by natural key, so that each is owed once and none is lost.
2. Counts per month go to the partition's metadata.

A month of alerts is no function of candles and is never behind: it has no digest and no staleness, it is compared with no other
database, and deriving it again adds nothing.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.nightly import NIGHTLY_END
from goldsignal_pipeline.assets.partitioning import dependencies, months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.telling import tell_months
from goldsignal_pipeline.assets.versions import ALERTS_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    deps=dependencies("alerts"),
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    freshness_policy=NIGHTLY_END,
    group_name="signals",
    owners=["team:goldsignal"],
    kinds={"postgres", "python"},
    tags={"layer": "signals"},
    code_version=ALERTS_VERSION,
    metadata=table_metadata("alerts"),
    description=(
        "Messages owed for live events: one row per signal, step, change of health, breaker, blocked day, error and digest. "
        "Partition m: live events that happened in m; a backfill owes none. Read by the sender, which delivers them."
    ),
)
@told()
def alerts(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Owe what happened live."""
    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.assets.owe_alerts import owe_alerts

    chosen = settings.read()
    writing = Writing.of_run(context, now=clock.now(), grace=chosen.grace)
    with database.open() as opened:
        new = owe_alerts(opened, chosen, writing)
        tell_months(context, opened, asset="alerts")
    context.log.info(f"{new.total()} new messages: {dict(new)}.")
    return dg.MaterializeResult()
