"""Code versions of the assets: raised by whoever changes what an asset decides."""

from __future__ import annotations

from typing import Final

RAW_CANDLES_VERSION: Final = "1"
CANDLES_VERSION: Final = "2"
STRATEGIES_VERSION: Final = "1"
SETUPS_VERSION: Final = "1"
BACKTEST_TRADES_VERSION: Final = "2"
BACKTEST_RESULTS_VERSION: Final = "2"
SIGNALS_VERSION: Final = "2"
OUTCOMES_VERSION: Final = "2"
STRATEGY_PERFORMANCE_VERSION: Final = "1"
ALERTS_VERSION: Final = "1"
NEWS_EVENTS_VERSION: Final = "1"
REPORT_VERSION: Final = "1"
