"""`goldsignal simulate`: a live system through days or years in a scratch database, proved against a backfill at its end.

A virtual clock drives the live cycle's own functions against the simulated market, with `--faults` against a careless vendor and
a machine that sleeps. The user's record is never touched: the scratch database is dropped, and the symbol is the simulated one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.exits import UNHEALTHY
from goldsignal_pipeline.cli.output import JsonOption, Output, span_text, table
from goldsignal_pipeline.cli.times import parse_instant
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.simulate_market import Faults
    from goldsignal_pipeline.market.timeframes import Timeframe
    from goldsignal_pipeline.proofs.parity import ParityReport
    from goldsignal_pipeline.providers.base import Provider
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

START: Final = "2024-01-01"
"""A leap year, with both clock changes of the US and of Europe."""
BARS: Final = ("M1", "M5", "M15")
"""A coarser base bar is entered at its open, before anybody could decide: all verdicts would be late."""
_COUNTED: Final = {
    "live verdicts": "SELECT count(*) FROM gate_decisions WHERE origin = 'live'",
    "late verdicts": "SELECT count(*) FROM gate_decisions WHERE origin = 'live' AND 'late' = ANY (reasons)",
    "live signals": "SELECT count(*) FROM signals WHERE origin = 'live'",
    "outcomes of them": "SELECT count(*) FROM outcomes JOIN signals USING (symbol, timeframe, strategy, direction, timestamp)"
    " WHERE origin = 'live'",
    "corrected outcomes": "SELECT count(*) FROM signal_events WHERE kind = 'corrected'",
    "revised bars": "SELECT count(*) - count(DISTINCT (source, timeframe, timestamp)) FROM raw_candles",
}

Progress = Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What happened in the simulated days, and whether a backfill of the same days gives the same.

    `changed` are tables that a single pass over all months, decisions replayed, would change.
    """

    start: datetime
    days: int
    bar: str
    faults: bool
    counts: Mapping[str, int]
    seconds: float
    changed: tuple[str, ...]
    parity: ParityReport

    @property
    def passed(self) -> bool:
        """Nothing would change, and the backtest path gives every stored row."""
        return not self.changed and self.parity.passed


def commands(app: typer.Typer) -> None:
    """Register `simulate`."""
    app.command(rich_help_panel="Proof")(simulate)


def simulate(
    *,
    days: Annotated[int, typer.Option("--days", min=1, help="How many days to live through.")] = 365,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives another market and other faults.")] = 7,
    faults: Annotated[bool, typer.Option("--faults", help="Late, missing and revised bars, outages, missed ticks.")] = False,
    bar: Annotated[str, typer.Option("--bar", help="Base bar: M1, M5 or M15. A tick for each.")] = "M15",
    start: Annotated[str, typer.Option("--from", help="First day.")] = START,
    history_months: Annotated[int, typer.Option("--history", min=1, help="Months of history before it.")] = 13,
    as_json: JsonOption = False,
) -> None:
    """Live through days on a virtual clock, and prove at the end that a backfill gives the same."""
    output = Output(as_json)
    settings = session.start()
    if bar not in BARS:
        raise UsageError(
            f"{bar!r} is no base bar of a simulation.", done="Nothing was started.", fix=f"Choose {', '.join(BARS)}."
        )
    begin = parse_instant(start, zone=settings.display_zone)
    with session.open_database(settings, migrate=True) as database, _progress(output, begin, days) as told:
        report = run_simulation(
            database,
            settings_of(settings, bar=bar, seed=seed),
            Plan(begin, days, history_months, faults),
            progress=told,
        )
    output.emit(_as_dict(report), render=lambda console: _render(console, report))
    if not report.passed:
        raise typer.Exit(UNHEALTHY)


