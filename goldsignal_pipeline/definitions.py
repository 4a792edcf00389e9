"""The composition root: one `Definitions` object, nothing else."""

from __future__ import annotations

from typing import Final

import dagster as dg

from goldsignal_pipeline.assets.alerts import alerts
from goldsignal_pipeline.assets.backtest_results import backtest_results
from goldsignal_pipeline.assets.backtest_trades import backtest_trades
from goldsignal_pipeline.assets.candles import candles
from goldsignal_pipeline.assets.news_events import news_events
from goldsignal_pipeline.assets.outcomes import outcomes
from goldsignal_pipeline.assets.raw_candles import raw_candles
from goldsignal_pipeline.assets.report import report
from goldsignal_pipeline.assets.setups import setups
from goldsignal_pipeline.assets.signals import signals
from goldsignal_pipeline.assets.strategies import strategies
from goldsignal_pipeline.assets.strategy_performance import strategy_performance
from goldsignal_pipeline.automation import jobs
from goldsignal_pipeline.automation.retention import retention
from goldsignal_pipeline.automation.schedules import (
    economic_calendar_schedule,
    feed_freshness_schedule,
    live_cycle_schedule,
    nightly_backtests_schedule,
    nightly_report_schedule,
    retention_schedule,
)
from goldsignal_pipeline.automation.sensors import failed_check_events, repair_sensor, run_failure_events, strategies_sensor
from goldsignal_pipeline.checks.alerts import alerts_rules
from goldsignal_pipeline.checks.backtest_results import backtest_results_rules
from goldsignal_pipeline.checks.backtest_trades import backtest_trades_rules
from goldsignal_pipeline.checks.candles import candles_rules
from goldsignal_pipeline.checks.freshness import feed_is_fresh
from goldsignal_pipeline.checks.outcomes import outcomes_rules
from goldsignal_pipeline.checks.proofs import parity, strategies_are_unbiased
from goldsignal_pipeline.checks.raw_candles import raw_candles_rules
from goldsignal_pipeline.checks.setups import setups_rules
from goldsignal_pipeline.checks.signals import signals_rules
from goldsignal_pipeline.checks.strategy_performance import strategy_performance_rules
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource

definitions: Final = dg.Definitions(
    assets=[
        raw_candles,
        candles,
        strategies,
        setups,
        backtest_trades,
        backtest_results,
        signals,
        outcomes,
        strategy_performance,
        alerts,
        news_events,
        report,
    ],
    asset_checks=[
        raw_candles_rules,
        candles_rules,
        setups_rules,
        backtest_trades_rules,
        backtest_results_rules,
        signals_rules,
        outcomes_rules,
        strategy_performance_rules,
        alerts_rules,
        feed_is_fresh,
        parity,
        strategies_are_unbiased,
    ],
    jobs=[
        jobs.live_cycle,
        jobs.nightly_backtests,
        jobs.backfill,
        jobs.derive,
        jobs.register_strategies,
        jobs.economic_calendar,
        jobs.nightly_report,
        jobs.feed_freshness,
        retention,
    ],
    schedules=[
        live_cycle_schedule,
        nightly_backtests_schedule,
        nightly_report_schedule,
        economic_calendar_schedule,
        feed_freshness_schedule,
        retention_schedule,
    ],
    sensors=[repair_sensor, strategies_sensor, run_failure_events, failed_check_events],
    resources={
        "database": DatabaseResource(),
        "feed": FeedResource(),
        "clock": ClockResource(),
        "settings": SettingsResource(),
    },
)
