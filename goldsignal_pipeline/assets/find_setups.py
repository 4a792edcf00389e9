"""Setups from candles, for a range of months, in one transaction.

Every symbol with candles is evaluated from its fixed origins (`strategies.evaluation`); near misses and refused candidates are
kept among the rows, so that silence can be explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pandas as pd

from goldsignal_pipeline.assets import market_record
from goldsignal_pipeline.assets.keeping import Kept, Writing, by_symbol, keep
from goldsignal_pipeline.assets.rules import setups_rules
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.selection.history import evaluate_all
from goldsignal_pipeline.storage import setup_rows
from goldsignal_pipeline.storage.locks import lock_months
from goldsignal_pipeline.storage.setups import SETUPS
from goldsignal_pipeline.strategies.registry import load_strategies
from goldsignal_pipeline.strategies.setups import CONDITION_DTYPES, SETUP_DTYPES, Evaluation

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.strategies.base import Strategy

EARLIER_MONTHS: Final = 9
_CONTEXT: Final = (Timeframe.H1, Timeframe.H4)


def find_setups(database: Database, writing: Writing) -> Kept:
    """Bring `setups` of the months in line with the candles held, for every symbol."""
    strategies = list(load_strategies().values())
    done = Kept()
    with database.transaction() as connection:
        lock_months(connection, table="setups", months=writing.months)
        for symbol, own in by_symbol(connection, writing):
            found = evaluate_months(connection, strategies, symbol=symbol, writing=own)
            rows = setup_rows.to_rows(found.setups, found.conditions)
            merged = keep(
                connection,
                own,
                asset="setups",
                symbol=symbol,
                shape=SETUPS,
                time="confirmed_at",
                rows=rows,
                rules=setups_rules(strategies),
            )
            done = done.with_symbol(symbol, merged)
    return done


def evaluate_months(connection: Connection, strategies: Sequence[Strategy], *, symbol: str, writing: Writing) -> Evaluation:
    """Everything that confirms in the months, from the candles held now; nothing where a timeframe has none."""
    timeframes = {timeframe for one in strategies for timeframe in one.timeframes}
    read = market_record.frames(
        connection,
        symbol=symbol,
        timeframes=sorted(timeframes | set(_CONTEXT), key=lambda one: one.minutes),
        start=writing.earlier(EARLIER_MONTHS),
        end=writing.end,
    )
    able = [one for one in strategies if all(timeframe in read for timeframe in one.timeframes)]
    records = market_record.unbroken_records(connection, symbol=symbol, months=writing.months)
    if not able or not records:
        setups, conditions = (pd.DataFrame(columns=list(one)).astype(one) for one in (SETUP_DTYPES, CONDITION_DTYPES))
        return Evaluation(setups, conditions, silent_months=())
    return Evaluation.joined(
        [evaluate_all(able, candles=read, months=months, record_start=start) for start, months in records.items()]
    )