def settings_of(settings: Settings, *, bar: str, seed: int) -> Settings:
    """The settings of the user with the simulated market's own feed."""
    from goldsignal_pipeline.market.timeframes import Timeframe

    told = {"base_timeframe": Timeframe(bar), "simulation_seed": seed, "provider": "simulated", "source_order": ()}
    return settings.model_copy(update=told)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to live through; `every` thins the ticks out (`simulate_cycles.ticks`)."""

    start: datetime
    days: int
    history_months: int
    with_faults: bool
    every: Timeframe | None = None

    @property
    def finished(self) -> datetime:
        """No fault lasts longer than a day: what was late has come by then."""
        return self.start + timedelta(days=self.days + 1)


def run_simulation(
    database: Database, settings: Settings, plan: Plan, *, progress: Progress = lambda _: None
) -> SimulationReport:
    """Live through the days in a scratch database on the server of `database`, and prove it against a backfill."""
    from goldsignal_pipeline.storage.scratch import scratch_databases

    with scratch_databases(database) as scratch, scratch.empty() as own:
        begin = time.monotonic()
        counts = live_through(own, settings, plan, progress=progress)
        return proved(own, settings, plan, counts=counts, begin=begin)


def live_through(database: Database, settings: Settings, plan: Plan, *, progress: Progress = lambda _: None) -> dict[str, int]:
    """Live through the days in an empty database; returns what happened, by name."""
    from goldsignal_pipeline.assets.partitions import month_of, next_month
    from goldsignal_pipeline.assets.registering import register
    from goldsignal_pipeline.cli.simulate_cycles import Clock, Simulation, ticks
    from goldsignal_pipeline.cli.simulate_market import Faults

    clock = Clock(plan.start)
    faults = Faults(settings.simulation_seed, plan.start) if plan.with_faults else None
    register(database, now=plan.start)
    simulation = Simulation(database, settings, _feed(settings, clock, faults), clock)
    simulation.fill(first=next_month(month_of(plan.start), steps=-plan.history_months))
    progress(plan.start)
    end = plan.start + timedelta(days=plan.days)
    for tick in ticks(settings, start=plan.start, end=end, faults=faults, every=plan.every):
        simulation.tick(tick)
        progress(tick.now)
    simulation.finish(plan.finished)
    return dict(simulation.counts) | _counted(database)


def proved(database: Database, settings: Settings, plan: Plan, *, counts: Mapping[str, int], begin: float) -> SimulationReport:
    """What a backfill of the same days gives in the database that lived through them."""
    from goldsignal_pipeline.assets.parity import prove_parity

    symbol = session.default_symbol(settings)
    changed = _changed_by_a_single_pass(database, settings, symbol=symbol, now=plan.finished)
    parity = prove_parity(database, settings, symbol=symbol, now=plan.finished)
    bar, seconds = str(settings.base_timeframe), time.monotonic() - begin
    return SimulationReport(plan.start, plan.days, bar, plan.with_faults, counts, seconds, changed, parity)


def _feed(settings: Settings, clock: Callable[[], datetime], faults: Faults | None) -> Provider:
    from goldsignal_pipeline.cli.simulate_market import FaultyFeed
    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.providers.simulated import SimulatedProvider

    market = SimulatedProvider(
        seed=settings.simulation_seed, calendar=load_calendar(), base_timeframe=settings.base_timeframe, clock=clock
    )
    return market if faults is None else FaultyFeed(market, faults, clock)


def _counted(database: Database) -> dict[str, int]:
    from sqlalchemy import text

    with database.transaction(read_only=True) as connection:
        return {name: int(connection.execute(text(query)).scalar_one()) for name, query in _COUNTED.items()}


def _changed_by_a_single_pass(database: Database, settings: Settings, *, symbol: str, now: datetime) -> tuple[str, ...]:
    """The tables that a backfill of all months in one run, with the live decisions replayed, would leave otherwise."""
    from goldsignal_pipeline.assets.keeping import held_digests
    from goldsignal_pipeline.assets.lineage import record_months
    from goldsignal_pipeline.cli.prove.comparison import contents_of
    from goldsignal_pipeline.cli.prove.graph import Run, run_graph

    before = contents_of(database)
    with database.transaction(read_only=True) as connection:
        months = record_months(held_digests(connection, symbol=symbol)["candles"], now=now)
    run_graph(Run(database, settings, now, "single pass"), months)
    after = contents_of(database)
    return tuple(name for name in before if before[name] != after[name])


@contextmanager
def _progress(output: Output, start: datetime, days: int) -> Iterator[Progress]:
    """A bar of days; without a terminal a line for each month."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ProgressBar(*columns, console=output.notes, transient=True, disable=not output.notes.is_terminal) as bars:
        task = bars.add_task("filling history (days)", total=days)
        begin = time.monotonic()
        told = start

        def advance(now: datetime) -> None:
            nonlocal told
            bars.update(task, completed=min((now - start).days, days), description=f"living {now:%Y-%m-%d} (days)")
            if not output.notes.is_terminal and (now == start or (now.year, now.month) != (told.year, told.month)):
                output.note(f"{now:%Y-%m-%d} after {span_text(time.monotonic() - begin)}", style="")
            told = now

        yield advance


def _as_dict(report: SimulationReport) -> dict[str, Any]:
    from goldsignal_pipeline.cli.prove import parity

    return {
        "passed": report.passed,
        "from": report.start,
        "days": report.days,
        "bar": report.bar,
        "faults": report.faults,
        "counts": dict(report.counts),
        "seconds": round(report.seconds, 1),
        "seconds_per_day": round(report.seconds / report.days, 3),
        "changed_by_a_backfill": list(report.changed),
        "parity": parity.as_dict(report.parity),
    }


def _render(console: Console, report: SimulationReport) -> None:
    from goldsignal_pipeline.cli.prove import parity

    rows = [(name, f"{count:,}") for name, count in report.counts.items()]
    title = f"{report.days} days from {report.start:%Y-%m-%d} on {report.bar} bars{', with faults' if report.faults else ''}"
    console.print(table("", ("", "right"), rows=rows, title=title, header=False))
    console.print()
    parity.render(console, report.parity)
    if report.changed:
        console.print(f"A single pass over all months would change {', '.join(report.changed)}.", style="red")
    else:
        console.print("A single pass over all months, decisions replayed, changes nothing.")
    console.print(f"It took {span_text(report.seconds)}, {report.seconds / report.days:.2f} s a day.")
