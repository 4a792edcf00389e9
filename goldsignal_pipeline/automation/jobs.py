"""The jobs: one selection of assets per purpose, each run in one process."""

from __future__ import annotations

from typing import Final

import dagster as dg

PIPELINE: Final = dg.AssetSelection.groups("market", "research", "signals")

LIVE_TAGS: Final = {"goldsignal/kind": "live"}
BATCH_TAGS: Final = {"goldsignal/kind": "batch"}

live_cycle: Final = dg.define_asset_job(
    "live_cycle",
    selection=PIPELINE,
    executor_def=dg.in_process_executor,
    tags=LIVE_TAGS,
    description="From the newest closed bar to everything that follows from it; runs after every base bar.",
)

backfill: Final = dg.define_asset_job(
    "backfill",
    selection=PIPELINE,
    executor_def=dg.in_process_executor,
    tags=BATCH_TAGS,
    description="Any range of months in one run, by range tags; the CLI and the repair sensor use it.",
)

derive: Final = dg.define_asset_job(
    "derive",
    selection=PIPELINE - dg.AssetSelection.assets("raw_candles"),
    executor_def=dg.in_process_executor,
    tags=BATCH_TAGS,
    description="Everything again from the observations that are held; asks no vendor.",
)

feed_freshness: Final = dg.define_asset_job(
    "feed_freshness",
    selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("candles"), "feed_is_fresh")),
    executor_def=dg.in_process_executor,
    tags=LIVE_TAGS,
    description="Is the newest closed bar recent, counted in trading time?",
)
