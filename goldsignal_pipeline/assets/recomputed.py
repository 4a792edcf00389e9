"""The graph in memory: everything that follows from the candles and gate events of a symbol, as rows of its tables.

1. `read_known` reads candles, gate events and published signals of a symbol, the whole record in one go.
2. `recompute` takes the backtest path (`selection.history`) from the first month with an empty state, and shapes what it gives as
   the assets keep it. Nothing that the assets computed is read.

Live verdicts are judged again with the instants of their decisions; those in `standing` are taken as given, with the trades of
the levels that were published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.assets import gate_record, market_record
from goldsignal_pipeline.assets.decision_rows import EVENT_DTYPES, decision_rows, published_events
from goldsignal_pipeline.assets.gate_record import GateRecord
from goldsignal_pipeline.assets.lineage import record_months
from goldsignal_pipeline.assets.outcome_rows import outcome_rows, scored_outcomes, trade_events
from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.assets.rules import parameters_digest
from goldsignal_pipeline.assets.versions import SIGNALS_VERSION
from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.hours import Days, load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.selection.composite import composites
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_material import is_among
from goldsignal_pipeline.selection.history import Conditions, History, Record, days_of, run_history, tracks_of
from goldsignal_pipeline.selection.performance_rows import performance_rows
from goldsignal_pipeline.selection.signal_rows import Versions, signal_rows
from goldsignal_pipeline.selection.state_text import state_text
from goldsignal_pipeline.simulation.closed_trades import KEY, scored
from goldsignal_pipeline.simulation.random_entries import p_values, random_entries
from goldsignal_pipeline.simulation.result_rows import result_rows
from goldsignal_pipeline.storage import digests, setup_rows
from goldsignal_pipeline.storage.signals import LIVE, read_signals

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.strategies.base import Strategy

_CONTEXT: Final = (Timeframe.H1, Timeframe.H4)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What the graph of a symbol follows from. `published` are its live signals, `now` the instant of the reading."""

    symbol: str
    months: tuple[str, ...]
    record: Record
    gate: GateRecord
    published: pd.DataFrame
    grace: timedelta
    now: datetime

    @property
    def end(self) -> datetime:
        """The first instant after the months."""
        return month_start(next_month(self.months[-1]))


@dataclass(frozen=True, slots=True, eq=False)
class Recomputed:
    """Rows by table, in the columns of its shape less symbol and run, and the state at the end of each day that is over."""

    rows: Mapping[str, pd.DataFrame]
    history: History

    def state_at_end(self, month: str) -> str:
        """The state at the end of a month that is over, as it is kept."""
        last = (month_start(next_month(month)) - timedelta(days=1)).date()
        return state_text(self.history.folded.ends[last])


def read_known(
    connection: Connection, strategies: Sequence[Strategy], settings: Settings, *, symbol: str, now: datetime
) -> Known:
    """Everything that is held of a symbol; raises `DataError` when there are no candles, or not of every timeframe needed."""
    derived = record_months(digests.by_month(connection, asset="candles", symbol=symbol), now=now)
    start = market_record.record_start(connection, symbol=symbol)
    if start is None or not derived:
        raise DataError(f"There are no candles of {symbol}.", done="Nothing was computed.", fix="Import or fetch some first.")
    end = month_start(next_month(derived[-1]))
    timeframes = {timeframe for one in strategies for timeframe in one.timeframes} | {*_CONTEXT}
    candles = market_record.frames(
        connection, symbol=symbol, timeframes=sorted(timeframes, key=lambda one: one.minutes), start=start, end=end
    )
    bars = market_record.base_bars(connection, symbol=symbol, start=start, end=end, now=now, grace=settings.grace)
    signals = read_signals(connection, symbol=symbol, start=start, end=end)
    return Known(
        symbol=symbol,
        months=tuple(derived),
        record=Record(
            candles,
            bars,
            settings.base_timeframe,
            start,
            market_record.unbroken_records(connection, symbol=symbol, months=derived),
        ),
        gate=gate_record.read_record(connection, symbol=symbol, until=end),
        published=signals[(signals["origin"] == LIVE).to_numpy()],
        grace=settings.grace,
        now=now,
    )


