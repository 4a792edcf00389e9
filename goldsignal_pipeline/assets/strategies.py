"""`strategies`: the registry as it stands, a row per strategy and timeframe.

`strategies` has no partitions: it says what is installed now. Its policy is a single run like everyone's, because a range run
needs all of its assets to agree.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.versions import STRATEGIES_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource


@dg.asset(
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="research",
    owners=["team:goldsignal"],
    kinds={"postgres", "python"},
    tags={"layer": "research"},
    code_version=STRATEGIES_VERSION,
    metadata=table_metadata("strategies"),
    description=(
        "Installed strategies: one row per strategy and timeframe with version, parameters and description. What is no longer "
        "installed stays, inactive. Read by `setups` and `backtest_results`."
    ),
)
@told()
def strategies(context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource) -> dg.MaterializeResult[None]:
    """Bring the registry of the database in line with the installed strategies."""
    from goldsignal_pipeline.assets.registering import register

    with database.open() as opened:
        registered = register(opened, now=clock.now())
    context.log.info(registered.sentence())
    return dg.MaterializeResult(metadata=registered.metadata())
