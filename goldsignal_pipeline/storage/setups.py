"""`setups`: candidates by the month in which their confirming bar closed, with measures and conditions as texts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from goldsignal_pipeline.storage import keyed_rows, setup_rows
from goldsignal_pipeline.storage.keyed_rows import Scope, TableShape
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.tables.words import SIGNAL_KEY
from goldsignal_pipeline.strategies.setups import ORDER

KEY_KINDS: Final = {
    "symbol": Kind.TEXT,
    "timeframe": Kind.TEXT,
    "strategy": Kind.TEXT,
    "direction": Kind.TEXT,
    "timestamp": Kind.INSTANT,
}
"""The columns of `SIGNAL_KEY`."""

SETUPS: Final = TableShape(
    table="setups",
    key=SIGNAL_KEY,
    columns={
        **KEY_KINDS,
        "confirmed_at": Kind.INSTANT,
        "kind": Kind.TEXT,
        "refusal": Kind.TEXT,
        "reference": Kind.TICKS,
        "stop": Kind.LEVEL,
        "take_profit_1": Kind.LEVEL,
        "take_profit_2": Kind.LEVEL,
        "planned_risk": Kind.LEVEL,
        "invalidation_price": Kind.TICKS,
        "confidence": Kind.INTEGER,
        "session": Kind.TEXT,
        "regime": Kind.TEXT,
        "measures": Kind.JSON,
        "conditions": Kind.JSON,
        "strategy_version": Kind.TEXT,
        "run_id": Kind.TEXT,
    },
    order=tuple(ORDER),
)
"""Frames are those of `setup_rows.to_rows`."""

ALL_KINDS: Final = ("setup", "refused", "near_miss")


def read_setups(
    connection: Connection, *, symbol: str, start: datetime, end: datetime, kinds: tuple[str, ...] = ("setup",)
) -> pd.DataFrame:
    """The setups that confirm in [start, end) as the core has them (`SETUP_DTYPES`), in its order; by default only trades."""
    columns = [name for name in setup_rows.ROW_COLUMNS if name != "conditions"]
    rows = keyed_rows.read(connection, SETUPS, _scope(symbol, start, end, kinds), columns=columns)
    return setup_rows.setups_of(rows)


def read_setup_rows(
    connection: Connection, *, symbol: str, start: datetime, end: datetime, kinds: tuple[str, ...] = ("setup",)
) -> pd.DataFrame:
    """The same with measures and conditions as the texts that are kept (`setup_rows.ROW_COLUMNS`)."""
    scope = _scope(symbol, start, end, kinds)
    return keyed_rows.read(connection, SETUPS, scope, columns=setup_rows.ROW_COLUMNS)


def read_conditions(
    connection: Connection, *, symbol: str, start: datetime, end: datetime, kinds: tuple[str, ...] = ALL_KINDS
) -> pd.DataFrame:
    """Every condition of the setups that confirm in [start, end) as the core has them (`CONDITION_DTYPES`), in its order."""
    columns = ["strategy", "timeframe", "direction", "timestamp", "conditions"]
    rows = keyed_rows.read(connection, SETUPS, _scope(symbol, start, end, kinds), columns=columns)
    return setup_rows.conditions_of(rows)


def _scope(symbol: str, start: datetime, end: datetime, kinds: tuple[str, ...]) -> Scope:
    return Scope({"symbol": symbol, "kind": kinds}, "confirmed_at", start, end)
