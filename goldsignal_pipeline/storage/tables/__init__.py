"""The typed tables of schema `goldsignal`, by group; the Alembic revisions in `sql/` create exactly these."""

from goldsignal_pipeline.storage.tables.base import METADATA, SCHEMA, Base
from goldsignal_pipeline.storage.tables.decisions import BacktestResult, Outcome, Signal, Strategy, StrategyPerformance
from goldsignal_pipeline.storage.tables.market_record import Candle, Fetch, QuarantinedCandle, RawCandle, TradingDayPart
from goldsignal_pipeline.storage.tables.operations import CreditUse, OperatorEvent, PartitionDigest

__all__ = [
    "METADATA",
    "SCHEMA",
    "BacktestResult",
    "Base",
    "Candle",
    "CreditUse",
    "Fetch",
    "OperatorEvent",
    "Outcome",
    "PartitionDigest",
    "QuarantinedCandle",
    "RawCandle",
    "Signal",
    "Strategy",
    "StrategyPerformance",
    "TradingDayPart",
]
