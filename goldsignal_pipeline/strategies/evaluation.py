"""Evaluation: a strategy over whole months, each from its own fixed origin, so that no way of cutting a range matters.

1. A bar belongs to the UTC month in which it closes. The month is evaluated on the bars from its origin, the first instant of
   the month less the strategy's warm-up, to its end; only candidates that confirm within the month are kept.
2. In a month whose origin lies before the record the strategy is silent, and `Evaluation.silent_months` says so.
3. Both directions run the same code on mirrored bars; context comes from H4 and H1 by origins of their own.

More history than the origin asks for changes nothing (I7), nor does a later future (I6) or another split into months (I8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import bars_of
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants, to_instant
from goldsignal_pipeline.strategies import context, indicators
from goldsignal_pipeline.strategies.base import Condition, Strategy
from goldsignal_pipeline.strategies.directed import DirectedBars, sign_of
from goldsignal_pipeline.strategies.indicators import Floats
from goldsignal_pipeline.strategies.judging import KINDS, REFUSALS, Judged, judge
from goldsignal_pipeline.strategies.setups import CONDITION_DTYPES, ORDER, SETUP_DTYPES, Evaluation, Part, frame_of_parts


@dataclass(frozen=True, slots=True, eq=False)
class _Record:
    """All given bars of one timeframe; prices are float64 whole ticks."""

    timeframe: Timeframe
    opens: Instants
    closes: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    sessions: context.Sessions

    def window(self, *, origin: np.datetime64, end: np.datetime64) -> slice:
        """The bars that open at `origin` or later and close before `end`."""
        return slice(int(np.searchsorted(self.opens, origin)), int(np.searchsorted(self.closes, end)))


@dataclass(frozen=True, slots=True)
class _Month:
    name: str
    start: np.datetime64
    end: np.datetime64
    record_start: np.datetime64

    def origin(self, *, days: int) -> np.datetime64 | None:
        """The origin of a warm-up; None where it lies before the record."""
        origin: np.datetime64 = self.start - np.timedelta64(days, "D")
        return origin if origin >= self.record_start else None


def evaluate(
    strategies: Iterable[Strategy],
    *,
    candles: Mapping[Timeframe, pd.DataFrame],
    timeframe: Timeframe,
    months: Sequence[str],
    record_start: datetime,
) -> Evaluation:
    """Everything that confirms in `months` (YYYY-MM), on bars of `timeframe`.

    `candles` maps timeframes to frames with `timestamp`, prices in ticks and `volume`, from the earliest origin on (260 days
    before the first month where H4 is given). H4 and H1 serve as context; without them it is not available. `record_start` is
    the open of the oldest candle there is, whether given or not: it decides which months are silent. Raises DataError when
    there are no candles of `timeframe`.
    """
    if timeframe not in candles:
        raise DataError(f"there are no {timeframe} candles", done="nothing was evaluated", fix=f"pass candles of {timeframe}")
    records = {key: _record(candles[key], timeframe=key) for key in {timeframe, Timeframe.H1, Timeframe.H4} & set(candles)}
    setups: list[Part] = []
    conditions: list[Part] = []
    silent: list[tuple[str, str]] = []
    chosen = list(strategies)
    for month in (_month(name, record_start=record_start) for name in sorted(set(months))):
        surroundings = _surroundings(records, month=month)
        for strategy in chosen:
            origin = month.origin(days=strategy.warm_up_days(timeframe))
            if origin is None:
                silent.append((strategy.name, month.name))
                continue
            for direction in Direction:
                bars = _directed(records[timeframe], origin=origin, month=month, around=surroundings, direction=direction)
                judged = judge(strategy.find(bars), bars=bars, parameters=strategy.parameters, first=bars.first_at(month.start))
                key = _key_columns(strategy, judged, bars=bars)
                setups.append(key | _setup_columns(judged, bars=bars) | _volatility_columns(surroundings, key))
                conditions.append(_condition_part(key, judged.conditions))
    return Evaluation(
        setups=frame_of_parts(setups, dtypes=SETUP_DTYPES, order=ORDER),
        conditions=frame_of_parts(conditions, dtypes=CONDITION_DTYPES, order=[*ORDER, "position"]),
        silent_months=tuple(silent),
    )


def _record(frame: pd.DataFrame, *, timeframe: Timeframe) -> _Record:
    bars = bars_of(frame)
    return _Record(
        timeframe=timeframe,
        opens=bars.opens,
        closes=bar_close(bars.opens, timeframe=timeframe),
        open=bars.open.astype(np.float64),
        high=bars.high.astype(np.float64),
        low=bars.low.astype(np.float64),
        close=bars.close.astype(np.float64),
        sessions=context.sessions_of(bars.opens),
    )


def _month(name: str, *, record_start: datetime) -> _Month:
    month = np.datetime64(name, "M")
    return _Month(
        name, month.astype("datetime64[us]"), (month + np.timedelta64(1, "M")).astype("datetime64[us]"), to_instant(record_start)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Surroundings:
    """What is known in a month of H4's trend and of H1's volatility, and when; empty where it is not available."""

    h4_closes: Instants
    h4_gaps: Floats
    h1_closes: Instants
    h1_atr: Floats


def _surroundings(records: Mapping[Timeframe, _Record], *, month: _Month) -> _Surroundings:
    never, nothing = np.zeros(0, dtype="datetime64[us]"), np.zeros(0)
    h4_closes, h4_gaps, h1_closes, h1_atr = never, nothing, never, nothing
    origin = month.origin(days=context.H4_WARM_UP_DAYS)
    if Timeframe.H4 in records and origin is not None:
        h4 = records[Timeframe.H4]
        window = h4.window(origin=origin, end=month.end)
        h4_closes, h4_gaps = h4.closes[window], context.trend_gaps(h4.close[window])
    origin = month.origin(days=context.VOLATILITY_WARM_UP_DAYS)
    if Timeframe.H1 in records and origin is not None:
        h1 = records[Timeframe.H1]
        window = h1.window(origin=origin, end=month.end)
        h1_closes, h1_atr = h1.closes[window], indicators.atr(h1.high[window], h1.low[window], h1.close[window])
    return _Surroundings(h4_closes, h4_gaps, h1_closes, h1_atr)


def _directed(
    record: _Record, *, origin: np.datetime64, month: _Month, around: _Surroundings, direction: Direction
) -> DirectedBars:
    """The bars from the origin to the end of the month, with SELL's prices negated."""
    sign, window = sign_of(direction), record.window(origin=origin, end=month.end)
    high, low = (record.high, record.low) if sign > 0 else (record.low, record.high)
    closes = record.closes[window]
    return DirectedBars(
        timeframe=record.timeframe,
        direction=direction,
        opens=record.opens[window],
        closes=closes,
        open=sign * record.open[window],
        high=sign * high[window],
        low=sign * low[window],
        close=sign * record.close[window],
        sessions=record.sessions.take(window),
        h4_gap=sign * context.last_known(around.h4_gaps, known_at=around.h4_closes, at=closes),
    )


