"""What the fold reads, made from frames: setups, steps of trades, and setups of days too incomplete to decide on."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.completeness import is_blocked_at
from goldsignal_pipeline.market.hours import Session, TradingCalendar
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_datetime
from goldsignal_pipeline.selection.closing_times import minutes_to_closing
from goldsignal_pipeline.selection.gate_inputs import Setup, SetupKey
from goldsignal_pipeline.selection.month_fold import TradeSteps
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import UNDEFINED
from goldsignal_pipeline.simulation.kernel import UNITS_PER_TICK, Exit, Result
from goldsignal_pipeline.simulation.planned import planned_entries
from goldsignal_pipeline.simulation.trades import GRACE

_UNITS_PER_USD: Final = 100 * UNITS_PER_TICK
_MISSED: Final = Result.MISSED.name.lower()
_TARGET_ONE: Final = Exit.TARGET_ONE.name.lower()


def keys_of(frame: pd.DataFrame) -> list[SetupKey]:
    """The key of each row (strategy, timeframe, direction, timestamp)."""
    parts = (frame[name].tolist() for name in ("strategy", "timeframe", "direction"))
    return [
        SetupKey(strategy, timeframe, Direction(direction), at)
        for strategy, timeframe, direction, at in zip(*parts, map(_sure, moments(frame["timestamp"])), strict=True)
    ]


def is_among(frame: pd.DataFrame, keys: Container[SetupKey]) -> npt.NDArray[np.bool_]:
    """Which rows of a frame, also of an empty one, have a key among `keys`."""
    return np.array([key in keys for key in keys_of(frame)], dtype=bool)


def gate_setups(
    setups: pd.DataFrame,
    *,
    base: Timeframe,
    calendar: TradingCalendar,
    grace: timedelta = GRACE,
    decided_at: Mapping[SetupKey, datetime] | None = None,
) -> list[Setup]:
    """The rows of kind setup (`setups.SETUP_DTYPES`) as the gate judges them, in their order.

    `base` is the timeframe whose next bar would be entered at; `decided_at` holds when live runs decided.
    """
    rows = setups[setups["kind"] == "setup"]
    confirmed_at = instants_of(rows["confirmed_at"])
    entries = planned_entries(confirmed_at, base=base, calendar=calendar, grace=grace)
    closings = minutes_to_closing(confirmed_at, calendar=calendar).tolist()
    decided = decided_at or {}
    return [
        Setup(
            key=key,
            at=_sure(at),
            entry_open=to_datetime(entry),
            reference=row["reference"],
            stop=row["stop"],
            take_profit_1=row["take_profit_1"],
            confidence=row["confidence"],
            atr=row["atr_h1"],
            median_atr=row["median_atr_h1"],
            is_asia=row["session"] == Session.ASIA.value,
            minutes_to_closing=closing,
            decided_at=decided.get(key),
        )
        for key, at, entry, closing, row in zip(
            keys_of(rows), moments(rows["confirmed_at"]), entries, closings, rows.to_dict("records"), strict=True
        )
    ]


def steps_of(trades: pd.DataFrame) -> dict[SetupKey, TradeSteps]:
    """The steps of every trade that has an entry (`closed_trades.TRADE_DTYPES`, open ones included)."""
    rows = trades[trades["entry_at"].notna()]
    moments_by_name = {name: moments(rows[name]) for name in ("entry_at", "entry_known_at", "first_exit_at", "resolved_at")}
    found: dict[SetupKey, TradeSteps] = {}
    for position, (key, result, first_exit, net, risk) in enumerate(
        zip(keys_of(rows), rows["result"], rows["first_exit"], rows["net"].tolist(), rows["risk"].tolist(), strict=True)
    ):
        at = {name: values[position] for name, values in moments_by_name.items()}
        is_scored = net != UNDEFINED
        found[key] = TradeSteps(
            entry_at=_sure(at["entry_at"]),
            entry_known_at=_sure(at["entry_known_at"]),
            is_missed=result == _MISSED,
            first_target_at=at["first_exit_at"] if first_exit == _TARGET_ONE else None,
            resolved_at=at["resolved_at"],
            net_r=net / (risk * UNITS_PER_TICK) if is_scored else 0.0,
            net_usd=Decimal(net) / _UNITS_PER_USD if is_scored else Decimal(0),
        )
    return found


def blocked_setups(setups: Sequence[Setup], *, bars: BaseBars, calendar: TradingCalendar) -> frozenset[SetupKey]:
    """Setups whose trading day lacked too many base bars when they confirmed."""
    at = np.array([np.datetime64(one.at.replace(tzinfo=None), "us") for one in setups], dtype="datetime64[us]")
    blocked = is_blocked_at(at, opens=bars.opens, closes=bars.closes, calendar=calendar)
    return frozenset(one.key for one, is_blocked in zip(setups, blocked.tolist(), strict=True) if is_blocked)


def moments(column: pd.Series) -> list[datetime | None]:
    """A column of instants as aware datetimes, None where there is none."""
    values = pd.DatetimeIndex(column).tz_convert("UTC").tz_localize(None).to_numpy(dtype="datetime64[us]")
    return [None if value is None else value.replace(tzinfo=UTC) for value in values.tolist()]


def _sure(moment: datetime | None) -> datetime:
    if moment is None:
        raise ValueError("expected an instant, was none")
    return moment
