"""The record of the market: what was observed, what was turned away, what follows from it, and what was asked for."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.market.timeframes import PRUNABLE, Timeframe
from goldsignal_pipeline.storage.tables.base import (
    Base,
    Day,
    Instant,
    KeyText,
    Metric,
    Price,
    TextList,
    Volume,
    month_form,
    one_of,
    price_order,
)


class RawCandle(Base):
    """Every version of every bar, as delivered."""

    __tablename__ = "raw_candles"
    __table_args__ = (
        price_order(),
        one_of("timeframe", Timeframe),
        Index("ix_raw_candles_observed_at", "observed_at", postgresql_using="brin"),
        {
            "comment": "Append-only observations: every version of every bar as delivered, a row only when it differs from the "
            "newest version. UPDATE, DELETE and TRUNCATE are refused."
        },
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol, XAUUSD or XAUUSD-SIM (simulated market).")
    timestamp: Mapped[Instant] = mapped_column(primary_key=True, comment="Open of the bar, UTC.")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, comment="Length of the bar as delivered, M1 to D1.")
    source: Mapped[KeyText] = mapped_column(primary_key=True, comment="Vendor and side of the quote, vendor:side.")
    observed_at: Mapped[Instant] = mapped_column(
        primary_key=True, comment="Wall clock of the fetch; later than every earlier version of the same bar."
    )
    open: Mapped[Price] = mapped_column(comment="First price, USD per troy ounce.")
    high: Mapped[Price] = mapped_column(comment="Highest price, USD per troy ounce.")
    low: Mapped[Price] = mapped_column(comment="Lowest price, USD per troy ounce.")
    close: Mapped[Price] = mapped_column(comment="Last price, USD per troy ounce.")
    volume: Mapped[Volume | None] = mapped_column(comment="Volume in the source's own unit; NULL when it has none.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that stored the row.")


class Candle(Base):
    """The current, validated bars of all timeframes."""

    __tablename__ = "candles"
    __table_args__ = (
        price_order(),
        one_of("timeframe", Timeframe),
        one_of("base_timeframe", Timeframe),
        CheckConstraint("base_bars > 0", name="base_bars"),
        {"comment": "Current projection of raw_candles and the bars derived from it; closed bars only, one per key (I2)."},
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol, XAUUSD or XAUUSD-SIM (simulated market).")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, comment="Length of the bar, M1 to D1.")
    timestamp: Mapped[Instant] = mapped_column(primary_key=True, comment="Open of the bar, UTC.")
    open: Mapped[Price] = mapped_column(comment="First price, USD per troy ounce.")
    high: Mapped[Price] = mapped_column(comment="Highest price, USD per troy ounce.")
    low: Mapped[Price] = mapped_column(comment="Lowest price, USD per troy ounce.")
    close: Mapped[Price] = mapped_column(comment="Last price, USD per troy ounce.")
    volume: Mapped[Volume | None] = mapped_column(comment="Sum of the volume of the base bars; NULL when none has any.")
    source: Mapped[KeyText] = mapped_column(comment="Source that the whole trading day is taken from, vendor:side.")
    base_timeframe: Mapped[KeyText] = mapped_column(comment="Timeframe of the observations the bar is made of.")
    base_bars: Mapped[int] = mapped_column(Integer, comment="How many base bars the bar is made of.")
    flag: Mapped[str | None] = mapped_column(Text, comment="Why the bar is suspect (outlier, flat run ...); NULL when it is not.")


class PrunedCandle(Base):
    """A month of which retention deleted the candles of a timeframe."""

    __tablename__ = "pruned_candles"
    __table_args__ = (
        one_of("timeframe", PRUNABLE),
        month_form(),
        {"comment": "Months of which retention deleted the candles of a timeframe; readers derive them from raw_candles again."},
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol.")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, comment="Length of the bars, M1 to M30.")
    month: Mapped[KeyText] = mapped_column(primary_key=True, comment="Month in which they close, UTC, YYYY-MM.")
    rows: Mapped[int] = mapped_column(BigInteger, comment="How many were deleted.")
    pruned_at: Mapped[Instant] = mapped_column(comment="When they were deleted.")


class QuarantinedCandle(Base):
    """Every row that was turned away, with the reason."""

    __tablename__ = "quarantined_candles"
    __table_args__ = (
        one_of("timeframe", Timeframe),
        Index(
            "uq_quarantined_candles_row",
            "symbol",
            "source",
            "timeframe",
            text("coalesce(timestamp, '-infinity'::timestamptz)"),
            "reason",
            text("md5(payload)"),
            unique=True,
        ),
        Index("ix_quarantined_candles_symbol_timestamp", "symbol", "timestamp"),
        {"comment": "Delivered rows that are no observations, each with its reason; the same row is kept once."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the row.")
    symbol: Mapped[KeyText] = mapped_column(comment="Symbol it was delivered for.")
    source: Mapped[KeyText] = mapped_column(comment="Vendor and side, vendor:side.")
    timeframe: Mapped[KeyText] = mapped_column(comment="Bar length it was delivered as.")
    timestamp: Mapped[Instant | None] = mapped_column(comment="Open of the bar, UTC; NULL when unreadable.")
    reason: Mapped[KeyText] = mapped_column(comment="Why it was turned away, a RejectReason.")
    payload: Mapped[str] = mapped_column(Text, comment="The row as text, without secrets.")
    stage: Mapped[KeyText] = mapped_column(comment="Step that turned it away: provider, observation or projection.")
    calendar_version: Mapped[str] = mapped_column(Text, comment="Version of the trading calendar that judged it.")
    observed_at: Mapped[Instant] = mapped_column(comment="Wall clock of the fetch that first delivered it.")


class TradingDayPart(Base):
    """How complete a trading day is, per UTC month it reaches into."""

    __tablename__ = "trading_day_parts"
    __table_args__ = (
        month_form(),
        one_of("base_timeframe", Timeframe),
        CheckConstraint(
            "expected_bars >= 0 AND present_bars >= 0 AND missing_bars BETWEEN 0 AND expected_bars AND compared_closes >= 0",
            name="counts",
        ),
        CheckConstraint("distant_share BETWEEN 0 AND 1", name="distant_share"),
        {"comment": "Completeness and agreement of one trading day (17:00 to 17:00 New York), per UTC month with bars of it."},
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol.")
    trading_day: Mapped[Day] = mapped_column(primary_key=True, comment="Date in New York on which the day ends at 17:00.")
    month: Mapped[KeyText] = mapped_column(primary_key=True, comment="UTC month YYYY-MM in which this part's bars open.")
    source: Mapped[KeyText | None] = mapped_column(comment="Source the day is taken from; NULL when no source has it.")
    base_timeframe: Mapped[KeyText] = mapped_column(comment="Timeframe of the observations this part is built from.")
    expected_bars: Mapped[int] = mapped_column(Integer, comment="Base bars the calendar expects so far.")
    present_bars: Mapped[int] = mapped_column(Integer, comment="Base bars present.")
    missing_bars: Mapped[int] = mapped_column(Integer, comment="Base bars missing; a run at the end counts from two hours on.")
    sources: Mapped[TextList] = mapped_column(comment="Every source with a bar in this part, in order of preference.")
    compared_closes: Mapped[int] = mapped_column(Integer, comment="Closes that another source has at the same instant.")
    median_difference: Mapped[Metric | None] = mapped_column(comment="Median distance of those closes, USD/oz; NULL without.")
    distant_share: Mapped[Metric | None] = mapped_column(comment="Share of closes more than 0.1 % apart; NULL without.")


class Fetch(Base):
    """A window that a vendor was asked for."""

    __tablename__ = "fetches"
    __table_args__ = (
        one_of("timeframe", Timeframe),
        CheckConstraint("window_start < window_end", name="window"),
        CheckConstraint("rows >= 0 AND credits >= 0", name="counts"),
        Index("ix_fetches_symbol_window", "symbol", "timeframe", "window_start"),
        {"comment": "Windows asked of a source and what they brought; tells a hole of the vendor from a bar never asked for."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the fetch.")
    symbol: Mapped[KeyText] = mapped_column(comment="Symbol asked for.")
    source: Mapped[KeyText] = mapped_column(comment="Vendor and side asked, vendor:side.")
    timeframe: Mapped[KeyText] = mapped_column(comment="Bar length asked for.")
    window_start: Mapped[Instant] = mapped_column(comment="First open asked for, inclusive, UTC.")
    window_end: Mapped[Instant] = mapped_column(comment="End of the window, exclusive, UTC.")
    asked_at: Mapped[Instant] = mapped_column(comment="Wall clock of the request.")
    rows: Mapped[int] = mapped_column(Integer, comment="Rows delivered.")
    credits: Mapped[int] = mapped_column(Integer, comment="Vendor credits it cost.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that asked.")
