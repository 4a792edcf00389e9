"""What the vendor tests share: a small market, a desk that joins provider, server, clock and budget, and an honest budget."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from pydantic import SecretStr

from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.observations import Qualified, qualify
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import DayLimitError, FetchWindow
from goldsignal_pipeline.providers.transport import Timeouts
from goldsignal_pipeline.providers.twelvedata import TwelveDataProvider
from goldsignal_pipeline_tests.vendor_market import VendorMarket
from goldsignal_pipeline_tests.vendor_server import KEY, VendorServer, VirtualClock

NOW = datetime(2024, 5, 22, 10, 6, 30, tzinfo=UTC)
"""A Wednesday in London's morning: the 10:05 bar is forming, 10:00 is within its grace, 09:55 is closed."""
GRACE = timedelta(seconds=120)
LIVE = FetchWindow(timeframe=Timeframe.M5, start=NOW.replace(hour=9, minute=5, second=0), end=NOW)
QUICK = Timeouts(connect_seconds=0.15, read_seconds=0.2, total_seconds=0.35)
"""For vendors that never answer; everywhere else the usual patience, so that a busy machine fails no test."""


class MemoryCreditBudget:
    """The budget of calls in one process: wall-clock minutes and UTC days, refusing before it grants too much."""

    def __init__(self, *, per_minute: int = 8, per_day: int = 800) -> None:
        self.per_minute = per_minute
        self.per_day = per_day
        self.granted = 0
        self.reported: list[str] = []
        self._lock = threading.Lock()
        self._used: Counter[tuple[str, datetime]] = Counter()

    def acquire(self, *, vendor: str, credits: int, now: datetime) -> float:
        """As `CreditBudget.acquire`."""
        minute, day = _scopes(now)
        with self._lock:
            if self._used[day] + credits > self.per_day:
                raise DayLimitError(f"The {self.per_day} calls of {vendor} a day are used up.")
            if self._used[minute] + credits > self.per_minute:
                return 60.0 - now.second - now.microsecond / 1e6
            self._used[minute] += credits
            self._used[day] += credits
            self.granted += credits
            return 0.0

    def exhausted(self, *, vendor: str, scope: str, now: datetime) -> None:
        """As `CreditBudget.exhausted`."""
        minute, day = _scopes(now)
        with self._lock:
            self.reported.append(scope)
            self._used[minute if scope == "minute" else day] = self.per_minute if scope == "minute" else self.per_day


def _scopes(now: datetime) -> tuple[tuple[str, datetime], tuple[str, datetime]]:
    minute = now.replace(second=0, microsecond=0)
    return ("minute", minute), ("day", minute.replace(hour=0, minute=0))


@cache
def walk(*, start: datetime = datetime(2024, 4, 1, tzinfo=UTC), days: int = 75) -> pd.DataFrame:
    """A random walk of M5 bars in market hours, in USD/oz."""
    opens = load_calendar().expected_opens(timeframe=Timeframe.M5, start=start, end=start + timedelta(days=days))
    noise = np.random.default_rng(7).normal(0.0, 1.0, size=(4, opens.size))
    close = 2300.0 + noise[0].cumsum() * 0.5
    first = np.concatenate([[2300.0], close[:-1]]) + 0.01 * noise[1]
    frame = pd.DataFrame({"timestamp": pd.DatetimeIndex(opens).tz_localize("UTC"), "open": first, "close": close})
    frame["high"] = frame[["open", "close"]].max(axis=1) + np.abs(noise[2])
    frame["low"] = frame[["open", "close"]].min(axis=1) - np.abs(noise[3])
    return frame.round(dict.fromkeys(("open", "high", "low", "close"), 5))


@dataclass
class Desk:
    """One provider at work against one local vendor; everything runs on the same virtual clock."""

    server: VendorServer
    provider: TwelveDataProvider
    budget: MemoryCreditBudget
    clock: VirtualClock

    def fetch(self, window: FetchWindow = LIVE) -> list[Delivery]:
        """Everything the window delivers."""
        return list(self.provider.fetch(window))

    def judge(self, window: FetchWindow = LIVE, *, reference_close_ticks: int | None = 230_000) -> Qualified:
        """The window as the core judges it, in one piece; the reference is that of `walk`."""
        deliveries = self.fetch(window)
        joined = Delivery(
            source=self.provider.source,
            timeframe=window.timeframe,
            rows=pd.concat([each.rows for each in deliveries], ignore_index=True),
            rejected=pd.concat([each.rejected for each in deliveries], ignore_index=True),
        )
        return qualify(
            joined, calendar=load_calendar(), now=self.clock(), grace=GRACE, reference_close_ticks=reference_close_ticks
        )


@contextmanager
def desk(
    *,
    candles: pd.DataFrame | None = None,
    now: datetime = NOW,
    budget: MemoryCreditBudget | None = None,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    market: dict[str, Any] | None = None,
    **server_options: Any,
) -> Iterator[Desk]:
    """Open a desk at an instant; at its end no call may have gone beyond what was granted."""
    clock = VirtualClock(now)
    budget = budget or MemoryCreditBudget()
    with VendorServer(
        VendorMarket(walk() if candles is None else candles, **(market or {})), clock=clock, **server_options
    ) as server:
        provider = TwelveDataProvider(
            api_key=SecretStr(KEY),
            base_url=server.base_url,
            budget=budget,
            clock=clock,
            sleep=clock.sleep,
            timeouts=timeouts,
        )
        yield Desk(server=server, provider=provider, budget=budget, clock=clock)
        assert len(server.calls) <= budget.granted, "a call was made that the budget had not granted"


def labels(frame: pd.DataFrame) -> list[str]:
    """The times of day of rows, for short assertions."""
    return [f"{label:%H:%M}" for label in frame["timestamp"]]


def reasons(judged: Qualified) -> dict[str, str]:
    """Why each rejected row was turned away, by its time of day."""
    return {f"{row.timestamp:%H:%M}": str(row.reason) for row in judged.rejected.itertuples()}
