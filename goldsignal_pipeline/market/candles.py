"""Candles: their schema, and the aggregation of finer bars into coarser ones.

1. `bars_of` turns a frame into `Bars`, sorted arrays of ticks; prices stay int64 throughout.
2. `bar_labels` names the coarser bar of each finer one, `aggregate` folds each run of equal labels: first open, highest
   high, lowest low, last close, volume summed over int64 hundredths so that order cannot matter.
3. `resample` is both in one call; `candle_schema` states what a frame of candles must fulfil (I1, I2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close, bar_open, is_aligned
from goldsignal_pipeline.market.zones import Instants

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

Ticks = npt.NDArray[np.int64]

PRICE_COLUMNS: Final = ("open", "high", "low", "close")
TIMESTAMP_DTYPE: Final = "datetime64[us, UTC]"
CANDLE_DTYPES: Final[dict[str, str]] = {
    "timeframe": "str",
    "timestamp": TIMESTAMP_DTYPE,
    **dict.fromkeys(PRICE_COLUMNS, "int64"),
    "volume": "float64",
    "source": "str",
    "base_timeframe": "str",
    "base_bars": "int64",
    "flag": "str",
}
FLAGS: Final = ("", "flat", "outlier")


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of one timeframe as arrays of equal length, ascending by `opens` (`datetime64[us]`, UTC) and unique.

    Prices are int64 ticks; `volume` is float64 with NaN where the source has none.
    """

    opens: Instants
    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    volume: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.opens)

    def take(self, where: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Bars:
        """The bars at a mask or at positions."""
        return Bars(self.opens[where], self.open[where], self.high[where], self.low[where], self.close[where], self.volume[where])


def instants_of(timestamps: pd.Series) -> Instants:
    """A column of aware timestamps as `datetime64[us]` in UTC, not to be written to; raises TypeError for one without a zone."""
    if isinstance(timestamps.dtype, pd.DatetimeTZDtype):
        return timestamps.to_numpy(dtype="datetime64[us]")
    return np.asarray(pd.DatetimeIndex(timestamps).tz_convert("UTC").tz_localize(None).as_unit("us"), dtype="datetime64[us]")


def timestamps_of(instants: Instants) -> pd.DatetimeIndex:
    """`datetime64[us]` in UTC as an aware index, the dtype of every `timestamp` column."""
    return pd.DatetimeIndex(instants.astype("datetime64[us]")).tz_localize("UTC")


def bars_of(frame: pd.DataFrame) -> Bars:
    """The bars of a frame with `timestamp`, prices and `volume`, in time order.

    Raises DataError when one timestamp occurs twice.
    """
    opens = instants_of(frame["timestamp"])
    prices = {name: frame[name].to_numpy(dtype=np.int64) for name in PRICE_COLUMNS}
    bars = Bars(opens=opens, **prices, volume=frame["volume"].to_numpy(dtype=np.float64))
    steps = np.diff(opens).astype(np.int64)
    if not np.all(steps > 0):
        bars = bars.take(np.argsort(opens, kind="stable"))
        steps = np.diff(bars.opens).astype(np.int64)
    if np.any(steps == 0):
        raise DataError(
            f"two bars open at {bars.opens[int(np.argmin(steps))]}Z",
            done="nothing was aggregated",
            fix="qualify the observations first: one row per source, timeframe and timestamp",
        )
    return bars


def bar_labels(opens: Instants, *, target: Timeframe) -> Instants:
    """The open of the `target` bar that contains each of the ascending `opens`.

    H4 and D1 edges lie on whole hours, so New York's clock is asked once per hour and not once per bar.
    """
    if target.is_utc_aligned or len(opens) == 0:
        return bar_open(opens, timeframe=target)
    hours = bar_open(opens, timeframe=Timeframe.H1)
    first = np.concatenate([[True], hours[1:] != hours[:-1]])
    return np.asarray(bar_open(hours[first], timeframe=target)[np.cumsum(first) - 1])


def aggregate(bars: Bars, *, labels: Instants) -> tuple[Bars, npt.NDArray[np.intp]]:
    """Fold each run of equal, ascending `labels` into one bar.

    Returns the bars and the position of each one's first member. Volume is NaN only where no member has any.
    """
    if len(bars) == 0:
        return bars, np.zeros(0, dtype=np.intp)
    starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    lasts = np.append(starts[1:], len(bars)) - 1
    known = ~np.isnan(bars.volume)
    hundredths = np.rint(np.where(known, bars.volume, 0.0) * 100).astype(np.int64)
    volume = np.add.reduceat(hundredths, starts) / 100
    folded = Bars(
        opens=labels[starts],
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[lasts],
        volume=np.where(np.logical_or.reduceat(known, starts), volume, np.nan),
    )
    return folded, starts


def resample(frame: pd.DataFrame, *, target: Timeframe) -> pd.DataFrame:
    """Aggregate bars of one finer timeframe into `target` bars, labelled by their open.

    Takes `timestamp`, prices in ticks and `volume`, in any order; returns the same columns and `base_bars`, the number of
    rows that each bar was made of. A bar exists where at least one of its rows does.
    """
    bars = bars_of(frame)
    folded, starts = aggregate(bars, labels=bar_labels(bars.opens, target=target))
    counts = np.diff(np.append(starts, len(bars)))
    return frame_of(folded).assign(base_bars=counts.astype(np.int64))


def closing_months(candles: pd.DataFrame) -> npt.NDArray[np.str_]:
    """The UTC month, YYYY-MM, in which each row's bar closes; needs `timeframe` and `timestamp`."""
    opens = instants_of(candles["timestamp"])
    closes = opens.copy()
    for timeframe in Timeframe:
        own = (candles["timeframe"] == timeframe.value).to_numpy()
        closes[own] = bar_close(opens[own], timeframe=timeframe)
    return closes.astype("datetime64[M]").astype(str)


def frame_of(bars: Bars) -> pd.DataFrame:
    """`timestamp`, prices and `volume` of the bars as a frame."""
    prices = {name: getattr(bars, name) for name in PRICE_COLUMNS}
    return pd.DataFrame({"timestamp": timestamps_of(bars.opens), **prices, "volume": bars.volume})


@cache
def candle_schema() -> DataFrameSchema:
    """The strict pandera schema of stored candles.

    I1: low <= open, close <= high and whole positive ticks; I2: one row per timeframe and timestamp; every timestamp opens a
    bar of its timeframe; the base is never coarser. Built on first use, because importing pandera costs more than a check.
    """
    import pandera.pandas as pa

    def price() -> pa.Column:
        return pa.Column("int64", pa.Check.gt(0, title="whole positive ticks of 0.01 USD/oz"))

    timeframes = [timeframe.value for timeframe in Timeframe]
    return pa.DataFrameSchema(
        {
            "timeframe": pa.Column(str, pa.Check.isin(timeframes)),
            "timestamp": pa.Column(TIMESTAMP_DTYPE),
            **{name: price() for name in PRICE_COLUMNS},
            "volume": pa.Column("float64", pa.Check.ge(0), nullable=True),
            "source": pa.Column(str, pa.Check.str_length(min_value=1)),
            "base_timeframe": pa.Column(str, pa.Check.isin(timeframes)),
            "base_bars": pa.Column("int64", pa.Check.ge(1)),
            "flag": pa.Column(str, pa.Check.isin(FLAGS)),
        },
        checks=[
            pa.Check(_prices_in_order, title="I1: low <= open, close <= high", name="price_order"),
            pa.Check(_opens_a_bar, title="every timestamp opens a bar of its timeframe", name="aligned"),
            pa.Check(_base_is_not_coarser, title="the base is never coarser than the bar", name="base_not_coarser"),
        ],
        unique=["timeframe", "timestamp"],
        strict=True,
        name="candles",
    )


def _prices_in_order(frame: pd.DataFrame) -> pd.Series:
    body = frame[["open", "close"]]
    return (frame["low"] <= body.min(axis=1)) & (body.max(axis=1) <= frame["high"])


def _opens_a_bar(frame: pd.DataFrame) -> pd.Series:
    aligned = pd.Series(False, index=frame.index)
    for timeframe, rows in frame.groupby("timeframe", observed=True):
        if timeframe in set(Timeframe):
            aligned[rows.index] = is_aligned(instants_of(rows["timestamp"]), timeframe=Timeframe(str(timeframe)))
    return aligned


def _base_is_not_coarser(frame: pd.DataFrame) -> pd.Series:
    minutes = {timeframe.value: timeframe.minutes for timeframe in Timeframe}
    return frame["base_timeframe"].map(minutes).fillna(np.inf) <= frame["timeframe"].map(minutes).fillna(0)
