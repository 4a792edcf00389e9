"""What answers look like, for OpenAPI: the rows that the database writes and the values that we make, field by field.

Answers are not built from these models (the database has written most of them); a test holds every answer to them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Next = str | None


class Exact(BaseModel):
    """An object with these fields and no other."""

    model_config = ConfigDict(extra="forbid")


class SetupKeyed(Exact):
    """The natural key of a setup: `timestamp` is the open of the confirming bar."""

    symbol: str
    timeframe: str
    strategy: str
    direction: Literal["BUY", "SELL"]
    timestamp: datetime


class Candles(Exact):
    """Columns of bars, ascending; `time` in seconds since 1970, UTC, prices in USD/oz."""

    symbol: str
    timeframe: str
    rows: int
    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    older: bool = Field(description="Whether the range holds bars that open before the first.")
    pruned_until: datetime | None = Field(
        description="When retention deleted bars of the range: all of them closed before it; null otherwise."
    )
    exact_from: datetime | None = Field(
        description="Bars that open before it read as today, though corrected since; null when all read as at `as_of`."
    )


class Bar(Exact):
    """A bar: which source delivered it, and what it was made of."""

    timestamp: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    source: str
    base_timeframe: str
    base_bars: int
    flag: str | None


class CandleRows(Exact):
    """Bars, ascending."""

    symbol: str
    timeframe: str
    rows: int
    bars: list[Bar]
    older: bool
    pruned_until: datetime | None = Field(
        description="When retention deleted bars of the range: all of them closed before it; null otherwise."
    )


class Gap(Exact):
    """A run of missing bars."""

    timeframe: str
    start: datetime
    end: datetime
    missing_bars: int
    reason: str


class Gaps(Exact):
    """A page of gaps."""

    gaps: list[Gap]
    next: Next


class Signal(SetupKeyed):
    """A signal, its standing and steps; `net_r` once it has ended."""

    id: str
    confirmed_at: datetime
    reference: float
    stop: float
    take_profit_1: float
    take_profit_2: float
    invalidation_price: float
    planned_risk: float
    risk_reward: float
    confidence: int
    evidence: str
    rank: int
    rank_score: float | None
    composite_score: float | None
    size_ounces: float
    size_lots: float
    risk_usd: float
    session: str
    regime: str | None
    deadline: datetime
    reasons: list[str]
    origin: Literal["live", "backfill"]
    known_at: datetime | None
    status: Literal["active", "tp2_hit", "tp1_hit", "sl_hit", "expired", "missed"]
    ended_at: datetime | None
    filled_at: datetime | None
    tp1_reached_at: datetime | None
    net_r: float | None


class Signals(Exact):
    """A page of signals."""

    signals: list[Signal]
    next: Next


class Outcome(SetupKeyed):
    """How a signal ended; figures are absent where it was never entered."""

    id: str
    result: Literal["tp2_hit", "tp1_hit", "sl_hit", "expired", "missed"]
    entered_at: datetime | None
    resolved_at: datetime
    entry_quote: float | None
    fill_price: float | None
    first_exit_at: datetime | None
    first_exit_price: float | None
    second_exit_price: float | None
    gross_usd: float | None
    cost_usd: float | None
    net_usd: float | None
    gross_r: float | None
    cost_r: float | None
    net_r: float | None
    counterfactual_r: float | None
    favourable_r: float | None
    adverse_r: float | None
    bars_held: int
    resolution: str
    ambiguous: bool
    worst_r: float | None
    best_r: float | None
    confirmed_at: datetime
    session: str
    origin: Literal["live", "backfill"]


class Outcomes(Exact):
    """A page of outcomes."""

    outcomes: list[Outcome]
    next: Next


class Own(Exact):
    """The published figures as the user's own broker and account have them; the published ones never change."""

    currency: str
    risk: float
    reference: float
    stop: float
    take_profit_1: float
    take_profit_2: float
    invalidation_price: float


class ReadingShown(Exact):
    """One rule of the gate: what it measured, what it needed, whether it passed."""

    reason: str
    passed: bool
    measured: str
    needed: str


class ExplanationAnswer(Exact):
    """Why a signal was given or a setup turned away; what does not exist is null or empty."""

    id: str
    signal: Signal | None
    own: Own | None
    setup: dict[str, Any]
    conditions: list[dict[str, Any]]
    readings: list[ReadingShown]
    verdict: dict[str, Any] | None
    events: list[dict[str, Any]]
    outcome: dict[str, Any] | None
    revisions: list[dict[str, Any]]


class TurnedAway(Exact):
    """Setups that one rule turned away first."""

    strategy: str
    reason: str
    setups: int
    by_this_alone: int


class Refused(Exact):
    """Candidates without tradable levels."""

    strategy: str
    reason: str
    candidates: int


class NearMiss(Exact):
    """Candidates that failed one trigger, and the nearest of them."""

    strategy: str
    condition: str
    count: int
    nearest_shortfall: float
    unit: str
    nearest_at: datetime


class SilenceAnswer(Exact):
    """What a range lacked."""

    symbol: str
    start: datetime
    end: datetime
    accepted: int
    turned_away: list[TurnedAway]
    refused: list[Refused]
    near_misses: list[NearMiss]


class StrategyShown(Exact):
    """A strategy on a timeframe, and the newest state of its signals."""

    strategy: str
    timeframe: str
    version: str
    parameters: dict[str, Any]
    description: str
    is_active: bool
    changed_at: datetime
    state_day: date | None
    state: str | None
    state_since: datetime | None


class Strategies(Exact):
    """Every strategy."""

    strategies: list[StrategyShown]


class Metrics(Exact):
    """Metrics of trades in a window that ends with a day; null is undefined, never zero."""

    symbol: str
    day: date
    strategy: str
    timeframe: str
    window_days: int
    trades: int
    wins: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    expectancy_error: float | None
    median_r: float | None
    average_win_r: float | None
    average_loss_r: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown_r: float | None
    calmar: float | None
    average_hold_hours: float | None
    exposure: float | None
    longest_losing_run: int
    ambiguous: int
    missed: int


class Backtest(Metrics):
    """Simulated results; interval and p-value are known for the last day of each month."""

    interval_low: float | None
    interval_high: float | None
    p_value: float | None
    trials: int
    walk_forward_efficiency: float | None
    complete: bool
    strategy_version: str


class Backtests(Exact):
    """A page of simulated results."""

    backtests: list[Backtest]
    next: Next


class Lived(Metrics):
    """Results of signals, with the state of degradation."""

    baseline_expectancy: float | None
    state: str
    state_since: datetime | None


class Performance(Exact):
    """A page of results of signals."""

    performance: list[Lived]
    next: Next


class Feed(Exact):
    """The newest bar and its age in minutes of trading time."""

    newest_close: datetime
    age_minutes: int
    tolerated_minutes: int
    market_open: bool


class Daemon(Exact):
    """When Dagster's daemon last lived."""

    last_heartbeat: datetime
    age_seconds: float


class Health(Exact):
    """Whether all is well; `reasons` says what is not."""

    status: Literal["ok", "failing"]
    database: Literal["connected", "unreachable"]
    at: datetime
    symbol: str
    feed: Feed | None
    daemon: Daemon | None
    reasons: list[str]
