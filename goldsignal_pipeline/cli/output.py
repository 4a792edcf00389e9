"""How commands speak: results on standard output (people or `--json`), everything else on standard error.

Times are shown in the user's zone with its name; JSON and CSV carry UTC (`2026-11-23T01:05:00Z`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, TextIO
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from goldsignal_pipeline.errors import GoldSignalError

JSON_KEY: Final = "goldsignal.json"
PIPE_WIDTH: Final = 120


def _remember_json(context: typer.Context, value: bool) -> bool:
    # Errors are rendered by the group, above the command that knows the flag; the shared `meta` carries it there.
    context.meta[JSON_KEY] = value
    return value


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON (times in UTC).", callback=_remember_json, is_eager=True)
]


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


@dataclass(frozen=True)
class Output:
    """Where a command writes: `result` to standard output, `notes` to standard error."""

    as_json: bool
    result: Console = field(default_factory=lambda: _console(sys.stdout))
    notes: Console = field(default_factory=lambda: _console(sys.stderr))

    def emit(self, payload: Any, *, render: Callable[[Console], None]) -> None:
        """Write the result once: as JSON when asked for, otherwise by `render`."""
        if self.as_json:
            sys.stdout.write(to_json(payload) + "\n")
        else:
            render(self.result)

    def note(self, text: str, *, style: str = "dim") -> None:
        """Say something that is not the result."""
        self.notes.print(text, style=style)


def to_json(payload: Any) -> str:
    """JSON text with UTC times and exact decimals."""
    return json.dumps(payload, default=_plain, indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"expected a value JSON can hold, was {type(value).__name__}")


def utc_text(instant: datetime) -> str:
    """An aware instant as ISO 8601 in UTC: `2026-11-23T01:05:00Z`."""
    spec = "microseconds" if instant.microsecond else "seconds"
    return instant.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def local_text(instant: datetime, *, zone: ZoneInfo, with_zone: bool = True) -> str:
    """An aware instant for people: `2026-11-23 01:05 UTC`."""
    shown = instant.astimezone(zone)
    return shown.strftime("%Y-%m-%d %H:%M") + (f" {shown.strftime('%Z') or zone.key}" if with_zone else "")


def span_text(seconds: float) -> str:
    """A length of time for people: `8 s`, `2 min 07 s`, `40 min`, `2 h 05 min`, `3 d 4 h`."""
    total = round(seconds)
    if total < 60:
        return f"{seconds:.1f} s" if seconds < 10 and total != seconds else f"{total} s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 10 and total % 60:
        return f"{minutes} min {total % 60:02d} s"
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{days} d {hours % 24} h"


def size_text(size_bytes: int) -> str:
    """A size for people in decimal units: `12.3 MB`."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def table(*columns: str | tuple[str, str], rows: Iterable[Sequence[str | Text]], title: str = "", header: bool = True) -> Table:
    """A plain table; a column given as (name, "right") is aligned to the right.

    Where the terminal is narrow, text columns give way; the first column and numbers are never broken.
    """
    shown = Table(
        title=title or None,
        title_style="bold",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
        padding=(0, 2, 0, 0),
        show_header=header,
    )
    for position, column in enumerate(columns):
        is_number = isinstance(column, tuple)
        shown.add_column(
            column[0] if isinstance(column, tuple) else column,
            justify="right" if is_number else "left",
            no_wrap=is_number or position == 0,
            overflow="fold",
        )
    for row in rows:
        shown.add_row(*row)
    return shown


def show_error(error: GoldSignalError, *, as_json: bool) -> None:
    """Say what happened, what was done and what helps; with `--json` also as an object on standard output."""
    if as_json:
        fault = {"kind": type(error).__name__, "what": error.what, "done": error.done, "fix": error.fix}
        sys.stdout.write(to_json({"error": {**fault, "exit_code": error.exit_code}}) + "\n")
    notes = _console(sys.stderr)
    notes.print(Text.assemble(("Error  ", "bold red"), error.what))
    if error.done:
        notes.print(Text.assemble(("Done   ", "bold"), error.done))
    if error.fix:
        notes.print(Text.assemble(("Fix    ", "bold green"), error.fix))


def show_unexpected(error: Exception, *, trace: Path | None, as_json: bool) -> None:
    """One line for a fault nobody foresaw, and where its trace is."""
    where = f"Its trace is in {trace}." if trace else "Its trace could not be written."
    fault = GoldSignalError(
        f"Unexpected {type(error).__name__}: {_first_line(error)}",
        done=where,
        fix="Run `goldsignal doctor`; if nothing is found, report it with the trace.",
    )
    show_error(fault, as_json=as_json)


def _first_line(error: Exception) -> str:
    from goldsignal_pipeline.cli.logs import mask

    lines = str(error).strip().splitlines()
    return mask(lines[0]) if lines else "no message"
