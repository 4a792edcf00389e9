"""What Dagster is told of months: the one set of partitions, and which months of which assets an asset reads."""

from __future__ import annotations

from typing import Final

import dagster as dg

from goldsignal_pipeline.assets.lineage import LINEAGE, TOLD
from goldsignal_pipeline.assets.partitions import FIRST_MONTH, MONTH_FORMAT

months: Final = dg.MonthlyPartitionsDefinition(start_date=FIRST_MONTH, fmt=MONTH_FORMAT, timezone="UTC", end_offset=1)
"""From the first month of the record to the running one."""


def earlier_months(count: int) -> dg.TimeWindowPartitionMapping:
    """Reads month m and the `count` months before it; months before the record do not exist and are not asked for."""
    return dg.TimeWindowPartitionMapping(start_offset=-count, end_offset=0, allow_nonexistent_upstream_partitions=True)


def dependencies(asset: str) -> list[dg.AssetDep]:
    """What Dagster is told that an asset reads."""
    return [
        dg.AssetDep(
            one.asset,
            partition_mapping=dg.TimeWindowPartitionMapping(
                start_offset=one.first, end_offset=one.last, allow_nonexistent_upstream_partitions=True
            ),
        )
        for one in (LINEAGE.get(asset) or TOLD[asset]).reads
    ]
