"""From rows as written to deliveries: UTC opens, integer ticks, and every row that cannot be one with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.delivery import Delivery, empty_rejected, empty_rows
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.prices import to_ticks
from goldsignal_pipeline.market.reasons import RejectReason
from goldsignal_pipeline.market.sources import Side, Source
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.providers.files.census import row_figures
from goldsignal_pipeline.providers.files.errors import FileFormatError
from goldsignal_pipeline.providers.files.frozen import match_rows
from goldsignal_pipeline.providers.files.plan import FilePlan, FileProgress, ZoneBasis, inspect_file, row_opens
from goldsignal_pipeline.providers.files.reader import Chunk, nearest_floats, to_floats

_PRICES: Final = ("open", "high", "low", "close")
_PAYLOAD_CHARACTERS: Final = 500
# A float holds every decimal of 15 digits; with its point a text of 16 characters has no more.
_EXACT_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class FileReading:
    """A whole file: how it was read, and one delivery per source."""

    plan: FilePlan
    deliveries: tuple[Delivery, ...]

    @property
    def delivery(self) -> Delivery:
        """The only delivery; raises ValueError when the file holds several sides."""
        if len(self.deliveries) != 1:
            raise ValueError(f"expected one side, was {', '.join(str(source) for source in self.plan.sources)}")
        return self.deliveries[0]

    @property
    def format(self) -> str:
        """Name of the format."""
        return self.plan.format

    @property
    def timeframe(self) -> Timeframe:
        """Length of the bars."""
        return self.plan.timeframe

    @property
    def zone(self) -> str:
        """Name of the zone in which the stamps were read."""
        return self.plan.zone.name

    @property
    def zone_basis(self) -> ZoneBasis:
        """Whether the zone was named, stated by the file or inferred."""
        return self.plan.zone_basis

    @property
    def sources(self) -> tuple[Source, ...]:
        """One source per side."""
        return self.plan.sources

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about this file."""
        return self.plan.notes


def read_file(
    path: Path,
    *,
    timeframe: Timeframe | None = None,
    side: Side | None = None,
    vendor: str | None = None,
    zone: str | None = None,
    calendar: TradingCalendar,
) -> FileReading:
    """Read a whole candle file into memory; for large files use `inspect_file` and `iter_deliveries`.

    Arguments and errors as for `inspect_file`.
    """
    plan = inspect_file(path, timeframe=timeframe, side=side, vendor=vendor, zone=zone, calendar=calendar)
    parts = list(iter_deliveries(plan, calendar=calendar))
    return FileReading(plan, tuple(_joined(source, plan.timeframe, parts) for source in plan.sources))


