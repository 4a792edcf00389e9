"""Is a stored record of candles consistent with itself? I4: every derived bar equals the aggregation of its base bars.

1. Base bars are the rows whose timeframe is their own base; where two overlap, the one that opens first stands.
2. `derived_differences` folds them into each coarser timeframe, by the aggregation that made them, and compares.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import PRICE_COLUMNS, Bars, aggregate, bar_labels, bars_of, instants_of
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants

Positions = npt.NDArray[np.intp]
Integers = npt.NDArray[np.int64]

DIFFERENCE_COLUMNS: Final = ("timeframe", "timestamp", "column", "stored", "expected")
_COMPARED: Final = (*PRICE_COLUMNS, "base_bars")


def derived_differences(candles: pd.DataFrame, *, since: np.datetime64, until: np.datetime64) -> pd.DataFrame:
    """Each price or count of a derived bar that differs from its base bars; empty when the record is consistent.

    `candles`: `timeframe`, `timestamp`, prices in ticks, `volume`, `base_timeframe`, `base_bars` of one symbol and of every
    timeframe. Only bars that open at or after `since` and close by `until` are judged, because the base bars of others may not
    be among the rows.
    Returns `DIFFERENCE_COLUMNS`; `stored` or `expected` is missing where only the other exists.
    """
    minutes = _minutes(candles["timeframe"])
    is_base = (candles["timeframe"] == candles["base_timeframe"]).to_numpy()
    opens = instants_of(candles["timestamp"])
    closes = _closes(opens, minutes=minutes)
    free = _without_overlap(np.flatnonzero(is_base), opens=opens, closes=closes, minutes=minutes)
    base, judged = bars_of(candles.iloc[free]), ~is_base & (opens >= since) & (closes <= until)
    frames = [
        _differences(candles[own], base.take(minutes[free] < timeframe.minutes), timeframe)
        for timeframe in Timeframe
        for own in [judged & (minutes == timeframe.minutes)]
        if own.any()
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(DIFFERENCE_COLUMNS))


def _without_overlap(base: Positions, *, opens: Instants, closes: Instants, minutes: Integers) -> Positions:
    """The positions of base bars in time order, but those that open before an earlier one has closed."""
    ordered = base[np.lexsort((minutes[base], opens[base]))]
    reach = np.maximum.accumulate(closes[ordered].astype(np.int64)) if len(ordered) else np.zeros(0, dtype=np.int64)
    free = np.concatenate([[True], opens[ordered][1:].astype(np.int64) >= reach[:-1]])[: len(ordered)]
    return np.asarray(ordered[free])


def _differences(stored: pd.DataFrame, finer: Bars, timeframe: Timeframe) -> pd.DataFrame:
    folded, starts = aggregate(finer, labels=bar_labels(finer.opens, target=timeframe))
    expected = {name: getattr(folded, name) for name in PRICE_COLUMNS} | {"base_bars": np.diff(np.append(starts, len(finer)))}
    opens = instants_of(stored["timestamp"])
    at = np.searchsorted(folded.opens, opens)
    exists = np.isin(opens, folded.opens)
    frames = []
    for column in _COMPARED:
        made = np.full(len(stored), np.nan)
        made[exists] = expected[column][at[exists]]
        differs = stored[column].to_numpy() != made
        if differs.any():
            rows = stored.loc[differs, ["timeframe", "timestamp"]]
            there = stored[column].to_numpy(dtype=np.float64)
            frames.append(rows.assign(column=column, stored=there[differs], expected=made[differs]))
    return pd.concat(frames, ignore_index=True) if frames else stored.iloc[:0].reindex(columns=list(DIFFERENCE_COLUMNS))


def _minutes(timeframes: pd.Series) -> Integers:
    codes, found = pd.factorize(timeframes)
    minutes = np.array([Timeframe(str(name)).minutes for name in found], dtype=np.int64)
    return np.asarray(minutes[codes])


def _closes(opens: Instants, *, minutes: Integers) -> Instants:
    closes = opens.copy()
    for timeframe in Timeframe:
        own: npt.NDArray[np.bool_] = minutes == timeframe.minutes
        closes[own] = bar_close(opens[own], timeframe=timeframe)
    return closes
