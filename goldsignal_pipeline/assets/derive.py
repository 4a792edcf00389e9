"""Candles from observations, for a range of months, in one transaction.

1. The months are locked in `candles`, and every symbol with observations that can matter is found.
2. Its newest observations, one month before the range included, go through the one projection (`market.projection`).
3. What must never be stored is checked inside the transaction: `candle_schema` (I1, I2, alignment) raises, and nothing changes.
4. The rows of the range are replaced by difference: equal rows are not touched, so a second run changes nothing.
5. Completeness per trading day, contradicted rows and a digest per month are stored beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from goldsignal_pipeline.assets.gate_record import read_source_orders
from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.assets.versions import CANDLES_VERSION
from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import candle_schema, closing_months
from goldsignal_pipeline.market.digests import combine, frame_digest
from goldsignal_pipeline.market.hours import TradingCalendar, load_calendar
from goldsignal_pipeline.market.projection import Projection, project
from goldsignal_pipeline.market.source_order import SourceOrders
from goldsignal_pipeline.market.timeframes import Timeframe, bar_open
from goldsignal_pipeline.market.zones import to_datetime, to_instant
from goldsignal_pipeline.storage import candles, digests, pruned_candles, quarantine, raw_candles, trading_days
from goldsignal_pipeline.storage.locks import lock_months

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database


@dataclass(frozen=True, slots=True)
class Derived:
    """What a derivation changed, summed over symbols and months."""

    symbols: tuple[str, ...] = ()
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def sentence(self) -> str:
        """The figures of the whole range for the run's log; each month's own are its metadata."""
        return (
            f"Candles of {', '.join(self.symbols) or 'no symbol'}: {self.inserted} inserted, {self.updated} updated, "
            f"{self.deleted} deleted, {self.unchanged} unchanged."
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """What a projection depends on besides observations."""

    calendar: TradingCalendar
    grace: timedelta
    source_orders: SourceOrders

    @classmethod
    def of(cls, connection: Connection, *, symbol: str, grace: timedelta, source_order: Sequence[str]) -> Rules:
        """The rules for a symbol; `source_order` is that of the settings, in force until an event tells of another."""
        orders = read_source_orders(connection, symbol=symbol, otherwise=source_order)
        return cls(load_calendar(), grace, orders)

    def inputs_digest(self, observations: Iterable[str], *, month: str | None = None) -> str:
        """One digest of the digests of the observed months and of the rules: those that concern a month, or all."""
        orders = self.source_orders
        if month is not None:
            first, beyond = (to_instant(month_start(next_month(month, steps=steps))) for steps in (-1, 1))
            orders = orders.between(first, beyond)
        return combine([CANDLES_VERSION, self.calendar.version, str(self.grace), *orders.told(), *observations])


def derive(
    database: Database,
    *,
    months: Sequence[str],
    now: datetime,
    grace: timedelta,
    source_order: Sequence[str],
    run_id: str | None,
) -> Derived:
    """Bring `candles` of consecutive `months` in line with the observations held.

    `source_order` is that of the settings. Raises `DataError` when the projection breaks a rule of the schema, `StorageError`
    when the database cannot; in either case the rows stay as they were.
    """
    totals = {"inserted": 0, "updated": 0, "deleted": 0, "unchanged": 0}
    with database.transaction() as connection:
        lock_months(connection, table="candles", months=list(months))
        start, end = month_start(next_month(months[0], steps=-1)), month_start(next_month(months[-1]))
        symbols = raw_candles.symbols(connection, start=start, end=end)
        for symbol in symbols:
            rules = Rules.of(connection, symbol=symbol, grace=grace, source_order=source_order)
            # Read first, so that rows which arrive meanwhile make the months stale and are never vouched for unseen.
            held = digests.by_month(connection, asset="raw_candles", symbol=symbol)
            observed = raw_candles.newest(connection, symbol=symbol, start=start, end=end)
            projection = _project(observed, months=months, now=now, rules=rules)
            merged = _store(connection, symbol, projection, months=months, now=now, rules=rules, run_id=run_id, observed=held)
            for name in totals:
                totals[name] += getattr(merged, name)
    return Derived(symbols=tuple(symbols), **totals)


def stale_months(connection: Connection, *, symbol: str, rules: Rules) -> list[str]:
    """Months whose candles are missing, or were derived from other observations or by other rules than today's."""
    observed = digests.by_month(connection, asset="raw_candles", symbol=symbol)
    derived = digests.by_month(connection, asset="candles", symbol=symbol)
    followers = {next_month(month) for month in observed} - {*observed}
    last_bars = {month for month in followers - {*derived} if _receives_a_bar(connection, symbol, month, observed=observed)}
    wanted = sorted({*observed, *(followers & {*derived}), *last_bars})
    return [
        month
        for month in wanted
        if month not in derived
        or derived[month].inputs_digest != rules.inputs_digest(_observed_digests(observed, month), month=month)
    ]


