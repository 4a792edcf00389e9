"""Which months a check must look at."""

from datetime import datetime

import dagster as dg

from goldsignal_pipeline.assets.partitions import month_of, months_between

_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def months_of_run(context: dg.AssetCheckExecutionContext, *, now: datetime) -> list[str]:
    """The months the run materializes: its range, its single partition, or the running month."""
    tags = context.run.tags
    if all(tag in tags for tag in _RANGE):
        return months_between(tags[_RANGE[0]], tags[_RANGE[1]])
    return [tags.get("dagster/partition", month_of(now))]
