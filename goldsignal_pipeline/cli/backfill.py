"""`goldsignal backfill`: fetch a range of months and compute all that follows, after saying what that takes.

1. The plan: months, runs of twelve months, the credits that the vendor's answers will cost, the minutes they take (`plan_range`).
2. One Dagster run per twelve months, oldest first, so that the running month comes last (`cli.launch`).
3. Later months that the range put behind are computed again (`cli.computing`).
4. The summary: each run, its time, what the months hold now, and the cause where a run failed; later runs are not started.

With `--missing` the months are those that are behind what they are made of, and nothing is fetched.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.credits import budget
from goldsignal_pipeline.cli.output import JsonOption, Output, span_text, table
from goldsignal_pipeline.cli.plan import FetchPlan, plan_fetch, render_plan
from goldsignal_pipeline.cli.progress import runs_progress
from goldsignal_pipeline.cli.times import parse_month
from goldsignal_pipeline.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.launch import RunReport
    from goldsignal_pipeline.providers.base import FetchWindow, Provider
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

FETCHING_ASSET: Final = "raw_candles"
LAST_MONTH: Final = "9999-12"


def commands(app: typer.Typer) -> None:
    """Register `backfill`."""
    app.command(rich_help_panel="Data")(backfill)


def backfill(
    *,
    start: Annotated[
        str | None, typer.Option("--from", help="First month, for example 2026-01; the first of the record with --missing.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last month, inclusive; the running one when absent.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Only months that are missing, incomplete or outdated; asks no vendor.")
    ] = False,
    assets: Annotated[str | None, typer.Option("--assets", help="Names with commas between; all when absent.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch a range of months and compute all that follows; says first what that takes."""
    output = Output(as_json)
    settings = session.start()
    now = datetime.now(UTC)
    months = months_asked(start, end, now=now, missing=missing)
    chosen = chosen_assets(assets)
    with session.open_database(settings, migrate=not dry_run) as database:
        fill = _fill_missing if missing else _fill_range
        reports = fill(database, settings, output, months=months, assets=chosen, dry_run=dry_run)
    raise_failure(reports)


def _fill_range(
    database: Database, settings: Settings, output: Output, *, months: tuple[str, ...], assets: Sequence[str], dry_run: bool
) -> list[RunReport]:
    """Run the assets over the months, then what follows from them; tells the plan before and the summary afterwards."""
    from goldsignal_pipeline.assets.partitions import next_month
    from goldsignal_pipeline.cli import computing
    from goldsignal_pipeline.cli.launch import materialize_range

    plan, source = plan_range(database, settings, months=months, assets=assets, now=datetime.now(UTC))
    pruned = _pruned_months(database, settings, months=months) if "candles" in assets else []
    told = {"plan": plan.as_dict(), "assets": assets, "source": source, "pruned_months": pruned}
    shown = render_plan(plan, zone=settings.display_zone, source=source, pruned=pruned)
    if dry_run:
        output.emit(told, render=lambda console: console.print(shown))
        return []
    output.notes.print(shown)
    derived = [name for name in assets if name != FETCHING_ASSET]
    with runs_progress(output, "running", pieces=[(months[0], months[-1])]) as advance:
        reports = materialize_range(assets=assets, first_month=months[0], last_month=months[-1], progress=advance)
        if reports[-1].succeeded:
            after = next_month(months[-1])
            reports += computing.compute(
                database, settings, assets=derived, first_month=after, last_month=LAST_MONTH, progress=advance
            )
    _summarise(database, output, told, reports, months=months)
    return reports


def _pruned_months(database: Database, settings: Settings, *, months: Sequence[str]) -> list[str]:
    """Those of the months of which retention deleted candles."""
    from goldsignal_pipeline.storage import pruned_candles

    with database.transaction(read_only=True) as connection:
        found = pruned_candles.months(connection, symbol=settings.symbol)
    return sorted(set(months) & set().union(*found.values()))


def _fill_missing(
    database: Database, settings: Settings, output: Output, *, months: tuple[str, ...], assets: Sequence[str], dry_run: bool
) -> list[RunReport]:
    """Compute what is behind within the months; tells what that is before and the summary afterwards."""
    from goldsignal_pipeline.cli import computing
    from goldsignal_pipeline.cli.launch import chunks
    from goldsignal_pipeline.cli.months import behind, months_to_compute, ranges

    derived = [name for name in assets if name != FETCHING_ASSET]
    found = behind(database, settings)
    due = months_to_compute(found, assets=derived, first_month=months[0], last_month=months[-1])
    told = {"behind": computing.behind_dict(found), "months": due, "assets": derived}
    pieces = [chunk for piece in ranges(due) for chunk in chunks(*piece)]
    shown = computing.render_behind(found, months=due, runs=len(pieces))
    if dry_run or not due:
        output.emit(told, render=lambda console: console.print(shown))
        return []
    output.notes.print(shown)
    with runs_progress(output, "computing", pieces=pieces) as advance:
        reports = computing.compute(
            database, settings, assets=derived, first_month=months[0], last_month=months[-1], progress=advance
        )
    _summarise(database, output, told, reports, months=due)
    return reports


