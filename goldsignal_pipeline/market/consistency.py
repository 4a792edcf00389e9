"""Is a stored record of candles consistent with itself? I4: every derived bar equals the aggregation of its base bars.

1. Base bars are the rows whose timeframe is their own base; where two overlap, the one that opens first stands.
2. `derived_differences` folds them into each coarser timeframe, by the aggregation that made them, and compares.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import PRICE_COLUMNS, aggregate, bar_labels, bars_of, frame_of, instants_of
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants

DIFFERENCE_COLUMNS: Final = ("timeframe", "timestamp", "column", "stored", "expected")
_COMPARED: Final = (*PRICE_COLUMNS, "base_bars")


def derived_differences(candles: pd.DataFrame, *, since: np.datetime64, until: np.datetime64) -> pd.DataFrame:
    """Each price or count of a derived bar that differs from its base bars; empty when the record is consistent.

    `candles`: `timeframe`, `timestamp`, prices in ticks, `volume`, `base_timeframe`, `base_bars` of one symbol and of every
    timeframe. Only bars that open at or after `since` and close by `until` are judged, because the base bars of others may not
    be among the rows.
    Returns `DIFFERENCE_COLUMNS`; `stored` or `expected` is missing where only the other exists.
    """
    is_base = (candles["timeframe"] == candles["base_timeframe"]).to_numpy()
    judged = ~is_base & (instants_of(candles["timestamp"]) >= since) & (_closes(candles) <= until)
    base = _without_overlap(candles[is_base])
    frames = [
        _differences(candles[judged & (candles["timeframe"] == timeframe.value).to_numpy()], base, timeframe)
        for timeframe in Timeframe
    ]
    return pd.concat(frames, ignore_index=True)


def _without_overlap(base: pd.DataFrame) -> pd.DataFrame:
    closes = _closes(base)
    minutes = base["timeframe"].map({one.value: one.minutes for one in Timeframe}).to_numpy(dtype=np.int64)
    order = np.lexsort((minutes, instants_of(base["timestamp"])))
    ordered = base.iloc[order]
    reach = np.maximum.accumulate(closes[order].astype(np.int64)) if len(order) else np.zeros(0, dtype=np.int64)
    opens = instants_of(ordered["timestamp"]).astype(np.int64)
    free = np.concatenate([[True], opens[1:] >= reach[:-1]])[: len(opens)]
    return ordered[free]


def _differences(stored: pd.DataFrame, base: pd.DataFrame, timeframe: Timeframe) -> pd.DataFrame:
    finer = base[base["timeframe"].isin([one.value for one in Timeframe if one.minutes < timeframe.minutes])]
    bars = bars_of(finer)
    folded, starts = aggregate(bars, labels=bar_labels(bars.opens, target=timeframe))
    expected = frame_of(folded).assign(base_bars=np.diff(np.append(starts, len(bars))))
    joined = stored.merge(expected, on="timestamp", how="left", suffixes=("", "_expected"))
    frames = []
    for column in _COMPARED:
        differs = joined[column].to_numpy() != joined[f"{column}_expected"].to_numpy()
        rows = joined[differs]
        frames.append(
            pd.DataFrame(
                {
                    "timeframe": rows["timeframe"],
                    "timestamp": rows["timestamp"],
                    "column": column,
                    "stored": rows[column].astype("float64"),
                    "expected": rows[f"{column}_expected"].astype("float64"),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _closes(rows: pd.DataFrame) -> Instants:
    opens = instants_of(rows["timestamp"])
    closes = opens.copy()
    for timeframe in Timeframe:
        own: npt.NDArray[np.bool_] = (rows["timeframe"] == timeframe.value).to_numpy()
        closes[own] = bar_close(opens[own], timeframe=timeframe)
    return closes
