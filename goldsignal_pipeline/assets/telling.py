"""How an asset tells what its months hold: metadata of each partition, with pictures by night and in backfills only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from goldsignal_pipeline.assets.live import KIND_TAG

if TYPE_CHECKING:
    from goldsignal_pipeline.storage.database import Database


def tell_months(context: dg.AssetExecutionContext, database: Database, *, asset: str) -> None:
    """Attach to every month of the run what `graph_summaries` says of it."""
    from goldsignal_pipeline.assets.graph_summaries import graph_summary

    drawn = context.run.tags.get(KIND_TAG) != "live"
    for month, metadata in graph_summary(database, asset, months=context.partition_keys, with_pictures=drawn).items():
        context.add_asset_metadata(metadata, asset_key=asset, partition_key=month)
