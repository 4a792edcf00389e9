"""`raw_candles`: what the vendor said, every version of every bar, append-only.

1. `assets.refresh` asks the feed for what the months lack and for the newest bars again.
2. `assets.ingest` judges the rows and stores observations, rejects and windows in one transaction.
3. Counts per month go to the partition's metadata.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.partitioning import months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.versions import RAW_CANDLES_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource


@dg.asset(
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="market",
    owners=["team:goldsignal"],
    kinds={"postgres", "python"},
    tags={"layer": "record"},
    code_version=RAW_CANDLES_VERSION,
    metadata=table_metadata("raw_candles"),
    description=(
        "Observations of the market as delivered: one row per symbol, source, timeframe, bar and version, appended only when it "
        "differs from the newest version. Partition m: bars that opened in m. Read by `candles`. Rows that cannot be bars are in "
        "`quarantined_candles`, each with its reason."
    ),
)
@told()
def raw_candles(
    context: dg.AssetExecutionContext,
    database: DatabaseResource,
    feed: FeedResource,
    clock: ClockResource,
    settings: SettingsResource,
) -> dg.MaterializeResult[None]:
    """Fetch what the months lack, and store it."""
    from goldsignal_pipeline.assets.refresh import refresh
    from goldsignal_pipeline.assets.summaries import raw_candles_summary

    window = context.partition_time_window
    with database.open() as opened:
        provider = feed.provider(opened, clock)
        done = refresh(
            opened,
            provider,
            start=window.start,
            end=window.end,
            now=clock.now(),
            grace=settings.read().grace,
            run_id=context.run.run_id,
        )
        for month, metadata in raw_candles_summary(opened, symbol=provider.symbol, months=context.partition_keys).items():
            context.add_asset_metadata(metadata, asset_key="raw_candles", partition_key=month)
    context.log.info(done.sentence())
    return dg.MaterializeResult()
