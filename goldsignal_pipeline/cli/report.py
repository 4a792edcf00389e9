"""`goldsignal report` and `export`: a range as one page of HTML, and as files of its tables."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.output import JsonOption, Output, size_text, table
from goldsignal_pipeline.cli.times import parse_range
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from goldsignal_pipeline.report.exporting import Exported
    from goldsignal_pipeline.settings import Settings

_PANEL: Final = "Signals"
_USUAL_SPAN: Final = timedelta(days=90)

StartOption = Annotated[str | None, typer.Option("--from", help="Begin, inclusive; 90 days before the end when absent.")]
EndOption = Annotated[str | None, typer.Option("--to", help="End, exclusive; now when absent.")]
SymbolOption = Annotated[str | None, typer.Option("--symbol", help="XAUUSD or XAUUSD-SIM; the feed's when absent.")]


def commands(app: typer.Typer) -> None:
    """Register `report` and `export`."""
    app.command(rich_help_panel=_PANEL)(report)
    app.command(rich_help_panel="Data")(export)


def report(
    *,
    start: StartOption = None,
    end: EndOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; one named by symbol and range when absent.")] = None,
    symbol: SymbolOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one page of HTML: signals and their fate, results with intervals, silence, data quality, digests."""
    from goldsignal_pipeline.assets.make_report import make_report

    settings, now = session.start(), datetime.now(UTC)
    chosen = symbol or session.default_symbol(settings)
    first, last = _range(settings, start, end, now=now)
    path = out or Path(f"goldsignal-{chosen}-{first:%Y-%m-%d}-{last:%Y-%m-%d}.html")
    with session.open_database(settings) as database:
        made = make_report(database, settings, symbol=chosen, start=first, end=last, now=now, path=path)
    sentence = f"{made.path}: {made.signals} signals, {size_text(made.size_bytes)}. Open it in a browser; it needs no network."
    Output(as_json).emit(asdict(made), render=lambda console: console.print(sentence, soft_wrap=True))


def export(
    folder: Annotated[Path, typer.Option("--dir", help="Folder to write into.")],
    *,
    start: StartOption = None,
    end: EndOption = None,
    symbol: SymbolOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the tables of a range as CSV and Parquet, with a dictionary of their columns."""
    from goldsignal_pipeline.report.exporting import DICTIONARY
    from goldsignal_pipeline.report.exporting import export as write

    settings, now = session.start(), datetime.now(UTC)
    first, last = _range(settings, start, end, now=now)
    chosen = symbol or session.default_symbol(settings)
    with session.open_database(settings) as database, database.transaction(read_only=True) as connection:
        written = write(connection, folder, symbol=chosen, start=first, end=last)
    payload = {"from": first, "to": last, "dictionary": folder / DICTIONARY, "files": [asdict(one) for one in written]}
    Output(as_json).emit(payload, render=lambda console: _render(console, written, folder / DICTIONARY))


def _range(settings: Settings, start: str | None, end: str | None, *, now: datetime) -> tuple[datetime, datetime]:
    first, last = parse_range(start, end, zone=settings.display_zone)
    until = last or now
    since = first or until - _USUAL_SPAN
    if since >= until:
        raise UsageError("The range is empty: it begins after now.", fix="Give an earlier --from.")
    return since, until


def _render(console: Console, written: Sequence[Exported], dictionary: Path) -> None:
    rows = [(one.path.name, f"{one.rows:,}", size_text(one.size_bytes)) for one in written]
    console.print(table("file", ("rows", "right"), ("size", "right"), rows=rows))
    console.print(f"Their columns are explained in {dictionary}.", soft_wrap=True)
