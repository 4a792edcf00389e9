"""Tables of a range as files, CSV and Parquet, with a dictionary of their columns.

1. PostgreSQL writes each table as CSV in the order of its key: instants in UTC, decimals exact, nothing where a value is NULL.
2. Parquet is made from that CSV with the types of the columns, so that both files say the same; each column carries its meaning.
3. `dictionary.md` is generated from the comments of the tables.

A file appears under its name when it is complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from sqlalchemy import ARRAY, Boolean, Column, Date, DateTime, Integer, Numeric, Table

from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.storage import bulk
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.tables import METADATA, SCHEMA

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

TIMES: Final = {
    "candles": "timestamp",
    "trading_day_parts": "trading_day",
    "setups": "confirmed_at",
    "backtest_trades": "resolved_at",
    "backtest_results": "day",
    "gate_events": "at",
    "gate_decisions": "decided_for",
    "signals": "confirmed_at",
    "signal_events": "at",
    "outcomes": "resolved_at",
    "strategy_performance": "day",
    "news_events": "at",
}
"""The tables that are written, and the column that says whether a row belongs to the range."""

DICTIONARY: Final = "dictionary.md"
_FORMATS: Final = ("csv", "parquet")
_BLOCK_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Exported:
    """One file that was written."""

    table: str
    rows: int
    path: Path
    size_bytes: int


def export(connection: Connection, folder: Path, *, symbol: str, start: datetime, end: datetime) -> list[Exported]:
    """Write every table of `TIMES` into `folder`, rows of `symbol` in [start, end); returns the files in order."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [one for name in TIMES for one in _write(connection, name, folder, symbol=symbol, start=start, end=end)]
        with _complete(folder / DICTIONARY) as path:
            path.write_text(dictionary(), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}.",
            done="Files that are there are complete.",
            fix="Name another folder.",
        ) from error
    return written


def dictionary() -> str:
    """Every exported table with its columns, as Markdown."""
    lines = ["# Data dictionary", "", "Instants are UTC. An empty value is unknown or does not exist; it is never 0.", ""]
    for name in TIMES:
        table = _table(name)
        keys = {column.name for column in table.primary_key}
        lines += [f"## {name}", "", table.comment or "", "", "| column | type | meaning |", "|---|---|---|"]
        lines += [
            f"| {column.name}{' (key)' if column.name in keys else ''} | {_arrow_type(column)} | {column.comment} |"
            for column in table.columns
        ]
        lines.append("")
    return "\n".join(lines)


def _write(connection: Connection, name: str, folder: Path, *, symbol: str, start: datetime, end: datetime) -> Iterator[Exported]:
    csv, parquet = (folder / f"{name}.{kind}" for kind in _FORMATS)
    with _complete(csv) as path:
        rows = _write_csv(connection, _table(name), path, symbol=symbol, start=start, end=end)
    yield Exported(name, rows, csv, csv.stat().st_size)
    with _complete(parquet) as path:
        _write_parquet(csv, _table(name), path)
    yield Exported(name, rows, parquet, parquet.stat().st_size)


def _write_csv(connection: Connection, table: Table, path: Path, *, symbol: str, start: datetime, end: datetime) -> int:
    time = TIMES[table.name]
    bounds: tuple[Any, Any] = (start.date(), end.date()) if isinstance(table.columns[time].type, Date) else (start, end)
    parts = {
        "columns": sql.SQL(", ").join(map(_as_text, table.columns)),
        "table": bulk.ours(table.name),
        "time": sql.Identifier(time),
        "start": sql.Literal(bounds[0]),
        "end": sql.Literal(bounds[1]),
        "symbol": sql.SQL(""),
        "key": bulk.names([column.name for column in table.primary_key]),
    }
    if "symbol" in table.columns:
        parts["symbol"] = sql.SQL(" AND (symbol = {0} OR symbol IS NULL)").format(sql.Literal(symbol))
    query = sql.SQL(
        "COPY (SELECT {columns} FROM {table} WHERE {time} >= {start} AND {time} < {end}{symbol} ORDER BY {key})"
        " TO STDOUT (FORMAT csv, HEADER)"
    ).format(**parts)
    with driver_connection(connection).cursor() as cursor, path.open("wb") as target:
        with cursor.copy(query) as copied:
            for block in copied:
                target.write(block)
        return cursor.rowcount


def _as_text(column: Column[Any]) -> sql.Composable:
    shown = sql.Identifier(column.name)
    if isinstance(column.type, DateTime):
        template = "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS {0}"
    elif isinstance(column.type, ARRAY):
        template = "to_json({0})::text AS {0}"
    else:
        template = "{0}::text AS {0}"
    return sql.SQL(template).format(shown)


def _write_parquet(csv: Path, table: Table, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    schema = pa.schema(
        [pa.field(column.name, _arrow_type(column), metadata={"comment": column.comment or ""}) for column in table.columns],
        metadata={"comment": table.comment or ""},
    )
    convert = arrow_csv.ConvertOptions(
        column_types={field.name: field.type for field in schema}, strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    read = arrow_csv.ReadOptions(block_size=_BLOCK_BYTES)
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    with (
        arrow_csv.open_csv(csv, read_options=read, parse_options=parse, convert_options=convert) as batches,
        parquet.ParquetWriter(path, schema) as target,
    ):
        for batch in batches:
            target.write_table(pa.Table.from_batches([batch]).cast(schema))


def _arrow_type(column: Column[Any]) -> pa.DataType:
    import pyarrow as pa

    match column.type:
        case Numeric(precision=int() as precision, scale=int() as scale):
            return pa.decimal128(precision, scale)
        case DateTime():
            return pa.timestamp("us", tz="UTC")
        case Date():
            return pa.date32()
        case Boolean():
            return pa.bool_()
        case Integer():
            return pa.int64()
        case _:
            return pa.string()


def _table(name: str) -> Table:
    return METADATA.tables[f"{SCHEMA}.{name}"]


@contextmanager
def _complete(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its name when it is complete, and goes when it is not."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
