"""One process of the step benchmark: materialize one asset for one month twice and print both times as JSON.

`python benchmarks/one_step.py ours 2024-01` runs `raw_candles` on the simulated market; `empty` in its place runs an asset that
does nothing. A first run on another month pays for what a process pays once (imports, connections), outside the clock.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import dagster as dg

WARM_UP_MONTH = "2023-06"


def main(side: str, month: str) -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    asset, resources = _ours() if side == "ours" else (_empty(), {})
    seconds = []
    with dg.DagsterInstance.ephemeral() as instance:
        for partition in (WARM_UP_MONTH, month, month):
            began = time.perf_counter()
            result = dg.materialize([asset], partition_key=partition, resources=resources, instance=instance)
            seconds.append(time.perf_counter() - began)
            if not result.success:
                raise RuntimeError(f"{side} failed for {partition}")
    rows = _stored(month) if side == "ours" else 0
    print(json.dumps({"first": seconds[1], "again": seconds[2], "rows": rows}))


def _empty() -> dg.AssetsDefinition:
    @dg.asset(partitions_def=dg.MonthlyPartitionsDefinition(start_date="2003-05", fmt="%Y-%m"))
    def empty() -> None:
        """Nothing."""

    return empty


def _ours() -> tuple[dg.AssetsDefinition, dict[str, Any]]:
    from goldsignal_pipeline.assets.raw_candles import raw_candles
    from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource

    resources = {
        "database": DatabaseResource(),
        "feed": FeedResource(),
        "clock": ClockResource(),
        "settings": SettingsResource(),
    }
    return raw_candles, resources


def _stored(month: str) -> int:
    """Observations of the month, so that the table can say what work was done."""
    import psycopg

    from goldsignal_pipeline.settings import load_settings

    url = load_settings().required_database_url.replace("postgresql+psycopg://", "postgresql://")
    query = "SELECT count(*) FROM goldsignal.raw_candles WHERE to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM') = %s"
    with psycopg.connect(url) as connection:
        row = connection.execute(query, [month]).fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    main(*sys.argv[1:])
