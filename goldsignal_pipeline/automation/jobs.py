"""The jobs: one selection of assets per purpose, each run in one process.

`strategies` has no months. It is registered when it differs from what is installed, and by backfills, not by every cycle.
"""

from __future__ import annotations

from typing import Final

import dagster as dg

from goldsignal_pipeline.checks.proofs import PARITY, UNBIASED

PIPELINE: Final = dg.AssetSelection.groups("market", "research", "signals")
MONTHLY: Final = PIPELINE - dg.AssetSelection.assets("strategies")
PROOFS: Final = dg.AssetSelection.checks(PARITY, UNBIASED)
"""They compute everything again, from the first candle on: work for the night."""

LIVE_TAGS: Final = {"goldsignal/kind": "live"}
BATCH_TAGS: Final = {"goldsignal/kind": "batch"}

live_cycle: Final = dg.define_asset_job(
    "live_cycle",
    selection=MONTHLY - PROOFS,
    executor_def=dg.in_process_executor,
    tags=LIVE_TAGS,
    description="From the newest closed bar to the signals and results that follow from it; runs after every base bar.",
)

nightly_backtests: Final = dg.define_asset_job(
    "nightly_backtests",
    selection=MONTHLY,
    executor_def=dg.in_process_executor,
    tags=BATCH_TAGS,
    description="The running month again after New York's close, in its first days the one before too, with pictures and proofs.",
)

backfill: Final = dg.define_asset_job(
    "backfill",
    selection=PIPELINE - PROOFS,
    executor_def=dg.in_process_executor,
    tags=BATCH_TAGS,
    description="Any range of months in one run, by range tags; the command line and the repair sensor use it.",
)

derive: Final = dg.define_asset_job(
    "derive",
    selection=MONTHLY - dg.AssetSelection.assets("raw_candles") - PROOFS,
    executor_def=dg.in_process_executor,
    tags=BATCH_TAGS,
    description="Everything again from the observations that are held; asks no vendor.",
)

register_strategies: Final = dg.define_asset_job(
    "register_strategies",
    selection=dg.AssetSelection.assets("strategies") - PROOFS,
    executor_def=dg.in_process_executor,
    tags=BATCH_TAGS,
    description="The installed strategies as rows; runs on start and when they changed.",
)

economic_calendar: Final = dg.define_asset_job(
    "economic_calendar",
    selection=dg.AssetSelection.assets("news_events"),
    executor_def=dg.in_process_executor,
    tags=LIVE_TAGS,
    description="The economic calendar of the settings, and what of it the gate is told.",
)

nightly_report: Final = dg.define_asset_job(
    "nightly_report",
    selection=dg.AssetSelection.assets("report"),
    executor_def=dg.in_process_executor,
    tags=BATCH_TAGS,
    description="The last 90 days as one page of HTML.",
)

feed_freshness: Final = dg.define_asset_job(
    "feed_freshness",
    selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("candles"), "feed_is_fresh")),
    executor_def=dg.in_process_executor,
    tags=LIVE_TAGS,
    description="Is the newest closed bar recent, counted in trading time?",
)
