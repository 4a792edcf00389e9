"""`goldsignal prove reproduce SIGNAL`: a verdict again in an empty database, from what was known when it was given.

1. Of a live verdict, the observations and gate events recorded by the instant of its decision are copied into a scratch database,
   and the signals that had been published before. Of a verdict of a backfill, everything that is known now.
2. There the graph is computed from the first month on, and the same setup is judged, live if it was live.
3. Its verdict, and its signal if it became one, must come out byte for byte as they are stored, the run aside.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.exits import UNHEALTHY
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, span_text, table
from goldsignal_pipeline.cli.prove.backfill import Note
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from goldsignal_pipeline.selection.gate_inputs import SetupKey
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

TABLES: Final = ("gate_decisions", "signals")


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A verdict and what became of it in an empty database; `known_at` is None for one of a backfill.

    `columns` counts what was compared by table, `differences` holds by table and column what is stored and what came out.
    """

    id: str
    symbol: str
    key: SetupKey
    known_at: datetime | None
    observations: int
    months: int
    seconds: float
    columns: Mapping[str, int]
    differences: Mapping[str, Mapping[str, tuple[str, str]]]

    @property
    def passed(self) -> bool:
        """Every column of every row came out as it is stored."""
        return not self.differences


def commands(group: typer.Typer) -> None:
    """Register `reproduce`."""
    group.command()(reproduce)


