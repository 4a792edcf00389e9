"""Twelve Data's XAU/USD as a provider: pages of bars within a shared budget of calls.

1. `pages` cuts a window into questions that fit one answer, with a bar of overlap on both sides, because an answer that
   would hold more than 5000 rows loses some of them silently and the edges of a window are not documented.
2. Every attempt takes a credit from the budget before it calls (`_attempt`), waiting when the minute is used up.
3. `retrying` repeats outages and used-up minutes; every other error passes through typed.
4. `twelvedata_answers` reads the body; a full answer that misses an end of its window is continued on that side.

The forming bar, closed-hour filler and absurd prices are delivered as they came: the core judges them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pandas as pd
from pydantic import SecretStr

from goldsignal_pipeline.errors import SettingsError, UsageError
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.sources import REAL_SYMBOL, Side, Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import (
    CreditBudget,
    DayLimitError,
    FetchWindow,
    MinuteLimitError,
    UnexpectedAnswerError,
)
from goldsignal_pipeline.providers.redaction import Redactor
from goldsignal_pipeline.providers.retrying import retrying
from goldsignal_pipeline.providers.transport import Timeouts, get
from goldsignal_pipeline.providers.twelvedata_answers import LABEL_FORMAT, VENDOR_SYMBOL, Page, read_body, read_page, within

logger = logging.getLogger(__name__)

VENDOR: Final = "twelvedata"
ROWS_PER_ANSWER: Final = 5000
BARS_PER_PAGE: Final = ROWS_PER_ANSWER - 2
"""Bars asked for at once: an answer also holds one bar of overlap at each end."""

_INTERVALS: Final = {
    Timeframe.M1: "1min",
    Timeframe.M5: "5min",
    Timeframe.M15: "15min",
    Timeframe.M30: "30min",
    Timeframe.H1: "1h",
}
_MOST_WAITS: Final = 60


@dataclass(frozen=True, slots=True)
class Usage:
    """Credits as the vendor counts them."""

    minute_used: int
    minute_limit: int
    day_used: int
    day_limit: int


class TwelveDataProvider:
    """Fulfils `providers.base.Provider` for XAUUSD; the key is sent in a header only and shown nowhere."""

    def __init__(
        self,
        *,
        api_key: SecretStr,
        base_url: str,
        budget: CreditBudget,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        base_timeframe: Timeframe = Timeframe.M5,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    ) -> None:
        self._auth = _ApiKey(_checked_key(api_key))
        self._base_url = _checked_url(base_url)
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._base_timeframe = _checked_timeframe(base_timeframe)
        self._timeouts = timeouts
        self._redactor = Redactor([api_key.get_secret_value()])

    def __repr__(self) -> str:
        return f"TwelveDataProvider(base_timeframe={self._base_timeframe})"

    @property
    def symbol(self) -> str:
        """The symbol under which its rows are stored."""
        return REAL_SYMBOL

    @property
    def source(self) -> Source:
        """Vendor and side of every row; its quotes lie between bid and ask."""
        return Source(vendor=VENDOR, side=Side.MID)

    @property
    def base_timeframe(self) -> Timeframe:
        """The timeframe the live cycle asks for."""
        return self._base_timeframe

    @property
    def page_bars(self) -> int:
        """How many slots of its timeframe one call answers at most."""
        return BARS_PER_PAGE

    def calls_needed(self, window: FetchWindow) -> int:
        """Credits that `fetch` of this window takes, not counting attempts that fail."""
        return len(pages(window, now=self._clock()))

    def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
        """Deliver the bars that open in the window, oldest page first; an empty market delivers nothing.

        Each page is asked for when it is consumed. Raises the errors of `providers.base`.
        """
        for page in pages(window, now=self._clock()):
            yield from self._fetch_page(page)

    def usage(self) -> Usage:
        """The vendor's own count of credits; costs a call of the budget like any other."""
        body = self._call("/api_usage", {}) or {}
        try:
            return Usage(
                minute_used=int(body["current_usage"]),
                minute_limit=int(body["plan_limit"]),
                day_used=int(body["daily_usage"]),
                day_limit=int(body["plan_daily_limit"]),
            )
        except (KeyError, TypeError, ValueError):
            raise UnexpectedAnswerError(
                f"Twelve Data's usage has the fields {self._redactor.mask(', '.join(sorted(body))) or 'none'}."
            ) from None

    def _fetch_page(self, window: FetchWindow) -> Iterator[Delivery]:
        pending = [window]
        while pending:
            part = pending.pop()
            page = self._ask(part)
            if page is None:
                continue
            if len(page.rows) or len(page.rejected):
                yield Delivery(source=self.source, timeframe=part.timeframe, rows=page.rows, rejected=page.rejected)
            pending.extend(_rest(part, page))

    def _ask(self, window: FetchWindow) -> Page | None:
        step, interval = window.timeframe.length, _INTERVALS[window.timeframe]
        asked = FetchWindow(timeframe=window.timeframe, start=window.start - step, end=window.end)
        body = self._call(
            "/time_series",
            {
                "symbol": VENDOR_SYMBOL,
                "interval": interval,
                "start_date": asked.start.strftime(LABEL_FORMAT),
                "end_date": asked.end.strftime(LABEL_FORMAT),
                # Without it the dates are read as UTC and the labels come back in Sydney's time.
                "timezone": "UTC",
                "order": "desc",
                "outputsize": str(ROWS_PER_ANSWER),
            },
        )
        page = read_page(body, interval=interval, redactor=self._redactor) if body is not None else None
        if page is None:
            return None
        return within(page, window=window, asked=asked, now=pd.Timestamp(self._clock()))

    def _call(self, path: str, params: dict[str, str]) -> dict[str, Any] | None:
        policy = retrying(sleep=self._sleep, clock=self._clock)
        answer: dict[str, Any] | None = policy(self._attempt, path, params)
        return answer

    def _attempt(self, path: str, params: dict[str, str]) -> dict[str, Any] | None:
        self._take_credit()
        answer = get(f"{self._base_url}{path}", params=params, auth=self._auth, timeouts=self._timeouts, vendor="Twelve Data")
        try:
            return read_body(answer, redactor=self._redactor)
        except MinuteLimitError:
            self._budget.exhausted(vendor=VENDOR, scope="minute", now=self._clock())
            raise
        except DayLimitError:
            self._budget.exhausted(vendor=VENDOR, scope="day", now=self._clock())
            raise

    def _take_credit(self) -> None:
        for _ in range(_MOST_WAITS):
            seconds = self._budget.acquire(vendor=VENDOR, credits=1, now=self._clock())
            if seconds <= 0:
                return
            logger.info("Waiting %.0f s for a credit of Twelve Data.", seconds)
            self._sleep(seconds)
        raise MinuteLimitError(
            f"No credit of Twelve Data was free in {_MOST_WAITS} tries.",
            done="Nothing was called.",
            fix="Other runs use the whole budget; let them end or raise GOLDSIGNAL_TWELVEDATA_CREDITS_PER_MINUTE to your plan's.",
        )


