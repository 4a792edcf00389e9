"""`goldsignal prove backfill`: however a backfill is cut, ordered and shared out, it gives the same tables (I8).

1. The observations, gate events and live signals of the asked months are copied into a scratch database.
2. There the graph is computed in one pass, which is what all others must equal.
3. For each shuffle, another copy is computed by two worker processes at once, in chunks of random lengths and in random order;
   then what is missing, incomplete or outdated is computed until nothing is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.exits import UNHEALTHY
from goldsignal_pipeline.cli.output import JsonOption, Output, span_text, table
from goldsignal_pipeline.cli.prove.scratch_record import Prepared, prepared
from goldsignal_pipeline.cli.times import parse_month

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.prove.comparison import Unequal
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

WORKERS: Final = 2

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shuffle:
    """One way of computing the months, and what came of it."""

    seed: int
    chunks: int
    recomputed: int
    seconds: float
    unequal: Unequal | None


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """A single pass over the months of a symbol, and every shuffle of them."""

    symbol: str
    months: tuple[str, ...]
    observations: int
    rows: int
    seconds: float
    shuffles: tuple[Shuffle, ...]

    @property
    def passed(self) -> bool:
        """Every shuffle gave the tables of the single pass."""
        return all(one.unequal is None for one in self.shuffles)


def commands(group: typer.Typer) -> None:
    """Register `backfill`."""
    group.command(name="backfill")(command)


def command(
    *,
    shuffles: Annotated[int, typer.Option("--shuffles", min=1, help="How many other ways to compute the months.")] = 3,
    start: Annotated[str | None, typer.Option("--from", help="First month; that of the record when absent.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last month, inclusive; the running one when absent.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Symbol; that of the feed when absent.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives other chunks and orders.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Compute months in random order, chunks and two processes at once; the tables must equal those of a single pass."""
    output = Output(as_json)
    settings = session.start()
    first, last = (None if month is None else parse_month(month) for month in (start, end))
    with session.open_database(settings) as database:
        report = prove_backfill(
            database,
            settings,
            symbol=symbol or session.default_symbol(settings),
            now=datetime.now(UTC),
            first=first or "",
            last=last or "9999-12",
            seeds=range(seed, seed + shuffles),
            note=output.note,
        )
    output.emit(_as_dict(report), render=lambda console: _render(console, report))
    if not report.passed:
        raise typer.Exit(UNHEALTHY)


def prove_backfill(
    database: Database,
    settings: Settings,
    *,
    symbol: str,
    now: datetime,
    first: str = "",
    last: str = "9999-12",
    seeds: Sequence[int],
    note: Note = lambda _: None,
) -> BackfillReport:
    """Compute the months once, and again for each seed; raises `UsageError` where nothing was observed."""
    from goldsignal_pipeline.cli.prove.comparison import contents_of
    from goldsignal_pipeline.cli.prove.graph import Run, run_graph, run_missing

    with prepared(database, settings, symbol=symbol, now=now, first=first, last=last) as given:
        note(f"{given.observations:,} observations of {symbol}, {given.months[0]} to {given.months[-1]}, copied.")
        begin = time.monotonic()
        with given.scratch.copy(given.database) as single:
            run_graph(Run(single, settings, now, "single"), given.months)
            # Where the last bars close in a month without any of its own, trades may end in the one after it.
            run_missing(Run(single, settings, now, "single"), symbol=symbol)
            expected = contents_of(single)
            seconds = time.monotonic() - begin
            note(f"Single pass in {span_text(seconds)}.")
            done = [_shuffle(given, settings, single, expected, seed=seed, now=now, note=note) for seed in seeds]
    rows = sum(content.rows for content in expected.values()) - expected["raw_candles"].rows
    return BackfillReport(symbol, given.months, given.observations, rows, seconds, tuple(done))


def _shuffle(
    given: Prepared, settings: Settings, single: Database, expected: Any, *, seed: int, now: datetime, note: Note
) -> Shuffle:
    from goldsignal_pipeline.cli.prove.comparison import first_unequal
    from goldsignal_pipeline.cli.prove.graph import Run, run_missing
    from goldsignal_pipeline.cli.prove.workers import Job, compute_all
    from goldsignal_pipeline.proofs.shuffling import shuffled

    begin = time.monotonic()
    dealt = shuffled(given.months, seed=seed, workers=WORKERS)
    jobs = [Job(tuple(chunks), now, f"worker {number}") for number, chunks in enumerate(dealt, 1) if chunks]
    with given.scratch.copy(given.database) as other:
        compute_all(other, settings, jobs)
        again = run_missing(Run(other, settings, now, "missing"), symbol=given.symbol)
        unequal = first_unequal(single, expected, other)
    done = Shuffle(seed, sum(map(len, dealt)), again, time.monotonic() - begin, unequal)
    note(f"Shuffle {seed}: {'equal' if unequal is None else 'DIFFERENT'} in {span_text(done.seconds)}.")
    return done


def _as_dict(report: BackfillReport) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "symbol": report.symbol,
        "months": [report.months[0], report.months[-1]],
        "observations": report.observations,
        "rows": report.rows,
        "seconds": round(report.seconds, 1),
        "shuffles": [
            {
                "seed": one.seed,
                "chunks": one.chunks,
                "months_again": one.recomputed,
                "seconds": round(one.seconds, 1),
                "difference": None if one.unequal is None else str(one.unequal),
            }
            for one in report.shuffles
        ],
    }


def _render(console: Console, report: BackfillReport) -> None:
    rows = [("single pass", "1", "", span_text(report.seconds), Text("what all must equal", style="dim"))]
    rows += [
        (
            f"shuffle {one.seed}",
            str(one.chunks),
            str(one.recomputed),
            span_text(one.seconds),
            Text("equal", style="green") if one.unequal is None else Text("DIFFERENT", style="bold red"),
        )
        for one in report.shuffles
    ]
    console.print(table("way", ("chunks", "right"), ("months again", "right"), ("time", "right"), "tables", rows=rows))
    for one in report.shuffles:
        if one.unequal is not None:
            console.print(f"Shuffle {one.seed}, first difference: {one.unequal}", style="red")
    span = f"{report.months[0]} to {report.months[-1]}"
    told = "every way gives the same tables" if report.passed else "NOT PROVED"
    console.print(f"{report.rows:,} rows from {report.observations:,} observations of {report.symbol}, {span}: {told}.")
