"""What `doctor` looks at in the database: reachable, new enough, migrated, roles, clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.cli.findings import Finding, note, ok, problem
from goldsignal_pipeline.errors import StorageError

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

ROLES: Final = ("goldsignal_owner", "goldsignal_writer", "goldsignal_reader")
NOTICED_SKEW: Final = timedelta(seconds=2)
HARMFUL_SKEW: Final = timedelta(seconds=30)


def server(database: Database) -> Finding:
    """Does the server answer, is it new enough, does it take writes?"""
    try:
        facts = database.check()
    except StorageError as error:
        return problem("database", error.what, fix=error.fix)
    return ok("database", f"PostgreSQL {facts.version}")


def migrations(database: Database) -> Finding:
    """Is the schema that of this release?"""
    from goldsignal_pipeline.storage.migrations import pending

    try:
        waiting = pending(database.url.render_as_string(hide_password=False))
    except StorageError as error:
        return problem("migrations", error.what, fix=error.fix)
    if waiting:
        return problem(
            "migrations", f"{len(waiting)} not applied: {', '.join(waiting)}", fix="Run `goldsignal up`, which migrates."
        )
    return ok("migrations", "up to date")


def roles(database: Database) -> Finding:
    """Do the roles exist that keep readers from writing?"""
    from sqlalchemy import text

    with database.transaction(read_only=True) as connection:
        found = set(
            connection.execute(text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)"), {"names": list(ROLES)}).scalars()
        )
    missing = [role for role in ROLES if role not in found]
    if missing:
        return note("roles", f"missing: {', '.join(missing)}", fix="Ask the server's administrator to create them, NOLOGIN.")
    return ok("roles", "owner, writer and reader exist")


def clock(database: Database) -> Finding:
    """Do the clocks of this machine and of the database agree? Closed bars are told by this machine's."""
    from sqlalchemy import text

    with database.transaction(read_only=True) as connection:
        before = datetime.now(UTC)
        theirs = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        after = datetime.now(UTC)
    return judge_clock(theirs - (before + (after - before) / 2))


def judge_clock(skew: timedelta) -> Finding:
    """The finding for a database clock that is ahead of ours by `skew` (behind when negative)."""
    seconds = skew.total_seconds()
    detail = f"database {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine"
    if abs(skew) > HARMFUL_SKEW:
        return problem("clock", detail, fix="Set the clocks by NTP; a wrong clock takes forming bars for closed ones.")
    return note("clock", detail, fix="Set the clocks by NTP.") if abs(skew) > NOTICED_SKEW else ok("clock", "agrees")


def months(database: Database, settings: Settings) -> Finding:
    """Is every month in line with what it is made of?"""
    from goldsignal_pipeline.cli.months import behind
    from goldsignal_pipeline.cli.status_record import months_finding

    return months_finding(behind(database, settings), now=datetime.now(UTC))
