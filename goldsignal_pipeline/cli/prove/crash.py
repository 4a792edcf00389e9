"""`goldsignal prove crash`: a run that is killed leaves no half of anything, and one more run makes good what it left undone.

1. The inputs of the asked months are copied into a scratch database, and a worker computes them undisturbed, counting how often
   it passes each kill point.
2. For each kill, a worker in another copy is ended by SIGKILL: at a named point, drawn among the times it is passed, or after a
   random share of the undisturbed time.
3. Another worker then computes the same months once. The tables must equal the undisturbed ones.
"""

from __future__ import annotations

import signal
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
from goldsignal_pipeline.cli.output import JsonOption, Output, span_text, table
from goldsignal_pipeline.cli.prove.backfill import Note
from goldsignal_pipeline.cli.prove.kill_points import MEANINGS, Point
from goldsignal_pipeline.cli.prove.scratch_record import Prepared, prepared
from goldsignal_pipeline.cli.prove.workers import Job, Worker, worker
from goldsignal_pipeline.cli.times import parse_month

if TYPE_CHECKING:
    import numpy as np

    from goldsignal_pipeline.cli.prove.comparison import Unequal
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.contents import Content
    from goldsignal_pipeline.storage.database import Database

AT_RANDOM: Final = "at random"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: where, whether the process was still running then, what was stored by it, and what the retry made of that."""

    where: str
    was_running: bool
    rows_left: int
    seconds: float
    unequal: Unequal | None


@dataclass(frozen=True, slots=True)
class CrashReport:
    """The kills of the months of a symbol, and how often the undisturbed run passed each point."""

    symbol: str
    months: tuple[str, ...]
    passed_points: Mapping[Point, int]
    rows: int
    kills: tuple[Kill, ...]

    @property
    def passed(self) -> bool:
        """After every kill one more run gave the tables of the undisturbed one."""
        return all(kill.unequal is None for kill in self.kills)


def commands(group: typer.Typer) -> None:
    """Register `crash`."""
    group.command()(crash)


def crash(
    *,
    kills: Annotated[int, typer.Option("--kills", min=1, help="How many runs to kill.")] = 6,
    start: Annotated[str | None, typer.Option("--from", help="First month; that of the record when absent.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last month, inclusive; the running one when absent.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Symbol; that of the feed when absent.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed kills at other times.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Kill runs at named points and at random; one more run must give the tables of an undisturbed one."""
    output = Output(as_json)
    settings = session.start()
    first, last = (None if month is None else parse_month(month) for month in (start, end))
    with session.open_database(settings) as database:
        report = prove_crash(
            database,
            settings,
            symbol=symbol or session.default_symbol(settings),
            now=datetime.now(UTC),
            first=first or "",
            last=last or "9999-12",
            kills=kills,
            seed=seed,
            note=output.note,
        )
    output.emit(_as_dict(report), render=lambda console: _render(console, report))
    if not report.passed:
        raise typer.Exit(UNHEALTHY)


def prove_crash(
    database: Database,
    settings: Settings,
    *,
    symbol: str,
    now: datetime,
    first: str = "",
    last: str = "9999-12",
    kills: int,
    seed: int = 1,
    note: Note = lambda _: None,
) -> CrashReport:
    """Kill a run of the months `kills` times; raises `UsageError` where nothing was observed."""
    import numpy as np

    from goldsignal_pipeline.cli.prove.comparison import contents_of
    from goldsignal_pipeline.cli.prove.graph import MONTHS_PER_RUN

    with prepared(database, settings, symbol=symbol, now=now, first=first, last=last) as given:
        chunks = tuple(given.months[at : at + MONTHS_PER_RUN] for at in range(0, len(given.months), MONTHS_PER_RUN))
        job = Job(chunks, now, "undisturbed")
        with given.scratch.copy(given.database) as undisturbed:
            reached, seconds = _undisturbed(undisturbed, settings, job)
            note(f"Undisturbed run in {span_text(seconds)}, past {sum(reached.values())} kill points.")
            bench = _Bench(given, settings, undisturbed, contents_of(undisturbed), reached, seconds)
            chance = np.random.default_rng(seed)
            wheres = [*Point, None]
            done = []
            for number in range(kills):
                done.append(bench.kill(job, wheres[number % len(wheres)], chance))
                note(f"Kill {number + 1} {_told(done[-1])}.")
    rows = sum(content.rows for content in bench.expected.values()) - bench.expected["raw_candles"].rows
    return CrashReport(symbol, given.months, reached, rows, tuple(done))


