"""`goldsignal import`: candle files into the record, then the candles that follow from them.

1. Each file is inspected whole before a row of it is stored; a file that is refused stops only itself (`_import_file`).
2. Its rows are judged and stored block by block, each block in one transaction (`assets.ingest`).
3. The months whose observations changed are derived in Dagster runs of one to five years (`_derive`).
4. The report: rows read, stored, unchanged, quarantined by reason; source, side and zone, and whether they were named or
   inferred; seconds, and the share of them spent in PostgreSQL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.candles import parse_timeframe
from goldsignal_pipeline.cli.output import JsonOption, Output, span_text, table
from goldsignal_pipeline.cli.progress import ByteProgress, file_progress
from goldsignal_pipeline.cli.timing import PostgresTime, postgres_time
from goldsignal_pipeline.errors import GoldSignalError, UsageError

if TYPE_CHECKING:
    from goldsignal_pipeline.assets.ingest import IngestReport
    from goldsignal_pipeline.cli.launch import RunReport
    from goldsignal_pipeline.market.delivery import Delivery
    from goldsignal_pipeline.market.sources import Side
    from goldsignal_pipeline.market.timeframes import Timeframe
    from goldsignal_pipeline.providers.files import FilePlan
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database


@dataclass(frozen=True, slots=True)
class Claims:
    """What the user says about the files; None means: as the file says or shows."""

    timeframe: Timeframe | None
    side: Side | None
    vendor: str | None
    zone: str | None


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: how it was read and what became of its rows, or why it was refused."""

    path: Path
    plan: FilePlan | None = None
    report: IngestReport | None = None
    error: GoldSignalError | None = None

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        if self.error is not None or self.plan is None or self.report is None:
            error = self.error
            refused = {} if error is None else {"what": error.what, "done": error.done, "fix": error.fix}
            return {"file": self.path, "refused": refused}
        return {
            "file": self.path,
            "format": self.plan.format,
            "timeframe": self.plan.timeframe,
            "sources": [str(source) for source in self.plan.sources],
            "zone": self.plan.zone.name,
            "zone_is": self.plan.zone_basis,
            "read": self.report.read,
            "stored": self.report.stored,
            "unchanged": self.report.unchanged,
            "folded": self.report.folded,
            "quarantined": dict(self.report.quarantined),
            "months": self.report.months,
            "notes": self.plan.notes,
        }


def commands(app: typer.Typer) -> None:
    """Register `import`."""
    app.command("import", rich_help_panel="Data")(import_files)


