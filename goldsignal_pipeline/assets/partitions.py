"""Months, which all partitions are: calendar months in UTC, by name. Dagster's definition of them is in `partitioning`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

FIRST_MONTH: Final = "2003-05"
MONTH_FORMAT: Final = "%Y-%m"


def month_of(instant: datetime) -> str:
    """The partition that an instant falls in."""
    return instant.astimezone(UTC).strftime(MONTH_FORMAT)


def month_start(month: str) -> datetime:
    """The first instant of a month; raises ValueError for anything but YYYY-MM."""
    return datetime.strptime(month, MONTH_FORMAT).replace(tzinfo=UTC)


@lru_cache(maxsize=16384)
def next_month(month: str, *, steps: int = 1) -> str:
    """The month `steps` later (earlier when negative)."""
    start = month_start(month)
    index = start.year * 12 + start.month - 1 + steps
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def months_between(first: str, last: str) -> list[str]:
    """Every month from `first` to `last`, both included."""
    found = []
    month = first
    while month <= last:
        found.append(month)
        month = next_month(month)
    return found


def range_tags(first: str, last: str) -> dict[str, str]:
    """Run tags that make one run of the months from `first` to `last`."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
