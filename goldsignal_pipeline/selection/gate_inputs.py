"""What the gate is told: setups to judge, and facts in the order in which they became known.

Every input carries `at`, the aware UTC instant from which it may be used. Nothing here is computed; a live run and a backfill
give the same inputs, the live one with pauses, blocks, news and the instants of its decisions beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum

from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.evidence import Evidence


@dataclass(frozen=True, slots=True, order=True)
class SetupKey:
    """Natural key of a setup: who saw what, and the open of its confirming bar."""

    strategy: str
    timeframe: str
    direction: Direction
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Setup:
    """A candidate for a signal. Prices are ticks; `atr` and `median_atr` (720 H1 bars) share any one unit.

    `at` is the close of the confirming bar, `entry_open` the open of the bar it would be entered at, `minutes_to_closing` the
    market-open minutes from `at` to a closure of some length (`closing_times`). `decided_at` is when a live run decided; None in
    a backfill, where nothing can be late.
    """

    key: SetupKey
    at: datetime
    entry_open: datetime
    reference: int
    stop: int
    take_profit_1: int
    confidence: int
    atr: float
    median_atr: float
    is_asia: bool
    minutes_to_closing: int
    decided_at: datetime | None = None

    @property
    def planned_risk_ticks(self) -> int:
        """Planned R: the distance of reference and stop."""
        return abs(self.reference - self.stop)


@dataclass(frozen=True, slots=True)
class Published:
    """A signal that was given and stands, whatever today's candles would decide; its size is in ounces."""

    setup: Setup
    ounces: int

    @property
    def at(self) -> datetime:
        """The close of the confirming bar."""
        return self.setup.at


class Step(IntEnum):
    """A step in the life of a signal, in the order in which they happen."""

    FILLED = 0
    TP1_REACHED = 1
    CLOSED = 2
    MISSED = 3


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of the trade that follows from a setup, known `at` (for an exit: the close of its bar).

    A closed one carries its net result in R and in USD/oz. Steps of setups that never became signals are ignored.
    """

    key: SetupKey
    at: datetime
    step: Step
    entry: datetime
    net_r: float = 0.0
    net_usd: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a strategy on a timeframe from `at` on; `rank_score` is the shrunk expectancy, NaN while unknown."""

    at: datetime
    strategy: str
    timeframe: str
    evidence: Evidence
    is_eligible: bool
    is_degraded: bool
    rank_score: float


@dataclass(frozen=True, slots=True)
class Pause:
    """The user pauses or resumes one strategy, or all when `strategy` is None."""

    at: datetime
    strategy: str | None
    is_paused: bool


@dataclass(frozen=True, slots=True)
class DataBlock:
    """The candles of a trading day became too incomplete to decide on, or whole again."""

    at: datetime
    trading_day: date
    is_blocked: bool


@dataclass(frozen=True, slots=True)
class News:
    """A high-impact USD event at `event_at`, as it was announced, or withdrawn, at `at`."""

    at: datetime
    event_at: datetime
    is_withdrawn: bool = False


Fact = Standing | Pause | DataBlock | News | Progress | Published
GateInput = Setup | Fact