def iter_deliveries(plan: FilePlan, *, calendar: TradingCalendar, progress: FileProgress | None = None) -> Iterator[Delivery]:
    """The rows of an inspected file in deliveries of bounded size, one per source and block, in file order.

    Raises FileFormatError when the file changed since it was inspected. `progress` gets bytes read and bytes in all.
    """
    status = plan.path.stat()
    if (status.st_size, np.datetime64(status.st_mtime_ns // 1000, "us")) != (plan.size, plan.written_at):
        raise FileFormatError(f"{plan.path.name} changed while it was read", done="nothing was read", fix="import it again")
    for chunk in plan.reader.chunks():
        stamps = chunk.stamps
        opens = row_opens(stamps, zone=plan.zone, timeframe=plan.timeframe, calendar=calendar)
        reasons = _row_reasons(plan, chunk, opens)
        sides = tuple(chunk.quotes)
        for position, source in enumerate(plan.sources):
            held = source.side if source.side in chunk.quotes else sides[0]
            lines = chunk.unreadable if position == 0 else ()
            yield _delivery(plan, source, chunk, held, opens=opens, reasons=reasons, lines=lines)
        if progress is not None:
            progress(chunk.position, plan.size)


def _row_reasons(plan: FilePlan, chunk: Chunk, opens: Instants) -> npt.NDArray[np.object_]:
    """Why a row is no bar whatever its prices: "" or a RejectReason value."""
    reasons = np.full(len(opens), "", dtype=object)
    if len(plan.frozen):
        figures = row_figures(chunk.stamps, next(iter(chunk.quotes.values())))
        reasons[match_rows(figures, plan.frozen)] = RejectReason.FORMING.value
    aligned = np.where(np.isnat(opens), np.datetime64("1970-01-01", "us"), opens)
    unfinished = (aligned <= plan.written_at) & (plan.written_at < bar_close(aligned, timeframe=plan.timeframe))
    reasons[unfinished] = RejectReason.FORMING.value
    if chunk.forming is not None:
        reasons[chunk.forming] = RejectReason.FORMING.value
    reasons[np.isin(chunk.stamps, plan.daily_stamps)] = RejectReason.MISALIGNED.value
    reasons[np.isnat(opens)] = RejectReason.UNREADABLE.value
    return reasons


def _delivery(
    plan: FilePlan,
    source: Source,
    chunk: Chunk,
    held: Side,
    *,
    opens: Instants,
    reasons: npt.NDArray[np.object_],
    lines: tuple[str, ...],
) -> Delivery:
    quote = chunk.quotes[held]
    reasons = reasons.copy()
    columns = {}
    for name in _PRICES:
        columns[name], faults = to_ticks(_numbers(quote[name]), points_per_usd=plan.points_per_usd)
        fresh = (reasons == "") & (faults != "")
        reasons[fresh] = faults[fresh]
    absent = _without_quote(quote) if len(chunk.quotes) > 1 else np.zeros(len(opens), dtype=bool)
    good = (reasons == "") & ~absent
    bad = np.flatnonzero((reasons != "") & ~absent)
    timestamps = pd.Series(pd.DatetimeIndex(opens).tz_localize("UTC"))
    rows = pd.DataFrame({"timestamp": timestamps, **columns, "volume": _volume(plan, quote)})[good].reset_index(drop=True)
    unstamped = pd.Series([pd.NaT] * len(lines), dtype="datetime64[us, UTC]")
    rejected = pd.DataFrame(
        {
            "timestamp": pd.concat([timestamps.iloc[bad], unstamped], ignore_index=True).astype("datetime64[us, UTC]"),
            "reason": pd.Series([*reasons[bad], *[RejectReason.UNREADABLE.value] * len(lines)], dtype="str"),
            "payload": pd.Series([text[:_PAYLOAD_CHARACTERS] for text in (*chunk.payload(bad), *lines)], dtype="str"),
        }
    )
    return Delivery(source=source, timeframe=plan.timeframe, rows=rows, rejected=rejected)


def _numbers(column: pd.Series) -> pd.Series | npt.NDArray[np.float64]:
    """Short decimal texts as floats, whose shortest decimal they are, which is several times faster; anything else as it is."""
    if isinstance(column.dtype, pd.StringDtype) and len(column) and column.str.len().max() <= _EXACT_CHARACTERS:
        floats = nearest_floats(column)
        return column if floats is None else floats
    return column


def _without_quote(quote: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Rows in which this side of a two-sided file is empty: there was no such quote, which is no fault."""
    empty = pd.DataFrame({name: quote[name].isna() | (quote[name].astype("str") == "") for name in _PRICES})
    return empty.all(axis=1).to_numpy(dtype=bool)


def _volume(plan: FilePlan, quote: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Volume to two places; NaN where there is none. A file whose volumes are all zero has none."""
    if not plan.has_volume:
        return np.full(len(quote), np.nan)
    volume = to_floats(quote["volume"])
    return np.asarray(np.where(np.isfinite(volume) & (volume >= 0), np.round(volume, 2), np.nan))


def _joined(source: Source, timeframe: Timeframe, parts: list[Delivery]) -> Delivery:
    own = [part for part in parts if part.source == source]
    rows = pd.concat([part.rows for part in own], ignore_index=True) if own else empty_rows()
    rejected = pd.concat([part.rejected for part in own], ignore_index=True) if own else empty_rejected()
    return Delivery(source=source, timeframe=timeframe, rows=rows, rejected=rejected)
