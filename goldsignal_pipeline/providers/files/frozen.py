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
    start = bar_open(opens, timeframe=timeframe)
    traded = calendar.open_minutes_between(start, bar_close(start, timeframe=timeframe))
    frame = recent.assign(open=opens, traded=traded).dropna().sort_values("open", kind="stable")
    if frame.empty:
        return recent.iloc[:0]
    if timeframe is Timeframe.D1:
        neighbours = frame[["range", "volume", "traded"]].rolling(_NEIGHBOURS, center=True, min_periods=_FEWEST)
        typical, suspects = neighbours.median(), frame
    else:
        clock = frame["stamp"] - frame["stamp"].dt.normalize()
        siblings = frame[clock == clock.iloc[-1]].tail(_NEIGHBOURS)
        enough = len(siblings) >= _FEWEST
        typical, suspects = siblings[["range", "volume", "traded"]].median(), frame.iloc[-1:] if enough else frame.iloc[:0]
    cut = (
        (suspects["traded"] >= typical["traded"])
        & (suspects["traded"] > 0)
        & (suspects["volume"] < _VOLUME_SHARE * typical["volume"])
        & (suspects["range"] < _RANGE_SHARE * typical["range"])
    )
    frozen: pd.DataFrame = suspects.loc[cut, ["stamp", "range", "volume"]]
    return frozen


def match_rows(figures: pd.DataFrame, frozen: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows are among `frozen`; a corrected row of the same time is not."""
    keys = ["stamp", "range", "volume"]
    suspects = pd.MultiIndex.from_frame(frozen[keys])
    return np.asarray(pd.MultiIndex.from_frame(figures[keys]).isin(suspects))
