"""Gaps: every expected bar that has no candle, and why (I16).

1. The day parts name the grid: each part's base timeframe, hence the opens at which bars are expected.
2. Opens are compared with opens of the same grid, so a bar is found where it is (an earlier system compared unaligned times
   and called every slot missing).
3. Each missing bar gets its reason, gravest evidence first: a quarantined row, nobody asked, asked but still young, a hole
   of the vendor. Neighbouring bars with one reason form one gap, whatever closed time lies between them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import TIMESTAMP_DTYPE, instants_of, timestamps_of
from goldsignal_pipeline.market.coverage import TOLERATED_TRAILING_MINUTES
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.reasons import MissingReason
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants, to_datetime, to_instant

GAP_COLUMNS: Final = ("timeframe", "start", "end", "missing_bars", "reason")
WINDOW_COLUMNS: Final = ("start", "end", "asked_at")
_CLOSED_TIME_STEP: Final = np.timedelta64(5, "m")

Flags = npt.NDArray[np.bool_]


def find_gaps(
    candles: pd.DataFrame,
    *,
    day_parts: pd.DataFrame,
    calendar: TradingCalendar,
    now: datetime,
    grace: timedelta,
    quarantined: pd.DataFrame,
    asked: pd.DataFrame,
) -> pd.DataFrame:
    """Every run of missing base bars in the day parts, `GAP_COLUMNS`, by start; `end` is the close of the last one.

    `candles` and `quarantined` need `timeframe` and `timestamp`, and must hold the rows that open in the parts; candles that
    are not on the part's grid are ignored. `asked` has `WINDOW_COLUMNS`: windows of opens [start, end) that some source was
    asked for, and when. `vendor_late` ends two hours after the close.
    """
    frames = []
    part_begins, part_ends = _part_bounds(day_parts, calendar=calendar)
    for name in sorted(day_parts["base_timeframe"].unique(), key=lambda value: Timeframe(value).minutes):
        timeframe = Timeframe(name)
        own = (day_parts["base_timeframe"] == name).to_numpy()
        begins, ends = part_begins[own], part_ends[own]
        opens = calendar.expected_opens(timeframe=timeframe, start=to_datetime(begins.min()), end=to_datetime(ends.max()))
        due = is_covered(opens, starts=begins, ends=ends) & (bar_close(opens, timeframe=timeframe) <= to_instant(now - grace))
        # Positions on the whole grid: a stretch with another base timeframe between two missing bars separates them.
        missing = np.flatnonzero(due & ~np.isin(opens, _opens_of(candles, timeframe)))
        reasons = _reasons(
            opens[missing],
            timeframe=timeframe,
            quarantined=_opens_of(quarantined, timeframe),
            asked=answered_windows(asked, timeframe=timeframe, grace=grace),
            now=to_instant(now),
        )
        frames.append(_runs(opens, missing, reasons, timeframe=timeframe))
    if not frames:
        return _runs(np.array([], "datetime64[us]"), np.zeros(0, np.intp), np.zeros(0, object), timeframe=Timeframe.M5)
    return pd.concat(frames, ignore_index=True).sort_values("start", kind="stable", ignore_index=True)


def empty_windows() -> pd.DataFrame:
    """No windows, with the columns and dtypes of `asked`."""
    return pd.DataFrame({name: pd.Series([], dtype=TIMESTAMP_DTYPE) for name in WINDOW_COLUMNS})


def closed_minutes(*, calendar: TradingCalendar, start: datetime, end: datetime) -> dict[str, int]:
    """Minutes in [start, end) during which the market was closed, by `ClosedReason` value, in steps of five minutes."""
    instants = np.arange(to_instant(start), to_instant(end), _CLOSED_TIME_STEP)
    reasons, counts = np.unique(calendar.closed_reason(instants).astype(str), return_counts=True)
    step = int(_CLOSED_TIME_STEP / np.timedelta64(1, "m"))
    return {str(reason): int(count) * step for reason, count in zip(reasons, counts, strict=True) if reason}


def answered_windows(asked: pd.DataFrame, *, timeframe: Timeframe, grace: timedelta) -> tuple[Instants, Instants, Instants]:
    """Start, end and time of asking of each window, its end cut back to the bars that had closed when it was asked.

    A bar that was still forming cannot have been answered. Windows that answer nothing are left out.
    """
    starts, ends, asked_at = (instants_of(asked[name]) for name in WINDOW_COLUMNS)
    # The last bar that had closed by then; one microsecond makes the exclusive end include it.
    closed = asked_at - np.timedelta64(grace) - np.timedelta64(timeframe.length) + np.timedelta64(1, "us")
    ends = np.minimum(ends, closed)
    useful = ends > starts
    return starts[useful], ends[useful], asked_at[useful]


def is_covered(opens: Instants, *, starts: Instants, ends: Instants) -> Flags:
    """Where an open lies in at least one of the windows [start, end)."""
    if len(starts) == 0:
        return np.zeros(len(opens), dtype=bool)
    order = np.argsort(starts, kind="stable")
    reach = np.maximum.accumulate(ends[order])
    window = np.searchsorted(starts[order], opens, side="right") - 1
    return np.asarray((window >= 0) & (opens < reach[np.maximum(window, 0)]))


def _part_bounds(day_parts: pd.DataFrame, *, calendar: TradingCalendar) -> tuple[Instants, Instants]:
    """The opens [begin, end) of each part: its trading day, cut to its month."""
    begins, ends = calendar.trading_day_bounds(day_parts["trading_day"].to_numpy().astype("datetime64[D]"))
    months = day_parts["month"].to_numpy(dtype="datetime64[M]")
    return np.maximum(begins, months.astype("datetime64[us]")), np.minimum(
        ends, (months + np.timedelta64(1, "M")).astype("datetime64[us]")
    )


def _opens_of(rows: pd.DataFrame, timeframe: Timeframe) -> Instants:
    return instants_of(rows.loc[rows["timeframe"] == timeframe.value, "timestamp"])


def _reasons(
    opens: Instants,
    *,
    timeframe: Timeframe,
    quarantined: Instants,
    asked: tuple[Instants, Instants, Instants],
    now: np.datetime64,
) -> npt.NDArray[np.object_]:
    reasons = np.full(len(opens), MissingReason.VENDOR_HOLE.value, dtype=object)
    age = now - bar_close(opens, timeframe=timeframe)
    reasons[age < np.timedelta64(TOLERATED_TRAILING_MINUTES, "m")] = MissingReason.VENDOR_LATE.value
    reasons[~is_covered(opens, starts=asked[0], ends=asked[1])] = MissingReason.NOT_FETCHED.value
    reasons[np.isin(opens, quarantined)] = MissingReason.QUARANTINED.value
    return reasons


def _runs(
    opens: Instants, missing: npt.NDArray[np.intp], reasons: npt.NDArray[np.object_], *, timeframe: Timeframe
) -> pd.DataFrame:
    """Merge missing bars that follow each other on the grid and share a reason."""
    begins_run = np.concatenate([[True], (np.diff(missing) != 1) | (reasons[1:] != reasons[:-1])])[: len(missing)]
    first = np.flatnonzero(begins_run)
    last = np.append(first[1:], len(missing))[: len(first)] - 1
    frame = pd.DataFrame(
        {
            "timeframe": pd.Series([timeframe.value] * len(first), dtype="str"),
            "start": timestamps_of(opens[missing[first]]),
            "end": timestamps_of(bar_close(opens[missing[last]], timeframe=timeframe)),
            "missing_bars": (last - first + 1).astype(np.int64),
            "reason": pd.Series(reasons[first], dtype="str"),
        }
    )
    return frame[list(GAP_COLUMNS)]
