"""Scored trades: the one list of unique trades that every metric, window and fold of this package reads.

1. `SCORED_TRADE_COLUMNS` and `check_scored_trades` state what a frame of trades must fulfil.
2. `ScoredTrades` has the trades of one strategy and timeframe by (resolved_at, entry, strategy, direction, timestamp).

A trade has its place in time at the instant at which its result was known, not at its exit: an expiry over a hole in the record
is known at its deadline, a missed trade when its counterfactual walk ends. So what is counted as of a day never changes later.

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
from goldsignal_pipeline.market.candles import TIMESTAMP_DTYPE, instants_of
from goldsignal_pipeline.market.frames import ordered
from goldsignal_pipeline.market.zones import Instants

MICRO_R: Final = 1_000_000
KEY_COLUMNS: Final = ("strategy", "timeframe")
SCORED_TRADE_COLUMNS: Final = (
    *KEY_COLUMNS,
    "direction",
    "timestamp",
    "entry",
    "resolved_at",
    "net_r",
    "gross_r",
    "cost_r",
    "hold_minutes",
    "is_missed",
    "is_ambiguous",
)
TRADE_KEY: Final = (*KEY_COLUMNS, "direction", "timestamp")
"""What makes a trade one: that of the setup it came from, `timestamp` being the open of the confirming bar."""

TRADE_ORDER: Final = ["resolved_at", "entry", "strategy", "direction", "timestamp"]

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTrades:
    """Closed trades of one strategy and timeframe, ascending by (resolved_at, entry, strategy, direction, timestamp).

    `entry` and `resolved_at` (when the result was known) are `datetime64[us]` in UTC, `net_micro_r` is int64, `hold_minutes`
    counts market-open minutes from entry to exit. `missed` holds the ascending `resolved_at` of missed trades.
    """

    entry: Instants
    resolved_at: Instants
    net_micro_r: Integers
    hold_minutes: Integers
    is_ambiguous: Flags
    missed: Instants

    def __len__(self) -> int:
        return len(self.resolved_at)

    @property
    def net_r(self) -> npt.NDArray[np.float64]:
        """Net R as float64."""
        return self.net_micro_r / MICRO_R

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """The trades of a frame (`SCORED_TRADE_COLUMNS`) that holds one strategy and timeframe."""
        check_scored_trades(frame)
        return cls._of_sorted(ordered(frame, TRADE_ORDER))

    @classmethod
    def by_track(cls, frame: pd.DataFrame) -> dict[tuple[str, str], Self]:
        """The trades of a frame (`SCORED_TRADE_COLUMNS`) for each strategy and timeframe that has any."""
        check_scored_trades(frame)
        rows = ordered(frame, [*KEY_COLUMNS, *TRADE_ORDER])
        names = list(zip(*(rows[name].tolist() for name in KEY_COLUMNS), strict=True))
        begins = [place for place, name in enumerate(names) if not place or name != names[place - 1]]
        ends = [*begins[1:], len(names)]
        return {names[begin]: cls._of_sorted(rows.iloc[begin:end]) for begin, end in zip(begins, ends, strict=False)}

    @classmethod
    def _of_sorted(cls, rows: pd.DataFrame) -> Self:
        is_missed = rows["is_missed"].to_numpy(dtype=bool)
        closed, resolved_at = ~is_missed, instants_of(rows["resolved_at"])
        return cls(
            entry=instants_of(rows["entry"])[closed],
            resolved_at=resolved_at[closed],
            net_micro_r=to_micro_r(rows["net_r"].to_numpy(dtype=np.float64)[closed]),
            hold_minutes=rows["hold_minutes"].to_numpy(dtype=np.int64)[closed],
            is_ambiguous=rows["is_ambiguous"].to_numpy(dtype=bool)[closed],
            missed=resolved_at[is_missed],
        )


def to_micro_r(net_r: npt.NDArray[np.float64]) -> Integers:
    """Net R in int64 micro-R, half-even; raises DataError where it is not a number."""
    if not np.all(np.isfinite(net_r)):
        raise DataError("the net R of a closed trade is not a number", done="no metric was computed")
    return np.asarray(np.rint(net_r * MICRO_R).astype(np.int64))


def check_scored_trades(frame: pd.DataFrame) -> None:
    """Raise DataError unless `frame` is one list of unique trades with the columns of this module.

    Unique means one row per `TRADE_KEY`: two setups of different bars are two trades, also where they share entry and exit. The
    result of a trade is known after its entry.
    """
    absent = [name for name in SCORED_TRADE_COLUMNS if name not in frame]
    if absent:
        raise DataError(f"trades lack the columns {absent}", done="no metric was computed")
    if not len(frame):
        return
    if frame.duplicated(list(TRADE_KEY)).any():
        raise DataError("the same trade stands twice in one list", done="no metric was computed", fix="count every setup once")
    if np.any(instants_of(frame["resolved_at"]) < instants_of(frame["entry"])) or np.any(frame["hold_minutes"].to_numpy() < 0):
        raise DataError("a trade ends before it begins", done="no metric was computed")


def empty_scored_trades() -> pd.DataFrame:
    """A frame without trades, with the columns and dtypes of the schema."""
    kinds = dict.fromkeys(("timestamp", "entry", "resolved_at"), TIMESTAMP_DTYPE) | {"hold_minutes": "int64"}
    kinds |= dict.fromkeys(("net_r", "gross_r", "cost_r"), "float64") | dict.fromkeys(("is_missed", "is_ambiguous"), "bool")
    return pd.DataFrame({name: pd.Series([], dtype=kinds.get(name, "object")) for name in SCORED_TRADE_COLUMNS})
