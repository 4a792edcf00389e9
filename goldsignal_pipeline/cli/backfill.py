"""`goldsignal backfill`: fetch and derive a range of months, after saying what that takes.

1. The plan: months, runs of twelve months, the credits that the vendor's answers will cost, the minutes they take (`_plan`).
2. One Dagster run per twelve months, oldest first, so that the running month comes last (`cli.launch`).
3. The month after the range is derived again where the range gave it new first bars (`_following`).
4. The summary: each run, its time, and the cause where one failed; the months after a failed run are not started.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

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
    from goldsignal_pipeline.providers.base import Provider
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

FETCHING_ASSET: Final = "raw_candles"


def commands(app: typer.Typer) -> None:
    """Register `backfill`."""
    app.command(rich_help_panel="Data")(backfill)


def backfill(
    *,
    start: Annotated[str, typer.Option("--from", help="First month, for example 2026-01.")],
    end: Annotated[str | None, typer.Option("--to", help="Last month, inclusive; the running one when absent.")] = None,
    assets: Annotated[str | None, typer.Option("--assets", help="Names with commas between; all when absent.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch and derive a range of months; says first what that takes."""
    from goldsignal_pipeline.cli.launch import materialize_range

    output = Output(as_json)
    settings = session.start()
    now = datetime.now(UTC)
    months = months_asked(start, end, now=now)
    chosen = chosen_assets(assets)
    with session.open_database(settings, migrate=not dry_run) as database:
        plan, source = plan_range(database, settings, months=months, assets=chosen, now=now)
        if dry_run:
            output.emit(
                {"plan": plan.as_dict(), "assets": chosen, "source": source},
                render=lambda console: console.print(render_plan(plan, zone=settings.display_zone, source=source)),
            )
            return
        output.notes.print(render_plan(plan, zone=settings.display_zone, source=source))
        with runs_progress(output, "running", pieces=[(months[0], months[-1])]) as advance:
            reports = materialize_range(assets=chosen, first_month=months[0], last_month=months[-1], progress=advance)
            reports += _following(database, settings, last_month=months[-1], assets=chosen, reports=reports)
    output.emit(
        {"plan": plan.as_dict(), "assets": chosen, "source": source, "runs": [asdict(report) for report in reports]},
        render=lambda console: render_runs(console, reports),
    )
    raise_failure(reports)


def _following(
    database: Database, settings: Settings, *, last_month: str, assets: Sequence[str], reports: Sequence[RunReport]
) -> list[RunReport]:
    """Derive the month after the range when it was there already: its first candles close over bars of the range."""
    from goldsignal_pipeline.assets.partitions import next_month
    from goldsignal_pipeline.cli.launch import materialize_range
    from goldsignal_pipeline.cli.months import stale_months

    following = next_month(last_month)
    derived = [name for name in assets if name != FETCHING_ASSET]
    if not derived or not all(report.succeeded for report in reports):
        return []
    if following not in stale_months(database, settings, symbol=session.default_symbol(settings)):
        return []
    return materialize_range(assets=derived, first_month=following, last_month=following)


def months_asked(start: str, end: str | None, *, now: datetime) -> tuple[str, ...]:
    """The months from `start` to `end`, inclusive; raises `UsageError` when they are not in the record."""
    from goldsignal_pipeline.assets.partitions import FIRST_MONTH, month_of, months_between

    first, running = parse_month(start), month_of(now)
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


def _credits(database: Database, provider: Provider, settings: Settings, *, months: tuple[str, ...], now: datetime) -> int:
    from goldsignal_pipeline.assets.partitions import month_start, next_month
    from goldsignal_pipeline.assets.refresh import fetch_windows

    windows = fetch_windows(
        database,
        provider,
        start=month_start(months[0]),
        end=month_start(next_month(months[-1])),
        now=now,
        grace=settings.grace,
    )
    return sum(provider.calls_needed(window) for window in windows)


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
