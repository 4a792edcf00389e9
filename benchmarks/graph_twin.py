"""The graph with nothing in it: the same assets, months, dependencies and checks, every body empty.

What a job of it costs is what Dagster itself asks for so many asset and check steps.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from goldsignal_pipeline.automation.jobs import backfill, live_cycle


def empty_twin(ours: dg.Definitions) -> dg.Definitions:
    """Definitions whose jobs have the steps and write the events of `ours`, and do nothing else."""
    return dg.Definitions(
        assets=[_empty_asset(one) for one in ours.assets or [] if isinstance(one, dg.AssetsDefinition)],
        asset_checks=[_empty_checks(one) for one in ours.asset_checks or [] if isinstance(one, dg.AssetChecksDefinition)],
        jobs=[live_cycle, backfill],
    )


def _empty_asset(ours: dg.AssetsDefinition) -> dg.AssetsDefinition:
    (spec,) = ours.specs

    @dg.asset(
        key=spec.key,
        deps=list(spec.deps),
        partitions_def=ours.partitions_def,
        backfill_policy=ours.backfill_policy,
        group_name=spec.group_name,
        code_version=spec.code_version,
    )
    def empty() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult()

    return empty


def _empty_checks(ours: dg.AssetChecksDefinition) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(spec.name, asset=spec.asset_key, blocking=spec.blocking, description=spec.description)
        for spec in ours.check_specs
    ]

    @dg.multi_asset_check(name=ours.op.name, specs=specs)
    def empty() -> Iterator[dg.AssetCheckResult]:
        for spec in specs:
            yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=True)

    return empty