def import_files(
    *,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Candle files of any known format.", exists=True, dir_okay=False)
    ],
    timeframe: Annotated[str | None, typer.Option("--timeframe", "-t", help="M1 to D1; as the rows show when absent.")] = None,
    side: Annotated[str | None, typer.Option("--side", help="bid, ask or mid; as the format says when absent.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Name of the vendor; as the format says when absent.")] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="Zone of the stamps (UTC, NY+7, EET/EEST, an IANA name); inferred when absent.")
    ] = None,
    derive: Annotated[bool, typer.Option("--derive/--no-derive", help="Derive candles from what was stored.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Import candle files of other programs and vendors."""
    output = Output(as_json)
    began = time.perf_counter()
    claims = parse_claims(timeframe=timeframe, side=side, source=source, zone=zone)
    settings = session.start()
    runs: list[RunReport] = []
    with session.open_database(settings, migrate=True) as database, postgres_time() as spent:
        with file_progress(output) as progress:
            reports = [_import_file(path, claims, database, settings, progress) for path in files]
        if derive:
            runs = _derive(database, settings, output)
    seconds = time.perf_counter() - began
    payload = {
        "files": [report.as_dict() for report in reports],
        "runs": [asdict(run) for run in runs],
        "seconds": round(seconds, 3),
        "postgres_seconds": round(spent.seconds, 3),
        "postgres_share": round(spent.seconds / seconds, 4),
    }
    output.emit(payload, render=lambda console: _render(console, reports, runs, seconds=seconds, spent=spent))
    _fail_if_needed(reports, runs)


def parse_claims(*, timeframe: str | None, side: str | None, source: str | None, zone: str | None) -> Claims:
    """What the user claims, checked; a source may be written vendor:side. Raises `UsageError`."""
    from goldsignal_pipeline.market.sources import Side

    vendor, separator, own_side = (source or "").partition(":")
    if separator and side and own_side != side:
        raise UsageError(f"--source says {own_side}, --side says {side}.", fix="Say it once.")
    named = side or own_side or None
    if named is not None and named not in set(Side):
        raise UsageError(f"{named!r} is not a side.", fix=f"Choose one of {', '.join(Side)}.")
    return Claims(
        timeframe=None if timeframe is None else parse_timeframe(timeframe),
        side=None if named is None else Side(named),
        vendor=vendor or None,
        zone=zone,
    )


def _import_file(
    path: Path, claims: Claims, database: Database, settings: Settings, progress: Callable[[str], ByteProgress]
) -> FileReport:
    from goldsignal_pipeline.assets.ingest import IngestReport, ingest
    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.market.sources import REAL_SYMBOL
    from goldsignal_pipeline.providers.files import inspect_file, iter_deliveries

    calendar = load_calendar()
    try:
        plan = inspect_file(
            path,
            timeframe=claims.timeframe,
            side=claims.side,
            vendor=claims.vendor,
            zone=claims.zone,
            calendar=calendar,
            progress=progress(f"inspecting {path.name}"),
        )
        report = IngestReport()
        spans = _Spans()
        for delivery in iter_deliveries(plan, calendar=calendar, progress=progress(f"storing {path.name}")):
            stored = ingest(
                database,
                symbol=REAL_SYMBOL,
                deliveries=[delivery],
                calendar=calendar,
                now=datetime.now(UTC),
                grace=settings.grace,
                run_id=None,
            )
            report = report.plus(stored)
            spans.add(delivery)
        spans.record(database, now=datetime.now(UTC))
    except GoldSignalError as error:
        return FileReport(path, error=error)
    return FileReport(path, plan=plan, report=report)


class _Spans:
    """From the first to the last bar of each source that a file holds."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Timeframe], tuple[datetime, datetime, int]] = {}

    def add(self, delivery: Delivery) -> None:
        """Widen the span by the rows of one block."""
        stamps = delivery.rows["timestamp"].dropna()
        if len(stamps):
            first, last = stamps.min().to_pydatetime(), stamps.max().to_pydatetime()
            key = (str(delivery.source), delivery.timeframe)
            begin, end, rows = self._seen.get(key, (first, last, 0))
            self._seen[key] = (min(begin, first), max(end, last), rows + len(stamps))

    def record(self, database: Database, *, now: datetime) -> None:
        """Write the spans down once the whole file is stored."""
        from goldsignal_pipeline.assets.ingest import record_span
        from goldsignal_pipeline.market.sources import REAL_SYMBOL
        from goldsignal_pipeline.providers.base import FetchWindow

        for (source, timeframe), (first, last, rows) in self._seen.items():
            window = FetchWindow(timeframe=timeframe, start=first, end=last + timeframe.length)
            record_span(database, symbol=REAL_SYMBOL, source=source, window=window, rows=rows, now=now, run_id=None)


def _derive(database: Database, settings: Settings, output: Output) -> list[RunReport]:
    """Derive every month whose candles are behind their observations, those of earlier imports included."""
    from goldsignal_pipeline.cli.launch import MONTHS_PER_RUN, materialize_range
    from goldsignal_pipeline.cli.months import months_per_run, ranges, stale_candles
    from goldsignal_pipeline.cli.progress import runs_progress
    from goldsignal_pipeline.market.sources import REAL_SYMBOL

    pieces = ranges(stale_candles(database, settings, symbol=REAL_SYMBOL))
    together = months_per_run(database, symbol=REAL_SYMBOL, least=MONTHS_PER_RUN)
    reports: list[RunReport] = []
    with runs_progress(output, "deriving candles", pieces=pieces) as advance:
        for first, last in pieces:
            reports += materialize_range(
                assets=["candles"], first_month=first, last_month=last, months_per_run=together, progress=advance
            )
            if not reports[-1].succeeded:
                break
    return reports


def _fail_if_needed(reports: Sequence[FileReport], runs: Sequence[RunReport]) -> None:
    from goldsignal_pipeline.cli.backfill import raise_failure

    raise_failure(runs)
    refused = [report for report in reports if report.error is not None]
    if refused and refused[0].error is not None:
        raise typer.Exit(refused[0].error.exit_code)


def _render(
    console: Console, reports: Sequence[FileReport], runs: Sequence[RunReport], *, seconds: float, spent: PostgresTime
) -> None:
    for report in reports:
        console.print(Text(report.path.name, style="bold"))
        console.print(table("", "", rows=_refused(report.error) if report.error else _imported(report), header=False))
        console.print()
    derived = sum(run.seconds for run in runs)
    if runs:
        console.print(f"Candles derived for {runs[0].first_month} to {runs[-1].last_month} in {span_text(derived)}.")
    console.print(f"{span_text(seconds)} in all, {spent.seconds / seconds:.0%} of it in PostgreSQL.")


def _imported(report: FileReport) -> list[tuple[str, str]]:
    assert report.plan is not None
    assert report.report is not None
    plan, counts = report.plan, report.report
    quarantined = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.quarantined.items()))
    rows = [
        ("read as", f"{plan.format}, {plan.timeframe}"),
        ("source", ", ".join(str(source) for source in plan.sources)),
        ("zone", f"{plan.zone.name} ({plan.zone_basis})"),
        ("rows read", f"{counts.read:,}"),
        ("stored", f"{counts.stored:,}"),
        ("unchanged", f"{counts.unchanged:,}"),
        ("folded", f"{counts.folded:,}  (exact repetitions)"),
        ("quarantined", f"{sum(counts.quarantined.values()):,}" + (f"  ({quarantined})" if quarantined else "")),
    ]
    return rows + [("note", note) for note in plan.notes]


def _refused(error: GoldSignalError) -> list[tuple[str | Text, str]]:
    rows: list[tuple[str | Text, str]] = [(Text("refused", style="bold red"), error.what)]
    return [*rows, ("done", error.done), ("fix", error.fix)]
