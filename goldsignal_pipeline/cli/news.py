"""`goldsignal news`: the economic events that are known, which of them stop signals, and reading the calendar now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, table
from goldsignal_pipeline.cli.times import parse_range
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console

_AHEAD: Final = timedelta(days=7)
_IMPACTS: Final = ("holiday", "low", "medium", "high")
_STYLES: Final = {"high": "bold red", "medium": "yellow", "low": "dim", "holiday": "dim"}


def commands(app: typer.Typer) -> None:
    """Register the group `news`."""
    group = typer.Typer(name="news", help="Economic events, and which of them keep signals back.")
    group.callback(invoke_without_command=True)(show)
    group.command()(fetch)
    app.add_typer(group, rich_help_panel="Signals")


def show(
    context: typer.Context,
    *,
    start: Annotated[str | None, typer.Option("--from", help="Begin, inclusive; now when absent.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, exclusive; seven days later when absent.")] = None,
    impact: Annotated[str, typer.Option("--impact", help="The least impact: holiday, low, medium or high.")] = "medium",
    currency: Annotated[str | None, typer.Option("--currency", help="Only events of this currency.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the events that are known, and which of them keep signals back."""
    if context.invoked_subcommand is not None:
        return
    if impact not in _IMPACTS:
        raise UsageError(f"{impact!r} is no impact.", fix=f"Choose one of {', '.join(_IMPACTS)}.")
    from goldsignal_pipeline.storage.reading import news
    from goldsignal_pipeline.storage.reading.queries import page, rows

    settings = session.start()
    first, last = parse_range(start, end, zone=settings.display_zone)
    begin = first or (last - _AHEAD if last else datetime.now(UTC))
    asked = news.events(start=begin, end=last or begin + _AHEAD, least_impact=impact, currency=currency)
    with session.open_database(settings) as database, database.transaction(read_only=True) as connection:
        found = rows(connection, page(asked, order=news.NEWS_ORDER, after=None, limit=1000))
    configured = settings.news_calendar is not None
    payload = {"configured": configured, "from": begin, "to": last or begin + _AHEAD, "events": found}
    Output(as_json).emit(
        payload, render=lambda console: _render(console, found, configured=configured, zone=settings.display_zone)
    )


def fetch(
    *,
    file: Annotated[Path | None, typer.Option("--file", help="Read this file instead of the calendar of the settings.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Read the calendar now, as the schedule does every hour."""
    from goldsignal_pipeline.assets.keep_news import keep_news

    settings = session.start()
    calendar = settings.news_calendar if file is None else str(file)
    with session.open_database(settings) as database:
        kept = keep_news(database, calendar, now=datetime.now(UTC))
    told = kept.nothing_because or (
        f"{kept.events} event{'' if kept.events == 1 else 's'}, {kept.changed} new or changed, {kept.withdrawn} withdrawn; "
        f"{kept.gate_events} told to the gate"
    )
    Output(as_json).emit(kept.metadata(), render=lambda console: console.print(f"{kept.source}: {told}."))


def _render(console: Console, found: Sequence[Mapping[str, Any]], *, configured: bool, zone: ZoneInfo) -> None:
    if not configured:
        console.print("No calendar is configured: only what is told by hand counts. Set GOLDSIGNAL_NEWS_CALENDAR.", style="dim")
    if not found:
        console.print("No event is known in this range.")
        return
    shown = [
        (
            local_text(row["at"], zone=zone, with_zone=False),
            row["currency"],
            Text(row["impact"], style=_STYLES[row["impact"]]),
            row["title"],
            row["forecast"] or "",
            row["previous"] or "",
            "no signals 30 min around" if row["stops_signals"] else "",
        )
        for row in found
    ]
    headers = ("at", "", "impact", "event", ("forecast", "right"), ("before", "right"), "")
    console.print(table(*headers, rows=shown, title=f"Economic events, times in {zone.key}"))
