"""Keeps secrets out of text: one masker for messages, payloads and log records (invariant I18).

Known secrets are masked wherever they occur, also percent-encoded; besides, anything that has the shape of a credential
(an `apikey=` parameter, an `Authorization` value, a password inside an address, a bot token) is masked although nobody
announced it. A shell attaches `RedactingFilter` to its handlers, or calls `redact_every_record` once to cover the
handlers of other people too.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus

MASK: Final = "**********"
_SHORTEST_SECRET: Final = 4

_CREDENTIAL_SHAPES: Final = (
    re.compile(r"(?i)(?P<keep>\b(?:api_?key|token|access_token|password)=)[^&\s\"'<>]+"),
    re.compile(r"(?i)(?P<keep>\bauthorization['\"]?\s*[:=]\s*b?['\"]?(?:apikey|bearer|basic)\s+)[^\s\"',;<>]+"),
    re.compile(r"(?P<keep>://[^:/@\s]+:)[^@/\s]+(?=@)"),
    re.compile(r"(?P<keep>/bot)\d+:[A-Za-z0-9_-]+"),
)
_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Redactor:
    """Masks a fixed set of secrets in text. Its own representation shows none of them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings: set[str] = set()
        for secret in secrets:
            # A shorter secret would blank out ordinary words; the shapes below still catch it where it stands in place.
            if len(secret) >= _SHORTEST_SECRET:
                spellings |= {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
        ordered = sorted(spellings, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __repr__(self) -> str:
        return "Redactor()"

    def mask(self, text: str) -> str:
        """The text with every secret replaced by `MASK`."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for shape in _CREDENTIAL_SHAPES:
            text = shape.sub(rf"\g<keep>{MASK}", text)
        return text


class RedactingFilter(logging.Filter):
    """Masks secrets in the message, the traceback and the extra fields of every record it sees; drops none.

    Attach it to handlers: a filter on a logger does not see the records of that logger's children.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._redactor = Redactor(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place where it holds a secret."""
        redact_record(record, redactor=self._redactor)
        return True


def redact_record(record: logging.LogRecord, *, redactor: Redactor) -> None:
    """Mask one record in place; a record without secrets keeps its arguments and its exception."""
    message = _message(record)
    masked = redactor.mask(message)
    if masked != message:
        record.msg, record.args = masked, ()
    if record.exc_info and record.exc_info[0] is not None:
        trace = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if redactor.mask(trace) != trace:
            # `exc_info` would let a handler print the original again.
            record.exc_info, record.exc_text = None, redactor.mask(trace)
    if record.exc_text:
        record.exc_text = redactor.mask(record.exc_text)
    if record.stack_info:
        record.stack_info = redactor.mask(record.stack_info)
    for name in set(vars(record)) - _STANDARD_ATTRIBUTES:
        setattr(record, name, _masked_value(getattr(record, name), redactor=redactor))


def redact_every_record(secrets: Iterable[str]) -> None:
    """Mask every record of this process at its birth, whichever handler it will reach.

    Fields given as `extra` are added after birth; `RedactingFilter` on a handler covers those.
    """
    redactor = Redactor(secrets)
    inner = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = inner(*args, **kwargs)
        redact_record(record, redactor=redactor)
        return record

    logging.setLogRecordFactory(factory)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a faulty log call must not break the program, and logging itself will report it
        return f"{record.msg} {record.args}"


def _masked_value(value: Any, *, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redactor.mask(value)
    text = repr(value)
    return value if redactor.mask(text) == text else redactor.mask(text)
