"""What the answers to the pages look like, for OpenAPI; a test holds every answer to them, as those of `schemas`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from goldsignal_pipeline.api.schemas import Backtest, Exact, Lived

Seconds = int
"""Since 1970, UTC."""
Span = Annotated[list[Seconds], Field(min_length=2, max_length=2)]
SessionName = Literal["asia", "london", "overlap", "new_york", "none"]


class Market(Exact):
    """A market that candles are held of, and the open of its newest bar."""

    symbol: str
    simulated: bool
    timeframes: list[str]
    newest: datetime | None


class PageAnswer(Exact):
    """Markets, strategies, and the settings that pages show values with; `symbol` is the market to begin with."""

    symbol: str
    symbols: list[Market]
    timeframe_seconds: dict[str, int]
    strategies: list[str]
    display_timezone: str
    currency: str
    usd_per_unit: str = Field(description="USD for one unit of the account's currency, with its own digits.")
    level_offset: str = Field(description="What the user's broker quotes above the levels, USD/oz, with its own digits.")


class SessionsAnswer(Exact):
    """Begin and end of each span, by session."""

    sessions: dict[SessionName, list[Span]]


class CorrectionsAnswer(Exact):
    """Bars that read otherwise: open in epoch seconds; open, high, low and close as they read."""

    bars: list[Annotated[list[float], Field(min_length=5, max_length=5)]]
    exact_from: datetime | None = Field(description="Bars that open before it read as today, though corrected since.")


class Curve(Exact):
    """Equity of a strategy on a timeframe: R gained by each instant; long ones are thinned."""

    strategy: str
    timeframe: str
    trades: int
    net_r: float
    time: list[Seconds]
    gained: list[float]


class TestedSide(Backtest):
    """A row of results in simulation."""

    kind: Literal["backtest"]


class LivedSide(Lived):
    """A row of results of signals."""

    kind: Literal["signals"]


class RollingDays(Exact):
    """Columns by day: expectancy of the window in R (null: undefined), and the state of degradation."""

    strategy: str
    timeframe: str
    day: list[str]
    expectancy: list[float | None]
    state: list[str]


class PerformanceAnswer(Exact):
    """Equity of signals and of simulated setups, their newest metrics side by side, and the rolling expectancy."""

    signals: list[Curve]
    backtests: list[Curve]
    side_by_side: list[Annotated[TestedSide | LivedSide, Field(discriminator="kind")]]
    rolling: list[RollingDays]


class CellShown(Exact):
    """Trades that were entered on a weekday in a session."""

    weekday: str
    session: SessionName
    trades: int
    wins: int
    net_r: float


class TimeInTradeShown(Exact):
    """Winners and losers per class of `hold_hours` and beyond; the middle hours of each, null without any."""

    winners: list[int]
    losers: list[int]
    middle_winner_hours: float | None
    middle_loser_hours: float | None


class FanShown(Exact):
    """Quantiles of equity in R over many orders of the weeks, and what happened."""

    draws: int
    quantiles: list[float]
    weeks: list[int]
    curves: list[list[float]]
    happened: list[float]
    below_zero: float
    middle_drawdown: float
    worst_drawdown: float


class BreakdownAnswer(Exact):
    """Pictures of one choice of trades; no fan of too few weeks."""

    trades: int
    weekdays: list[str]
    sessions: list[SessionName]
    cells: list[CellShown]
    hold_hours: list[int]
    time_in_trade: TimeInTradeShown
    fan: FanShown | None
