"""Result rows: what every strategy had achieved in simulation as of each day, month ends with what is costly to know.

1. Rolling metrics of every day, track and window (`rolling`).
2. On the last day of a month also the bootstrap interval, the p-value against random entries and the walk-forward efficiency of
   the year; NaN on all other days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.hours import Days, TradingCalendar
from goldsignal_pipeline.market.zones import to_datetime, to_instant
from goldsignal_pipeline.simulation.bootstrap import bootstrap_interval
from goldsignal_pipeline.simulation.rolling import RESULT_WINDOWS_DAYS, iso_week, rolling_metrics
from goldsignal_pipeline.simulation.scored_trades import ScoredTrades
from goldsignal_pipeline.simulation.walk_forward import walk_forward

COSTLY_COLUMNS: Final = ("interval_low", "interval_high", "p_value", "walk_forward_efficiency")
_KEY: Final = ["day", "strategy", "timeframe", "window_days"]
_DAY: Final = np.timedelta64(1, "D")
_YEAR: Final = timedelta(days=max(RESULT_WINDOWS_DAYS))


def month_ends(days: Days) -> Days:
    """Those of `days` that are the last of their month."""
    return np.asarray(days[(days + _DAY).astype("datetime64[M]") != days.astype("datetime64[M]")])


def result_rows(
    trades: pd.DataFrame,
    *,
    days: Days,
    tracks: Sequence[tuple[str, str]],
    symbol: str,
    calendar: TradingCalendar,
    record_start: datetime,
    chances: Callable[[Days], pd.DataFrame],
) -> pd.DataFrame:
    """The rows of `days` (`datetime64[D]`): `rolling.ROLLING_COLUMNS` and `COSTLY_COLUMNS`.

    `trades` (`SCORED_TRADE_COLUMNS`) reach back 365 days. `chances` gives the p-values of month ends
    (`random_entries.P_VALUE_COLUMNS`); it is asked only when there is one.
    """
    rows = rolling_metrics(trades, days=days, calendar=calendar, record_start=record_start, tracks=tracks)
    ends = month_ends(days)
    costly = pd.DataFrame(columns=[*_KEY, *COSTLY_COLUMNS])
    if len(ends):
        costly = _costly(trades, ends=ends, tracks=tracks, symbol=symbol).merge(chances(ends), on=_KEY, how="left")
    joined = rows.merge(costly.astype({"day": rows["day"].dtype, "window_days": "int64"}), on=_KEY, how="left")
    return joined.astype(dict.fromkeys(COSTLY_COLUMNS, "float64"))[[*rows.columns, *COSTLY_COLUMNS]]


def _costly(trades: pd.DataFrame, *, ends: Days, tracks: Sequence[tuple[str, str]], symbol: str) -> pd.DataFrame:
    """Interval of every window and efficiency of the year, for each month end and track."""
    found = []
    for strategy, timeframe in tracks:
        own = ScoredTrades.of(trades[(trades["strategy"] == strategy) & (trades["timeframe"] == timeframe)])
        weeks = iso_week(own.resolved_at)
        for end in ends:
            at = to_datetime(end)
            efficiency = walk_forward(own, start=at - _YEAR, end=at).efficiency
            for width in RESULT_WINDOWS_DAYS:
                opens = to_instant(at - timedelta(days=width))
                inside = slice(*np.searchsorted(own.resolved_at, [opens, to_instant(at)], side="left"))
                key = f"{symbol}/{strategy}/{timeframe}/{width}/{end}"
                low, high = bootstrap_interval(own.net_micro_r[inside], weeks=weeks[inside], key=key)
                is_year = width == max(RESULT_WINDOWS_DAYS)
                found.append((end, strategy, timeframe, width, low, high, efficiency if is_year else np.nan))
    return pd.DataFrame(found, columns=[*_KEY, "interval_low", "interval_high", "walk_forward_efficiency"])
