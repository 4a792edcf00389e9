"""What the graph of a symbol follows from, copied into an empty database: observations, gate events, live signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from psycopg import sql

from goldsignal_pipeline.storage.database import driver_connection

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

ALWAYS: Final = ("-infinity", "infinity")
_NO_LIVE_SINCE: Final = ("live_since",)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What to copy: the observations of a symbol in [start, end), and what was known at `as_of` only, where given.

    `undecided_from` leaves out the live verdicts given at that instant or later, `without` whole kinds of gate events.
    """

    symbol: str
    start: str | datetime = ALWAYS[0]
    end: str | datetime = ALWAYS[1]
    as_of: datetime | None = None
    undecided_from: datetime | None = None
    without: tuple[str, ...] = field(default=_NO_LIVE_SINCE)


def copy_inputs(source: Database, target: Database, inputs: Inputs, *, settings: Settings, now: datetime) -> int:
    """Fill an empty migrated database; returns how many observations were copied."""
    from goldsignal_pipeline.assets.registering import register

    register(target, now=now)
    with source.transaction(read_only=True) as given, target.transaction() as taken:
        rows = _observations(given, taken, inputs)
        _gate_events(given, taken, inputs)
        _live(given, taken, inputs)
        _digest_months(taken, inputs, now=now)
    return rows


def _observations(given: Connection, taken: Connection, inputs: Inputs) -> int:
    condition = sql.SQL("symbol = {} AND timestamp >= {} AND timestamp < {} AND observed_at <= {}").format(
        inputs.symbol, inputs.start, inputs.end, inputs.as_of or ALWAYS[1]
    )
    return _copy(given, taken, "raw_candles", condition)


def _gate_events(given: Connection, taken: Connection, inputs: Inputs) -> None:
    condition = sql.SQL(
        "(symbol = {} OR symbol IS NULL) AND kind <> ALL ({}) AND recorded_at <= {} AND (kind <> 'decided' OR recorded_at < {})"
        " ORDER BY id"
    ).format(inputs.symbol, list(inputs.without), inputs.as_of or ALWAYS[1], inputs.undecided_from or ALWAYS[1])
    _copy(given, taken, "gate_events", condition, leave_out=("id",))


def _live(given: Connection, taken: Connection, inputs: Inputs) -> None:
    """Published signals are inputs: what was published stands."""
    for table in ("signals", "signal_events"):
        condition = sql.SQL("symbol = {} AND origin = 'live' AND known_at < {}").format(
            inputs.symbol, inputs.undecided_from or inputs.as_of or ALWAYS[1]
        )
        _copy(given, taken, table, condition)


def _copy(given: Connection, taken: Connection, table: str, condition: sql.Composable, *, leave_out: tuple[str, ...] = ()) -> int:
    from goldsignal_pipeline.storage import bulk
    from goldsignal_pipeline.storage.tables import METADATA, SCHEMA

    columns = [column.name for column in METADATA.tables[f"{SCHEMA}.{table}"].columns if column.name not in leave_out]
    names = bulk.names(columns)
    out = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT (FORMAT binary)").format(names, bulk.ours(table), condition)
    into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(bulk.ours(table), names)
    with (
        driver_connection(given).cursor() as reader,
        driver_connection(taken).cursor() as writer,
    ):
        with reader.copy(out) as blocks, writer.copy(into) as sink:
            for block in blocks:
                sink.write(block)
        return writer.rowcount


def _digest_months(taken: Connection, inputs: Inputs, *, now: datetime) -> None:
    from sqlalchemy import text

    from goldsignal_pipeline.assets.ingest import store_digest

    query = text(
        "SELECT DISTINCT to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM') FROM goldsignal.raw_candles"
        " WHERE symbol = :symbol ORDER BY 1"
    )
    for month in taken.execute(query, {"symbol": inputs.symbol}).scalars().all():
        store_digest(taken, symbol=inputs.symbol, month=month, now=now, run_id=None)
