"""Rows that were written while their bar was still forming and never corrected.

One file can prove this only in part. What is used:

1. Daily bars: a day of full trading time with less than a fifth of the volume and less than three quarters of the range of
   its neighbours was cut off. Real quiet days trade less time: the calendar knows them.
2. The newest row of a finer file, by the same measure against the bars at its time of day: nothing follows it.
3. A bar that closes after the file was last written cannot have been finished (`reading.py`).

Not visible: a forming row without volume, one caught late in its bar (a 4-hour bar two hours old has half its volume, as
real bars have), and an older row of a finer file. Import the file again once it has grown: a corrected row becomes a
newer version, and finer files outvote coarser ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close, bar_open
from goldsignal_pipeline.market.zones import Instants

_VOLUME_SHARE: Final = 0.2
_RANGE_SHARE: Final = 0.75
_NEIGHBOURS: Final = 250
_FEWEST: Final = 20


def frozen_rows(recent: pd.DataFrame, opens: Instants, *, timeframe: Timeframe, calendar: TradingCalendar) -> pd.DataFrame:
    """The rows of `recent` (stamp, range, volume; `opens` are their UTC instants) that look cut off.

    Of daily rows all are judged, of finer bars only the newest one.
    """
    known = np.isfinite(recent["volume"].to_numpy(dtype=np.float64)) & np.isfinite(recent["range"].to_numpy(dtype=np.float64))
    if not known.any():
        return recent.iloc[:0]
    start = bar_open(opens, timeframe=timeframe)
    traded = calendar.open_minutes_between(start, bar_close(start, timeframe=timeframe))
    frame = recent.assign(open=opens, traded=traded)[known].sort_values("open", kind="stable")
    frame["clock"] = frame["stamp"].dt.hour * 60 + frame["stamp"].dt.minute
    grouped = frame.groupby("clock")
    fullest = grouped["traded"].transform("median")
    typical = {
        name: grouped[name].transform(lambda values: values.rolling(_NEIGHBOURS, center=True, min_periods=_FEWEST).median())
        for name in ("volume", "range")
    }
    cut = (
        (frame["traded"] >= fullest)
        & (frame["traded"] > 0)
        & (frame["volume"] < _VOLUME_SHARE * typical["volume"])
        & (frame["range"] < _RANGE_SHARE * typical["range"])
    )
    if timeframe is not Timeframe.D1:
        cut &= frame["open"] == frame["open"].max()
    frozen: pd.DataFrame = frame.loc[cut, ["stamp", "range", "volume"]]
    return frozen


def match_rows(figures: pd.DataFrame, frozen: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows are among `frozen`; a corrected row of the same time is not."""
    keys = ["stamp", "range", "volume"]
    suspects = pd.MultiIndex.from_frame(frozen[keys])
    return np.asarray(pd.MultiIndex.from_frame(figures[keys]).isin(suspects))
