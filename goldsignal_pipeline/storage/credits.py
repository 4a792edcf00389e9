"""The budget of vendor calls, kept in PostgreSQL because every run is its own process.

1. One advisory lock per vendor makes asking and taking one step, however many processes ask.
2. Credits count in the wall-clock minute and the UTC day in which they were granted. A grant of the last seconds before a
   window counts in it as well: the call may reach the vendor after its clock has moved on.
3. What the vendor itself reports as used up closes the window, since calls that it refuses go on counting there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, insert, text

from goldsignal_pipeline.errors import DayLimitError, UsageError
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.locks import lock_name
from goldsignal_pipeline.storage.tables import CreditUse

TRAVEL_TIME: Final = timedelta(seconds=5)
"""How long before a window a granted call may still arrive in it, a difference between clocks included."""


@dataclass(frozen=True, slots=True)
class CreditsUsed:
    """What counts against the budget at an instant, and which limits the vendor reported."""

    in_minute: int
    in_day: int
    minute_exhausted: bool
    day_exhausted: bool


class PostgresCreditBudget:
    """A `CreditBudget` shared by every process that uses the same database."""

    def __init__(self, database: Database, *, per_minute: int, per_day: int) -> None:
        self._database = database
        self._per_minute = per_minute
        self._per_day = per_day

    def acquire(self, *, vendor: str, credits: int, now: datetime) -> float:
        """Take `credits` and return 0.0, or take nothing and return the seconds to wait for the next minute.

        Raises `DayLimitError` when the day's budget is used up, `UsageError` for more than a minute ever allows.
        """
        if credits > self._per_minute:
            raise UsageError(
                f"A call costs {credits} credits, the plan allows {self._per_minute} a minute.",
                done="No call was made.",
                fix="Ask for less at once, or use a larger plan.",
            )
        with self._database.transaction() as connection:
            lock_name(connection, f"credits {vendor}")
            found = used(connection, vendor=vendor, now=now)
            if found.day_exhausted or found.in_day + credits > self._per_day:
                raise DayLimitError(
                    f"The {self._per_day} credits of {vendor} for today are used up ({found.in_day} by us).",
                    done="No call was made.",
                    fix="The next day begins at 00:00 UTC; a larger plan has more credits.",
                )
            if found.minute_exhausted or found.in_minute + credits > self._per_minute:
                return (_minute_start(now) + timedelta(minutes=1) - now).total_seconds()
            _record(connection, vendor=vendor, at=now, event="use", credits=credits)
        return 0.0

    def exhausted(self, *, vendor: str, scope: str, now: datetime) -> None:
        """Record that the vendor itself reported `scope` ("minute" or "day") as used up."""
        with self._database.transaction() as connection:
            lock_name(connection, f"credits {vendor}")
            _record(connection, vendor=vendor, at=now, event=f"{scope}_exhausted", credits=0)

    def used(self, *, vendor: str, now: datetime) -> CreditsUsed:
        """What counts against the budget now."""
        with self._database.transaction(read_only=True) as connection:
            return used(connection, vendor=vendor, now=now)


def used(connection: Connection, *, vendor: str, now: datetime) -> CreditsUsed:
    """What counts against the budget of a vendor at an instant."""
    minute = _minute_start(now)
    query = text(
        "SELECT coalesce(sum(credits) FILTER (WHERE at >= :minute_grants AND at < :minute_end), 0),"
        " coalesce(sum(credits), 0),"
        " coalesce(bool_or(event = 'minute_exhausted' AND at >= :minute AND at < :minute_end), false),"
        " coalesce(bool_or(event = 'day_exhausted' AND at >= :day), false)"
        " FROM goldsignal.credit_uses WHERE vendor = :vendor AND at >= :day_grants"
    )
    day = minute.replace(hour=0, minute=0)
    parameters = {
        "vendor": vendor,
        "minute": minute,
        "minute_end": minute + timedelta(minutes=1),
        "minute_grants": minute - TRAVEL_TIME,
        "day": day,
        "day_grants": day - TRAVEL_TIME,
    }
    in_minute, in_day, minute_exhausted, day_exhausted = connection.execute(query, parameters).one()
    return CreditsUsed(int(in_minute), int(in_day), bool(minute_exhausted), bool(day_exhausted))


def _record(connection: Connection, *, vendor: str, at: datetime, event: str, credits: int) -> None:
    connection.execute(insert(CreditUse).values(vendor=vendor, at=at, event=event, credits=credits))


def _minute_start(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(second=0, microsecond=0)