def pages(window: FetchWindow, *, now: datetime) -> list[FetchWindow]:
    """Cut a window into questions of at most `BARS_PER_PAGE` bars, oldest first; the future costs no credit."""
    step = _checked_timeframe(window.timeframe).length
    start = _ceil(window.start.astimezone(UTC), step=step)
    end = min(_ceil(window.end.astimezone(UTC), step=step), _ceil(now.astimezone(UTC), step=step))
    length = step * BARS_PER_PAGE
    result = []
    while start < end:
        result.append(FetchWindow(timeframe=window.timeframe, start=start, end=min(start + length, end)))
        start += length
    return result


def _rest(window: FetchWindow, page: Page) -> list[FetchWindow]:
    """What a full answer lost of its window, at whichever end the vendor cut it."""
    if page.count < ROWS_PER_ANSWER:
        return []
    step = window.timeframe.length
    oldest, newest = page.oldest.to_pydatetime(), page.newest.to_pydatetime()
    rest = []
    if oldest > window.start:
        rest.append(FetchWindow(timeframe=window.timeframe, start=window.start, end=min(oldest, window.end)))
    if newest < window.end - step:
        rest.append(FetchWindow(timeframe=window.timeframe, start=max(newest + step, window.start), end=window.end))
    if window in rest:
        raise UnexpectedAnswerError(
            f"Twelve Data filled {page.count} rows without a bar of the window from {window.start:%Y-%m-%d %H:%M}."
        )
    return rest


def _ceil(instant: datetime, *, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + -((epoch - instant) // step) * step


def _checked_timeframe(timeframe: Timeframe) -> Timeframe:
    if timeframe not in _INTERVALS:
        raise UsageError(
            f"Twelve Data's {timeframe} bars are not fetched: where they begin is not documented.",
            fix=f"Ask for {', '.join(_INTERVALS)}; {timeframe} is derived from them.",
        )
    return timeframe


def _checked_key(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not (text and text.isascii() and text.isprintable() and " " not in text):
        # Such a key would be quoted by the HTTP library when it refuses to send it.
        raise SettingsError(
            "GOLDSIGNAL_TWELVEDATA_API_KEY is empty or holds spaces or characters that no key has.",
            done="Nothing was called.",
            fix="Copy the key again, without quotes or line ends.",
        )
    return key


def _checked_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url.rstrip("/"))
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise SettingsError(
            "GOLDSIGNAL_TWELVEDATA_BASE_URL is no http or https address.", fix="The default is https://api.twelvedata.com."
        )
    return str(url)


class _ApiKey(httpx.Auth):
    """Puts the key into the header at the last moment, so that no client, request line or log holds it."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"apikey {self._key.get_secret_value()}"
        yield request
