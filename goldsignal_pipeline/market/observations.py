"""Observations: which delivered rows are evidence of the market, and why the others are not.

1. `qualify` gives every row the first reason that applies: unreadable, before the record, future, forming, impossible
   prices, misaligned, closed market, implausible level.
2. Among the rows left, identical duplicates fold into one and conflicting ones are all turned away.
3. The clock decides what is a bar, never its range: closed hours are filled with near-frozen bars, but one weekend moved
   80 USD.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import PRICE_COLUMNS, TIMESTAMP_DTYPE, Bars, frame_of, instants_of, timestamps_of
from goldsignal_pipeline.market.delivery import REJECTED_COLUMNS, Delivery, empty_rejected
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.plausibility import implausible_levels
from goldsignal_pipeline.market.reasons import RejectReason
from goldsignal_pipeline.market.timeframes import Timeframe, is_aligned
from goldsignal_pipeline.market.zones import Instants, to_instant

RECORD_BEGINS: Final = np.datetime64("2003-05-01", "us")
HIGHEST_TICKS: Final = 9_999_999_999
"""99,999,999.99 USD/oz, the largest price a NUMERIC(10,2) column holds."""

Flags = npt.NDArray[np.bool_]
Reasons = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Qualified:
    """The judged rows of one delivery.

    `rows`: the columns of `Delivery.rows`, ascending and unique by `timestamp`. `rejected`: those the provider could not
    read and those turned away here. `folded`: how many rows repeated another one exactly, so that
    delivered = rows + rejected + folded.
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame
    folded: int


def qualify(
    delivery: Delivery,
    *,
    calendar: TradingCalendar,
    now: datetime,
    grace: timedelta,
    reference_close_ticks: int | None,
) -> Qualified:
    """Judge the rows of a delivery; no row is lost, and every row turned away carries one reason.

    `reference_close_ticks` is a stored close next in time to the first delivered row, best the median of the last few so
    that no single bad row speaks for the market; None when nothing within some weeks is stored.
    """
    bars = _bars_in_time_order(delivery.rows)
    reasons = _reasons_by_row(bars, timeframe=delivery.timeframe, calendar=calendar, now=now, grace=grace)
    good = np.flatnonzero(reasons == "")
    strange = implausible_levels(bars.take(good), reference_close_ticks=reference_close_ticks)
    reasons[good[strange]] = RejectReason.IMPLAUSIBLE_LEVEL.value
    good = good[~strange]
    conflicting, repeated = _duplicates(bars.take(good))
    reasons[good[conflicting]] = RejectReason.CONFLICTING_DUPLICATE.value
    kept = good[~conflicting & ~repeated]
    turned_away = np.flatnonzero(reasons != "")
    return Qualified(
        rows=frame_of(bars.take(kept)),
        rejected=_rejected(delivery.rejected, bars.take(turned_away), reasons[turned_away]),
        folded=int(np.count_nonzero(repeated)),
    )


def _bars_in_time_order(rows: pd.DataFrame) -> Bars:
    prices = {name: rows[name].to_numpy(dtype=np.int64) for name in PRICE_COLUMNS}
    opens = instants_of(rows["timestamp"])
    volume = rows["volume"].to_numpy(dtype=np.float64)
    # Every column takes part, so that the result does not depend on the order of delivery.
    order = np.lexsort((volume, *reversed(list(prices.values())), opens))
    return Bars(opens=opens, **prices, volume=volume).take(order)