def recompute(known: Known, strategies: Sequence[Strategy], *, standing: frozenset[SetupKey] = frozenset()) -> Recomputed:
    """Every row that follows from what is known; verdicts in `standing` are taken as they were given."""
    given = {key: one for key, one in known.gate.given.items() if key in standing}
    decided_at = {
        key: one.setup.decided_at for key, one in known.gate.given.items() if key not in standing and one.setup.decided_at
    }
    history = run_history(
        known.record,
        strategies,
        months=known.months,
        conditions=Conditions(
            terms=known.gate.terms,
            facts=known.gate.facts,
            given=given,
            decided_at=decided_at,
            published=_standing(known.published, standing),
            grace=known.grace,
        ),
        calendar=load_calendar(),
    )
    signals = _signals(known, history, strategies, standing=standing)
    followed = history.signals()
    outcomes = outcome_rows(followed)
    return Recomputed(
        {
            "setups": setup_rows.to_rows(history.evaluation.setups, history.evaluation.conditions),
            "backtest_trades": _trades(history),
            "backtest_results": _results(known, history, strategies),
            "gate_decisions": decision_rows(history.folded.decisions, known_at={}),
            "signals": signals,
            "signal_events": _events(signals, followed),
            "outcomes": outcomes,
            "strategy_performance": _performance(known, history, strategies, signals=signals, outcomes=outcomes),
        },
        history,
    )


def _standing(signals: pd.DataFrame, standing: frozenset[SetupKey]) -> pd.DataFrame:
    return signals[is_among(signals, standing)].reset_index(drop=True)


def _signals(known: Known, history: History, strategies: Sequence[Strategy], *, standing: frozenset[SetupKey]) -> pd.DataFrame:
    """The rows of accepted verdicts, but for those that stand as they were published."""
    accepted = [one for one in history.folded.decisions if one.is_accepted and one.key not in standing]
    decided = {key: one.setup.decided_at for key, one in known.gate.given.items() if one.setup.decided_at}
    rows = setup_rows.to_rows(history.evaluation.setups, history.evaluation.conditions)
    return signal_rows(
        accepted,
        setups=history.evaluation.setups.assign(conditions=rows["conditions"]),
        terms=known.gate.terms,
        base=known.record.base,
        calendar=load_calendar(),
        versions=Versions(
            code=SIGNALS_VERSION,
            parameters={one.name: parameters_digest(one) for one in strategies},
            events={one.key: known.gate.digest(until=one.at) for one in accepted},
        ),
        composites=composites(
            accepted,
            results=history.results,
            judged=history.folded.outcomes,
            calendar=load_calendar(),
            record_start=known.record.start,
        ),
        known_at=decided,
    )


def _trades(history: History) -> pd.DataFrame:
    versions = history.evaluation.setups[[*KEY, "strategy_version"]]
    return history.trades.closed().merge(versions, on=list(KEY), how="left", validate="1:1")


def _results(known: Known, history: History, strategies: Sequence[Strategy]) -> pd.DataFrame:
    """The rows of every day that has begun."""
    trades = scored(history.trades.closed())

    def chances(ends: Days) -> pd.DataFrame:
        entries = random_entries(
            trades,
            setups=history.evaluation.accepted(),
            bars=known.record.bars,
            candles=known.record.candles,
            symbol=known.symbol,
            calendar=load_calendar(),
        )
        return p_values(entries, days=ends)

    days: Days = np.array(days_of(known.months), dtype="datetime64[D]")
    rows = result_rows(
        trades,
        days=days[days.astype("datetime64[us]") <= to_instant(known.now - known.grace)],
        tracks=tracks_of(strategies),
        symbol=known.symbol,
        calendar=load_calendar(),
        record_start=known.record.start,
        chances=chances,
    )
    versions = {one.name: one.version for one in strategies}
    return rows.assign(trials=len(tracks_of(strategies)), complete=True, strategy_version=rows["strategy"].map(versions))


def _events(signals: pd.DataFrame, followed: pd.DataFrame) -> pd.DataFrame:
    """What happened to the signals so far."""
    ordered = followed.merge(signals[[*KEY, "origin"]], on=list(KEY), how="inner", validate="1:1")
    steps = trade_events(ordered[list(followed.columns)], ordered[["origin"]])
    return pd.concat([published_events(signals), steps], ignore_index=True).astype(EVENT_DTYPES)


def _performance(
    known: Known, history: History, strategies: Sequence[Strategy], *, signals: pd.DataFrame, outcomes: pd.DataFrame
) -> pd.DataFrame:
    """The rows of every day that is over."""
    over = [day for day in days_of(known.months) if day in history.folded.ends]
    stops = pd.concat([known.published, signals], ignore_index=True).drop_duplicates(list(KEY))
    measured = performance_rows(
        scored_outcomes(outcomes, stops, calendar=load_calendar()),
        judged=history.folded.outcomes,
        health={},
        days=np.array(over, dtype="datetime64[D]"),
        tracks=tracks_of(strategies),
        calendar=load_calendar(),
        record_start=known.record.start,
    )
    return measured.rows
