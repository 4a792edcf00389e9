"""The floor of a whole graph: what the core needs for the same rows when nothing is stored on the way, and what raw COPY needs.

1. `compute_in_memory` fetches, judges and projects the candles in memory and takes the backtest path to every row that the tables
   hold (`assets.recomputed`, which `goldsignal prove parity` compares value by value).
2. `copy_bare` sends the bytes of the same rows into tables without keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.graph_stage import Spent, measured
from goldsignal_pipeline.storage.contents import TABLES

_ENDS = {"backtest_trades": "resolved_at", "outcomes": "resolved_at", "signal_events": "at"}
"""Rows that may belong to the month after the last, which the graph was not asked for."""


def compute_in_memory(months: Sequence[str], *, postmaster: int) -> dict[str, Any]:
    """What the core spends on consecutive months, and the rows it makes of each table, from what our database holds."""
    from goldsignal_pipeline.assets.partitions import month_start, next_month
    from goldsignal_pipeline.assets.recomputed import read_known, recompute
    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.market.observations import qualify
    from goldsignal_pipeline.market.projection import project
    from goldsignal_pipeline.market.source_order import SourceOrders
    from goldsignal_pipeline.providers.base import FetchWindow
    from goldsignal_pipeline.resources import make_provider
    from goldsignal_pipeline.settings import cached_settings
    from goldsignal_pipeline.storage import raw_candles
    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.strategies.registry import load_strategies

    settings, now, calendar = cached_settings(), datetime.now(UTC), load_calendar()
    strategies = list(load_strategies().values())
    database = Database(settings.required_database_url)
    provider = make_provider(settings, database=database, clock=lambda: now)
    with database.transaction(read_only=True) as connection:
        known = replace(read_known(connection, strategies, settings, symbol=provider.symbol, now=now), months=tuple(months))
        start, end = month_start(months[0]), month_start(next_month(months[-1]))
        observed = raw_candles.newest(connection, symbol=known.symbol, start=start, end=end)
    database.dispose()
    span = {"start": start, "end": end}
    with measured(postmaster) as spent:
        window = FetchWindow(timeframe=provider.base_timeframe, **span)
        judged = [
            qualify(one, calendar=calendar, now=now, grace=known.grace, reference_close_ticks=None)
            for one in provider.fetch(window)
        ]
        orders = SourceOrders(settings.source_order)
        projected = project(observed, calendar=calendar, **span, now=now, grace=known.grace, source_order=orders)
        made = recompute(known, strategies)
    rows = {name: int((frame[_ENDS[name]] < end).sum()) if name in _ENDS else len(frame) for name, frame in made.rows.items()}
    rows |= {"raw_candles": sum(len(one.rows) for one in judged), "candles": len(projected.candles)}
    return asdict(spent) | {"rows": rows}


def counts(url: str) -> dict[str, int]:
    """The rows of every table of the graph."""
    with psycopg.connect(url) as connection:
        return {table: _count(connection, table) for table in TABLES}


def copy_bare(url: str, *, postmaster: int) -> Spent:
    """What it takes to write every row of the graph once, by binary COPY into tables without keys, dropped afterwards."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA bare")
        blocks = {table: _read(connection, table) for table in TABLES}
        for table in TABLES:
            connection.execute(_statement("CREATE TABLE bare.{0} (LIKE goldsignal.{0})", table))
        connection.commit()
        with measured(postmaster) as spent:
            for table, bytes_of in blocks.items():
                statement = _statement("COPY bare.{0} FROM STDIN (FORMAT binary)", table)
                with connection.cursor() as cursor, cursor.copy(statement) as copy:
                    for block in bytes_of:
                        copy.write(block)
                connection.commit()
        connection.execute("DROP SCHEMA bare CASCADE")
    return spent


def _read(connection: psycopg.Connection[Any], table: str) -> Sequence[bytes]:
    with connection.cursor() as cursor, cursor.copy(_statement("COPY goldsignal.{0} TO STDOUT (FORMAT binary)", table)) as copy:
        data = b"".join(bytes(block) for block in copy)
    return [data[begin : begin + 65536] for begin in range(0, len(data), 65536)]


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(_statement("SELECT count(*) FROM goldsignal.{0}", table)).fetchone()
    return int(row[0]) if row else 0


def _statement(text: str, table: str) -> sql.Composed:
    return sql.SQL(text).format(sql.Identifier(table))
