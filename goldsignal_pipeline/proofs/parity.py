"""Parity: what is kept equals what the backtest path computes again, told as data.

A report holds the comparison of every table, the live verdicts that stand although data were revised since, and the months of
which nothing can be said yet. `changed_by_a_tick` makes the record that must be found out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.proofs.differences import TableComparison
from goldsignal_pipeline.selection.history import Record


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What was compared of a symbol. `behind` are months by asset that lag their inputs, `incomplete` those without all of them.

    `revised` are the ids of live verdicts whose data were revised after they were given.
    """

    symbol: str
    months: tuple[str, ...]
    tables: tuple[TableComparison, ...]
    live: int
    revised: tuple[str, ...]
    behind: Mapping[str, tuple[str, ...]]
    incomplete: Mapping[str, tuple[str, ...]]

    @property
    def rows(self) -> int:
        """How many rows were compared."""
        return sum(table.rows for table in self.tables)

    @property
    def differing(self) -> tuple[TableComparison, ...]:
        """The tables in which a row differs."""
        return tuple(table for table in self.tables if not table.is_equal)

    @property
    def passed(self) -> bool:
        """Something was compared, nothing differs, and no month lags its inputs."""
        return bool(self.rows) and not self.differing and not self.behind


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick of one candle."""

    timeframe: Timeframe
    timestamp: datetime
    column: str
    before: int
    after: int


def changed_by_a_tick(record: Record, *, timeframe: Timeframe, timestamp: datetime) -> tuple[Record, Tick]:
    """The record with the close of one candle moved by one tick within its range, and what was moved.

    Raises `DataError` when the candle is not there or has no range.
    """
    frame = record.candles[timeframe]
    position = int(np.searchsorted(instants_of(frame["timestamp"]), to_instant(timestamp)))
    row = frame.iloc[position] if position < len(frame) else None
    if row is None or row["timestamp"] != pd.Timestamp(timestamp) or row["low"] == row["high"]:
        raise DataError(f"the {timeframe} candle of {timestamp} cannot be moved", done="nothing was proved")
    before = int(row["close"])
    after = before + 1 if before < row["high"] else before - 1
    closes = frame["close"].to_numpy(copy=True)
    closes[position] = after
    moved = frame.assign(close=closes)
    candles: dict[Timeframe, Any] = {**record.candles, timeframe: moved}
    return replace(record, candles=candles), Tick(timeframe, timestamp, "close", before, after)
