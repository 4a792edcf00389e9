"""`strategy_performance`: how real signals did by the end of each day, and the health of every strategy.

1. `assets.measure_performance` computes rolling metrics of outcomes and the state of degradation, and replaces the months' rows.
2. Counts per month, and by night and in backfills a picture, go to the partition's metadata.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.nightly import NIGHTLY_END
from goldsignal_pipeline.assets.partitioning import dependencies, months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.telling import tell_months
from goldsignal_pipeline.assets.versions import STRATEGY_PERFORMANCE_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    deps=dependencies("strategy_performance"),
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    freshness_policy=NIGHTLY_END,
    group_name="signals",
    owners=["team:goldsignal"],
    kinds={"postgres", "pandas"},
    tags={"layer": "signals"},
    code_version=STRATEGY_PERFORMANCE_VERSION,
    metadata=table_metadata("strategy_performance"),
    description=(
        "Rolling metrics of real signals: one row per strategy, timeframe, day and window (7, 30, 90 days), with the state of "
        "degradation at the end of the day. Partition m: days of m that are over. Read by people and alerts."
    ),
)
@told()
def strategy_performance(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Measure the signals of every symbol."""
    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.assets.measure_performance import measure_performance

    chosen = settings.read()
    writing = Writing.of_run(context, now=clock.now(), grace=chosen.grace)
    with database.open() as opened:
        done = measure_performance(opened, chosen, writing)
        tell_months(context, opened, asset="strategy_performance")
    context.log.info(done.sentence("Performance"))
    return dg.MaterializeResult()
