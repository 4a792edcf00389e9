"""Log lines of the command line and the API: standard-library records through loguru to standard error, secrets masked.

Traces of unexpected errors go to `logs/cli.log` in the home folder. loguru and the masker are imported with the first use.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings

_TEXT_FORMAT: Final = "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> {message}"
_OURS: Final = "goldsignal_pipeline"
_secrets: set[str] = set()


def configure(settings: Settings) -> None:
    """Route the standard library's records through loguru with the level and form of the settings.

    Our own lines appear from `log_level` on, those of libraries from WARNING on.
    """
    from loguru import logger

    from goldsignal_pipeline.providers.redaction import RedactingFilter

    _secrets.update(settings.secrets())
    logger.remove()
    logger.add(
        sys.stderr,
        level=settings.log_level,
        format=_TEXT_FORMAT,
        serialize=settings.log_format == "json",
        colorize=sys.stderr.isatty() and settings.log_format == "text",
        backtrace=False,
        diagnose=False,
    )
    handler = _LoguruHandler()
    handler.addFilter(RedactingFilter(_secrets))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(_OURS).setLevel(settings.log_level)
    # Warnings of libraries are for who develops with them, not for who runs a command.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.DEBUG if settings.log_level == "DEBUG" else logging.ERROR)


def mask(text: str) -> str:
    """The text without the secrets of the settings and without anything shaped like one."""
    from goldsignal_pipeline.providers.redaction import Redactor

    return Redactor(_secrets).mask(text)


def write_trace(error: BaseException) -> Path | None:
    """Append the trace of an unexpected error to the log; None when it cannot be written."""
    from goldsignal_pipeline.settings import generated_path

    path = generated_path().parent / "logs" / "cli.log"
    text = mask("".join(traceback.format_exception(error)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} goldsignal {' '.join(sys.argv[1:2])}\n{text}\n")
    except OSError:
        return None
    return path


class _LoguruHandler(logging.Handler):
    """Hands each record to loguru with its level, logger name and exception."""

    def emit(self, record: logging.LogRecord) -> None:
        from loguru import logger

        level: str | int = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        # A masked trace arrives as text, because the exception itself would print its original.
        text = record.getMessage() + (f"\n{record.exc_text}" if record.exc_text and not record.exc_info else "")
        logger.bind(logger=record.name).opt(exception=record.exc_info).log(level, "{}", text)
