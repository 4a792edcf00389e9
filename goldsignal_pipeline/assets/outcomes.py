"""`outcomes`: how signals ended, by the kernel of the backtest.

1. `assets.resolve_signals` resolves signals from their own levels and keeps outcomes and the steps on the way.
2. Counts per month, and by night and in backfills a picture, go to the partition's metadata.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.partitioning import dependencies, months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.telling import tell_months
from goldsignal_pipeline.assets.versions import OUTCOMES_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    deps=dependencies("outcomes"),
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="signals",
    owners=["team:goldsignal"],
    kinds={"postgres", "numba"},
    tags={"layer": "signals"},
    code_version=OUTCOMES_VERSION,
    metadata=table_metadata("outcomes"),
    description=(
        "The one outcome of each signal that ended: one row per signal. Partition m: signals whose result was known in m; "
        "steps on the way are in `signal_events`. Read by `strategy_performance`."
    ),
)
@told()
def outcomes(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Resolve the signals of every symbol."""
    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.assets.resolve_signals import resolve_signals

    chosen = settings.read()
    writing = Writing.of_run(context, now=clock.now(), grace=chosen.grace)
    with database.open() as opened:
        done = resolve_signals(opened, writing)
        tell_months(context, opened, asset="outcomes")
    context.log.info(done.sentence("Outcomes"))
    return dg.MaterializeResult()
