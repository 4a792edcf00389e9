"""The economic calendar: events, and the places it comes from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from goldsignal_pipeline.storage.migrations import apply_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SCHEMA = "goldsignal"
WORD, TEXT, INSTANT = sa.Text(collation="C"), sa.Text(), sa.DateTime(timezone=True)


def column(name, kind, comment):
    return sa.Column(name, kind, nullable=False, comment=comment)


def optional(name, kind, comment):
    return sa.Column(name, kind, nullable=True, comment=comment)


def upgrade() -> None:
    op.create_table(
        "news_events",
        column("at", INSTANT, "When it happens, UTC."),
        column("currency", WORD, "Currency it concerns, or All."),
        column("title", WORD, "What is announced."),
        column("impact", WORD, "holiday, low, medium or high; high USD events stop signals."),
        optional("forecast", TEXT, "What is expected, as it was written; NULL when unknown."),
        optional("previous", TEXT, "The figure before, as it was written; NULL when unknown."),
        column("source", TEXT, "Calendar that named it last."),
        column("first_seen_at", INSTANT, "When a calendar named it first."),
        column("changed_at", INSTANT, "When the row last changed."),
        optional("withdrawn_at", INSTANT, "When the calendar no longer named it; NULL while it does."),
        sa.CheckConstraint(
            "impact = 'holiday' OR impact = 'low' OR impact = 'medium' OR impact = 'high'", name=op.f("ck_news_events_impact")
        ),
        sa.CheckConstraint(
            "first_seen_at <= changed_at AND first_seen_at <= withdrawn_at", name=op.f("ck_news_events_time_order")
        ),
        sa.PrimaryKeyConstraint("at", "currency", "title", name="pk_news_events"),
        schema=SCHEMA,
        comment="Economic events as the calendar announces them; what the gate knew of them when is in gate_events.",
    )
    op.create_table(
        "news_sources",
        column("source", WORD, "File, or host and path."),
        optional("etag", TEXT, "Mark of the last answer; NULL without any."),
        optional("last_modified", TEXT, "Date of the last answer; NULL without any."),
        optional("answered_at", INSTANT, "When it last answered with a calendar, or that it is unchanged."),
        optional("quiet_until", INSTANT, "It is not asked before; NULL when it may be."),
        sa.PrimaryKeyConstraint("source", name="pk_news_sources"),
        schema=SCHEMA,
        comment="Calendars that were asked for: marks of the last answer, and until when they ask for quiet.",
    )
    apply_script(op.get_bind(), "roles/grants.sql")


def downgrade() -> None:
    for table in ("news_sources", "news_events"):
        op.drop_table(table, schema=SCHEMA)
