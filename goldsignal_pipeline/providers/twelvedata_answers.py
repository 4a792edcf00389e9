"""What an answer of Twelve Data means: rows, an empty market, or a typed error. Pure: no clock, no network.

The service reports a failure by HTTP status, by `status` and `code` inside the body, or by both; an empty window is an
error with code 400; both kinds of used-up credits share code 429. Values are strings with 1 to 8 decimals, and the
labels are the opens of the bars in the zone that was asked for. Nothing here trusts that they are.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.errors import ProviderError
from goldsignal_pipeline.market.delivery import empty_rejected, empty_rows
from goldsignal_pipeline.market.prices import to_ticks
from goldsignal_pipeline.market.reasons import RejectReason
from goldsignal_pipeline.providers.base import (
    AuthenticationError,
    DayLimitError,
    FetchWindow,
    MinuteLimitError,
    PlanError,
    RequestError,
    UnexpectedAnswerError,
    VendorUnavailableError,
)
from goldsignal_pipeline.providers.redaction import Redactor
from goldsignal_pipeline.providers.transport import Answer

VENDOR_SYMBOL: Final = "XAU/USD"
PRICES: Final = ("open", "high", "low", "close")
FIELDS: Final = ("datetime", *PRICES)
_LABEL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
LABEL_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
_LEAST_ZONE_SHIFT: Final = timedelta(minutes=30)
_LONGEST_QUOTE: Final = 300
_LONGEST_PAYLOAD: Final = 1000
_KEY_FIX: Final = "Check GOLDSIGNAL_TWELVEDATA_API_KEY; a key can also be withdrawn by the vendor."
_PLAN_FIX: Final = (
    "Choose a plan of Twelve Data that includes XAU/USD time series, or set GOLDSIGNAL_PROVIDER=simulated, "
    "or import files of your own with `goldsignal import`."
)
_OUTAGE_FIX: Final = "Nothing to do: the next cycle asks again."
_SHAPE_FIX: Final = "The vendor's format has changed or something answers in its place; nothing was stored. Please report it."


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one answer.

    `rows` and `rejected` as in `Delivery`; `count` rows in the answer, readable or not; `oldest` and `newest` label.
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame
    count: int
    oldest: pd.Timestamp
    newest: pd.Timestamp


def read_body(answer: Answer, *, redactor: Redactor) -> dict[str, Any] | None:
    """The JSON object of a successful answer, numbers as the strings they were; None for an empty window."""
    body = _parse(answer.text)
    if isinstance(body, dict) and (body.get("status") == "error" or answer.status >= HTTPStatus.BAD_REQUEST):
        message = _quoted(body.get("message", ""), redactor)
        code = _code(body, http_status=answer.status)
        if code == HTTPStatus.BAD_REQUEST and "no data is available" in message.lower():
            return None
        raise _fault(code, message)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _fault_without_body(answer.status)
    if answer.status != HTTPStatus.OK:
        raise UnexpectedAnswerError(
            f"Twelve Data answered HTTP {answer.status} instead of data.", fix="Check GOLDSIGNAL_TWELVEDATA_BASE_URL."
        )
    if body is None:
        raise VendorUnavailableError(f"Twelve Data sent no JSON but {_kind(answer.text)}.", fix=_OUTAGE_FIX)
    if not isinstance(body, dict):
        raise UnexpectedAnswerError(f"Twelve Data sent a JSON {type(body).__name__}, expected an object.", fix=_SHAPE_FIX)
    return body


def read_page(body: dict[str, Any], *, interval: str, redactor: Redactor) -> Page | None:
    """The rows of a `/time_series` body, on the tick grid; None when it holds none."""
    values = _values(body, interval=interval, redactor=redactor)
    if not values:
        return None
    _expect_fields(values, redactor=redactor)
    labels = _labels([_text(value, "datetime") for value in values])
    if labels.isna().all():
        raise UnexpectedAnswerError(
            f"Twelve Data labels its rows {_quoted(_text(values[0], 'datetime'), redactor)}, expected YYYY-MM-DD HH:MM:SS.",
            fix=_SHAPE_FIX,
        )
    ticks: dict[str, np.ndarray[Any, Any]] = {}
    reasons = np.where(labels.isna(), RejectReason.UNREADABLE.value, "").astype(object)
    for name in PRICES:
        ticks[name], faults = to_ticks(pd.Series([_text(value, name) for value in values], dtype=object))
        reasons = np.where(reasons == "", faults, reasons)
    readable = reasons == ""
    return Page(
        rows=_rows(labels[readable], {name: ticks[name][readable] for name in PRICES}),
        rejected=_rejected(
            labels[~readable], reasons[~readable], [v for v, ok in zip(values, readable, strict=True) if not ok], redactor
        ),
        count=len(values),
        oldest=labels.min(),
        newest=labels.max(),
    )


def within(page: Page, *, window: FetchWindow, asked: FetchWindow, now: pd.Timestamp) -> Page:
    """The page without the overlap bars that were `asked` for beyond the `window`; bars of the future stay to be judged.

    Raises `UnexpectedAnswerError` when the labels do not fit the question.
    """
    span = f"rows from {page.oldest:%Y-%m-%d %H:%M} to {page.newest:%Y-%m-%d %H:%M}, asked for {_span(asked)}"
    if _is_displaced(page, asked=asked):
        raise UnexpectedAnswerError(
            f"Twelve Data labels its bars in another time zone than the UTC asked for ({span}).", fix=_SHAPE_FIX
        )
    for frame in (page.rows, page.rejected):
        label = frame["timestamp"]
        if ((label < asked.start) | ((label > asked.end) & (label <= now))).any():
            raise UnexpectedAnswerError(f"Twelve Data sent rows outside the window asked for ({span}).", fix=_SHAPE_FIX)
    rows, rejected = (_kept(frame, window=window, now=now) for frame in (page.rows, page.rejected))
    return replace(page, rows=rows, rejected=rejected)


def _is_displaced(page: Page, *, asked: FetchWindow) -> bool:
    """Whether the page as a whole lies beside its window, as labels of another zone do.

    A stray bar of the future moves only the newest label; in another zone the oldest has moved at least as far.
    """
    late = page.newest - asked.end
    if late > pd.Timedelta(0):
        least = max(_LEAST_ZONE_SHIFT, 2 * asked.timeframe.length)
        return bool(late >= least and page.oldest - asked.start >= late)
    early = asked.start - page.oldest
    return bool(early > pd.Timedelta(0) and asked.end - page.newest >= early)


def _parse(text: str) -> Any:
    """The JSON value with every number as its own text, None for anything that is no JSON."""
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _kind(text: str) -> str:
    stripped = text.lstrip()
    if not stripped:
        return "an empty body"
    return "a web page" if stripped.startswith("<") else "a broken or truncated text"


def _code(body: dict[str, Any], *, http_status: int) -> int:
    stated = str(body.get("code", ""))
    code = int(stated) if stated.isascii() and stated.isdigit() else 0
    if code >= HTTPStatus.BAD_REQUEST:
        return code
    if "run out of api credits" in str(body.get("message", "")).lower():
        return HTTPStatus.TOO_MANY_REQUESTS
    return http_status if http_status >= HTTPStatus.BAD_REQUEST else 0


def _fault(code: int, message: str) -> ProviderError:
    kind: type[ProviderError]
    lower = message.lower()
    match code:
        case HTTPStatus.UNAUTHORIZED:
            kind, fix = AuthenticationError, _KEY_FIX
        case HTTPStatus.FORBIDDEN:
            kind, fix = PlanError, _PLAN_FIX
        case HTTPStatus.NOT_FOUND if " plan" in lower:
            kind, fix = PlanError, _PLAN_FIX
        case HTTPStatus.TOO_MANY_REQUESTS if "for the day" in lower:
            # Tested before the minute: both carry the same code, and waiting a minute would cost a day of refusals.
            kind, fix = DayLimitError, "The vendor's day ends at 00:00 UTC; a larger plan has more calls."
        case HTTPStatus.TOO_MANY_REQUESTS:
            kind, fix = MinuteLimitError, "Another program may use the same key; the next minute has new credits."
        case _ if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind, fix = VendorUnavailableError, _OUTAGE_FIX
        case _ if code >= HTTPStatus.BAD_REQUEST:
            kind, fix = RequestError, "Check GOLDSIGNAL_TWELVEDATA_BASE_URL; otherwise please report it."
        case _:
            kind, fix = UnexpectedAnswerError, _SHAPE_FIX
    return kind(f'Twelve Data says: "{message}" ({code or "no code"}).', fix=fix)


def _fault_without_body(status: int) -> ProviderError:
    said = f"Twelve Data answered HTTP {status} without its usual explanation."
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return AuthenticationError(said, fix=_KEY_FIX)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return MinuteLimitError(said, fix="The next minute has new credits.")
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return VendorUnavailableError(said, fix=_OUTAGE_FIX)
        case _:
            return RequestError(
                said, fix="A proxy or firewall may stand between; check the network and GOLDSIGNAL_TWELVEDATA_BASE_URL."
            )


def _values(body: dict[str, Any], *, interval: str, redactor: Redactor) -> list[Any]:
    meta, values = body.get("meta"), body.get("values")
    if not isinstance(meta, dict) or not isinstance(values, list):
        found = _quoted(", ".join(sorted(body)), redactor)
        raise UnexpectedAnswerError(f"Twelve Data sent the fields {found}; expected meta and values.", fix=_SHAPE_FIX)
    for name, expected in (("symbol", VENDOR_SYMBOL), ("interval", interval)):
        if meta.get(name) != expected:
            raise UnexpectedAnswerError(
                f"Twelve Data sent the {name} {_quoted(meta.get(name), redactor)}, expected {expected!r}.", fix=_SHAPE_FIX
            )
    return values


def _expect_fields(values: list[Any], *, redactor: Redactor) -> None:
    """Refuse a field that is absent from every row: a renamed field is a new format, a single odd row is a bad row."""
    found = {str(name) for value in values if isinstance(value, dict) for name in value}
    missing = [name for name in FIELDS if name not in found]
    if missing:
        present = _quoted(", ".join(sorted(found)), redactor) or "none"
        raise UnexpectedAnswerError(
            f"Twelve Data's rows have no field {', '.join(missing)}; they have {present}.",
            fix=_SHAPE_FIX,
        )


def _quoted(value: Any, redactor: Redactor) -> str:
    return redactor.mask(str(value))[:_LONGEST_QUOTE]


def _text(value: Any, name: str) -> str:
    field = value.get(name) if isinstance(value, dict) else None
    return field if isinstance(field, str) else ""


def _labels(texts: list[str]) -> pd.Series[pd.Timestamp]:
    # Without the strict pattern pandas would read "now" and "today" by the clock of this machine.
    strict = [text if _LABEL.fullmatch(text) else "" for text in texts]
    return pd.to_datetime(pd.Series(strict), format=LABEL_FORMAT, errors="coerce", utc=True).astype("datetime64[us, UTC]")


def _rows(labels: pd.Series[pd.Timestamp], ticks: dict[str, np.ndarray[Any, Any]]) -> pd.DataFrame:
    if labels.empty:
        return empty_rows()
    frame = pd.DataFrame({"timestamp": labels.reset_index(drop=True), **ticks})
    return frame.assign(volume=np.nan)  # the vendor has no volume of gold


def _rejected(
    labels: pd.Series[pd.Timestamp], reasons: np.ndarray[Any, Any], values: list[Any], redactor: Redactor
) -> pd.DataFrame:
    if labels.empty:
        return empty_rejected()
    payloads = [redactor.mask(json.dumps(value, ensure_ascii=False))[:_LONGEST_PAYLOAD] for value in values]
    return pd.DataFrame(
        {
            "timestamp": labels.reset_index(drop=True),
            "reason": pd.Series(reasons, dtype="str"),
            "payload": pd.Series(payloads, dtype="str"),
        }
    )


def _kept(frame: pd.DataFrame, *, window: FetchWindow, now: pd.Timestamp) -> pd.DataFrame:
    label = frame["timestamp"]
    inside = (label >= window.start) & (label < window.end)
    return frame[inside | (label > now) | label.isna()].reset_index(drop=True)


def _span(window: FetchWindow) -> str:
    return f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M}"
