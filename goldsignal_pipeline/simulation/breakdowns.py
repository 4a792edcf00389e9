"""Breakdowns of closed trades: by weekday and session, and by how long they were held.

1. `by_weekday_and_session` counts and sums results; the weekday is that of the trading day (17:00 to 17:00 New York) of the
   entry, so that Sunday evening belongs to Monday.
2. `by_time_in_trade` counts winners and losers by the market-open hours they were held.

A cell says how many trades it holds: one with few of them says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.simulation.records import Integers
from goldsignal_pipeline.simulation.scored_trades import MICRO_R

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
SESSIONS: Final = ("asia", "london", "overlap", "new_york", "none")
HOLD_HOURS: Final = (1, 2, 4, 8, 16, 24, 48, 72)
"""Upper ends of the classes of time in trade, inclusive; the last class is everything longer."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Trades of one weekday and session."""

    weekday: str
    session: str
    trades: int
    wins: int
    net_r: float


@dataclass(frozen=True, slots=True)
class TimeInTrade:
    """Winners and losers per class of `HOLD_HOURS` and beyond, and the middle hours of each; None without any."""

    winners: tuple[int, ...]
    losers: tuple[int, ...]
    middle_winner_hours: float | None
    middle_loser_hours: float | None


def by_weekday_and_session(entered_at: Instants, session: Sequence[str], net_micro_r: Integers) -> list[Cell]:
    """A cell per weekday and session, also those without trades, in the order of `WEEKDAYS` and `SESSIONS`."""
    days = TradingCalendar.trading_day(entered_at).astype("datetime64[D]").astype(np.int64)
    weekday, named = (days + 3) % 7, np.asarray(session, dtype=str)
    cells = []
    for number, day in enumerate(WEEKDAYS):
        for name in SESSIONS:
            own = net_micro_r[(weekday == number) & (named == name)]
            cells.append(Cell(day, name, len(own), int((own > 0).sum()), int(own.sum()) / MICRO_R))
    return cells


def by_time_in_trade(hold_minutes: Integers, net_micro_r: Integers) -> TimeInTrade:
    """How long winners (net R above 0) and losers were held."""
    classes = np.searchsorted(np.array(HOLD_HOURS) * 60, hold_minutes, side="left")
    won = net_micro_r > 0
    winners, losers = (np.bincount(classes[side], minlength=len(HOLD_HOURS) + 1) for side in (won, ~won))
    return TimeInTrade(
        tuple(winners.tolist()), tuple(losers.tolist()), _middle_hours(hold_minutes[won]), _middle_hours(hold_minutes[~won])
    )


def _middle_hours(minutes: npt.NDArray[np.int64]) -> float | None:
    return float(np.median(minutes)) / 60 if len(minutes) else None
