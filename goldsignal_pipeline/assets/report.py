"""`report`: the last 90 days as one page of HTML, made every night; a document, not a table.

It has no months: a report of any other range is made by `goldsignal report`.
"""

import dagster as dg

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.assets.nightly import NIGHTLY_END
from goldsignal_pipeline.assets.versions import REPORT_VERSION
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource

READS = ("candles", "setups", "signals", "outcomes", "backtest_results", "strategy_performance")


@dg.asset(
    deps=[dg.AssetDep(name, partition_mapping=dg.LastPartitionMapping()) for name in READS],
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    group_name="report",
    owners=["team:goldsignal"],
    kinds={"postgres", "html"},
    tags={"layer": "report"},
    code_version=REPORT_VERSION,
    freshness_policy=NIGHTLY_END,
    description=(
        "One self-contained page of HTML over the last 90 days: signals and their fate, results with intervals, equity, reasons "
        "for silence, data quality, versions and digests. Read by people; a document in the home folder, not a table."
    ),
)
@told()
def report(
    context: dg.AssetExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.MaterializeResult[None]:
    """Write the report of the night."""
    from goldsignal_pipeline.assets.make_report import NIGHTLY_SPAN, make_report, nightly_path

    chosen, now = settings.read(), clock.now()
    path = nightly_path(chosen, chosen.symbol)
    with database.open() as opened:
        made = make_report(opened, chosen, symbol=chosen.symbol, start=now - NIGHTLY_SPAN, end=now, now=now, path=path)
    context.log.info(f"{made.signals} signals in {made.path.name}, {made.size_bytes:,} bytes.")
    return dg.MaterializeResult(
        metadata={
            "page": dg.MetadataValue.url(made.path.resolve().as_uri()),
            "path": dg.MetadataValue.path(str(made.path)),
            "signals": made.signals,
            "bytes": made.size_bytes,
            "sha256": made.sha256,
        }
    )