def _summarise(
    database: Database, output: Output, told: Mapping[str, Any], reports: Sequence[RunReport], *, months: Sequence[str]
) -> None:
    from goldsignal_pipeline.cli import computing

    held = computing.held_rows(database, first_month=months[0], last_month=months[-1])

    def render(console: Console) -> None:
        render_runs(console, reports)
        console.print()
        computing.render_held(console, held)

    runs = [asdict(report) for report in reports]
    output.emit({**told, "runs": runs, "held": computing.held_dicts(held)}, render=render)


def months_asked(start: str | None, end: str | None, *, now: datetime, missing: bool = False) -> tuple[str, ...]:
    """The months from `start` to `end`, inclusive; raises `UsageError` when they are not in the record.

    Only what asks no vendor (`missing`) may go without a first month.
    """
    from goldsignal_pipeline.assets.partitions import FIRST_MONTH, month_of, months_between

    if start is None and not missing:
        raise UsageError("--from is needed.", done="Nothing was started.", fix="Name the first month, or use --missing.")
    first, running = parse_month(start) if start else FIRST_MONTH, month_of(now)
    last = parse_month(end) if end else running
    if first < FIRST_MONTH or last > running:
        raise UsageError(f"The record has the months {FIRST_MONTH} to {running}.", fix="Choose a range within them.")
    if first > last:
        raise UsageError(f"The range from {first} to {last} is empty.", fix="--to is inclusive and must not lie before --from.")
    return tuple(months_between(first, last))


def chosen_assets(text: str | None) -> list[str]:
    """The names asked for, in the order of the graph, all when absent; raises `UsageError` with the nearest name."""
    from goldsignal_pipeline.definitions import definitions

    graph = definitions.resolve_asset_graph()
    known = [key.to_user_string() for key in graph.toposorted_asset_keys if graph.get(key).is_partitioned]
    if text is None:
        return known
    asked = [name.strip() for name in text.split(",") if name.strip()]
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Choose among {', '.join(known)}."
            raise UsageError(f"There is no asset {name!r} with months.", done="Nothing was started.", fix=hint)
    return [name for name in known if name in asked]


def plan_range(
    database: Database, settings: Settings, *, months: tuple[str, ...], assets: Sequence[str], now: datetime
) -> tuple[FetchPlan, str]:
    """What fetching the months takes, given what is held already; and the source that would be asked."""
    from goldsignal_pipeline.resources import make_provider

    provider = make_provider(settings, database=database, clock=lambda: datetime.now(UTC))
    credits_needed = _credits(database, provider, settings, months=months, now=now) if FETCHING_ASSET in assets else 0
    allowed = budget(database, settings, now=now) if settings.feed == "twelvedata" else None
    source = str(provider.source) if FETCHING_ASSET in assets else "none asked"
    return plan_fetch(months=months, credits_needed=credits_needed, budget=allowed, now=now), source


def months_to_fetch(database: Database, settings: Settings, *, months: tuple[str, ...], now: datetime) -> list[str]:
    """Those of the months, from the first to the last, in which something is worth asking for."""
    from goldsignal_pipeline.assets.partitions import month_of, months_between
    from goldsignal_pipeline.resources import make_provider

    provider = make_provider(settings, database=database, clock=lambda: datetime.now(UTC))
    windows = _windows(database, provider, settings, months=months, now=now)
    return months_between(month_of(windows[0].start), months[-1]) if windows else []


def _credits(database: Database, provider: Provider, settings: Settings, *, months: tuple[str, ...], now: datetime) -> int:
    return sum(provider.calls_needed(window) for window in _windows(database, provider, settings, months=months, now=now))


def _windows(
    database: Database, provider: Provider, settings: Settings, *, months: tuple[str, ...], now: datetime
) -> Sequence[FetchWindow]:
    from goldsignal_pipeline.assets.partitions import month_start, next_month
    from goldsignal_pipeline.assets.refresh import fetch_windows

    return fetch_windows(
        database,
        provider,
        start=month_start(months[0]),
        end=month_start(next_month(months[-1])),
        now=now,
        grace=settings.grace,
    )


def raise_failure(reports: Sequence[RunReport]) -> None:
    """Raise `ServiceError` with the causes when a run failed."""
    failed = next((report for report in reports if not report.succeeded), None)
    if failed is not None:
        raise ServiceError(
            f"The run of {failed.first_month} to {failed.last_month} failed: {'; '.join(failed.causes) or 'see its log'}",
            done="Earlier months are stored; later ones were not started.",
            fix=f"Mend the cause and run the command again; run {failed.run_id} in the web page has the log.",
        )


def render_runs(console: Console, reports: Sequence[RunReport]) -> None:
    """The runs as a table."""
    rows = [
        (
            f"{report.first_month} to {report.last_month}",
            Text("done", style="green") if report.succeeded else Text("failed", style="bold red"),
            span_text(report.seconds),
            report.run_id[:8],
        )
        for report in reports
    ]
    console.print(table("months", "", ("time", "right"), "run", rows=rows))
