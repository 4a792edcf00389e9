"""Rolling windows: metrics as of 00:00 UTC of every day of a range, in one pass over one list of unique trades.

1. `window_bounds` finds for each as-of day d the trades whose result was known in [d - w, d); w counts calendar days of 24
   hours, whatever the timeframe: thirty days are never 720 bars.
2. Trades are booked on the trading day (17:00 to 17:00 New York) that holds the last instant before that, so a bar that closes
   at the roll belongs to the day that ends there. The ISO week of a trade is that of its trading day.
3. `rolling_metrics` computes every window of every as-of day for every strategy and timeframe of a frame.

Time before the record began is part of no window: it adds neither trading days nor market-open minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.hours import Days, TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants, to_datetime, to_instant
from goldsignal_pipeline.simulation.metrics import METRIC_COLUMNS, Windows, window_metrics
from goldsignal_pipeline.simulation.scored_trades import KEY_COLUMNS, Integers, ScoredTrades

RESULT_WINDOWS_DAYS: Final = (30, 60, 180, 365)
ROLLING_COLUMNS: Final = ("day", *KEY_COLUMNS, "window_days", *METRIC_COLUMNS)
_DAY: Final = np.timedelta64(1, "D")
_INSTANT: Final = np.timedelta64(1, "us")
_EPOCH: Final = np.datetime64("2000-01-01", "us")


def rolling_metrics(
    trades: pd.DataFrame,
    *,
    days: Days,
    calendar: TradingCalendar,
    record_start: datetime,
    windows_days: tuple[int, ...] = RESULT_WINDOWS_DAYS,
    tracks: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Metrics as of 00:00 UTC of each of `days` (`datetime64[D]`), a row per strategy, timeframe, day and window.

    `trades` follows `scored_trades.SCORED_TRADE_COLUMNS`; trades known at or after an as-of day are not read for it (I5).
    `tracks` (strategy, timeframe) have rows also without a trade. Rows are sorted by strategy, timeframe, day and window.
    Raises DataError for a trade that stands twice.
    """
    held, nothing = ScoredTrades.by_track(trades), ScoredTrades.of(trades.iloc[:0])
    named = sorted({*held, *tracks})
    parts = [
        track_metrics(
            held.get(track, nothing), days=days, calendar=calendar, record_start=record_start, windows_days=windows_days
        )
        for track in named
    ]
    if not parts:
        return pd.DataFrame(columns=list(ROLLING_COLUMNS))
    rows = len(days) * len(windows_days)
    labels = {name: np.repeat([track[place] for track in named], rows) for place, name in enumerate(KEY_COLUMNS)}
    columns = labels | {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.DataFrame({name: columns[name] for name in ROLLING_COLUMNS})


def track_metrics(
    trades: ScoredTrades, *, days: Days, calendar: TradingCalendar, record_start: datetime, windows_days: tuple[int, ...]
) -> dict[str, npt.NDArray[np.generic]]:
    """Metrics of one strategy and timeframe, also without any trade: columns with a row per day and window, in this order."""
    widths = sorted(windows_days)
    parts = [
        window_metrics(
            trades,
            windows=window_bounds(trades, days=days, window_days=width, calendar=calendar, record_start=record_start),
        )
        for width in widths
    ]
    return {
        "day": np.repeat(days, len(widths)),
        "window_days": np.tile(np.array(widths, dtype=np.int64), len(days)),
        **{name: np.stack([part[name] for part in parts], axis=1).ravel() for name in METRIC_COLUMNS},
    }


def window_bounds(
    trades: ScoredTrades, *, days: Days, window_days: int, calendar: TradingCalendar, record_start: datetime
) -> Windows:
    """The window [d - window_days, d) of each as-of day d over `trades`."""
    closes = np.asarray(days).astype("datetime64[us]")
    opens: Instants = np.subtract(closes, window_days * _DAY)
    covered_from = np.minimum(np.maximum(opens, to_instant(record_start)), closes)
    return Windows(
        first=_positions(trades.resolved_at, opens),
        stop=_positions(trades.resolved_at, closes),
        missed=np.subtract(_positions(trades.missed, closes), _positions(trades.missed, opens)),
        opens=_open_minutes(covered_from, calendar=calendar),
        closes=_open_minutes(closes, calendar=calendar),
        trading_days=_trading_days_touched(covered_from, closes, calendar=calendar),
        day_of_trade=booked_day(trades.resolved_at).astype(np.int64),
        week_of_trade=iso_week(trades.resolved_at),
        entry_minutes=_open_minutes(trades.entry, calendar=calendar),
        exit_minutes=_open_minutes(trades.resolved_at, calendar=calendar),
    )


def booked_day(resolved_at: Instants) -> Days:
    """The trading day (`datetime64[D]`) on which trades known at these instants (exclusive closes of bars) are booked."""
    return TradingCalendar.trading_day(np.asarray(resolved_at - _INSTANT))


def iso_week(resolved_at: Instants) -> Integers:
    """A number per ISO week (Monday to Sunday) of the booked day, ascending in time."""
    return np.asarray((booked_day(resolved_at).astype(np.int64) + 3) // 7)


def _positions(instants: Instants, bounds: Instants) -> Integers:
    return np.asarray(np.searchsorted(instants, bounds, side="left"), dtype=np.int64)


def _open_minutes(instants: Instants, *, calendar: TradingCalendar) -> Integers:
    return calendar.open_minutes_between(np.full(len(instants), _EPOCH), instants)


def _trading_days_touched(start: Instants, end: Instants, *, calendar: TradingCalendar) -> npt.NDArray[np.int64]:
    """How many trading days with open hours have begun before `end` and ended after `start`."""
    if not len(start):
        return np.zeros(0, dtype=np.int64)
    margin = 2 * _DAY
    opens = calendar.expected_opens(
        timeframe=Timeframe.D1, start=to_datetime(start.min() - margin), end=to_datetime(end.max() + margin)
    )
    begins, ends = calendar.trading_day_bounds(calendar.trading_day(opens))
    touched = np.searchsorted(begins, end, side="left") - np.searchsorted(ends, start, side="right")
    return np.asarray(np.where(end > start, np.maximum(touched, 0), 0), dtype=np.int64)
