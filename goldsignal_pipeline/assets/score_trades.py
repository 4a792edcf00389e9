"""Tested results: what every strategy had achieved in simulation as of each day of the months, in one transaction.

A day has rows once it has begun and every bar that closed before it is known. The rows say whether everything they were made of
was there; the gate uses no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.assets import market_record
from goldsignal_pipeline.assets.gate_record import read_spreads
from goldsignal_pipeline.assets.keeping import Kept, Writing, by_symbol, keep
from goldsignal_pipeline.assets.lineage import is_complete
from goldsignal_pipeline.assets.registering import ensure_registered
from goldsignal_pipeline.assets.rules import results_rules
from goldsignal_pipeline.market.hours import Days, load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.selection.history import days_of, tracks_of
from goldsignal_pipeline.simulation.closed_trades import scored
from goldsignal_pipeline.simulation.random_entries import p_values, random_entries
from goldsignal_pipeline.simulation.result_rows import result_rows
from goldsignal_pipeline.storage.backtests import BACKTEST_RESULTS, read_trades
from goldsignal_pipeline.storage.locks import lock_months
from goldsignal_pipeline.storage.setups import read_setups
from goldsignal_pipeline.strategies.registry import load_strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.strategies.base import Strategy

EARLIER_MONTHS: Final = 13
_WARM_UP: Final = timedelta(days=32)


def score_trades(database: Database, writing: Writing) -> Kept:
    """Bring `backtest_results` of the months in line with the trades held, for every symbol."""
    strategies = list(load_strategies().values())
    done = Kept()
    with database.transaction() as connection:
        lock_months(connection, table="backtest_results", months=writing.months)
        ensure_registered(connection, strategies, now=writing.now)
        for symbol, own in by_symbol(connection, writing):
            rows = tested_rows(connection, strategies, symbol=symbol, writing=own)
            merged = keep(
                connection,
                own,
                asset="backtest_results",
                symbol=symbol,
                shape=BACKTEST_RESULTS,
                time="day",
                rows=rows,
                rules=results_rules(strategies, grace=own.grace, now=own.now, spreads=read_spreads(connection, symbol=symbol)),
            )
            done = done.with_symbol(symbol, merged)
    return done


def tested_rows(connection: Connection, strategies: Sequence[Strategy], *, symbol: str, writing: Writing) -> pd.DataFrame:
    """The rows of every day of the months that has begun."""
    known = days_known(writing)
    # In a month that has hardly begun no day is known; its first gives the columns of no rows.
    days = known if len(known) else np.array(days_of(writing.months)[:1], dtype="datetime64[D]")
    trades = scored(read_trades(connection, symbol=symbol, start=writing.earlier(EARLIER_MONTHS), end=writing.end))

    def chances(ends: Days) -> pd.DataFrame:
        return _chances(connection, trades, ends=ends, symbol=symbol, writing=writing)

    rows = result_rows(
        trades,
        days=days,
        tracks=tracks_of(strategies),
        symbol=symbol,
        calendar=load_calendar(),
        record_start=market_record.record_start(connection, symbol=symbol) or writing.start,
        chances=chances,
    )
    return _completed(rows[rows["day"].isin(known)], strategies, writing=writing)


def days_known(writing: Writing) -> Days:
    """The days of the months at whose beginning every earlier bar was known."""
    days: Days = np.array(days_of(writing.months), dtype="datetime64[D]")
    return days[days.astype("datetime64[us]") <= to_instant(writing.now - writing.grace)]


def _chances(connection: Connection, trades: pd.DataFrame, *, ends: Days, symbol: str, writing: Writing) -> pd.DataFrame:
    """The p-values of month ends, from random entries into the base bars of the trades' months."""
    first = writing.earlier(EARLIER_MONTHS + 1)
    setups = read_setups(connection, symbol=symbol, start=first, end=writing.end)
    timeframes = [Timeframe(name) for name in sorted(set(setups["timeframe"]))]
    begin = first - _WARM_UP
    bars = market_record.base_bars(connection, symbol=symbol, start=begin, end=writing.end, now=writing.now, grace=writing.grace)
    read = market_record.frames(connection, symbol=symbol, timeframes=timeframes, start=begin, end=writing.end)
    entries = random_entries(trades, setups=setups, bars=bars, candles=read, symbol=symbol, calendar=load_calendar())
    return p_values(entries, days=ends)


def _completed(rows: pd.DataFrame, strategies: Sequence[Strategy], *, writing: Writing) -> pd.DataFrame:
    """The rows with whether their inputs were there, the number of trials, and the strategies' versions."""
    held = writing.held
    first_month = min(held["candles"], default=writing.months[0])
    complete = {month: is_complete("backtest_results", month, held=held, first_month=first_month) for month in writing.months}
    versions = {one.name: one.version for one in strategies}
    months = rows["day"].dt.strftime("%Y-%m")
    return rows.assign(
        complete=months.map(complete).astype(bool),
        trials=len(tracks_of(strategies)),
        strategy_version=rows["strategy"].map(versions),
    )
