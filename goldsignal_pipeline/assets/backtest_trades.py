"""`backtest_trades`: what every setup would have made, gate or no gate.

1. `assets.trade_setups` resolves the setups by the one trade kernel and replaces the months' rows in one transaction.
2. Counts per month, and by night and in backfills a picture, go to the partition's metadata.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.partitioning import dependencies, months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.telling import tell_months
from goldsignal_pipeline.assets.versions import BACKTEST_TRADES_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    deps=dependencies("backtest_trades"),
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="research",
    owners=["team:goldsignal"],
    kinds={"postgres", "numba"},
    tags={"layer": "research"},
    code_version=BACKTEST_TRADES_VERSION,
    metadata=table_metadata("backtest_trades"),
    description=(
        "Simulated trades of ungated setups: one row per setup. Partition m: trades whose result was known in m; a closed trade "
        "never changes. Read by `backtest_results`."
    ),
)
@told()
def backtest_trades(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Resolve the setups of every symbol."""
    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.assets.trade_setups import trade_setups

    chosen = settings.read()
    writing = Writing.of_run(context, now=clock.now(), grace=chosen.grace)
    with database.open() as opened:
        done = trade_setups(opened, writing)
        tell_months(context, opened, asset="backtest_trades")
    context.log.info(done.sentence("Simulated trades"))
    return dg.MaterializeResult()
