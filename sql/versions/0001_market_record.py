"""The record of the market: observations, candles, quarantine, trading days, fetches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "candles",
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol, XAUUSD or XAUUSD-SIM (simulated market)."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Length of the bar, M1 to D1."),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False, comment="Open of the bar, UTC."),
        sa.Column("open", sa.Numeric(precision=10, scale=2), nullable=False, comment="First price, USD per troy ounce."),
        sa.Column("high", sa.Numeric(precision=10, scale=2), nullable=False, comment="Highest price, USD per troy ounce."),
        sa.Column("low", sa.Numeric(precision=10, scale=2), nullable=False, comment="Lowest price, USD per troy ounce."),
        sa.Column("close", sa.Numeric(precision=10, scale=2), nullable=False, comment="Last price, USD per troy ounce."),
        sa.Column(
            "volume",
            sa.Numeric(precision=15, scale=2),
            nullable=True,
            comment="Sum of the volume of the base bars; NULL when none has any.",
        ),
        sa.Column(
            "source",
            sa.Text(collation="C"),
            nullable=False,
            comment="Source that the whole trading day is taken from, vendor:side.",
        ),
        sa.Column(
            "base_timeframe", sa.Text(collation="C"), nullable=False, comment="Timeframe of the observations the bar is made of."
        ),
        sa.Column("base_bars", sa.Integer(), nullable=False, comment="How many base bars the bar is made of."),
        sa.Column(
            "flag", sa.Text(), nullable=True, comment="Why the bar is suspect (outlier, flat run ...); NULL when it is not."
        ),
        sa.CheckConstraint(
            "base_timeframe = 'M1' OR base_timeframe = 'M5' OR base_timeframe = 'M15' OR base_timeframe = 'M30' OR "
            "base_timeframe = 'H1' OR base_timeframe = 'H4' OR base_timeframe = 'D1'",
            name=op.f("ck_candles_base_timeframe"),
        ),
        sa.CheckConstraint(
            "timeframe = 'M1' OR timeframe = 'M5' OR timeframe = 'M15' OR timeframe = 'M30' OR timeframe = 'H1' OR "
            "timeframe = 'H4' OR timeframe = 'D1'",
            name=op.f("ck_candles_timeframe"),
        ),
        sa.CheckConstraint("base_bars > 0", name=op.f("ck_candles_base_bars")),
        sa.CheckConstraint(
            "low > 0 AND low <= open AND low <= close AND open <= high AND close <= high", name=op.f("ck_candles_price_order")
        ),
        sa.PrimaryKeyConstraint("symbol", "timeframe", "timestamp", name=op.f("pk_candles")),
        schema="goldsignal",
        comment="Current projection of raw_candles and the bars derived from it; closed bars only, one per key (I2).",
    )
    op.create_table(
        "fetches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the fetch."),
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol asked for."),
        sa.Column("source", sa.Text(collation="C"), nullable=False, comment="Vendor and side asked, vendor:side."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Bar length asked for."),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False, comment="First open asked for, inclusive, UTC."),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False, comment="End of the window, exclusive, UTC."),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False, comment="Wall clock of the request."),
        sa.Column("rows", sa.Integer(), nullable=False, comment="Rows delivered."),
        sa.Column("credits", sa.Integer(), nullable=False, comment="Vendor credits it cost."),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Run that asked."),
        sa.CheckConstraint(
            "timeframe = 'M1' OR timeframe = 'M5' OR timeframe = 'M15' OR timeframe = 'M30' OR timeframe = 'H1' OR "
            "timeframe = 'H4' OR timeframe = 'D1'",
            name=op.f("ck_fetches_timeframe"),
        ),
        sa.CheckConstraint("rows >= 0 AND credits >= 0", name=op.f("ck_fetches_counts")),
        sa.CheckConstraint("window_start < window_end", name=op.f("ck_fetches_window")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetches")),
        schema="goldsignal",
        comment="Windows asked of a source and what they brought; tells a hole of the vendor from a bar never asked for.",
    )
    op.create_index(
        "ix_fetches_symbol_window", "fetches", ["symbol", "timeframe", "window_start"], unique=False, schema="goldsignal"
    )
    op.create_table(
        "quarantined_candles",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the row."),
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol it was delivered for."),
        sa.Column("source", sa.Text(collation="C"), nullable=False, comment="Vendor and side, vendor:side."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Bar length it was delivered as."),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=True, comment="Open of the bar, UTC; NULL when unreadable."),
        sa.Column("reason", sa.Text(collation="C"), nullable=False, comment="Why it was turned away, a RejectReason."),
        sa.Column("payload", sa.Text(), nullable=False, comment="The row as text, without secrets."),
        sa.Column(
            "stage",
            sa.Text(collation="C"),
            nullable=False,
            comment="Step that turned it away: provider, observation or projection.",
        ),
        sa.Column("calendar_version", sa.Text(), nullable=False, comment="Version of the trading calendar that judged it."),
        sa.Column(
            "observed_at", sa.DateTime(timezone=True), nullable=False, comment="Wall clock of the fetch that first delivered it."
        ),
        sa.CheckConstraint(
            "timeframe = 'M1' OR timeframe = 'M5' OR timeframe = 'M15' OR timeframe = 'M30' OR timeframe = 'H1' OR "
            "timeframe = 'H4' OR timeframe = 'D1'",
            name=op.f("ck_quarantined_candles_timeframe"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantined_candles")),
        schema="goldsignal",
        comment="Delivered rows that are no observations, each with its reason; the same row is kept once.",
    )
    op.create_index(
        "ix_quarantined_candles_symbol_timestamp",
        "quarantined_candles",
        ["symbol", "timestamp"],
        unique=False,
        schema="goldsignal",
    )
    op.create_index(
        "uq_quarantined_candles_row",
        "quarantined_candles",
        [
            "symbol",
            "source",
            "timeframe",
            sa.literal_column("coalesce(timestamp, '-infinity'::timestamptz)"),
            "reason",
            sa.literal_column("md5(payload)"),
        ],
        unique=True,
        schema="goldsignal",
    )
    op.create_table(
        "raw_candles",
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol, XAUUSD or XAUUSD-SIM (simulated market)."),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False, comment="Open of the bar, UTC."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Length of the bar as delivered, M1 to D1."),
        sa.Column("source", sa.Text(collation="C"), nullable=False, comment="Vendor and side of the quote, vendor:side."),
        sa.Column(
            "observed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Wall clock of the fetch; later than every earlier version of the same bar.",
        ),
        sa.Column("open", sa.Numeric(precision=10, scale=2), nullable=False, comment="First price, USD per troy ounce."),
        sa.Column("high", sa.Numeric(precision=10, scale=2), nullable=False, comment="Highest price, USD per troy ounce."),
        sa.Column("low", sa.Numeric(precision=10, scale=2), nullable=False, comment="Lowest price, USD per troy ounce."),
        sa.Column("close", sa.Numeric(precision=10, scale=2), nullable=False, comment="Last price, USD per troy ounce."),
        sa.Column(
            "volume",
            sa.Numeric(precision=15, scale=2),
            nullable=True,
            comment="Volume in the source's own unit; NULL when it has none.",
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Run that stored the row."),
        sa.CheckConstraint(
            "timeframe = 'M1' OR timeframe = 'M5' OR timeframe = 'M15' OR timeframe = 'M30' OR timeframe = 'H1' OR "
            "timeframe = 'H4' OR timeframe = 'D1'",
            name=op.f("ck_raw_candles_timeframe"),
        ),
        sa.CheckConstraint(
            "low > 0 AND low <= open AND low <= close AND open <= high AND close <= high", name=op.f("ck_raw_candles_price_order")
        ),
        sa.PrimaryKeyConstraint("symbol", "timestamp", "timeframe", "source", "observed_at", name=op.f("pk_raw_candles")),
        schema="goldsignal",
        comment="Append-only observations: every version of every bar as delivered, a row only when it differs from the newest "
        "version. UPDATE, DELETE and TRUNCATE are refused.",
    )
    op.create_index(
        "ix_raw_candles_observed_at", "raw_candles", ["observed_at"], unique=False, schema="goldsignal", postgresql_using="brin"
    )
    op.create_table(
        "trading_day_parts",
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol."),
        sa.Column("trading_day", sa.Date(), nullable=False, comment="Date in New York on which the day ends at 17:00."),
        sa.Column("month", sa.Text(collation="C"), nullable=False, comment="UTC month YYYY-MM in which this part's bars open."),
        sa.Column(
            "source", sa.Text(collation="C"), nullable=True, comment="Source the day is taken from; NULL when no source has it."
        ),
        sa.Column(
            "base_timeframe",
            sa.Text(collation="C"),
            nullable=False,
            comment="Timeframe of the observations this part is built from.",
        ),
        sa.Column("expected_bars", sa.Integer(), nullable=False, comment="Base bars the calendar expects so far."),
        sa.Column("present_bars", sa.Integer(), nullable=False, comment="Base bars present."),
        sa.Column(
            "missing_bars", sa.Integer(), nullable=False, comment="Base bars missing; a run at the end counts from two hours on."
        ),
        sa.Column(
            "sources",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="Every source with a bar in this part, in order of preference.",
        ),
        sa.Column("compared_closes", sa.Integer(), nullable=False, comment="Closes that another source has at the same instant."),
        sa.Column(
            "median_difference",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Median distance of those closes, USD/oz; NULL without.",
        ),
        sa.Column(
            "distant_share",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Share of closes more than 0.1 % apart; NULL without.",
        ),
        sa.CheckConstraint(
            "base_timeframe = 'M1' OR base_timeframe = 'M5' OR base_timeframe = 'M15' OR base_timeframe = 'M30' OR "
            "base_timeframe = 'H1' OR base_timeframe = 'H4' OR base_timeframe = 'D1'",
            name=op.f("ck_trading_day_parts_base_timeframe"),
        ),
        sa.CheckConstraint("month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name=op.f("ck_trading_day_parts_month")),
        sa.CheckConstraint("distant_share BETWEEN 0 AND 1", name=op.f("ck_trading_day_parts_distant_share")),
        sa.CheckConstraint(
            "expected_bars >= 0 AND present_bars >= 0 AND missing_bars BETWEEN 0 AND expected_bars AND compared_closes >= 0",
            name=op.f("ck_trading_day_parts_counts"),
        ),
        sa.PrimaryKeyConstraint("symbol", "trading_day", "month", name=op.f("pk_trading_day_parts")),
        schema="goldsignal",
        comment="Completeness and agreement of one trading day (17:00 to 17:00 New York), per UTC month with bars of it.",
    )


def downgrade() -> None:
    op.drop_table("trading_day_parts", schema="goldsignal")
    op.drop_index("ix_raw_candles_observed_at", table_name="raw_candles", schema="goldsignal", postgresql_using="brin")
    op.drop_table("raw_candles", schema="goldsignal")
    op.drop_index("uq_quarantined_candles_row", table_name="quarantined_candles", schema="goldsignal")
    op.drop_index("ix_quarantined_candles_symbol_timestamp", table_name="quarantined_candles", schema="goldsignal")
    op.drop_table("quarantined_candles", schema="goldsignal")
    op.drop_index("ix_fetches_symbol_window", table_name="fetches", schema="goldsignal")
    op.drop_table("fetches", schema="goldsignal")
    op.drop_table("candles", schema="goldsignal")
