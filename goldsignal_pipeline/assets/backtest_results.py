"""`backtest_results`: what every strategy had achieved in simulation as of each day.

1. `assets.score_trades` computes rolling metrics of every day and replaces the months' rows in one transaction.
2. Counts per month, and by night and in backfills a picture, go to the partition's metadata.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.partitioning import dependencies, months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.telling import tell_months
from goldsignal_pipeline.assets.versions import BACKTEST_RESULTS_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    deps=[*dependencies("backtest_results"), dg.AssetDep("strategies")],
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="research",
    owners=["team:goldsignal"],
    kinds={"postgres", "pandas"},
    tags={"layer": "research"},
    code_version=BACKTEST_RESULTS_VERSION,
    metadata=table_metadata("backtest_results"),
    description=(
        "Metrics as of 00:00 UTC of each day: one row per strategy, timeframe, day and window (30 to 365 days); only "
        "trades closed before the day count. On month ends with interval, p-value and walk-forward efficiency. Read by "
        "`signals`."
    ),
)
@told()
def backtest_results(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Measure the trades of every symbol."""
    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.assets.score_trades import score_trades

    chosen = settings.read()
    writing = Writing.of_run(context, now=clock.now(), grace=chosen.grace)
    with database.open() as opened:
        done = score_trades(opened, writing)
        tell_months(context, opened, asset="backtest_results")
    context.log.info(done.sentence("Tested results"))
    return dg.MaterializeResult()
