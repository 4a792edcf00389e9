"""Setups: the two frames that an evaluation returns, one row per candidate and one per condition of it.

`SETUP_DTYPES` and `CONDITION_DTYPES` name every column. The key of both is strategy, timeframe, direction and timestamp, the
open of the confirming bar; conditions also have their position, the order in which the strategy names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import TIMESTAMP_DTYPE, timestamps_of
from goldsignal_pipeline.market.frames import ordered

Part = dict[str, Any]
"""Columns of some rows, by name: arrays of equal length, or scalars that hold for all of them."""

SETUP_KEY: Final = ("strategy", "timeframe", "direction", "timestamp")
ORDER: Final = ["timestamp", "strategy", "timeframe", "direction"]

SETUP_DTYPES: Final[dict[str, str]] = {
    "strategy": "str",
    "timeframe": "str",
    "direction": "str",  # BUY or SELL
    "timestamp": TIMESTAMP_DTYPE,  # open of the confirming bar
    "confirmed_at": TIMESTAMP_DTYPE,  # its close
    "kind": "str",  # setup, refused or near_miss
    "refusal": "str",  # why refused, else ""
    "reference": "int64",  # ticks, close of the confirming bar
    "stop": "int64",  # ticks; stop, targets and planned risk are 0 unless it is a setup
    "take_profit_1": "int64",
    "take_profit_2": "int64",
    "planned_risk": "int64",  # ticks between reference and stop
    "invalidation_price": "int64",  # ticks, the price at which the idea is wrong
    "confidence": "int64",  # a score from 50, no probability
    "session": "str",  # overlap, london, new_york, asia or none
    "atr": "float64",  # ticks, ATR14 of the confirming bar
    "atr_h1": "float64",  # ticks, ATR14 of the last H1 bar closed by then; NaN where not available, like the next three
    "median_atr_h1": "float64",  # ticks, its median over 720 H1 bars
    "volatility_percentile": "float64",  # 0 to 100
    "regime": "str",  # low, medium, high, or "" where not available
    "strategy_version": "str",
}

CONDITION_DTYPES: Final[dict[str, str]] = {
    "strategy": "str",
    "timeframe": "str",
    "direction": "str",
    "timestamp": TIMESTAMP_DTYPE,
    "position": "int64",  # from 0, in the order of the strategy
    "name": "str",
    "required": "bool",
    "points": "int64",  # added to the confidence when passed
    "measured": "float64",  # a distance is ticks in the direction; NaN where not available
    "comparison": "str",  # measured <comparison> threshold
    "threshold": "float64",
    "unit": "str",  # of measured and threshold: ticks, count, share or flag (1 for yes)
    "passed": "bool",
}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What strategies found in some months, sorted by time and key.

    `silent_months` are pairs of strategy and month in which it could not be evaluated, because its origin lies before the
    record.
    """

    setups: pd.DataFrame
    conditions: pd.DataFrame
    silent_months: tuple[tuple[str, str], ...]

    @classmethod
    def joined(cls, parts: Sequence[Evaluation]) -> Evaluation:
        """Evaluations of different timeframes as one, in the order of one."""
        frames = [pd.concat([getattr(part, name) for part in parts], ignore_index=True) for name in ("setups", "conditions")]
        setups, conditions = (ordered(frame, order) for frame, order in zip(frames, (ORDER, [*ORDER, "position"]), strict=True))
        return cls(setups, conditions, tuple(sorted({month for part in parts for month in part.silent_months})))

    def accepted(self) -> pd.DataFrame:
        """The rows that are trades: of kind setup."""
        return self.setups[self.setups["kind"] == "setup"].reset_index(drop=True)

    def refusals(self) -> pd.Series:
        """How many candidates each strategy refused, by reason."""
        refused = self.setups[self.setups["kind"] == "refused"]
        return refused.groupby(["strategy", "refusal"]).size()


def frame_of_parts(parts: list[Part], *, dtypes: dict[str, str], order: list[str]) -> pd.DataFrame:
    """One typed frame of parts with array columns (a scalar is repeated), sorted by `order`: instants, numbers and scalars.

    Arrays are sorted before pandas sees them, because it takes many times as long for the same order.
    """
    lengths = [len(part["timestamp"]) for part in parts]
    values = {name: [part[name] for part in parts] for name in dtypes}
    sorted_rows = np.lexsort([_ranks(values[name], lengths) for name in reversed(order)])
    columns: dict[str, Any] = {}
    for name, dtype in dtypes.items():
        if dtype == TIMESTAMP_DTYPE:
            joined = np.concatenate([np.zeros(0, dtype="datetime64[us]"), *values[name]])
            columns[name] = timestamps_of(joined[sorted_rows])
        elif dtype == "str":
            columns[name] = pd.Series(_joined(values[name], lengths, object)[sorted_rows], dtype=dtype)
        else:
            columns[name] = _joined(values[name], lengths, dtype)[sorted_rows]
    return pd.DataFrame(columns)


def _joined(values: list[Any], lengths: list[int], dtype: Any) -> npt.NDArray[Any]:
    is_array = bool(values) and isinstance(values[0], np.ndarray)
    joined = np.concatenate(values) if is_array else np.repeat(np.array(values, dtype=dtype), lengths)
    return joined.astype(dtype)


def _ranks(values: list[Any], lengths: list[int]) -> npt.NDArray[Any]:
    """What rows sort by: the values themselves, or the rank of each part's text, because numbers compare faster."""
    if not values or isinstance(values[0], np.ndarray):
        return np.concatenate(values) if values else np.zeros(0)
    ranks: npt.NDArray[Any] = np.unique(np.array(values, dtype=np.str_), return_inverse=True)[1]
    return np.repeat(ranks, lengths)
