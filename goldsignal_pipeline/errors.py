"""The one tree of errors: each says what happened, what was done about it, and what the user can do."""

from __future__ import annotations


class GoldSignalError(Exception):
    """A fault with a cause (`what`), the reaction of the program (`done`) and a remedy (`fix`).

    `retryable` says whether the same work may succeed when simply done again.
    """

    exit_code = 1
    retryable = False

    def __init__(self, what: str, *, done: str = "", fix: str = "") -> None:
        self.what = what
        self.done = done
        self.fix = fix
        super().__init__(" ".join(part for part in (what, done, fix) if part))


class SettingsError(GoldSignalError):
    """A setting is unknown, malformed or contradicts another."""

    exit_code = 2


class UsageError(GoldSignalError):
    """The user asked for something that cannot be meant."""

    exit_code = 2


class DataError(GoldSignalError):
    """Data contradict a rule of the market; a retry cannot help."""

    exit_code = 3


class StorageError(GoldSignalError):
    """The database cannot do what was asked."""

    exit_code = 4


class ServiceError(GoldSignalError):
    """A process of ours (database server, web server, daemon) did not start, answer or stop."""

    exit_code = 5


class ProviderError(GoldSignalError):
    """A source of candles failed; subclasses in `providers.base` say how."""

    exit_code = 6


class DayLimitError(ProviderError):
    """The limit of calls per day is used up (429 or our own budget); only tomorrow helps."""
