"""Recorded files through the whole path of `goldsignal import`, and the same files read here, independently of the program.

`import_file` and `derive_stale` do what the command does. `recorded` reads a file with pandas and `decimal` only,
so that what the program stored can be compared with what the vendor recorded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import text

from goldsignal_pipeline.assets.derive import Derived, Rules, derive, stale_months
from goldsignal_pipeline.assets.ingest import IngestReport, ingest, record_span
from goldsignal_pipeline.cli.months import ranges
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.source_order import SourceOrders
from goldsignal_pipeline.market.sources import REAL_SYMBOL, Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.files import inspect_file, iter_deliveries
from goldsignal_pipeline.storage import candles
from goldsignal_pipeline.storage.database import Database

PROVE = bool(os.environ.get("PROVE"))
CALENDAR = load_calendar()
GRACE = timedelta(seconds=120)
LATER = datetime(2026, 11, 1, tzinfo=UTC)
ALWAYS = (datetime(2003, 5, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
PRICES = ["open", "high", "low", "close"]
BARS = [*PRICES, "volume"]


@dataclass(frozen=True)
class RecordedFile:
    """A file of `candles/` and what a user says when importing it."""

    name: str
    vendor: str
    side: Side

    @property
    def source(self) -> str:
        return f"{self.vendor}:{self.side}"

    def path(self, shared_data: Path) -> Path:
        return shared_data / "candles" / f"xauusd_{self.name}.csv.gz"


OANDA = RecordedFile("H1_oanda-lean-bid", "oanda", Side.BID)
OANDA_ASK = RecordedFile("H1_oanda-lean-ask", "oanda", Side.ASK)
OANDA_MINUTES = RecordedFile("M1_oanda-lean-bid", "oanda", Side.BID)
EJTRADERLABS = RecordedFile("H1_mt5-ejtraderlabs", "ejtraderlabs", Side.BID)
BUDIMANLAI = RecordedFile("M5_mt5-budimanlai", "budimanlai", Side.BID)
TWELVEDATA = RecordedFile("M5_twelvedata-24x7", "twelvedata", Side.MID)


# --- what the command does ---------------------------------------------------------------------------------------------


def import_file(
    database: Database,
    path: Path,
    *,
    now: datetime = LATER,
    start: datetime | None = None,
    end: datetime | None = None,
    **claims: Any,
) -> IngestReport:
    """Inspect a file, store its rows block by block and note its span; only what opens in [start, end), where given."""
    plan = inspect_file(path, calendar=CALENDAR, **claims)
    report = IngestReport()
    opens: dict[str, list[pd.Series]] = {}
    for delivery in iter_deliveries(plan, calendar=CALENDAR):
        part = _cut(delivery, start=start, end=end)
        report = report.plus(store(database, part, now=now))
        opens.setdefault(str(part.source), []).append(part.rows["timestamp"].dropna())
    for source, parts in opens.items():
        _note_span(database, source, plan.timeframe, pd.concat(parts), now=now)
    return report


def import_recorded(database: Database, shared_data: Path, file: RecordedFile, **how: Any) -> IngestReport:
    return import_file(database, file.path(shared_data), vendor=file.vendor, side=file.side, **how)


def _note_span(database: Database, source: str, timeframe: Timeframe, opens: pd.Series, *, now: datetime) -> None:
    if len(opens):
        first, last = opens.min().to_pydatetime(), opens.max().to_pydatetime()
        window = FetchWindow(timeframe=timeframe, start=first, end=last + timeframe.length)
        record_span(database, symbol=REAL_SYMBOL, source=source, window=window, rows=len(opens), now=now, run_id=None)


def store(database: Database, delivery: Delivery, *, now: datetime = LATER) -> IngestReport:
    return ingest(
        database, symbol=REAL_SYMBOL, deliveries=[delivery], calendar=CALENDAR, now=now, grace=GRACE, run_id="acceptance"
    )


def derive_months(
    database: Database, first: str, last: str, *, source_order: tuple[str, ...] = (), now: datetime = LATER
) -> Derived:
    months = [str(month) for month in np.arange(np.datetime64(first, "M"), np.datetime64(last, "M") + np.timedelta64(1, "M"))]
    return derive(database, months=months, now=now, grace=GRACE, source_order=source_order, run_id="acceptance")


def derive_stale(database: Database, *, source_order: tuple[str, ...] = (), now: datetime = LATER) -> list[tuple[str, str]]:
    """Derive every month that is behind its observations; returns the ranges."""
    with database.transaction(read_only=True) as connection:
        months = stale_months(connection, symbol=REAL_SYMBOL, rules=Rules(CALENDAR, GRACE, SourceOrders(source_order)))
    for first, last in ranges(months):
        derive_months(database, first, last, source_order=source_order, now=now)
    return ranges(months)


def _cut(delivery: Delivery, *, start: datetime | None, end: datetime | None) -> Delivery:
    rows = delivery.rows
    inside = (rows["timestamp"] >= (start or ALWAYS[0])) & (rows["timestamp"] < (end or ALWAYS[1]))
    kept = rows if start is None and end is None else rows[inside].reset_index(drop=True)
    return Delivery(delivery.source, delivery.timeframe, kept, delivery.rejected)


# --- what is stored ----------------------------------------------------------------------------------------------------


def held(database: Database, timeframe: Timeframe | str, *, span: tuple[datetime, datetime] = ALWAYS) -> pd.DataFrame:
    """The stored candles of one timeframe."""
    with database.transaction(read_only=True) as connection:
        return candles.read(connection, symbol=REAL_SYMBOL, timeframe=timeframe, start=span[0], end=span[1])


def query(database: Database, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with database.transaction(read_only=True) as connection:
        return [tuple(row) for row in connection.execute(text(statement), parameters)]


def counts(database: Database, table: str, column: str, where: str = "true") -> dict[str, int]:
    return {
        str(key): int(rows) for key, rows in query(database, f"SELECT {column}, count(*) FROM {table} WHERE {where} GROUP BY 1")
    }


# --- what was recorded ---------------------------------------------------------------------------------------------------


def recorded(shared_data: Path, name: str) -> pd.DataFrame:
    """A file of `candles/` in ticks, its decimals rounded half-even by the `decimal` module."""
    written = pd.read_csv(shared_data / "candles" / f"xauusd_{name}.csv.gz", dtype=str)
    ticks = {column: [_ticks(value) for value in written[column]] for column in PRICES}
    opens = pd.to_datetime(written["timestamp"]).dt.as_unit("us")
    return pd.DataFrame({"timestamp": opens, **ticks, "volume": written["volume"].astype("float64")})


def _ticks(value: str) -> int:
    return int((Decimal(value) * 100).quantize(Decimal(1), ROUND_HALF_EVEN))


@dataclass(frozen=True)
class Comparison:
    """Derived bars beside the recorded bars of the same opens, over the time that both cover.

    `equal`: opens at which prices and volume agree. `differing`, `only_recorded`, `only_derived`: the other rows; recorded
    columns carry the suffix `_recorded`.
    """

    equal: pd.Series
    differing: pd.DataFrame
    only_recorded: pd.DataFrame
    only_derived: pd.DataFrame

    def figures(self) -> tuple[int, int, int, int]:
        """Equal, differing, recorded only, derived only."""
        return len(self.equal), len(self.differing), len(self.only_recorded), len(self.only_derived)


def compare(derived: pd.DataFrame, expected: pd.DataFrame) -> Comparison:
    """Compare bar for bar; a source without volume records 0."""
    first = max(derived["timestamp"].min(), expected["timestamp"].min())
    last = min(derived["timestamp"].max(), expected["timestamp"].max())
    both = derived.assign(volume=derived["volume"].fillna(0.0)).merge(
        expected, on="timestamp", how="outer", suffixes=("", "_recorded"), indicator="origin"
    )
    both = both[(both["timestamp"] >= first) & (both["timestamp"] <= last)]
    matched = both[both["origin"] == "both"]
    same = (matched[BARS].to_numpy() == matched[[f"{name}_recorded" for name in BARS]].to_numpy()).all(axis=1)
    return Comparison(
        equal=matched.loc[same, "timestamp"],
        differing=matched[~same],
        only_recorded=both[both["origin"] == "right_only"],
        only_derived=both[both["origin"] == "left_only"],
    )


def folded(base: pd.DataFrame, opens: pd.Series, *, hours: int) -> pd.DataFrame:
    """Each [open, open + hours) of `base` as one bar, cut by plain comparison of instants: what another anchor would give."""
    held_opens, begins = instants(base["timestamp"]), instants(opens)
    first = np.searchsorted(held_opens, begins)
    beyond = np.searchsorted(held_opens, begins + np.timedelta64(hours, "h"))
    columns = [base[name].to_numpy(dtype=np.float64) for name in BARS]
    bars = [_fold([column[a:b] for column in columns]) for a, b in zip(first, beyond, strict=True)]
    return pd.DataFrame(bars, columns=BARS).assign(timestamp=opens.to_numpy())


def _fold(columns: list[np.ndarray]) -> tuple[float, ...]:
    opened, high, low, close, volume = columns
    if len(opened) == 0:
        return (np.nan,) * len(columns)
    return opened[0], high.max(), low.min(), close[-1], volume.sum()


def instants(opens: pd.Series) -> np.ndarray:
    """Aware timestamps as plain UTC instants."""
    return opens.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def closed_reasons(opens: pd.Series) -> dict[str, int]:
    """Why the market is closed at each open, counted; '' for an open market."""
    names, numbers = np.unique(CALENDAR.closed_reason(instants(opens)).astype(str), return_counts=True)
    return {str(name): int(number) for name, number in zip(names, numbers, strict=True)}


def in_clock_mismatch(opens: pd.Series) -> np.ndarray:
    """Where New York keeps summer time and Athens does not, by the zone database and not by the program."""
    new_york = opens.dt.tz_convert("America/New_York").map(lambda moment: bool(moment.dst()))
    athens = opens.dt.tz_convert("Europe/Athens").map(lambda moment: bool(moment.dst()))
    return (new_york & ~athens).to_numpy(dtype=bool)
