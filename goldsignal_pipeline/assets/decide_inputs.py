"""What deciding reads of one symbol: setups and their trades, tested results, gate events, the state before the months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd

from goldsignal_pipeline.assets import gate_record, market_record
from goldsignal_pipeline.assets.gate_record import GateRecord
from goldsignal_pipeline.assets.keeping import Writing
from goldsignal_pipeline.assets.partitions import next_month
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_datetime
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_material import blocked_setups, gate_setups, is_among, keys_of, steps_of
from goldsignal_pipeline.selection.history import tracks_of
from goldsignal_pipeline.selection.month_fold import Material, SelectionState
from goldsignal_pipeline.selection.standings import tested_by_day
from goldsignal_pipeline.selection.state_text import parse_state
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import trade_table
from goldsignal_pipeline.storage import gate_states, setup_rows
from goldsignal_pipeline.storage.backtests import read_evidence
from goldsignal_pipeline.storage.setups import read_setup_rows
from goldsignal_pipeline.storage.signals import read_live_signals

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.strategies.base import Strategy

LEVELS: Final = ("reference", "stop", "take_profit_1", "take_profit_2")
_KEY: Final = ["strategy", "timeframe", "direction", "timestamp"]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Everything the fold of one symbol begins with.

    `setups` are rows of kind setup with their conditions as text, `undecided` the keys that a live symbol has no verdict on yet,
    `until` the instant up to which is known what happened, `results` the complete tested results of the evidence window.
    """

    symbol: str
    base: Timeframe
    setups: pd.DataFrame
    material: Material
    record: GateRecord
    state: SelectionState
    undecided: frozenset[SetupKey]
    until: datetime
    results: pd.DataFrame
    record_start: datetime


def read_inputs(
    connection: Connection, strategies: Sequence[Strategy], *, symbol: str, writing: Writing, base: Timeframe
) -> Inputs:
    """Load what deciding over the months reads."""
    held = gate_states.read(connection, symbol=symbol, month=next_month(writing.months[0], steps=-1))
    state = SelectionState() if held is None else parse_state(held.state)
    start = min([writing.earlier(1), *(key.timestamp for key in state.followed)])
    record = gate_record.read_record(connection, symbol=symbol, until=writing.end)
    rows = read_setup_rows(connection, symbol=symbol, start=start, end=writing.end)
    setups = setup_rows.setups_of(rows).assign(conditions=rows["conditions"])
    bars = market_record.base_bars(
        connection, symbol=symbol, start=start - timedelta(days=1), end=writing.end, now=writing.now, grace=writing.grace
    )
    undecided = frozenset(
        key
        for key, at in zip(keys_of(setups), setups["confirmed_at"], strict=True)
        if record.live_since is not None and at > record.live_since and key not in record.given
    )
    judged = gate_setups(
        setups,
        base=base,
        calendar=load_calendar(),
        grace=writing.grace,
        decided_at=dict.fromkeys(undecided, writing.now),
    )
    results = read_evidence(connection, symbol=symbol, start=writing.start, end=writing.end)
    material = Material(
        tracks=tracks_of(strategies),
        setups=judged,
        steps=steps_of(followed_trades(connection, setups, bars, symbol=symbol, start=start, writing=writing)),
        tested=tested_by_day(results),
        blocked=blocked_setups(judged, bars=bars, calendar=load_calendar()),
        terms=record.terms,
        facts=record.facts,
        given=record.given,
    )
    return Inputs(
        symbol=symbol,
        base=base,
        setups=setups,
        material=material,
        record=record,
        state=state,
        undecided=undecided,
        until=_known_until(bars, writing),
        results=results,
        record_start=market_record.record_start(connection, symbol=symbol) or writing.start,
    )


def followed_trades(
    connection: Connection, setups: pd.DataFrame, bars: BaseBars, *, symbol: str, start: datetime, writing: Writing
) -> pd.DataFrame:
    """The trades of setups, and of live signals by the levels they were published with."""
    columns = [*_KEY, "confirmed_at", *LEVELS]
    live = read_live_signals(connection, symbol=symbol, start=start, end=writing.end)[columns]
    published = set(keys_of(live))
    others = setups[~is_among(setups, published)]
    candidates = pd.concat([others[columns], live], ignore_index=True)
    return trade_table(candidates, bars, calendar=load_calendar(), grace=writing.grace).frame


def _known_until(bars: BaseBars, writing: Writing) -> datetime:
    """The end of the last of the months that is over, or the newest close after it."""
    over = market_record.over_until(writing.end, now=writing.now, grace=writing.grace)
    return max(over, writing.start, *([to_datetime(bars.known_until)] if len(bars) else []))
