"""Simulated trades of setups, for the months in which their results became known, in one transaction.

Every setup of kind setup is resolved by the one kernel against base bars, whether or not a gate would have let it pass. A closed
trade never changes: bars after its result are not read.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd

from goldsignal_pipeline.assets import market_record
from goldsignal_pipeline.assets.gate_record import read_spreads
from goldsignal_pipeline.assets.keeping import Kept, Writing, by_symbol, keep
from goldsignal_pipeline.assets.rules import trades_rules
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.simulation.closed_trades import trade_table
from goldsignal_pipeline.storage.backtests import BACKTEST_TRADES
from goldsignal_pipeline.storage.locks import lock_months
from goldsignal_pipeline.storage.setups import read_setups

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database

EARLIER_MONTHS: Final = 1


def trade_setups(database: Database, writing: Writing) -> Kept:
    """Bring `backtest_trades` of the months in line with the setups and candles held, for every symbol."""
    done = Kept()
    with database.transaction() as connection:
        lock_months(connection, table="backtest_trades", months=writing.months)
        for symbol, own in by_symbol(connection, writing):
            merged = keep(
                connection,
                own,
                asset="backtest_trades",
                symbol=symbol,
                shape=BACKTEST_TRADES,
                time="resolved_at",
                rows=closed_trades(connection, symbol=symbol, writing=own),
                rules=trades_rules(grace=own.grace, spreads=read_spreads(connection, symbol=symbol)),
            )
            done = done.with_symbol(symbol, merged)
    return done


def closed_trades(connection: Connection, *, symbol: str, writing: Writing) -> pd.DataFrame:
    """The trades of the setups held whose results became known in the months."""
    start = writing.earlier(EARLIER_MONTHS)
    setups = read_setups(connection, symbol=symbol, start=start, end=writing.end)
    bars = market_record.base_bars(
        connection, symbol=symbol, start=start - timedelta(days=1), end=writing.end, now=writing.now, grace=writing.grace
    )
    closed = trade_table(setups, bars, calendar=load_calendar(), grace=writing.grace).closed()
    inside = (closed["resolved_at"] >= writing.start) & (closed["resolved_at"] < writing.end)
    versions = setups[["strategy", "timeframe", "direction", "timestamp", "strategy_version"]]
    return closed[inside].merge(versions, on=["strategy", "timeframe", "direction", "timestamp"], how="left", validate="1:1")