def _reasons_by_row(bars: Bars, *, timeframe: Timeframe, calendar: TradingCalendar, now: datetime, grace: timedelta) -> Reasons:
    instant, latest_close = to_instant(now), to_instant(now - grace)
    reasons = np.full(len(bars), "", dtype=object)

    def reject(where: npt.ArrayLike, reason: RejectReason) -> None:
        reasons[np.asarray(where) & (reasons == "")] = reason.value

    reject(np.isnat(bars.opens), RejectReason.UNREADABLE)
    reject(bars.opens < RECORD_BEGINS, RejectReason.BEFORE_RECORD)
    reject(bars.opens > instant, RejectReason.FUTURE)
    # The nominal length is exact: clocks change on a Sunday morning, when no bar trades.
    reject(bars.opens + np.timedelta64(timeframe.length) > latest_close, RejectReason.FORMING)
    prices = np.stack([bars.open, bars.high, bars.low, bars.close])
    reject((prices <= 0).any(axis=0), RejectReason.NOT_POSITIVE)
    reject((prices > HIGHEST_TICKS).any(axis=0), RejectReason.OUT_OF_RANGE)
    reject((bars.low > prices.min(axis=0)) | (bars.high < prices.max(axis=0)), RejectReason.PRICE_ORDER)
    readable = np.flatnonzero(reasons == "")
    reasons[readable] = _clock_reasons(bars.opens[readable], timeframe=timeframe, calendar=calendar)
    return reasons


def _clock_reasons(opens: Instants, *, timeframe: Timeframe, calendar: TradingCalendar) -> Reasons:
    """Misaligned, or wholly in closed hours; "" for a bar that may exist."""
    reasons = np.full(len(opens), RejectReason.MISALIGNED.value, dtype=object)
    aligned = np.flatnonzero(is_aligned(opens, timeframe=timeframe))
    expected = calendar.is_expected(opens[aligned], timeframe=timeframe)
    reasons[aligned] = ""
    reasons[aligned[~expected]] = calendar.closed_reason(opens[aligned[~expected]])
    return reasons


def _duplicates(bars: Bars) -> tuple[Flags, Flags]:
    """Rows that contradict another row of the same open, and rows that repeat the one before exactly."""
    if len(bars) == 0:
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    same_open = np.concatenate([[False], bars.opens[1:] == bars.opens[:-1]])
    volume = np.nan_to_num(bars.volume, nan=-1.0)
    columns = np.stack([bars.open, bars.high, bars.low, bars.close, np.rint(volume * 100).astype(np.int64)])
    equal = np.concatenate([[False], (columns[:, 1:] == columns[:, :-1]).all(axis=0)])
    group = np.cumsum(~same_open) - 1
    differing = np.bincount(group, weights=same_open & ~equal) > 0
    conflicting = differing[group]
    return conflicting, same_open & ~conflicting


def _rejected(unreadable: pd.DataFrame, bars: Bars, reasons: Reasons) -> pd.DataFrame:
    judged = pd.DataFrame(
        {
            "timestamp": timestamps_of(bars.opens),
            "reason": pd.Series(reasons, dtype="str"),
            "payload": pd.Series(_payloads(bars), dtype="str"),
        }
    )
    parts = [part for part in (unreadable[list(REJECTED_COLUMNS)], judged) if len(part)]
    if not parts:
        return empty_rejected()
    return pd.concat(parts, ignore_index=True).astype({"timestamp": TIMESTAMP_DTYPE, "reason": "str", "payload": "str"})


def _payloads(bars: Bars) -> list[str]:
    """Each row as JSON with its prices in USD/oz, as a person would look it up at the vendor."""
    columns = zip(
        bars.opens.astype(str).tolist(),
        *(getattr(bars, name).tolist() for name in PRICE_COLUMNS),
        bars.volume.tolist(),
        strict=True,
    )
    return [
        json.dumps(
            {
                "timestamp": f"{opens}Z",
                **{name: _usd(ticks) for name, ticks in zip(PRICE_COLUMNS, prices, strict=True)},
                "volume": None if np.isnan(volume) else volume,
            }
        )
        for opens, *prices, volume in columns
    ]


def _usd(ticks: int) -> str:
    sign = "-" if ticks < 0 else ""
    return f"{sign}{abs(ticks) // 100}.{abs(ticks) % 100:02d}"
