"""Faults of the database told as what happened, what was done, and what helps; never with a password in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
import sqlalchemy.exc

from goldsignal_pipeline.errors import StorageError


class DatabaseError(StorageError):
    """A fault of the database; `retryable` says whether the same work may succeed when simply done again.

    `sqlstate` is PostgreSQL's five-letter code, empty when the server never answered; `constraint` is the name of the rule that
    rows break, empty when none does.
    """

    def __init__(
        self, what: str, *, done: str = "", fix: str = "", retryable: bool = False, sqlstate: str = "", constraint: str = ""
    ) -> None:
        super().__init__(what, done=done, fix=fix)
        self.retryable = retryable
        self.sqlstate = sqlstate
        self.constraint = constraint


@dataclass(frozen=True, slots=True)
class _Explanation:
    what: str
    fix: str
    retryable: bool


_ROLLED_BACK: Final = "Nothing of this transaction was stored."
_AGAIN: Final = "Run it again."
_CORRECT: Final = "The rows must be corrected; running it again cannot help."
_LONGEST_DETAIL: Final = 200

# By SQLSTATE, or by its class (first two characters) where no code is listed.
_EXPLANATIONS: Final[dict[str, _Explanation]] = {
    "40P01": _Explanation("Two transactions waited for each other and this one was ended (deadlock).", _AGAIN, True),
    "40001": _Explanation("Another transaction changed the same rows first.", _AGAIN, True),
    "55P03": _Explanation("A lock was not free in time.", _AGAIN, True),
    "57014": _Explanation(
        "A statement took longer than it is allowed.", "Run it again, with a smaller range if it repeats.", True
    ),
    "57P": _Explanation("The database server ended the connection.", _AGAIN, True),
    "53100": _Explanation("The disk of the database is full.", "Free some space on it and run it again.", False),
    "53300": _Explanation("The database server has no connection left.", "Close other clients or raise max_connections.", True),
    "53": _Explanation("The database server is short of resources.", "Look into its log and run it again.", True),
    "25006": _Explanation(
        "The database accepts no writes.", "Connect to the primary, or lift default_transaction_read_only.", False
    ),
    "28": _Explanation("The database refuses the user or the password.", "Check GOLDSIGNAL_DATABASE_URL.", False),
    "3D000": _Explanation("The database does not exist.", "Create it, or check GOLDSIGNAL_DATABASE_URL.", False),
    "42501": _Explanation("The database user may not do this.", "Connect as the owner of schema goldsignal.", False),
    "42P01": _Explanation("A table is missing: the database was not migrated.", "Run `goldsignal up`, which migrates it.", False),
    "42703": _Explanation(
        "A column is missing: the database was not migrated.", "Run `goldsignal up`, which migrates it.", False
    ),
    "23505": _Explanation("A row of this key is there already.", _CORRECT, False),
    "23503": _Explanation("A row needs another that is not there, or is needed by one.", _CORRECT, False),
    "23514": _Explanation("A row breaks a rule of its table.", _CORRECT, False),
    "23502": _Explanation("A value that every row needs is missing.", _CORRECT, False),
    "23001": _Explanation("Rows that were published, or that only grow, were to be changed.", "Add a row instead.", False),
    "23": _Explanation("Rows break a rule of the database.", _CORRECT, False),
    "22003": _Explanation("A number does not fit its column.", _CORRECT, False),
    "22": _Explanation("A value is not of the form its column needs.", _CORRECT, False),
    "08": _Explanation("The connection to the database broke.", _AGAIN, True),
}
# A refused connection carries no SQLSTATE through the client library, only the server's words.
_REFUSALS: Final[dict[str, str]] = {
    "password": "28",
    "pg_hba.conf": "28",
    "role": "28",
    "too many clients": "53300",
    "remaining connection slots": "53300",
    "starting up": "57P",
    "shutting down": "57P",
    "does not exist": "3D000",
}
_UNREACHABLE: Final = _Explanation(
    "The database does not answer.", "Is it running? `goldsignal up` starts the embedded one; else check its address.", True
)
_DROPPED: Final = _EXPLANATIONS["08"]
_OTHER: Final = _Explanation("The database refused a statement.", "See the message of the server.", False)
_POOL: Final = _Explanation("Every connection of this process is in use.", "Let other work finish and run it again.", True)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `DatabaseError` for whatever the driver or SQLAlchemy raises inside; other errors pass."""
    try:
        yield
    except sqlalchemy.exc.TimeoutError as error:
        raise _told(_POOL, detail="", sqlstate="") from error
    except sqlalchemy.exc.DBAPIError as error:
        raise explain(error.orig) from error
    except psycopg.Error as error:
        raise explain(error) from error


def explain(error: BaseException | None) -> DatabaseError:
    """The `DatabaseError` that tells an error of the driver."""
    sqlstate = getattr(error, "sqlstate", None) or ""
    diagnostic = getattr(error, "diag", None)
    detail = getattr(diagnostic, "message_primary", None) or ""
    if sqlstate:
        found = next((_EXPLANATIONS[key] for key in (sqlstate, sqlstate[:3], sqlstate[:2]) if key in _EXPLANATIONS), _OTHER)
        constraint = getattr(diagnostic, "constraint_name", None) or ""
        # The key of a row comes first in its detail; the rest of a long one helps nobody.
        row = (getattr(diagnostic, "message_detail", None) or "")[:_LONGEST_DETAIL] if sqlstate.startswith("23") else ""
        return _told(found, detail=": ".join(filter(None, (detail, row))), sqlstate=sqlstate, constraint=constraint)
    if isinstance(error, psycopg.errors.ConnectionTimeout) or "connection failed" in str(error):
        return _told(_refusal(_last_line(error)), detail=_last_line(error), sqlstate="")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return _told(_DROPPED, detail=_last_line(error), sqlstate="")
    return _told(_OTHER, detail=_last_line(error), sqlstate="")


def _refusal(line: str) -> _Explanation:
    if "FATAL" not in line:
        return _UNREACHABLE
    return next((_EXPLANATIONS[code] for words, code in _REFUSALS.items() if words in line), _UNREACHABLE)


def _told(explanation: _Explanation, *, detail: str, sqlstate: str, constraint: str = "") -> DatabaseError:
    what = f"{explanation.what} ({detail})" if detail else explanation.what
    return DatabaseError(
        what,
        done=_ROLLED_BACK,
        fix=explanation.fix,
        retryable=explanation.retryable,
        sqlstate=sqlstate,
        constraint=constraint,
    )


def _last_line(error: BaseException | None) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else ""
