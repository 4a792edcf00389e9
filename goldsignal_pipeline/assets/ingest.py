"""Observations into `raw_candles`, from a feed or a file alike, in one transaction.

1. The months that the rows open in are locked (`storage.locks`), and the newest earlier close is read as reference.
2. `market.observations.qualify` judges every delivered row by calendar, clock and price.
3. `storage.raw_candles.append` keeps a row only when it differs from the newest version of its bar.
4. What was turned away goes to `quarantined_candles` with its reason; what was asked goes to `fetches`.
5. Every month that changed gets a new digest, so that whatever was built on it can tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd

from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.assets.versions import RAW_CANDLES_VERSION
from goldsignal_pipeline.market.digests import frame_digest
from goldsignal_pipeline.market.observations import qualify
from goldsignal_pipeline.storage import digests, fetches, quarantine, raw_candles
from goldsignal_pipeline.storage.locks import lock_months

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.market.delivery import Delivery
    from goldsignal_pipeline.market.hours import TradingCalendar
    from goldsignal_pipeline.providers.base import FetchWindow
    from goldsignal_pipeline.storage.database import Database

OBSERVATION_KEY: Final = ("source", "timeframe", "timestamp")


@dataclass(frozen=True, slots=True)
class Asked:
    """A window that was asked of a vendor, and what came of it."""

    window: FetchWindow
    asked_at: datetime
    rows: int
    credits: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of the delivered rows: read = stored + unchanged + folded + quarantined.

    `folded` rows repeat another one of their delivery exactly; `months` are those whose observations changed.
    """

    read: int = 0
    stored: int = 0
    unchanged: int = 0
    folded: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    months: tuple[str, ...] = ()

    def plus(self, other: IngestReport) -> IngestReport:
        """Both reports as one."""
        return IngestReport(
            read=self.read + other.read,
            stored=self.stored + other.stored,
            unchanged=self.unchanged + other.unchanged,
            folded=self.folded + other.folded,
            quarantined=dict(Counter(self.quarantined) + Counter(other.quarantined)),
            months=tuple(sorted({*self.months, *other.months})),
        )


def ingest(
    database: Database,
    *,
    symbol: str,
    deliveries: Sequence[Delivery],
    calendar: TradingCalendar,
    now: datetime,
    grace: timedelta,
    run_id: str | None,
    asked: Sequence[tuple[str, Asked]] = (),
) -> IngestReport:
    """Store what was delivered for `symbol`, all of it or nothing.

    `asked` pairs a source with each window that was asked of it. Raises `StorageError` when the database cannot, and then
    nothing is stored; a second call with the same rows stores nothing.
    """
    report = IngestReport()
    with database.transaction() as connection:
        lock_months(connection, table="raw_candles", months=_months_of(deliveries))
        for delivery in deliveries:
            report = report.plus(_store(connection, symbol, delivery, calendar=calendar, now=now, grace=grace, run_id=run_id))
        for source, one in asked:
            fetches.record(
                connection,
                symbol=symbol,
                source=source,
                window=one.window,
                asked_at=one.asked_at,
                rows=one.rows,
                credits=one.credits,
                run_id=run_id,
            )
        for month in report.months:
            store_digest(connection, symbol=symbol, month=month, now=now, run_id=run_id)
    return report


def record_span(
    database: Database, *, symbol: str, source: str, window: FetchWindow, rows: int, now: datetime, run_id: str | None
) -> None:
    """Remember that a file answered for its whole span, so that what it lacks counts as a hole; a known span adds nothing."""
    with database.transaction() as connection:
        known = fetches.windows(
            connection, symbol=symbol, source=source, timeframe=window.timeframe, start=window.start, end=window.end
        )
        if ((known["start"] <= window.start) & (known["end"] >= window.end)).any():
            return
        fetches.record(connection, symbol=symbol, source=source, window=window, asked_at=now, rows=rows, credits=0, run_id=run_id)


def store_digest(connection: Connection, *, symbol: str, month: str, now: datetime, run_id: str | None) -> None:
    """Write the digest of the newest observations of the bars that opened in `month`."""
    frame = raw_candles.newest(connection, symbol=symbol, start=month_start(month), end=month_start(next_month(month)))
    digests.upsert(
        connection,
        asset="raw_candles",
        symbol=symbol,
        month=month,
        rows=len(frame),
        digest=frame_digest(frame.drop(columns="observed_at"), key=OBSERVATION_KEY),
        inputs_digest="",
        complete=True,
        code_version=RAW_CANDLES_VERSION,
        computed_at=now,
        run_id=run_id,
    )


def _store(
    connection: Connection,
    symbol: str,
    delivery: Delivery,
    *,
    calendar: TradingCalendar,
    now: datetime,
    grace: timedelta,
    run_id: str | None,
) -> IngestReport:
    reference = None
    if len(delivery.rows):
        earliest = delivery.rows["timestamp"].min().to_pydatetime()
        reference = raw_candles.close_before(connection, symbol=symbol, before=earliest)
    judged = qualify(delivery, calendar=calendar, now=now, grace=grace, reference_close_ticks=reference)
    appended = raw_candles.append(
        connection,
        symbol=symbol,
        source=delivery.source,
        timeframe=delivery.timeframe,
        rows=judged.rows,
        observed_at=now,
        run_id=run_id,
    )
    quarantine.append(
        connection,
        symbol=symbol,
        source=delivery.source,
        timeframe=delivery.timeframe,
        rejected=judged.rejected,
        stage="observation",
        calendar_version=calendar.version,
        observed_at=now,
    )
    return IngestReport(
        read=len(delivery.rows) + len(delivery.rejected),
        stored=appended.stored,
        unchanged=appended.unchanged,
        folded=judged.folded,
        quarantined={str(reason): int(count) for reason, count in judged.rejected["reason"].value_counts().items()},
        months=_months(judged.rows["timestamp"]) if appended.stored else (),
    )


def _months_of(deliveries: Sequence[Delivery]) -> list[str]:
    return sorted({month for delivery in deliveries for month in _months(delivery.rows["timestamp"])})


def _months(timestamps: pd.Series) -> tuple[str, ...]:
    naive = timestamps.dropna().dt.tz_convert(UTC).dt.tz_localize(None).to_numpy().astype("datetime64[M]")
    return tuple(str(month) for month in pd.unique(naive))
