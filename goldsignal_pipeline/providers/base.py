"""The protocols a source of candles fulfils, and the errors it may raise.

A provider fetches closed and forming bars alike, as delivered; judging them is the core's work. It never retries what
cannot succeed, and it never makes a call that the credit budget has not granted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from goldsignal_pipeline.errors import DayLimitError, ProviderError
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.sources import Source
from goldsignal_pipeline.market.timeframes import Timeframe

__all__ = [
    "AuthenticationError",
    "CreditBudget",
    "DayLimitError",
    "FetchWindow",
    "MinuteLimitError",
    "PlanError",
    "Provider",
    "RequestError",
    "UnexpectedAnswerError",
    "VendorUnavailableError",
]


class AuthenticationError(ProviderError):
    """The vendor refuses the key (401)."""


class PlanError(ProviderError):
    """The key is good but the plan does not include what was asked (403, plan-gate 404)."""


class RequestError(ProviderError):
    """The vendor says the request itself is wrong (other 4xx)."""


class MinuteLimitError(ProviderError):
    """The vendor's limit of calls per minute is used up (429); waiting helps."""


class VendorUnavailableError(ProviderError):
    """The vendor answers 5xx, times out, resets, or sends no JSON; a retry may help."""

    retryable = True


class UnexpectedAnswerError(ProviderError):
    """The answer has another shape than agreed (renamed field, other symbol); a retry cannot help."""


class CreditBudget(Protocol):
    """A budget of vendor calls shared by every process."""

    def acquire(self, *, vendor: str, credits: int, now: datetime) -> float:
        """Take `credits` and return 0.0, or take nothing and return the seconds to wait.

        Raises `DayLimitError` when the day's budget is used up.
        """
        ...

    def exhausted(self, *, vendor: str, scope: str, now: datetime) -> None:
        """Record that the vendor itself reported `scope` ("minute" or "day") as used up."""
        ...


@dataclass(frozen=True, slots=True)
class FetchWindow:
    """Bars of one timeframe that open in [start, end), both aware UTC."""

    timeframe: Timeframe
    start: datetime
    end: datetime


class Provider(Protocol):
    """A source of candles for one symbol."""

    @property
    def symbol(self) -> str:
        """The symbol under which its rows are stored."""
        ...

    @property
    def source(self) -> Source:
        """Vendor and side of every row it delivers."""
        ...

    @property
    def base_timeframe(self) -> Timeframe:
        """The timeframe the live cycle asks for."""
        ...

    @property
    def page_bars(self) -> int:
        """How many slots of its timeframe one call answers at most, so that windows can be planned to fit."""
        ...

    def calls_needed(self, window: FetchWindow) -> int:
        """How many credits `fetch` of this window costs at most (0 for a free source)."""
        ...

    def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
        """Deliver the window page by page, in any order; an empty market is an empty iterator, not an error."""
        ...
