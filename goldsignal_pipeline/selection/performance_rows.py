"""Performance rows: how the real signals of each strategy and timeframe did by the end of each day, and its health then.

The health is that of the fold (`month_fold`): the same outcomes, signals and shadows, through the same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import TIMESTAMP_DTYPE
from goldsignal_pipeline.market.hours import Days, TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_datetime
from goldsignal_pipeline.selection.degradation import DegradationState, Transition, advance_degradation, conditions
from goldsignal_pipeline.selection.month_fold import Judged, outcomes_of
from goldsignal_pipeline.selection.standings import Track
from goldsignal_pipeline.simulation.rolling import rolling_metrics

PERFORMANCE_WINDOWS_DAYS: Final = (7, 30, 90)
_DAY: Final = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """Rows (`rolling.ROLLING_COLUMNS`, baseline_expectancy, state, state_since), `day` being the day at whose end they hold."""

    rows: pd.DataFrame
    transitions: tuple[tuple[Track, Transition], ...]


def performance_rows(
    outcomes: pd.DataFrame,
    *,
    judged: Sequence[Judged],
    health: Mapping[Track, DegradationState],
    days: Days,
    tracks: Sequence[Track],
    calendar: TradingCalendar,
    record_start: datetime,
) -> Performance:
    """The rows of consecutive `days` (`datetime64[D]`) for every track.

    `outcomes` are those of real signals as metrics read them (`SCORED_TRADE_COLUMNS`), from 90 days before the first day on.
    `judged` are the outcomes of signals and shadows that health reads, and `health` is that at the end of the day before.
    """
    metrics = rolling_metrics(
        outcomes,
        days=days + _DAY,
        calendar=calendar,
        record_start=record_start,
        windows_days=PERFORMANCE_WINDOWS_DAYS,
        tracks=tracks,
    )
    is_trading_day = _trading_days(days, calendar=calendar)
    parts, transitions = [], []
    for track in tracks:
        own = outcomes_of(judged, track=track)
        before = health.get(track, DegradationState())
        _, states, moved = advance_degradation(before, own, days=days, is_trading_day=is_trading_day)
        transitions += [(track, one) for one in moved]
        since = [None if state.since is None else datetime.combine(state.since, time(), tzinfo=UTC) for state in states]
        parts.append(
            pd.DataFrame(
                {
                    "day": days + _DAY,
                    "strategy": track[0],
                    "timeframe": track[1],
                    "baseline_expectancy": conditions(own, days=days).baseline,
                    "state": [state.health.value for state in states],
                    "state_since": pd.Series(since, dtype=TIMESTAMP_DTYPE),
                }
            )
        )
    rows = metrics.merge(pd.concat(parts, ignore_index=True), on=["day", "strategy", "timeframe"], how="left")
    rows["day"] = rows["day"] - pd.Timedelta(days=1)
    return Performance(rows, tuple(transitions))


def _trading_days(days: Days, *, calendar: TradingCalendar) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of `days` end a trading day with open hours."""
    margin = 2 * _DAY
    opens = calendar.expected_opens(
        timeframe=Timeframe.D1, start=to_datetime(days[0] - margin), end=to_datetime(days[-1] + margin)
    )
    return np.isin(days, calendar.trading_day(opens))
