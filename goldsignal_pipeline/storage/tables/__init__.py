"""The typed tables of schema `goldsignal`, by group; the Alembic revisions in `sql/` create exactly these."""

from goldsignal_pipeline.storage.tables.alerts import Alert, AlertAttempt, AlertChannel, AlertDelivery, AlertMute
from goldsignal_pipeline.storage.tables.base import METADATA, SCHEMA, Base
from goldsignal_pipeline.storage.tables.gate import GateEvent, GateState
from goldsignal_pipeline.storage.tables.market_record import (
    Candle,
    Fetch,
    PrunedCandle,
    QuarantinedCandle,
    RawCandle,
    TradingDayPart,
)
from goldsignal_pipeline.storage.tables.news import NewsEvent, NewsSource
from goldsignal_pipeline.storage.tables.operations import CreditUse, OperatorEvent, PartitionDigest
from goldsignal_pipeline.storage.tables.setups import BacktestTrade, Setup
from goldsignal_pipeline.storage.tables.signals import GateDecision, Outcome, Signal, SignalEvent
from goldsignal_pipeline.storage.tables.strategies import BacktestResult, Strategy, StrategyPerformance

__all__ = [
    "METADATA",
    "SCHEMA",
    "Alert",
    "AlertAttempt",
    "AlertChannel",
    "AlertDelivery",
    "AlertMute",
    "BacktestResult",
    "BacktestTrade",
    "Base",
    "Candle",
    "CreditUse",
    "Fetch",
    "GateDecision",
    "GateEvent",
    "GateState",
    "NewsEvent",
    "NewsSource",
    "OperatorEvent",
    "Outcome",
    "PartitionDigest",
    "PrunedCandle",
    "QuarantinedCandle",
    "RawCandle",
    "Setup",
    "Signal",
    "SignalEvent",
    "Strategy",
    "StrategyPerformance",
    "TradingDayPart",
]
