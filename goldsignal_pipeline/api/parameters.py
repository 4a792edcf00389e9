"""What may be asked: parameters with their limits. What is not listed is refused: a slip must not widen an answer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from goldsignal_pipeline.market.timeframes import Timeframe

MOST_ROWS: Final = 1000
MOST_BARS: Final = 100_000
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2200


def _written(value: Any) -> Any:
    if isinstance(value, str) and value[:4].isdigit() and value[4:5] == "-":
        return value.replace(" ", "+")  # a plus sign that was not quoted in the address arrives as a space
    if isinstance(value, datetime | date):
        return value
    raise ValueError("expected an instant such as 2026-03-20T12:00:00Z")


def _in_utc(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise ValueError("expected an instant with its zone, such as 2026-03-20T12:00:00Z")
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"expected a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return value.astimezone(UTC)


def _day_in_reach(value: date) -> date:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"expected a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return value


Instant = Annotated[datetime, BeforeValidator(_written), AfterValidator(_in_utc)]
Day = Annotated[date, AfterValidator(_day_in_reach)]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
Direction = Literal["BUY", "SELL"]
Result = Literal["tp2_hit", "tp1_hit", "sl_hit", "expired", "missed"]
RECORD_BEGINS: Final = datetime(2003, 5, 1, tzinfo=UTC)


class Asked(BaseModel):
    """Parameters of a question."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfSymbol(Asked):
    """A question about one market."""

    symbol: Symbol | None = Field(None, description="XAUUSD or XAUUSD-SIM; that of the feed when absent.")


class Paged(OfSymbol):
    """A question whose answer comes in pages."""

    limit: int = Field(100, ge=1, le=MOST_ROWS, description="Rows of a page.")
    cursor: str | None = Field(None, pattern="^[A-Za-z0-9_-]{1,600}$", description="`next` of the page before.")


class InRange(Paged):
    """Rows in [start, end)."""

    start: Instant | None = Field(None, description="Begin, inclusive; that of the record when absent.")
    end: Instant | None = Field(None, description="End, exclusive; now when absent.")


class OfStrategy(InRange):
    """Rows of one strategy, timeframe or direction where named."""

    strategy: Name | None = Field(None, description="Only this strategy.")
    timeframe: Timeframe | None = Field(None, description="Only this timeframe.")
    direction: Direction | None = Field(None, description="Only this side.")


class CandlesAsked(OfSymbol):
    """Candles of a timeframe, the newest `limit` in [start, end)."""

    timeframe: Timeframe = Field(Timeframe.H1, description="Length of the bars.")
    start: Instant | None = Field(None, description="Earliest open, inclusive; that of the record when absent.")
    end: Instant | None = Field(None, description="End of the range of opens, exclusive; now when absent.")
    limit: int = Field(500, ge=1, le=MOST_BARS, description="At most so many bars, the newest of the range.")
    as_of: Instant | None = Field(None, description="Only bars closed by then, as they read then; in columns.")
    form: Literal["columns", "rows"] = Field("columns", description="Columns of numbers, or an object per bar with its source.")


class SignalsAsked(OfStrategy):
    """Signals by the close of their confirming bar, newest first."""

    status: Literal["active"] | Result | None = Field(None, description="Only signals that stand so.")
    origin: Literal["live", "backfill"] | None = Field(None, description="Only signals given live, or only those found later.")
    as_of: Instant | None = Field(None, description="Signals and their standing as known then.")


class OutcomesAsked(OfStrategy):
    """Outcomes by the instant at which they were known, newest first."""

    result: Result | None = Field(None, description="Only this result.")


class DaysAsked(Paged):
    """Results of days, newest first."""

    start: Day | None = Field(None, description="First day; only the newest day when absent.")
    end: Day | None = Field(None, description="Day to end before; tomorrow when absent.")
    strategy: Name | None = Field(None, description="Only this strategy.")
    timeframe: Timeframe | None = Field(None, description="Only this timeframe.")


class BacktestsAsked(DaysAsked):
    """Simulated results."""

    window_days: Literal[30, 60, 180, 365] | None = Field(None, description="Only this window.")


class PerformanceAsked(DaysAsked):
    """Results of signals."""

    window_days: Literal[7, 30, 90] | None = Field(None, description="Only this window.")


class SilenceAsked(OfSymbol):
    """What a range lacked."""

    start: Instant | None = Field(None, description="Begin, inclusive; 30 days before the end when absent.")
    end: Instant | None = Field(None, description="End, exclusive; now when absent.")
