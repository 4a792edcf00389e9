"""What the performance page draws, made from rows: equity, rolling expectancy, fan, weekday by session, time in trade.

Rows are those of `storage.reading.signals.trades`, in any order. Curves are thinned to what a screen can show: of neighbouring
points only every n-th is kept, and always the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final

import numpy as np

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.zones import Instants, to_instant
from goldsignal_pipeline.simulation.breakdowns import HOLD_HOURS, SESSIONS, WEEKDAYS, by_time_in_trade, by_weekday_and_session
from goldsignal_pipeline.simulation.equity_fan import FAN_DRAWS, FAN_QUANTILES, equity_fan, weekly_sums
from goldsignal_pipeline.simulation.records import Integers
from goldsignal_pipeline.simulation.scored_trades import MICRO_R

Row = Mapping[str, Any]

CURVE_POINTS: Final = 600
_ORDER: Final = ("resolved_at", "strategy", "timeframe", "direction", "timestamp")


def curves(trades: Sequence[Row]) -> list[dict[str, Any]]:
    """The equity of each strategy and timeframe: instants in epoch seconds, and the R gained by then."""
    found = []
    by_track = sorted(trades, key=lambda row: (row["strategy"], row["timeframe"]))
    for (strategy, timeframe), rows in groupby(by_track, key=lambda row: (row["strategy"], row["timeframe"])):
        own = sorted(rows, key=_in_time)
        gained = np.cumsum(_micro_r(own))
        kept = thinned(len(own))
        found.append(
            {
                "strategy": strategy,
                "timeframe": timeframe,
                "trades": len(own),
                "net_r": int(gained[-1]) / MICRO_R,
                "time": [int(own[at]["resolved_at"].timestamp()) for at in kept],
                "gained": [int(gained[at]) / MICRO_R for at in kept],
            }
        )
    return found


def rolling(days: Sequence[Row]) -> list[dict[str, Any]]:
    """Columns by day of each strategy and timeframe: expectancy of the window (None: undefined) and state."""
    found = []
    by_track = sorted(days, key=lambda row: (row["strategy"], row["timeframe"], row["day"]))
    for (strategy, timeframe), rows in groupby(by_track, key=lambda row: (row["strategy"], row["timeframe"])):
        own = list(rows)
        found.append(
            {
                "strategy": strategy,
                "timeframe": timeframe,
                "day": [row["day"].isoformat() for row in own],
                "expectancy": [None if row["expectancy"] is None else float(row["expectancy"]) for row in own],
                "state": [row["state"] for row in own],
            }
        )
    return found


def breakdown(trades: Sequence[Row], *, key: str) -> dict[str, Any]:
    """Weekday by session, time in trade, and the fan of these trades together; `key` seeds the draws."""
    own = sorted(trades, key=_in_time)
    net = _micro_r(own)
    entered, resolved = _instants(own, "entered_at"), _instants(own, "resolved_at")
    held = load_calendar().open_minutes_between(entered, resolved)
    return {
        "trades": len(own),
        "weekdays": WEEKDAYS,
        "sessions": SESSIONS,
        "cells": [asdict(cell) for cell in by_weekday_and_session(entered, [row["session"] for row in own], net)],
        "hold_hours": HOLD_HOURS,
        "time_in_trade": asdict(by_time_in_trade(held, net)),
        "fan": _fan(weekly_sums(resolved, net), key=key),
    }


def thinned(count: int) -> list[int]:
    """At most `CURVE_POINTS` positions of `count`, evenly apart, the last among them."""
    step = -(-count // CURVE_POINTS) or 1
    return list(range((count - 1) % step, count, step))


def _fan(weekly: Integers, *, key: str) -> dict[str, Any] | None:
    fan = equity_fan(weekly, key=key)
    if fan is None:
        return None
    kept = thinned(len(fan.happened))
    return {
        "draws": FAN_DRAWS,
        "quantiles": FAN_QUANTILES,
        "weeks": kept,
        "curves": [[round(float(value), 4) for value in curve[kept]] for curve in fan.curves],
        "happened": [round(float(value), 4) for value in fan.happened[kept]],
        "below_zero": fan.below_zero,
        "middle_drawdown": fan.middle_drawdown,
        "worst_drawdown": fan.worst_drawdown,
    }


def _in_time(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in _ORDER)


def _micro_r(rows: Sequence[Row]) -> Integers:
    return np.array([int(row["net_r"] * MICRO_R) for row in rows], dtype=np.int64)


def _instants(rows: Sequence[Row], name: str) -> Instants:
    return np.array([to_instant(row[name]) for row in rows], dtype="datetime64[us]")
