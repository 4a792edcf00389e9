"""From the feed into `raw_candles`: ask for what the months lack and for the newest bars again.

1. `market.fetch_plan` names the windows, from the bars held, the windows asked before, and the clock.
2. Each window is fetched; what a failing vendor delivered before it failed is stored all the same, then the error is raised.
3. `assets.ingest` stores everything in one transaction.
4. After a sleep or an outage the operator is told, once, what was caught up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from goldsignal_pipeline.assets.ingest import Asked, IngestReport, ingest
from goldsignal_pipeline.errors import ProviderError
from goldsignal_pipeline.market.fetch_plan import REFETCHED_BARS, plan_fetch
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.storage import fetches, operator_events, raw_candles

if TYPE_CHECKING:
    from goldsignal_pipeline.market.delivery import Delivery
    from goldsignal_pipeline.providers.base import Provider
    from goldsignal_pipeline.storage.database import Database


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh asked for and what became of the answer."""

    source: str
    windows: int
    credits: int
    report: IngestReport = field(default_factory=IngestReport)
    caught_up: str = ""

    def sentence(self) -> str:
        """The figures of the whole range for the run's log; each month's own are its metadata."""
        rejected = ", ".join(f"{reason} {count}" for reason, count in sorted(self.report.quarantined.items()))
        return (
            f"Asked {self.source} for {self.windows} windows ({self.credits} credits): {self.report.read} rows read, "
            f"{self.report.stored} stored, {self.report.unchanged} unchanged, quarantined {rejected or 'none'}. {self.caught_up}"
        ).rstrip()


def refresh(
    database: Database,
    provider: Provider,
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    grace: timedelta,
    run_id: str | None,
) -> Refreshed:
    """Fetch and store what [start, end) lacks as of `now`.

    Raises the provider's error after storing what came before it, `StorageError` when the database cannot store.
    """
    windows = fetch_windows(database, provider, start=start, end=end, now=now, grace=grace)
    newest = _newest_open(database, provider)
    deliveries: list[Delivery] = []
    asked: list[tuple[str, Asked]] = []
    failure: ProviderError | None = None
    for window in windows:
        try:
            pages = list(provider.fetch(window))
        except ProviderError as error:
            failure = error
            break
        deliveries += pages
        rows = sum(len(page.rows) + len(page.rejected) for page in pages)
        asked.append((str(provider.source), Asked(window, now, rows=rows, credits=provider.calls_needed(window))))
    report = ingest(
        database,
        symbol=provider.symbol,
        deliveries=deliveries,
        calendar=load_calendar(),
        now=now,
        grace=grace,
        run_id=run_id,
        asked=asked,
    )
    if failure is not None:
        raise failure
    # Where the newest bar lies before the months, they go on filling and catch nothing up.
    since = newest if newest is not None and newest >= start else None
    caught_up = _tell_catch_up(database, provider, since=since, now=now, run_id=run_id)
    return Refreshed(str(provider.source), len(asked), sum(one.credits for _, one in asked), report, caught_up)


def _newest_open(database: Database, provider: Provider) -> datetime | None:
    with database.transaction(read_only=True) as connection:
        return raw_candles.newest_open(
            connection, symbol=provider.symbol, source=provider.source, timeframe=provider.base_timeframe
        )


def _tell_catch_up(database: Database, provider: Provider, *, since: datetime | None, now: datetime, run_id: str | None) -> str:
    """Write an operator event when more bars arrived than a cycle refetches anyway; returns its sentence, or nothing."""
    newest = _newest_open(database, provider)
    if since is None or newest is None or newest <= since:
        return ""
    begin = since + provider.base_timeframe.length
    with database.transaction() as connection:
        opens = raw_candles.opens(
            connection,
            symbol=provider.symbol,
            source=provider.source,
            timeframe=provider.base_timeframe,
            start=begin,
            end=newest + provider.base_timeframe.length,
        )
        if len(opens) <= REFETCHED_BARS:
            return ""
        end = newest + provider.base_timeframe.length
        sentence = f"Caught up {len(opens)} bars of {provider.symbol}, {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC."
        operator_events.append(
            connection,
            at=now,
            kind="caught_up",
            severity="info",
            message=sentence,
            cause=None,
            run_id=run_id,
            natural_key=f"caught_up:{provider.symbol}:{provider.source}:{end.isoformat()}",
        )
    return sentence


def fetch_windows(
    database: Database, provider: Provider, *, start: datetime, end: datetime, now: datetime, grace: timedelta
) -> Sequence[FetchWindow]:
    """The windows of the provider's base timeframe that are worth a call as of `now`."""
    timeframe, source = provider.base_timeframe, provider.source
    until = min(end, now)
    if until <= start:
        return []
    with database.transaction(read_only=True) as connection:
        held = raw_candles.opens(connection, symbol=provider.symbol, source=source, timeframe=timeframe, start=start, end=until)
        asked = fetches.windows(connection, symbol=provider.symbol, source=source, timeframe=timeframe, start=start, end=until)
    planned = plan_fetch(
        load_calendar().expected_opens(timeframe=timeframe, start=start, end=until),
        timeframe=timeframe,
        held=held,
        asked=asked,
        now=now,
        grace=grace,
        page_bars=provider.page_bars,
    )
    return [FetchWindow(timeframe=timeframe, start=window.start, end=window.end) for window in planned]
