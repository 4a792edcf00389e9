"""Decisions over months: the one fold from the state at the end of the month before, in one transaction.

1. `assets.decide_inputs` loads what deciding reads. Live signals stand as they were published; everything else follows the
   candles held now.
2. `_fold` decides month by month (`selection.month_fold`). Setups of a live symbol that nobody has judged yet are judged now, and
   their verdicts become events.
3. `_keep` writes verdicts, signals, their first event, and the state at the end of each finished month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from goldsignal_pipeline.assets import gate_record
from goldsignal_pipeline.assets.breaker_events import tell_breaker
from goldsignal_pipeline.assets.decide_inputs import Inputs, read_inputs
from goldsignal_pipeline.assets.decision_rows import decision_rows, published_events
from goldsignal_pipeline.assets.keeping import Kept, Writing, by_symbol, digests_by_month, keep_digests
from goldsignal_pipeline.assets.partitions import next_month
from goldsignal_pipeline.assets.rules import deciding_rules, parameters_digest
from goldsignal_pipeline.assets.versions import SIGNALS_VERSION
from goldsignal_pipeline.market.digests import combine
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.selection.composite import composites
from goldsignal_pipeline.selection.gate import Decision
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_state import Breaker
from goldsignal_pipeline.selection.history import days_of
from goldsignal_pipeline.selection.month_fold import Given, Judged, fold_days
from goldsignal_pipeline.selection.signal_rows import Versions, signal_rows
from goldsignal_pipeline.selection.state_text import state_text
from goldsignal_pipeline.storage import digests, gate_states, keyed_rows
from goldsignal_pipeline.storage.keyed_rows import MergeResult, Scope
from goldsignal_pipeline.storage.locks import lock_months
from goldsignal_pipeline.storage.signals import GATE_DECISIONS, SIGNALS, read_signals, store_events, store_signals
from goldsignal_pipeline.strategies.registry import load_strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.strategies.base import Strategy


@dataclass(frozen=True, slots=True)
class _Decided:
    """What the fold gave: verdicts, when live ones were known, new ones, states of finished months, judged outcomes, breaker."""

    decisions: Sequence[Decision]
    known_at: Mapping[SetupKey, datetime]
    new: Sequence[Given]
    states: Mapping[str, str]
    judged: Sequence[Judged]
    breaker: Breaker


def decide(database: Database, settings: Settings, writing: Writing, *, live_symbol: str | None) -> Kept:
    """Bring verdicts and signals of the months in line with setups, results, candles and gate events, for every symbol.

    `live_symbol` is the one that this run decides live, None in a backfill; it is live from its first such run on.
    """
    strategies = list(load_strategies().values())
    done = Kept()
    with database.transaction() as connection:
        lock_months(connection, table="signals", months=writing.months)
        gate_record.ensure_first_terms(connection, settings, now=writing.now)
        if live_symbol is not None:
            gate_record.go_live(connection, symbol=live_symbol, now=writing.now)
        for symbol, own in by_symbol(connection, writing):
            inputs = read_inputs(connection, strategies, symbol=symbol, writing=own, base=settings.base_timeframe)
            merged = _keep(connection, inputs, _fold(inputs, own), strategies=strategies, writing=own)
            done = done.with_symbol(symbol, merged)
    return done


def _fold(inputs: Inputs, writing: Writing) -> _Decided:
    state, decisions, states = inputs.state, list[Decision](), dict[str, str]()
    judged = list(state.judged)
    for month in writing.months:
        folded = fold_days(state, inputs.material, days=days_of([month]), until=inputs.until, calendar=load_calendar())
        state = folded.state
        decisions += folded.decisions
        judged += folded.outcomes
        if replace(writing, months=(month,)).end <= inputs.until:
            states[month] = state_text(state)
    setups = {setup.key: setup for setup in inputs.material.setups}
    new = [Given(setups[one.key], one) for one in decisions if one.key in inputs.undecided]
    known_at = {key: given.setup.decided_at for key, given in inputs.record.given.items() if given.setup.decided_at}
    return _Decided(decisions, known_at | {one.setup.key: writing.now for one in new}, new, states, judged, state.gate.breaker)


def _keep(
    connection: Connection, inputs: Inputs, decided: _Decided, *, strategies: Sequence[Strategy], writing: Writing
) -> MergeResult:
    symbol, run = inputs.symbol, writing.run_id or ""
    gate_record.tell_verdicts(connection, decided.new, symbol=symbol, now=writing.now)
    tell_breaker(connection, decided.breaker, symbol=symbol, live_since=inputs.record.live_since, writing=writing)
    verdicts = decision_rows(decided.decisions, known_at=decided.known_at)
    own = Scope({"symbol": symbol}, "decided_for", writing.start, writing.end)
    merged = keyed_rows.replace(connection, GATE_DECISIONS, own, verdicts.assign(run_id=run))
    span: dict[str, Any] = {"symbol": symbol, "start": writing.start, "end": writing.end}
    signals = _signals(inputs, decided, strategies=strategies).assign(run_id=run)
    stored = store_signals(connection, **span, signals=signals)
    if stored.deleted:
        # They took outcomes along, of the next month too; should the signals come back as they were, those would be missed.
        beyond = next_month(writing.months[-1])
        digests.forget(connection, asset="outcomes", symbol=symbol, months=[*writing.months, beyond])
    merged += stored
    store_events(connection, **span, events=published_events(signals).assign(run_id=run), kinds=["published"])
    for month, text in decided.states.items():
        digest = combine([text])
        gate_states.upsert(connection, symbol=symbol, month=month, state=text, digest=digest, run_id=writing.run_id)
    contents = _contents(verdicts, read_signals(connection, **span), decided.states, writing=writing)
    keep_digests(
        connection,
        writing,
        asset="signals",
        symbol=symbol,
        contents=contents,
        rules=deciding_rules(strategies, grace=writing.grace, record=inputs.record),
    )
    return merged


def _signals(inputs: Inputs, decided: _Decided, *, strategies: Sequence[Strategy]) -> pd.DataFrame:
    """The rows of accepted decisions but those that were published before."""
    new = {one.setup.key for one in decided.new}
    accepted = [one for one in decided.decisions if one.is_accepted and (one.key in new or one.key not in decided.known_at)]
    return signal_rows(
        accepted,
        setups=inputs.setups,
        terms=inputs.record.terms,
        base=inputs.base,
        calendar=load_calendar(),
        versions=Versions(
            code=SIGNALS_VERSION,
            parameters={one.name: parameters_digest(one) for one in strategies},
            events={one.key: inputs.record.digest(until=one.at) for one in accepted},
        ),
        composites=composites(
            accepted,
            results=inputs.results,
            judged=decided.judged,
            calendar=load_calendar(),
            record_start=inputs.record_start,
        ),
        known_at=decided.known_at,
    )


def _contents(
    verdicts: pd.DataFrame, signals: pd.DataFrame, states: Mapping[str, str], *, writing: Writing
) -> list[tuple[int, str]]:
    """Of each month the number of verdicts, and a digest of verdicts, signals and the state at its end."""
    told = digests_by_month(verdicts, shape=GATE_DECISIONS, time="decided_for", months=writing.months)
    given = digests_by_month(signals, shape=SIGNALS, time="confirmed_at", months=writing.months)
    ends = [states.get(month, "") for month in writing.months]
    return [(rows, combine([one, other, end])) for (rows, one), (_, other), end in zip(told, given, ends, strict=True)]