def _key_columns(strategy: Strategy, judged: Judged, *, bars: DirectedBars) -> Part:
    return {
        "strategy": strategy.name,
        "strategy_version": strategy.version,
        "timeframe": bars.timeframe.value,
        "direction": bars.direction.value,
        "timestamp": bars.opens[judged.bar],
        "confirmed_at": bars.closes[judged.bar],
    }


def _setup_columns(judged: Judged, *, bars: DirectedBars) -> Part:
    return {
        "kind": np.array(KINDS, dtype=object)[judged.kind],
        "refusal": np.array(REFUSALS, dtype=object)[judged.refusal],
        "reference": judged.reference,
        "stop": judged.stop,
        "take_profit_1": judged.take_profit_1,
        "take_profit_2": judged.take_profit_2,
        "planned_risk": np.where(judged.stop != 0, np.abs(judged.reference - judged.stop), 0),
        "invalidation_price": judged.invalidation,
        "confidence": judged.confidence,
        "session": bars.sessions.label[judged.bar],
        "atr": bars.atr[judged.bar],
    }


def _volatility_columns(around: _Surroundings, key: Part) -> Part:
    measured = context.volatility(around.h1_atr, known_at=around.h1_closes, at=key["confirmed_at"])
    return {
        "atr_h1": measured.atr,
        "median_atr_h1": measured.median_atr,
        "volatility_percentile": measured.percentile,
        "regime": measured.regime,
    }


def _condition_part(key: Part, conditions: Sequence[Condition]) -> Part:
    """The conditions of all rows, one condition after the other; what is constant within a condition is repeated."""
    rows = len(key["timestamp"])
    constant = {
        "position": np.arange(len(conditions)),
        "name": np.array([condition.name for condition in conditions], dtype=object),
        "required": np.array([condition.points is None for condition in conditions], dtype=bool),
        "points": np.array([condition.points or 0 for condition in conditions], dtype=np.int64),
        "comparison": np.array([condition.comparison for condition in conditions], dtype=object),
        "unit": np.array([condition.unit for condition in conditions], dtype=object),
    }
    return {
        **key,
        "timestamp": np.tile(key["timestamp"], len(conditions)),
        **{name: np.repeat(values, rows) for name, values in constant.items()},
        "measured": np.concatenate([condition.measured for condition in conditions]),
        "threshold": np.concatenate([np.broadcast_to(condition.threshold, rows) for condition in conditions]),
        "passed": np.concatenate([condition.passed for condition in conditions]),
    }
