"""`strategy_performance`: rolling results of real signals and the state of degradation at the end of each day."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from goldsignal_pipeline.storage import keyed_rows
from goldsignal_pipeline.storage.backtests import DAILY_KEY, DAILY_KEY_KINDS, DAILY_ORDER, TRADE_METRICS
from goldsignal_pipeline.storage.keyed_rows import Scope, TableShape
from goldsignal_pipeline.storage.kinds import Kind

STRATEGY_PERFORMANCE: Final = TableShape(
    table="strategy_performance",
    key=DAILY_KEY,
    columns={
        **DAILY_KEY_KINDS,
        **TRADE_METRICS,
        "baseline_expectancy": Kind.METRIC,
        "state": Kind.TEXT,
        "state_since": Kind.INSTANT,
        "run_id": Kind.TEXT,
    },
    order=DAILY_ORDER,
)


def read_performance(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The rows of the days that begin in [start, end), by strategy, timeframe, day and window."""
    return keyed_rows.read(connection, STRATEGY_PERFORMANCE, Scope({"symbol": symbol}, "day", start, end))
