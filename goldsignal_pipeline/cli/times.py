"""Times as users write them: a month, a day, or a time, in the zone of the settings unless they name another."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from goldsignal_pipeline.errors import UsageError


def parse_instant(text: str, *, zone: ZoneInfo) -> datetime:
    """The UTC instant of `2026-11`, `2026-11-23`, `2026-11-23 01:05` (in `zone`) or `2026-11-23T01:05Z`.

    A month or day means its first instant. Raises `UsageError` for anything else, and for a wall time that a clock change skips.
    """
    padded = f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text
    try:
        moment = datetime.fromisoformat(padded)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time.", fix="Write 2026-11, 2026-11-23, '2026-11-23 01:05' or 2026-11-23T01:05Z."
        ) from None
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    instant = moment.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != moment:
        raise UsageError(
            f"{text!r} does not exist in {zone.key}: the clock skips it.", fix="Write it in UTC, with a Z at its end."
        )
    return instant


def parse_range(start: str | None, end: str | None, *, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """Both ends of a half-open range; raises `UsageError` unless the first lies before the second."""
    first = None if start is None else parse_instant(start, zone=zone)
    last = None if end is None else parse_instant(end, zone=zone)
    if first is not None and last is not None and first >= last:
        raise UsageError(f"The range from {start} to {end} is empty.", fix="--to is exclusive and must lie after --from.")
    return first, last


def parse_month(text: str) -> str:
    """A month `2026-11`, also of a day in it; raises `UsageError` for anything else."""
    try:
        return parse_instant(text, zone=ZoneInfo("UTC")).strftime("%Y-%m")
    except UsageError:
        raise UsageError(f"{text!r} is not a month.", fix="Write it as 2026-11.") from None
