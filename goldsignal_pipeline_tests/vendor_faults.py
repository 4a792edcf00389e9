"""What can go wrong at a vendor of candles: one name per row of the fault matrix, and what each does to an answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any
from zoneinfo import ZoneInfo

LABEL = "%Y-%m-%d %H:%M:%S"
Rows = list[dict[str, Any]]


class Fault(StrEnum):
    """A fault of one call."""

    KEY_REFUSED = auto()
    FORBIDDEN = auto()
    PLAN_GATE = auto()
    MINUTE_LIMIT = auto()
    DAY_LIMIT = auto()
    ERROR_500 = auto()
    ERROR_502 = auto()
    ERROR_503 = auto()
    WEB_PAGE = auto()
    TRUNCATED_JSON = auto()
    ERROR_INSIDE_200 = auto()
    EMPTY_WINDOW = auto()
    SILENCE = auto()
    TRICKLE = auto()
    TRICKLED_HEADERS = auto()
    RESET = auto()
    BROKEN_BODY = auto()
    UNSORTED = auto()
    DUPLICATES = auto()
    CONFLICTING_DUPLICATE = auto()
    FUTURE_BAR = auto()
    SYDNEY_LABELS = auto()
    HIGH_BELOW_LOW = auto()
    ZERO_PRICE = auto()
    NEGATIVE_PRICE = auto()
    NOT_A_NUMBER = auto()
    HUGE_PRICE = auto()
    MANY_DECIMALS = auto()
    RENAMED_FIELD = auto()
    OTHER_SYMBOL = auto()
    OTHER_PRICES = auto()


_PLANS = "https://twelvedata.com/pricing"
MINUTE_MESSAGE = (
    "You have run out of API credits for the current minute. {used} API credits were used, with the current limit being "
    f"{{limit}}. Wait for the next minute or consider switching to a higher tier plan at {_PLANS}"
)
DAY_MESSAGE = (
    "You have run out of API credits for the day. {used} API credits were used, with the current limit being {limit}. "
    f"Wait for the next day or consider switching to a higher tier plan at {_PLANS}"
)
KEY_MESSAGE = (
    "**apikey** parameter is incorrect or not specified. You can get your free API key instantly following this link: "
    f"{_PLANS}. If you believe that everything is correct, you can contact us"
)
SYMBOL_MESSAGE = (
    "**symbol** or **figi** parameter is missing or invalid. Please provide a valid symbol according to API documentation"
)
NO_DATA_MESSAGE = "No data is available on the specified dates. Try setting different start/end dates."

ERRORS: dict[Fault, tuple[int, str]] = {
    Fault.KEY_REFUSED: (401, KEY_MESSAGE),
    Fault.FORBIDDEN: (
        403,
        f"/time_series is available exclusively with grow or pro plans. Consider upgrading your API Key now at {_PLANS}",
    ),
    Fault.PLAN_GATE: (
        404,
        f"This symbol is available starting with the Grow or Venture plan. Consider upgrading now at {_PLANS}",
    ),
    Fault.MINUTE_LIMIT: (429, MINUTE_MESSAGE.format(used=12, limit=8)),
    Fault.DAY_LIMIT: (429, DAY_MESSAGE.format(used=1316, limit=800)),
    Fault.ERROR_500: (500, "Internal server error"),
    Fault.EMPTY_WINDOW: (400, NO_DATA_MESSAGE),
}
"""Faults that the vendor explains in JSON: code and message."""

WEB_PAGES: dict[Fault, tuple[int, str]] = {
    Fault.ERROR_502: (502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"),
    Fault.ERROR_503: (503, "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"),
    Fault.WEB_PAGE: (200, "<!DOCTYPE html><html><body>Checking your browser before you proceed</body></html>"),
}
"""Faults that somebody between us and the vendor answers with a page."""


def distort(fault: Fault | None, body: dict[str, Any], *, now: datetime, minutes: int) -> None:
    """Apply a fault of rows (newest first) to a successful body in place."""
    rows: Rows = body["values"]
    if fault is Fault.OTHER_SYMBOL:
        body["meta"]["symbol"] = "XAG/USD"
    if fault in _OF_ROWS:
        _OF_ROWS[fault](rows)
    if fault is Fault.FUTURE_BAR:
        ahead = now + timedelta(minutes=minutes)
        label = ahead.replace(minute=ahead.minute // minutes * minutes if minutes < 60 else 0, second=0, microsecond=0)
        rows.insert(0, {**rows[0], "datetime": label.strftime(LABEL)})


def _each(change: Callable[[dict[str, Any]], None]) -> Callable[[Rows], None]:
    def apply(rows: Rows) -> None:
        for row in rows:
            change(row)

    return apply


def _one(**fields: str) -> Callable[[Rows], None]:
    """Spoil the third newest row, which is closed and settled."""

    def apply(rows: Rows) -> None:
        rows[2].update(fields)

    return apply


def _shuffle(rows: Rows) -> None:
    random.Random(5).shuffle(rows)


def _repeat(rows: Rows) -> None:
    rows[:] = [dict(row) for row in rows for _ in range(2)]


def _contradict(rows: Rows) -> None:
    rows.insert(2, {**rows[2], "close": rows[2]["open"], "high": f"{float(rows[2]['high']) + 1:.2f}"})


def _to_sydney(row: dict[str, Any]) -> None:
    label = datetime.strptime(row["datetime"], LABEL).replace(tzinfo=ZoneInfo("UTC"))
    row["datetime"] = label.astimezone(ZoneInfo("Australia/Sydney")).strftime(LABEL)


def _swap_extremes(rows: Rows) -> None:
    rows[2]["high"], rows[2]["low"] = f"{float(rows[2]['low']) - 1:.5f}", f"{float(rows[2]['high']) + 1:.5f}"


def _vary_decimals(rows: Rows) -> None:
    for index, row in enumerate(rows):
        for name in ("open", "high", "low", "close"):
            row[name] = f"{float(row[name]):.{index % 8 + 1}f}"


def _rename(row: dict[str, Any]) -> None:
    row["c"] = row.pop("close")


def _to_silver(row: dict[str, Any]) -> None:
    for name in ("open", "high", "low", "close"):
        row[name] = f"{float(row[name]) / 80:.5f}"


_OF_ROWS: dict[Fault | None, Callable[[Rows], None]] = {
    Fault.UNSORTED: _shuffle,
    Fault.DUPLICATES: _repeat,
    Fault.CONFLICTING_DUPLICATE: _contradict,
    Fault.SYDNEY_LABELS: _each(_to_sydney),
    Fault.HIGH_BELOW_LOW: _swap_extremes,
    Fault.ZERO_PRICE: _one(low="0"),
    Fault.NEGATIVE_PRICE: _one(low="-4012.50"),
    Fault.NOT_A_NUMBER: _one(close="NaN"),
    Fault.HUGE_PRICE: _one(high="1e9"),
    Fault.MANY_DECIMALS: _vary_decimals,
    Fault.RENAMED_FIELD: _each(_rename),
    Fault.OTHER_PRICES: _each(_to_silver),
}
