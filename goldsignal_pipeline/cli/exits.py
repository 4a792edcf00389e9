"""The exit codes of every command; the reference page and the help are made from this table."""

from __future__ import annotations

from typing import Final

from goldsignal_pipeline import errors

HEALTHY: Final = 0
UNHEALTHY: Final = 7
INTERRUPTED: Final = 130

EXIT_CODES: Final[dict[int, tuple[str, str]]] = {
    HEALTHY: ("done", "The command did what it was asked to do."),
    errors.GoldSignalError.exit_code: ("unexpected error", "A fault of the program; its trace is in `.goldsignal/logs/cli.log`."),
    errors.UsageError.exit_code: ("usage or setting", "An option, argument or setting cannot be meant; nothing was started."),
    errors.DataError.exit_code: ("data", "Data contradict a rule of the market; a retry cannot help."),
    errors.StorageError.exit_code: ("database", "The database cannot do what was asked, or cannot be reached."),
    errors.ServiceError.exit_code: ("service", "A process of ours did not start, answer or stop."),
    errors.ProviderError.exit_code: ("vendor", "A source of candles failed."),
    UNHEALTHY: ("not healthy", "`status`, `doctor` or `prove` found something wrong and says what."),
    INTERRUPTED: ("interrupted", "Stopped by Ctrl-C."),
}


def hint() -> str:
    """The codes in one line, for the help."""
    return "Exit codes: " + ", ".join(f"{code} {short}" for code, (short, _) in EXIT_CODES.items()) + "."
