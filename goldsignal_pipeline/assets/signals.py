"""`signals`: setups that passed the gate, and the verdict on every setup that did not.

1. `assets.decide` folds over the months from the state at the end of the month before and keeps verdicts, signals and states.
2. Counts per month, and by night and in backfills a picture, go to the partition's metadata.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.partitioning import dependencies, months
from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.assets.telling import tell_months
from goldsignal_pipeline.assets.versions import SIGNALS_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource


@dg.asset(
    deps=dependencies("signals"),
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="signals",
    owners=["team:goldsignal"],
    kinds={"postgres", "python"},
    tags={"layer": "signals"},
    code_version=SIGNALS_VERSION,
    metadata=table_metadata("signals"),
    description=(
        "Accepted setups with levels, size, evidence, reasons and versions: one row per natural key; verdicts on all "
        "setups are in `gate_decisions`. Partition m: setups that confirmed in m. Signals published live never change. "
        "Read by `outcomes`."
    ),
)
@told()
def signals(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Decide over the setups of every symbol."""
    from goldsignal_pipeline.assets.decide import decide
    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.assets.live import live_symbol_of

    chosen = settings.read()
    writing = Writing.of_run(context, now=clock.now(), grace=chosen.grace)
    with database.open() as opened:
        done = decide(opened, chosen, writing, live_symbol=live_symbol_of(context, chosen))
        tell_months(context, opened, asset="signals")
    context.log.info(done.sentence("Verdicts and signals"))
    return dg.MaterializeResult()