def _receives_a_bar(connection: Connection, symbol: str, month: str, *, observed: Mapping[str, digests.Digest]) -> bool:
    """Whether a bar that was observed in the month before closes in `month`, which nothing was observed in but has begun."""
    start = month_start(month)
    if observed[next_month(month, steps=-1)].computed_at < start:
        return False
    last_day = bar_open(np.array([to_instant(start) - np.timedelta64(1, "us")]), timeframe=Timeframe.D1)
    return symbol in raw_candles.symbols(connection, start=to_datetime(last_day[0]), end=start)


def _project(observed: pd.DataFrame, *, months: Sequence[str], now: datetime, rules: Rules) -> Projection:
    from pandera.errors import SchemaErrors

    projection = project(
        observed,
        calendar=rules.calendar,
        start=month_start(months[0]),
        end=month_start(next_month(months[-1])),
        now=now,
        grace=rules.grace,
        source_order=rules.source_orders,
    )
    try:
        candle_schema().validate(projection.candles, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases[["check", "index", "failure_case"]].head(5).to_dict("records")
        raise DataError(
            f"The candles of {months[0]} to {months[-1]} break a rule that stored candles keep: {cases}.",
            done="Nothing was stored; the earlier rows stand.",
            fix="Report it with these rows: the projection must never do this.",
        ) from None
    return projection


def _store(
    connection: Connection,
    symbol: str,
    projection: Projection,
    *,
    months: Sequence[str],
    now: datetime,
    rules: Rules,
    run_id: str | None,
    observed: Mapping[str, digests.Digest],
) -> candles.MergeResult:
    start, end = month_start(months[0]), month_start(next_month(months[-1]))
    by_month = closing_months(projection.candles)
    held = _held_months(connection, symbol, months, observed=observed, closing=set(by_month))
    parts = projection.day_parts
    pruned_candles.unmark(connection, symbol=symbol, months=months)
    merged = candles.replace_range(connection, symbol=symbol, start=start, end=end, candles=projection.candles)
    trading_days.replace_range(connection, symbol=symbol, start=start, end=end, day_parts=parts[parts["month"].isin(held)])
    quarantine.append_excluded(
        connection, symbol=symbol, excluded=projection.excluded, calendar_version=rules.calendar.version, observed_at=now
    )
    for month in held:
        rows = projection.candles[by_month == month]
        digests.upsert(
            connection,
            asset="candles",
            symbol=symbol,
            month=month,
            rows=len(rows),
            digest=frame_digest(rows, key=("timeframe", "timestamp")),
            inputs_digest=rules.inputs_digest(_observed_digests(observed, month), month=month),
            complete=month in observed,
            code_version=CANDLES_VERSION,
            computed_at=now,
            run_id=run_id,
        )
    return merged


def _held_months(
    connection: Connection, symbol: str, months: Sequence[str], *, observed: Mapping[str, digests.Digest], closing: set[str]
) -> list[str]:
    """The months without those in which the record has a hole, which are none of it, whatever range they are part of."""
    derived = digests.by_month(connection, asset="candles", symbol=symbol)
    return [
        month
        for month in months
        if month in closing
        or month in observed
        or month in derived
        or (next_month(month, steps=-1) in observed and _receives_a_bar(connection, symbol, month, observed=observed))
    ]


def _observed_digests(observed: Mapping[str, digests.Digest], month: str) -> list[str]:
    return [observed[one].digest if one in observed else "" for one in (next_month(month, steps=-1), month)]
