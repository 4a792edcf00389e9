"""`goldsignal gaps`: every expected bar that is missing, with its reason, and how long the market was closed and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, span_text, table
from goldsignal_pipeline.cli.times import parse_range

if TYPE_CHECKING:
    from goldsignal_pipeline.assets.missing_bars import GapReport

DEFAULT_SPAN: Final = timedelta(days=30)
TABLE_ROWS: Final = 200


def commands(app: typer.Typer) -> None:
    """Register `gaps`."""
    app.command(rich_help_panel="Data")(gaps)


def gaps(
    *,
    start: Annotated[
        str | None, typer.Option("--from", help="First open, inclusive; 30 days before the end when absent.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the range, exclusive; now when absent.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="XAUUSD or XAUUSD-SIM; the feed's when absent.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every missing bar with its reason, and the closed time by reason."""
    from goldsignal_pipeline.assets.missing_bars import find

    settings = session.start()
    zone = settings.display_zone
    first, last = parse_range(start, end, zone=zone)
    now = datetime.now(UTC)
    until = last or now
    with session.open_database(settings) as database, database.transaction(read_only=True) as connection:
        report = find(
            connection,
            grace=settings.grace,
            symbol=symbol or session.default_symbol(settings),
            start=first or until - DEFAULT_SPAN,
            end=until,
            now=now,
        )
    Output(as_json).emit(report.as_dict(), render=lambda console: _render(console, report, zone=zone))


def _render(console: Console, report: GapReport, *, zone: ZoneInfo) -> None:
    span = f"{local_text(report.start, zone=zone, with_zone=False)} to {local_text(report.end, zone=zone)}"
    title = f"{report.symbol}, {span}"
    if report.gaps.empty:
        console.print(f"{title}: no bar is missing.")
    else:
        rows = [_cells(row, zone=zone) for row in report.gaps.tail(TABLE_ROWS).to_dict("records")]
        headers = ("from", "to", "bars of", ("missing", "right"), "reason")
        console.print(table(*headers, rows=rows, title=title))
        if len(report.gaps) > TABLE_ROWS:
            console.print(f"The last {TABLE_ROWS} of {len(report.gaps):,}; --json prints all.", style="dim")
        total = ", ".join(f"{reason} {count:,}" for reason, count in sorted(report.missing_bars.items()))
        console.print(f"Missing bars by reason: {total}")
    closed = ", ".join(f"{reason} {span_text(minutes * 60)}" for reason, minutes in sorted(report.closed_minutes.items()))
    console.print(f"Closed time by reason: {closed or 'none'}")


def _cells(row: dict[Any, Any], *, zone: ZoneInfo) -> tuple[str | Text, ...]:
    start, end = (
        Text(local_text(row[name].to_pydatetime(), zone=zone, with_zone=False), no_wrap=True) for name in ("start", "end")
    )
    return start, end, row["timeframe"], f"{row['missing_bars']:,}", row["reason"]
