"""Scored trades: the one list of unique trades that every metric, window and fold of this package reads.

1. `SCORED_TRADE_COLUMNS` and `check_scored_trades` state what a frame of trades must fulfil.
2. `ScoredTrades.of` sorts the trades of one strategy and timeframe by (exit, entry, strategy, direction) into arrays.

Net R is held as int64 micro-R (half-even at 1e-6), so that sums are exact: neither their order nor the chunk of days in which
they are taken can change a bit. Missed trades have no R; they are counted and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.zones import Instants

MICRO_R: Final = 1_000_000
KEY_COLUMNS: Final = ("strategy", "timeframe")
SCORED_TRADE_COLUMNS: Final = (
    *KEY_COLUMNS,
    "direction",
    "entry",
    "exit",
    "net_r",
    "gross_r",
    "cost_r",
    "hold_minutes",
    "is_missed",
    "is_ambiguous",
)
_ORDER: Final = ["exit", "entry", "strategy", "direction"]

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTrades:
    """Closed trades of one strategy and timeframe, ascending by (exit, entry, strategy, direction).

    `entry` and `exit` (close of the exit bar) are `datetime64[us]` in UTC, `net_micro_r` is int64, `hold_minutes` counts
    market-open minutes. `missed` holds the ascending instants at which an entry was missed.
    """

    entry: Instants
    exit: Instants
    net_micro_r: Integers
    hold_minutes: Integers
    is_ambiguous: Flags
    missed: Instants

    def __len__(self) -> int:
        return len(self.exit)

    @property
    def net_r(self) -> npt.NDArray[np.float64]:
        """Net R as float64."""
        return self.net_micro_r / MICRO_R

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """The trades of a checked frame (`SCORED_TRADE_COLUMNS`) that holds one strategy and timeframe."""
        check_scored_trades(frame)
        ordered = frame.sort_values(_ORDER, kind="stable")
        is_missed = ordered["is_missed"].to_numpy(dtype=bool)
        closed = ordered[~is_missed]
        return cls(
            entry=_instants(closed["entry"]),
            exit=_instants(closed["exit"]),
            net_micro_r=to_micro_r(closed["net_r"].to_numpy(dtype=np.float64)),
            hold_minutes=closed["hold_minutes"].to_numpy(dtype=np.int64),
            is_ambiguous=closed["is_ambiguous"].to_numpy(dtype=bool),
            missed=_instants(ordered.loc[is_missed, "exit"]),
        )


def to_micro_r(net_r: npt.NDArray[np.float64]) -> Integers:
    """Net R in int64 micro-R, half-even; raises DataError where it is not a number."""
    if not np.all(np.isfinite(net_r)):
        raise DataError("the net R of a closed trade is not a number", done="no metric was computed")
    return np.asarray(np.rint(net_r * MICRO_R).astype(np.int64))


def check_scored_trades(frame: pd.DataFrame) -> None:
    """Raise DataError unless `frame` is one list of unique trades with the columns of this module.

    Unique means one row per (strategy, timeframe, direction, entry, exit); a closed trade ends after it began.
    """
    absent = [name for name in SCORED_TRADE_COLUMNS if name not in frame]
    if absent:
        raise DataError(f"trades lack the columns {absent}", done="no metric was computed")
    if len(frame) and frame.duplicated(["strategy", "timeframe", "direction", "entry", "exit"]).any():
        raise DataError("the same trade stands twice in one list", done="no metric was computed", fix="count every setup once")
    closed = frame[~frame["is_missed"].astype(bool)]
    if len(closed) and bool((closed["exit"] < closed["entry"]).any() or (closed["hold_minutes"] < 0).any()):
        raise DataError("a trade ends before it begins", done="no metric was computed")


def empty_scored_trades() -> pd.DataFrame:
    """A frame without trades, with the columns and dtypes of the schema."""
    kinds = {"entry": "datetime64[us, UTC]", "exit": "datetime64[us, UTC]", "hold_minutes": "int64"}
    kinds |= dict.fromkeys(("net_r", "gross_r", "cost_r"), "float64") | dict.fromkeys(("is_missed", "is_ambiguous"), "bool")
    return pd.DataFrame({name: pd.Series([], dtype=kinds.get(name, "object")) for name in SCORED_TRADE_COLUMNS})


def _instants(column: pd.Series) -> Instants:
    return np.asarray(column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]"))
