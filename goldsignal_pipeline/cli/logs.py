"""Log lines of the command line: standard-library records through loguru to standard error, secrets masked.

loguru is imported with the first record, and traces of unexpected errors go to `logs/cli.log` in the home folder.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings

_TEXT_FORMAT = "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> {message}"
_OURS = "goldsignal_pipeline"
_QUIET_LEVEL = logging.WARNING


def configure(settings: Settings) -> None:
    """Route the standard library's records through loguru with the level and form of the settings.

    Our own lines appear from `log_level` on, those of libraries from WARNING on.
    """
    from loguru import logger

    logger.remove()
    logger.configure(patcher=_mask_record)
    logger.add(
        sys.stderr,
        level=settings.log_level,
        format=_TEXT_FORMAT,
        serialize=settings.log_format == "json",
        colorize=sys.stderr.isatty() and settings.log_format == "text",
        backtrace=False,
        diagnose=False,
    )
    logging.basicConfig(handlers=[_LoguruHandler()], level=_QUIET_LEVEL, force=True)
    logging.getLogger(_OURS).setLevel(settings.log_level)


def mask(text: str) -> str:
    """The text without passwords and keys."""
    from goldsignal_pipeline.providers.redaction import redact

    return str(redact(text))


def write_trace(error: BaseException) -> Path | None:
    """Append the trace of an unexpected error to the log; None when it cannot be written."""
    from goldsignal_pipeline.settings import generated_path

    path = generated_path().parent / "logs" / "cli.log"
    text = mask("".join(traceback.format_exception(error)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {' '.join(sys.argv[1:2])}\n{text}\n")
    except OSError:
        return None
    return path


class _LoguruHandler(logging.Handler):
    """Hands each record to loguru with its level, name and exception."""

    def emit(self, record: logging.LogRecord) -> None:
        from loguru import logger

        level: str | int = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        logger.bind(logger=record.name).opt(exception=record.exc_info).log(level, "{}", record.getMessage())


def _mask_record(record: Any) -> None:
    record["message"] = mask(record["message"])
