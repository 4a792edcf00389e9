"""What a report tells, as plain values: read elsewhere, drawn elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Silence:
    """Why there was not more: candidates turned away and refused by reason, near misses in words."""

    turned_away: Sequence[tuple[str, str, int]]
    refused: Sequence[tuple[str, str, int]]
    near_misses: Sequence[tuple[str, str, int, str]]


@dataclass(frozen=True, slots=True)
class DataQuality:
    """Expected and missing bars, missing by reason and timeframe, blocked trading days, closed minutes by reason."""

    expected_bars: int
    missing_bars: int
    missing_by_reason: Sequence[tuple[str, str, int]]
    blocked_days: Sequence[Row]
    closed_minutes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Versions:
    """What the numbers follow from: code, calendar, strategies, gate settings, digests of the months."""

    code: str
    calendar: str
    strategies: Sequence[Row]
    gate_events: Sequence[tuple[datetime, str, str]]
    digests: Sequence[Row]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything of one symbol in [start, end), as it was known at `made_at`."""

    symbol: str
    start: datetime
    end: datetime
    made_at: datetime
    zone: ZoneInfo
    signals: Sequence[Row]
    """Confirmed in the range, newest first, with status and net R."""
    signal_trades: Sequence[Row]
    """Scored results of signals that became known in the range."""
    simulated_trades: Sequence[Row]
    """Scored results of every simulated setup that became known in the range."""
    tested: Sequence[Row]
    """The newest tested results of 365 days that have a p-value, as of a day of the range or before."""
    lived: Sequence[Row]
    """The newest results of 90 days of signals, with the state of degradation."""
    silence: Silence
    quality: DataQuality
    versions: Versions