def reproduce(
    signal: Annotated[str, typer.Argument(help="Id of a signal or verdict, or how it begins, as `explain` shows it.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Give a verdict again in an empty database, from the observations and gate events known when it was given."""
    output = Output(as_json)
    settings = session.start()
    with session.open_database(settings) as database:
        symbol, key = _chosen(database, signal)
        done = prove_reproduction(database, settings, symbol=symbol, key=key, now=datetime.now(UTC), note=output.note)
    output.emit(_as_dict(done), render=lambda console: _render(console, done, zone=settings.display_zone))
    if not done.passed:
        raise typer.Exit(UNHEALTHY)


def prove_reproduction(
    database: Database,
    settings: Settings,
    *,
    symbol: str,
    key: SetupKey,
    now: datetime,
    note: Note = lambda _: None,
) -> Reproduction:
    """Judge the setup of `key` again; raises `UsageError` when there is no verdict on it."""
    from goldsignal_pipeline.cli.prove.copying import Inputs, copy_inputs
    from goldsignal_pipeline.cli.prove.graph import Run, run_in_chunks
    from goldsignal_pipeline.selection.signal_ids import signal_id
    from goldsignal_pipeline.storage.scratch import scratch_databases

    begin = time.monotonic()
    known_at, decided_for = _when(database, symbol=symbol, key=key)
    moment = known_at or now
    inputs = Inputs(symbol) if known_at is None else Inputs(symbol, as_of=known_at, undecided_from=known_at, without=())
    with scratch_databases(database) as scratch, scratch.empty() as other:
        copied = copy_inputs(database, other, inputs, settings=settings, now=moment)
        months = _months(other, symbol=symbol, until=moment if known_at else decided_for)
        note(f"{copied:,} observations, {months[0]} to {months[-1]}, as they were known {moment:%Y-%m-%d %H:%M:%S} UTC.")
        live_symbol = symbol if known_at else None
        run_in_chunks(Run(other, settings, moment, "reproduction", live_symbol), months)
        columns, differences = _compare(database, other, symbol=symbol, key=key)
    return Reproduction(
        id=signal_id(key, symbol=symbol),
        symbol=symbol,
        key=key,
        known_at=known_at,
        observations=copied,
        months=len(months),
        seconds=time.monotonic() - begin,
        columns=columns,
        differences=differences,
    )


def _chosen(database: Database, beginning: str) -> tuple[str, SetupKey]:
    from goldsignal_pipeline.assets.explaining import keys_by_id
    from goldsignal_pipeline.selection.signal_ids import signal_id

    with database.transaction(read_only=True) as connection:
        matches = keys_by_id(connection, beginning=beginning.lower())
    if len(matches) != 1:
        ids = ", ".join(signal_id(key, symbol=symbol) for symbol, key in matches[:5])
        raise UsageError(
            f"{len(matches) or 'No'} verdicts have an id that begins with {beginning!r}.",
            done="Nothing was proved.",
            fix=f"Choose among {ids}." if matches else "`goldsignal explain --at TIME` names those of a bar.",
        )
    return matches[0]


def _when(database: Database, *, symbol: str, key: SetupKey) -> tuple[datetime | None, datetime]:
    """When the verdict was given live, and the close of the bar it was given for."""
    from sqlalchemy import text

    query = text(
        "SELECT known_at, decided_for FROM gate_decisions WHERE symbol = :symbol AND timeframe = :timeframe"
        " AND strategy = :strategy AND direction = :direction AND timestamp = :timestamp"
    )
    with database.transaction(read_only=True) as connection:
        row = connection.execute(query, _parts(symbol, key)).one_or_none()
    if row is None:
        raise UsageError("There is no verdict on this setup.", done="Nothing was proved.", fix="Name another.")
    return row.known_at, row.decided_for


def _parts(symbol: str, key: SetupKey) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "timeframe": key.timeframe,
        "strategy": key.strategy,
        "direction": key.direction.value,
        "timestamp": key.timestamp,
    }


def _months(database: Database, *, symbol: str, until: datetime) -> list[str]:
    """The months of the copied record up to that of an instant."""
    from goldsignal_pipeline.assets.lineage import record_months
    from goldsignal_pipeline.storage import digests

    with database.transaction(read_only=True) as connection:
        observed = digests.by_month(connection, asset="raw_candles", symbol=symbol)
    return [month for month in record_months(observed, now=until) if month <= f"{until:%Y-%m}"]


def _compare(
    database: Database, other: Database, *, symbol: str, key: SetupKey
) -> tuple[dict[str, int], dict[str, dict[str, tuple[str, str]]]]:
    from goldsignal_pipeline.storage.contents import content_row

    parts = _parts(symbol, key)
    parts["timestamp"] = f"{key.timestamp.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00"
    columns: dict[str, int] = {}
    differences: dict[str, dict[str, tuple[str, str]]] = {}
    for name in TABLES:
        with database.transaction(read_only=True) as one, other.transaction(read_only=True) as two:
            stored, came_out = (content_row(connection, name, parts) for connection in (one, two))
        if stored is None and came_out is None:
            continue
        told = stored or came_out or {}
        columns[name] = len(told)
        found = {
            column: (str((stored or {}).get(column)), str((came_out or {}).get(column)))
            for column in told
            if (stored or {}).get(column) != (came_out or {}).get(column)
        }
        if found:
            differences[name] = found
    return columns, differences


def _as_dict(done: Reproduction) -> dict[str, Any]:
    return {
        "passed": done.passed,
        "id": done.id,
        "symbol": done.symbol,
        "strategy": done.key.strategy,
        "timeframe": done.key.timeframe,
        "direction": done.key.direction.value,
        "timestamp": done.key.timestamp,
        "known_at": done.known_at,
        "observations": done.observations,
        "months": done.months,
        "seconds": round(done.seconds, 1),
        "columns": dict(done.columns),
        "differences": {
            name: {column: {"stored": stored, "reproduced": came_out} for column, (stored, came_out) in columns.items()}
            for name, columns in done.differences.items()
        },
    }


def _render(console: Console, done: Reproduction, *, zone: ZoneInfo) -> None:
    key = done.key
    bar = local_text(key.timestamp, zone=zone)
    console.print(f"{done.id}  {done.symbol} {key.timeframe} {key.strategy} {key.direction.value}, bar of {bar}")
    known = "everything known now" if done.known_at is None else f"what was known {done.known_at:%Y-%m-%d %H:%M:%S} UTC"
    console.print(f"From {known}: {done.observations:,} observations, {done.months} months, {span_text(done.seconds)}.")
    rows = []
    for name, count in done.columns.items():
        differing = done.differences.get(name, {})
        equal = Text("byte for byte", style="green")
        rows.append((name, str(count), Text(f"{len(differing)} DIFFER", style="bold red") if differing else equal))
    console.print(table("row of", ("columns", "right"), "as it is stored", rows=rows))
    for name, columns in done.differences.items():
        for column, (stored, came_out) in columns.items():
            console.print(f"{name}.{column}: stored {stored}, came out {came_out}", style="red")
