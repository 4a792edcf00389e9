"""Proofs as checks of the night: what is kept equals the backtest path, and no strategy knows what it cannot know.

They compute everything again, so the live cycle and backfills leave them out; the commands `goldsignal prove parity` and
`goldsignal prove bias` are the same proofs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource

if TYPE_CHECKING:
    from goldsignal_pipeline.proofs.parity import ParityReport
    from goldsignal_pipeline.proofs.reports import BiasReport

PARITY: Final = dg.AssetCheckKey(dg.AssetKey("strategy_performance"), "parity")
UNBIASED: Final = dg.AssetCheckKey(dg.AssetKey("setups"), "strategies_are_unbiased")


@dg.asset_check(
    asset=PARITY.asset_key,
    name=PARITY.name,
    blocking=True,
    description="Every stored row of the run's months equals what the backtest path computes from the first candle on (I15).",
)
def parity(
    context: dg.AssetCheckExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> dg.AssetCheckResult:
    """Compute the months of the run again for every symbol, and compare value by value."""
    from goldsignal_pipeline.assets.parity import prove_parity
    from goldsignal_pipeline.checks.months import months_of_run
    from goldsignal_pipeline.storage import digests

    now = clock.now()
    months = months_of_run(context, now=now)
    with database.open() as opened:
        with opened.transaction(read_only=True) as connection:
            symbols = digests.symbols(connection, asset="strategy_performance")
        reports = [
            prove_parity(opened, settings.read(), symbol=symbol, now=now, first=months[0], last=months[-1]) for symbol in symbols
        ]
    return dg.AssetCheckResult(passed=not any(one.differing for one in reports), metadata=_parity_metadata(reports))


@dg.asset_check(
    asset=UNBIASED.asset_key,
    name=UNBIASED.name,
    blocking=True,
    description="Other futures, origins and cuts change no setup of any installed strategy (I6, I7, I8).",
)
def strategies_are_unbiased() -> dg.AssetCheckResult:
    """Try every installed strategy out on the simulated market."""
    from goldsignal_pipeline.proofs.bias import prove_bias
    from goldsignal_pipeline.proofs.simulated import simulated_record
    from goldsignal_pipeline.strategies.registry import load_strategies

    reports = [
        prove_bias(strategy, record=simulated_record(strategy, timeframe=timeframe))
        for strategy in load_strategies().values()
        for timeframe in strategy.timeframes
    ]
    return dg.AssetCheckResult(passed=all(one.passed for one in reports), metadata=_bias_metadata(reports))


def _parity_metadata(reports: "Sequence[ParityReport]") -> dict[str, Any]:
    """What was compared, and where a row differs the first of each table."""
    found: dict[str, Any] = {"rows_compared": sum(one.rows for one in reports)}
    differing = [
        dg.TableRecord({"symbol": one.symbol, "table": table.table, "first_difference": str(table.first)})
        for one in reports
        for table in one.differing
    ]
    if differing:
        found["differences"] = dg.MetadataValue.table(differing)
    return found


def _bias_metadata(reports: "Sequence[BiasReport]") -> dict[str, Any]:
    """How much was tried, and what was found."""
    found: dict[str, Any] = {"strategies": len(reports), "evaluations": sum(one.evaluations for one in reports)}
    biases = [
        dg.TableRecord({"strategy": one.strategy, "proof": bias.proof.value, "column": bias.column, "found": bias.detail})
        for one in reports
        for bias in one.biases
    ]
    if biases:
        found["biases"] = dg.MetadataValue.table(biases)
    return found
