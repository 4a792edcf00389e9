"""A history in memory: from candles to decisions over whole months, by the functions that the assets use one at a time.

This is the backtest path in one call, for proofs, notebooks and benchmarks: setups (`strategies.evaluation`), trades
(`simulation.closed_trades`), results of every day (`simulation.rolling`), decisions (`month_fold`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.hours import Days, TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.selection.gate_inputs import News, Pause, Setup, SetupKey
from goldsignal_pipeline.selection.gate_material import blocked_setups, gate_setups, is_among, keys_of, steps_of
from goldsignal_pipeline.selection.month_fold import Folded, Given, Material, SelectionState, Terms, fold_days
from goldsignal_pipeline.selection.standings import Track, tested_by_day
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import TradeTable, scored, trade_table
from goldsignal_pipeline.simulation.costs import TradeCosts
from goldsignal_pipeline.simulation.rolling import rolling_metrics
from goldsignal_pipeline.simulation.trades import DEFAULT_COSTS, GRACE
from goldsignal_pipeline.strategies.base import Strategy
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline.strategies.setups import Evaluation


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """The candles of one symbol: frames by timeframe, the base bars trades are resolved against, and where it begins.

    `base` is the timeframe whose next bar a decision would be entered at. `unbroken` are the months by the open of the oldest
    candle of their stretch, where whole months without candles cut the record into several.
    """

    candles: Mapping[Timeframe, pd.DataFrame]
    bars: BaseBars
    base: Timeframe
    start: datetime
    unbroken: Mapping[datetime, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What decisions depend on besides candles: terms in force, pauses and news, verdicts of live runs, costs.

    `published` are signals among `given` with the levels they were published with (key, confirmed_at and levels in ticks).
    """

    terms: Sequence[Terms]
    facts: Sequence[Pause | News] = ()
    given: Mapping[SetupKey, Given] = field(default_factory=dict)
    published: pd.DataFrame | None = None
    decided_at: Mapping[SetupKey, datetime] = field(default_factory=dict)
    costs: TradeCosts = DEFAULT_COSTS
    grace: timedelta = GRACE


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Everything that follows from a record: setups, their trades, tested results of every day, decisions.

    `judged` are the setups as the gate read them, `followed` the same trades with those of published signals by their own levels.
    """

    evaluation: Evaluation
    judged: Sequence[Setup]
    trades: TradeTable
    followed: pd.DataFrame
    results: pd.DataFrame
    folded: Folded

    def signals(self) -> pd.DataFrame:
        """The trades of accepted setups, closed or not."""
        accepted = {decision.key for decision in self.folded.decisions if decision.is_accepted}
        return self.followed[is_among(self.followed, accepted)].reset_index(drop=True)


def tracks_of(strategies: Iterable[Strategy]) -> tuple[Track, ...]:
    """Every strategy on every timeframe it runs on, by name."""
    return tuple(sorted((one.name, timeframe.value) for one in strategies for timeframe in one.timeframes))


def run_history(
    record: Record,
    strategies: Sequence[Strategy],
    *,
    months: Sequence[str],
    conditions: Conditions,
    calendar: TradingCalendar,
) -> History:
    """Evaluate, trade, score and decide over consecutive `months` (YYYY-MM) from the beginning on."""
    evaluation = Evaluation.joined(
        [
            evaluate_all(strategies, candles=record.candles, months=own, record_start=start)
            for start, own in (record.unbroken or {record.start: months}).items()
        ]
    )
    setups = evaluation.accepted()
    trades = trade_table(setups, record.bars, calendar=calendar, costs=conditions.costs, grace=conditions.grace)
    days = days_of(months)
    results = rolling_metrics(
        scored(trades.closed()),
        days=np.array(days, dtype="datetime64[D]"),
        calendar=calendar,
        record_start=record.start,
        tracks=tracks_of(strategies),
    )
    followed = _followed(trades, record, conditions=conditions, calendar=calendar)
    judged = gate_setups(setups, base=record.base, calendar=calendar, grace=conditions.grace, decided_at=conditions.decided_at)
    material = Material(
        tracks=tracks_of(strategies),
        setups=judged,
        steps=steps_of(followed),
        tested=tested_by_day(results),
        blocked=blocked_setups(judged, bars=record.bars, calendar=calendar),
        terms=conditions.terms,
        facts=conditions.facts,
        given=conditions.given,
    )
    until = datetime.combine(days[-1] + timedelta(days=1), time(), tzinfo=UTC)
    folded = fold_days(SelectionState(), material, days=days, until=until, calendar=calendar)
    return History(evaluation, judged, trades, followed, results, folded)


def _followed(trades: TradeTable, record: Record, *, conditions: Conditions, calendar: TradingCalendar) -> pd.DataFrame:
    published = conditions.published
    if published is None or not len(published):
        return trades.frame
    stand = set(keys_of(published))
    others = trades.frame[~is_among(trades.frame, stand)]
    own = trade_table(published, record.bars, calendar=calendar, costs=conditions.costs, grace=conditions.grace)
    return pd.concat([others, own.frame], ignore_index=True)


def evaluate_all(
    strategies: Sequence[Strategy],
    *,
    candles: Mapping[Timeframe, pd.DataFrame],
    months: Sequence[str],
    record_start: datetime,
) -> Evaluation:
    """The setups of every strategy on each of its timeframes, one frame; `candles` hold all of these timeframes."""
    parts = [
        evaluate(
            [one for one in strategies if timeframe in one.timeframes],
            candles=candles,
            timeframe=timeframe,
            months=months,
            record_start=record_start,
        )
        for timeframe in sorted({timeframe for one in strategies for timeframe in one.timeframes}, key=lambda one: one.minutes)
    ]
    return Evaluation.joined(parts)


def days_of(months: Sequence[str]) -> list[date]:
    """Every day of the months, ascending."""
    first, end = np.datetime64(months[0], "M"), np.datetime64(months[-1], "M") + np.timedelta64(1, "M")
    days: Days = np.arange(first.astype("datetime64[D]"), end.astype("datetime64[D]"), dtype="datetime64[D]")
    return [day.item() for day in days]