def _undisturbed(database: Database, settings: Settings, job: Job) -> tuple[Mapping[Point, int], float]:
    with worker(database, settings, job) as one:
        one.wait_until_ready()
        begin = time.monotonic()
        return one.finish(), time.monotonic() - begin


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """What every kill is compared with."""

    given: Prepared
    settings: Settings
    undisturbed: Database
    expected: Mapping[str, Content]
    reached: Mapping[Point, int]
    seconds: float

    def kill(self, job: Job, point: Point | None, chance: np.random.Generator) -> Kill:
        """Kill a run at a point, or at a random time, and let another one follow."""
        from goldsignal_pipeline.cli.prove.comparison import contents_of, first_unequal

        begin = time.monotonic()
        with self.given.scratch.copy(self.given.database) as other:
            where, was_running = self._killed(other, job, point, chance)
            left = contents_of(other)
            with worker(other, self.settings, Job(job.chunks, job.now, "retry")) as again:
                again.finish()
            unequal = first_unequal(self.undisturbed, self.expected, other)
        rows = sum(content.rows for content in left.values()) - left["raw_candles"].rows
        return Kill(where, was_running, rows, time.monotonic() - begin, unequal)

    def _killed(self, database: Database, job: Job, point: Point | None, chance: np.random.Generator) -> tuple[str, bool]:
        if point is None:
            with worker(database, self.settings, job) as one:
                one.wait_until_ready()
                share = float(chance.random())
                return f"{AT_RANDOM}, after {share:.0%} of the time", self._kill_after(one, share * self.seconds)
        occurrence = int(chance.integers(1, self.reached[point] + 1))
        doomed = Job(job.chunks, job.now, "killed", kill_at=point, occurrence=occurrence)
        with worker(database, self.settings, doomed) as one:
            ended = one.wait()
        return f"{MEANINGS[point]}, time {occurrence} of {self.reached[point]}", ended == -signal.SIGKILL

    @staticmethod
    def _kill_after(one: Worker, seconds: float) -> bool:
        time.sleep(seconds)
        one.kill()
        return one.wait() == -signal.SIGKILL


def _told(kill: Kill) -> str:
    state = "equal" if kill.unequal is None else "DIFFERENT"
    ended = "" if kill.was_running else " (it had ended by itself)"
    return f"{kill.where}{ended}: {kill.rows_left:,} rows were stored by then, {state} after one more run"


def _as_dict(report: CrashReport) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "symbol": report.symbol,
        "months": [report.months[0], report.months[-1]],
        "rows": report.rows,
        "points": {point.value: count for point, count in report.passed_points.items()},
        "kills": [
            {
                "where": kill.where,
                "was_running": kill.was_running,
                "rows_left": kill.rows_left,
                "seconds": round(kill.seconds, 1),
                "difference": None if kill.unequal is None else str(kill.unequal),
            }
            for kill in report.kills
        ],
    }


def _render(console: Console, report: CrashReport) -> None:
    rows = [
        (
            kill.where if kill.was_running else f"{kill.where} (had ended)",
            f"{kill.rows_left:,}",
            span_text(kill.seconds),
            Text("equal", style="green") if kill.unequal is None else Text("DIFFERENT", style="bold red"),
        )
        for kill in report.kills
    ]
    console.print(table("killed", ("rows stored", "right"), ("time", "right"), "after one more run", rows=rows))
    for kill in report.kills:
        if kill.unequal is not None:
            console.print(f"Killed {kill.where}, first difference: {kill.unequal}", style="red")
    running = sum(kill.was_running for kill in report.kills)
    span = f"{report.months[0]} to {report.months[-1]}"
    told = "one more run makes every one good" if report.passed else "NOT PROVED"
    console.print(f"{running} runs over {report.rows:,} rows of {report.symbol}, {span}, ended by SIGKILL: {told}.")
