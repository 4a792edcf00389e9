"""What a file is, decided before any row is handed on: format, timeframe, zone, scale, sides, and rows to distrust.

`inspect_file` reads the file once:

1. recognise the format (`detect.py`) and count what it holds (`census.py`);
2. the spacing of rows gives the timeframe, runs of daily bars in an intraday file are set aside;
3. the level of prices says whether it is gold, in dollars or points (`levels.py`);
4. the hours of trading are compared with every zone (`zones.py`): a claimed zone that they contradict is refused, a
   missing one inferred or asked for;
5. rows that look cut off while forming are marked (`frozen.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.sources import Side, Source
from goldsignal_pipeline.market.timeframes import Timeframe, bar_open
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.providers.files.census import (
    Census,
    daily_runs,
    decide_timeframe,
    fills_closed_hours,
    shows_hours,
    take_census,
    trading_slots,
)
from goldsignal_pipeline.providers.files.detect import open_reader
from goldsignal_pipeline.providers.files.errors import FileFormatError, ZoneContradictionError, ZoneUndecidedError
from goldsignal_pipeline.providers.files.frozen import frozen_rows
from goldsignal_pipeline.providers.files.levels import decide_points
from goldsignal_pipeline.providers.files.reader import Facts, Reader
from goldsignal_pipeline.providers.files.zones import CANDIDATES, UTC_ZONE, Judgement, Zone, judge_zones, parse_zone

FileProgress = Callable[[int, int], None]
_LARGEST_CLOSED_SHARE: Final = 0.3
_NAMED_CANDIDATES: Final = 5
_SIDE_ASSUMED: Final = "the file does not say whether it holds bid, ask or mid: taken as bid (--side changes that)"


class ZoneBasis(StrEnum):
    """Where the zone of a file comes from."""

    NAMED = "named"
    STATED = "stated"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True)
class FilePlan:
    """How a file will be read. `zone`: named by the user, stated by the file, or inferred from its hours (`zone_basis`).

    `sources`: one per side. `points_per_usd`: None for prices in dollars. `rows`: lines that are rows or should be. `notes`:
    what a user should know, one sentence each. `daily_stamps`, `frozen`: rows set aside, by their stamps as written.
    """

    path: Path
    reader: Reader
    format: str
    timeframe: Timeframe
    zone: Zone
    zone_basis: ZoneBasis
    sources: tuple[Source, ...]
    points_per_usd: int | None
    has_volume: bool
    rows: int
    notes: tuple[str, ...]
    daily_stamps: Instants
    frozen: pd.DataFrame
    written_at: np.datetime64
    size: int


def inspect_file(
    path: Path,
    *,
    timeframe: Timeframe | None = None,
    side: Side | None = None,
    vendor: str | None = None,
    zone: str | None = None,
    calendar: TradingCalendar,
    progress: FileProgress | None = None,
) -> FilePlan:
    """Decide how to read a file; None means: as the file says or shows.

    Raises FileFormatError (no candles of gold in dollars, or not what was claimed) and its subclasses about zones, and
    UsageError for a zone that does not exist. `progress` gets bytes read and bytes in all.
    """
    named = None if zone is None else parse_zone(zone)
    reader, status = open_reader(path), path.stat()
    facts = reader.facts
    census = take_census(reader, progress=None if progress is None else lambda done: progress(done, status.st_size))
    found, runs = _bar_length(census, claimed=timeframe, stated=facts.timeframe)
    points = facts.points_per_usd or decide_points(census.levels, all_whole=census.all_whole)
    clock, basis, zone_notes = _decide_zone(census, facts=facts, named=named, timeframe=found, calendar=calendar, name=path.name)
    frozen = _frozen(census, zone=clock, timeframe=found, calendar=calendar)
    notes = _notes(facts, found, points=points, runs=len(runs), frozen=len(frozen), census=census)
    if facts.side_assumed and side is None:
        notes = (_SIDE_ASSUMED, *notes)
    return FilePlan(
        path=path,
        reader=reader,
        format=facts.format,
        timeframe=found,
        zone=clock,
        zone_basis=basis,
        sources=tuple(Source(vendor=vendor or facts.vendor, side=known) for known in _sides(facts, census, side)),
        points_per_usd=points,
        has_volume=census.has_volume,
        rows=census.rows,
        notes=(*facts.notes, *zone_notes, *notes),
        daily_stamps=runs,
        frozen=frozen,
        written_at=np.datetime64(status.st_mtime_ns // 1000, "us"),
        size=status.st_size,
    )


def _bar_length(census: Census, *, claimed: Timeframe | None, stated: Timeframe | None) -> tuple[Timeframe, Instants]:
    """The timeframe of the file, and the stamps of daily bars in it, which the census then forgets."""
    found = decide_timeframe(census, claimed=claimed, stated=stated)
    runs = daily_runs(census, timeframe=found)
    census.forget(runs)
    if not census.seen.any():
        raise FileFormatError("the file holds only daily bars", done="nothing was read", fix="leave --timeframe out")
    return found, runs


def _frozen(census: Census, *, zone: Zone, timeframe: Timeframe, calendar: TradingCalendar) -> pd.DataFrame:
    opens = row_opens(census.recent["stamp"].to_numpy(), zone=zone, timeframe=timeframe, calendar=calendar)
    return frozen_rows(census.recent, opens, timeframe=timeframe, calendar=calendar)


def row_opens(stamps: Instants, *, zone: Zone, timeframe: Timeframe, calendar: TradingCalendar) -> Instants:
    """UTC opens of rows stamped by the clock of `zone`.

    A daily bar stamped at most an hour after the roll, with no trading in between, is the bar of the roll: servers on EU
    clock-change dates begin their day at 18:00 New York for some weeks of the year, in the daily break.
    """
    return _rolled(zone.to_utc(stamps), timeframe=timeframe, calendar=calendar)


def _rolled(instants: Instants, *, timeframe: Timeframe, calendar: TradingCalendar) -> Instants:
    if timeframe is not Timeframe.D1:
        return instants
    opens = instants.copy()
    known = np.flatnonzero(~np.isnat(instants))
    rolls = bar_open(instants[known], timeframe=timeframe)
    late = instants[known] - rolls
    same = (late <= np.timedelta64(1, "h")) & (calendar.open_minutes_between(rolls, instants[known]) == 0)
    opens[known[same]] = rolls[same]
    return opens


def _decide_zone(
    census: Census, *, facts: Facts, named: Zone | None, timeframe: Timeframe, calendar: TradingCalendar, name: str
) -> tuple[Zone, ZoneBasis, tuple[str, ...]]:
    claimed = named or facts.zone
    judgement = _judge(census, claimed=claimed, timeframe=timeframe, calendar=calendar)
    fitting = tuple(zone.name for zone in judgement.fitting)
    # Stamps that wrongly say Z may be corrected by naming their zone, but only when the hours prove it.
    if named is not None and facts.states_instants and named != UTC_ZONE and UTC_ZONE.name in fitting:
        raise ZoneContradictionError(
            f"{name} states its times as instants ({facts.zone_reason}), {named.name} cannot apply",
            claimed=named.name,
            found=(UTC_ZONE.name,),
            done="nothing was read",
            fix="leave --zone out",
        )
    if claimed is not None:
        if claimed.name not in fitting and judgement.closed_share <= _LARGEST_CLOSED_SHARE:
            raise _contradiction(claimed, judgement, by_user=named is not None, reason=facts.zone_reason, name=name)
        if named is not None:
            return named, ZoneBasis.NAMED, ()
        return claimed, ZoneBasis.STATED, (f"zone {claimed.name}: {facts.zone_reason}",)
    if judgement.closed_share > _LARGEST_CLOSED_SHARE or not judgement.is_unique:
        raise _undecided(judgement, always_open=fills_closed_hours(census, timeframe=timeframe), name=name)
    others = f" ({', '.join(fitting[1:_NAMED_CANDIDATES])} would give the same instants)" if len(fitting) > 1 else ""
    note = f"zone {fitting[0]}: inferred from the daily break and the weekend{others}"
    return judgement.fitting[0], ZoneBasis.INFERRED, (note,)


def _judge(census: Census, *, claimed: Zone | None, timeframe: Timeframe, calendar: TradingCalendar) -> Judgement:
    if not shows_hours(census, timeframe=timeframe):
        return Judgement(CANDIDATES, closed_share=1.0, is_unique=False)
    return judge_zones(
        trading_slots(census, timeframe=timeframe),
        calendar=calendar,
        claimed=claimed,
        to_opens=lambda instants: _rolled(instants, timeframe=timeframe, calendar=calendar),
    )


def _contradiction(claimed: Zone, judgement: Judgement, *, by_user: bool, reason: str, name: str) -> ZoneContradictionError:
    found = tuple(zone.name for zone in judgement.fitting)
    said = "was named" if by_user else f"was expected ({reason})"
    return ZoneContradictionError(
        f"{name} is not in {claimed.name}, which {said}: rows would fall where gold does not trade; its hours fit "
        + " or ".join(found[:_NAMED_CANDIDATES]),
        claimed=claimed.name,
        found=found,
        done="nothing was read",
        fix=f"say --zone {found[0]}" + (", or leave --zone out" if by_user else ""),
    )


def _undecided(judgement: Judgement, *, always_open: bool, name: str) -> ZoneUndecidedError:
    candidates = tuple(zone.name for zone in judgement.fitting)
    if judgement.closed_share > _LARGEST_CLOSED_SHARE:
        why = "its hours fit no zone (rows in closed hours too, or too few rows)"
    else:
        why = f"its hours fit several zones alike: {', '.join(candidates[:_NAMED_CANDIDATES])}"
        why += f" and {len(candidates) - _NAMED_CANDIDATES} more" if len(candidates) > _NAMED_CANDIDATES else ""
    why += "; it has rows around the clock" if always_open else ""
    return ZoneUndecidedError(
        f"the zone of {name} cannot be told: {why}",
        candidates=candidates,
        done="nothing was read",
        fix="name it, for example --zone NY+7 or --zone EET/EEST (MetaTrader servers) or --zone UTC",
    )


def _sides(facts: Facts, census: Census, asked: Side | None) -> tuple[Side, ...]:
    held = census.sides or facts.sides
    if asked is None:
        return held
    if len(held) > 1 and asked not in held:
        raise FileFormatError(
            f"the file holds {' and '.join(held)}, not {asked}", done="nothing was read", fix=f"say --side {held[0]}"
        )
    return (asked,)


def _notes(facts: Facts, timeframe: Timeframe, *, points: int | None, runs: int, frozen: int, census: Census) -> tuple[str, ...]:
    notes = []
    if points is not None and facts.points_per_usd is None:
        notes.append(f"prices are points, {points} to the dollar: all are whole numbers, and only so they lie at gold's level")
    if facts.timeframe not in (None, timeframe):
        notes.append(f"the file states {facts.timeframe}, its rows are {timeframe} bars: read as {timeframe}")
    if runs:
        notes.append(f"{runs} rows are daily bars in a file of {timeframe} bars: rejected as misaligned")
    if frozen:
        notes.append(f"{frozen} rows were written while their bar was forming (a fraction of its volume and range): rejected")
    if not census.has_volume:
        notes.append("it has no volume")
    if fills_closed_hours(census, timeframe=timeframe):
        notes.append("it has rows around the clock: those of closed hours will be rejected")
    return tuple(notes)
