"""Months of candles that retention took away, because raw_candles gives them again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from goldsignal_pipeline.storage.migrations import apply_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "goldsignal"
WORD, INSTANT = sa.Text(collation="C"), sa.DateTime(timezone=True)


def column(name, kind, comment):
    return sa.Column(name, kind, nullable=False, comment=comment)


def upgrade() -> None:
    op.create_table(
        "pruned_candles",
        column("symbol", WORD, "Symbol."),
        column("timeframe", WORD, "Length of the bars, M1 to M30."),
        column("month", WORD, "Month in which they close, UTC, YYYY-MM."),
        column("rows", sa.BigInteger(), "How many were deleted."),
        column("pruned_at", INSTANT, "When they were deleted."),
        sa.CheckConstraint(
            "timeframe = 'M1' OR timeframe = 'M5' OR timeframe = 'M15' OR timeframe = 'M30'",
            name=op.f("ck_pruned_candles_timeframe"),
        ),
        sa.CheckConstraint("month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name=op.f("ck_pruned_candles_month")),
        sa.PrimaryKeyConstraint("symbol", "timeframe", "month", name="pk_pruned_candles"),
        schema=SCHEMA,
        comment="Months of which retention deleted the candles of a timeframe; readers derive them from raw_candles again.",
    )
    apply_script(op.get_bind(), "roles/grants.sql")


def downgrade() -> None:
    op.drop_table("pruned_candles", schema=SCHEMA)
