"""Operations: credits, digests of months, operator events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credit_uses",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the entry."),
        sa.Column("vendor", sa.Text(collation="C"), nullable=False, comment="Vendor whose credits are meant."),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When they were granted, or the limit was reported."),
        sa.Column("event", sa.Text(collation="C"), nullable=False, comment="use, minute_exhausted or day_exhausted."),
        sa.Column("credits", sa.Integer(), nullable=False, comment="Credits granted; 0 for a reported limit."),
        sa.CheckConstraint(
            "event = 'use' OR event = 'minute_exhausted' OR event = 'day_exhausted'", name=op.f("ck_credit_uses_event")
        ),
        sa.CheckConstraint("credits >= 0", name=op.f("ck_credit_uses_credits")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_uses")),
        schema="goldsignal",
        comment="Vendor credits granted to any process, and limits the vendor itself reported; the shared budget.",
    )
    op.create_index("ix_credit_uses_vendor_at", "credit_uses", ["vendor", "at"], unique=False, schema="goldsignal")
    op.create_table(
        "operator_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the event."),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("kind", sa.Text(collation="C"), nullable=False, comment="What kind of event, for example run_failed."),
        sa.Column("severity", sa.Text(collation="C"), nullable=False, comment="info, warning or error."),
        sa.Column("message", sa.Text(), nullable=False, comment="One sentence for a person."),
        sa.Column("cause", sa.Text(), nullable=True, comment="The error behind it, secrets removed."),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Run it concerns."),
        sa.Column(
            "natural_key",
            sa.Text(collation="C"),
            nullable=False,
            comment="Identity of the occurrence; the same occurrence is stored once.",
        ),
        sa.CheckConstraint(
            "severity = 'info' OR severity = 'warning' OR severity = 'error'", name=op.f("ck_operator_events_severity")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_events")),
        schema="goldsignal",
        comment="Append-only events for the operator: failed runs and checks, repairs, exhausted limits. Each is told once.",
    )
    op.create_index("ix_operator_events_at", "operator_events", ["at"], unique=False, schema="goldsignal")
    op.create_index("uq_operator_events_natural_key", "operator_events", ["natural_key"], unique=True, schema="goldsignal")
    op.create_table(
        "partition_digests",
        sa.Column("asset", sa.Text(collation="C"), nullable=False, comment="Asset, named as its table."),
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol."),
        sa.Column("month", sa.Text(collation="C"), nullable=False, comment="Partition, UTC month YYYY-MM."),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="Rows the month holds."),
        sa.Column("digest", sa.Text(), nullable=False, comment="Digest of those rows."),
        sa.Column(
            "inputs_digest", sa.Text(), nullable=False, comment="Digest of the months it was made from, versions included."
        ),
        sa.Column(
            "complete", sa.Boolean(), nullable=False, comment="False while an input is missing or older than its own digest says."
        ),
        sa.Column("code_version", sa.Text(), nullable=False, comment="Code version of the asset."),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False, comment="When the month last changed."),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Run that computed it."),
        sa.CheckConstraint("month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name=op.f("ck_partition_digests_month")),
        sa.CheckConstraint("rows >= 0", name=op.f("ck_partition_digests_rows")),
        sa.PrimaryKeyConstraint("asset", "symbol", "month", name=op.f("pk_partition_digests")),
        schema="goldsignal",
        comment="Digest per asset, symbol and month: tells which months are missing, incomplete or older than their inputs.",
    )


def downgrade() -> None:
    op.drop_table("partition_digests", schema="goldsignal")
    op.drop_index("uq_operator_events_natural_key", table_name="operator_events", schema="goldsignal")
    op.drop_index("ix_operator_events_at", table_name="operator_events", schema="goldsignal")
    op.drop_table("operator_events", schema="goldsignal")
    op.drop_index("ix_credit_uses_vendor_at", table_name="credit_uses", schema="goldsignal")
    op.drop_table("credit_uses", schema="goldsignal")
