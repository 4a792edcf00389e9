"""`setups`: candidate trades of every strategy, with the measured value and threshold of each condition.

1. `assets.find_setups` evaluates every strategy from its fixed origin and replaces the months' rows in one transaction.
2. Counts per month, and by night and in backfills a picture, go to the partition's metadata.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.partitioning import dependencies, months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.telling import tell_months
from goldsignal_pipeline.assets.versions import SETUPS_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    deps=[*dependencies("setups"), dg.AssetDep("strategies")],
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="research",
    owners=["team:goldsignal"],
    kinds={"postgres", "pandas"},
    tags={"layer": "research"},
    code_version=SETUPS_VERSION,
    metadata=table_metadata("setups"),
    description=(
        "Candidate trades: one row per strategy, timeframe, direction and confirming bar, near misses and refused ones marked. "
        "Partition m: setups whose confirming bar closed in m. Read by `backtest_trades` and `signals`."
    ),
)
@told()
def setups(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Evaluate every strategy on the candles of every symbol."""
    from goldsignal_pipeline.assets.find_setups import find_setups
    from goldsignal_pipeline.assets.keeping import Writing

    chosen = settings.read()
    writing = Writing.of_run(context, now=clock.now(), grace=chosen.grace)
    with database.open() as opened:
        done = find_setups(opened, writing)
        tell_months(context, opened, asset="setups")
    context.log.info(done.sentence("Setups"))
    return dg.MaterializeResult()
