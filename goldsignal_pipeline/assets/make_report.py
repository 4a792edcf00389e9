"""Make the report of a range and put it into a file; a file appears under its name when it is complete."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.assets.report_facts import read_facts
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.report.page import render

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

NIGHTLY_SPAN: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Made:
    """A report that was written."""

    path: Path
    start: datetime
    end: datetime
    signals: int
    size_bytes: int
    sha256: str


def nightly_path(settings: Settings, symbol: str) -> Path:
    """Where the report of the night is found."""
    return settings.home / "reports" / f"{symbol}.html"


def make_report(
    database: Database, settings: Settings, *, symbol: str, start: datetime, end: datetime, now: datetime, path: Path
) -> Made:
    """Write the report of [start, end) to `path`, in place of what is there; raises `UsageError` where that cannot be written."""
    with database.transaction(read_only=True) as connection:
        facts = read_facts(connection, settings, symbol=symbol, start=start, end=end, now=now)
    content = render(facts).encode()
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", done="No report was written.", fix="Name another file with --out."
        ) from error
    return Made(path, start, end, len(facts.signals), len(content), hashlib.sha256(content).hexdigest())
