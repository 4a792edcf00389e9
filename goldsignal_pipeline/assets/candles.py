"""`candles`: the current, validated record of closed bars, every timeframe, derived from `raw_candles`.

1. `assets.derive` loads the observations of the months and the one before, projects them, and replaces the months' rows in one
   transaction.
2. Counts per month, and by night and in backfills a picture, go to the partition's metadata.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.partitioning import earlier_months, months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.versions import CANDLES_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    deps=[dg.AssetDep("raw_candles", partition_mapping=earlier_months(1))],
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="market",
    owners=["team:goldsignal"],
    kinds={"postgres", "pandas"},
    tags={"layer": "record"},
    code_version=CANDLES_VERSION,
    metadata=table_metadata("candles"),
    description=(
        "Closed bars of M1 to D1: one row per symbol, timeframe and bar, the projection of `raw_candles` and what is derived "
        "from it. Partition m: bars that closed in m. Read by every strategy. A trading day comes from one source and its finest "
        "complete timeframe; its completeness is in `trading_day_parts`."
    ),
)
@told()
def candles(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Project the observations of every symbol that has any in these months."""
    from goldsignal_pipeline.assets.derive import derive
    from goldsignal_pipeline.assets.summaries import candles_summary

    chosen = settings.read()
    drawn = context.run.tags.get("goldsignal/kind") != "live"
    with database.open() as opened:
        done = derive(
            opened,
            months=context.partition_keys,
            now=clock.now(),
            grace=chosen.grace,
            source_order=chosen.source_order,
            run_id=context.run.run_id,
        )
        for month, metadata in candles_summary(opened, months=context.partition_keys, with_pictures=drawn).items():
            context.add_asset_metadata(metadata, asset_key="candles", partition_key=month)
    context.log.info(done.sentence())
    return dg.MaterializeResult()
