"""Alerts: messages owed, channels, deliveries, attempts, mutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from goldsignal_pipeline.storage.migrations import apply_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = "goldsignal"
WORD, TEXT, INSTANT, NUMBER = sa.Text(collation="C"), sa.Text(), sa.DateTime(timezone=True), sa.BigInteger()


def column(name, kind, comment):
    return sa.Column(name, kind, nullable=False, comment=comment)


def optional(name, kind, comment):
    return sa.Column(name, kind, nullable=True, comment=comment)


def numbered(comment):
    return sa.Column("id", NUMBER, sa.Identity(always=True), nullable=False, comment=comment)


def rule(table, name, condition):
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def one_of(table, name, words):
    return rule(table, name, " OR ".join(f"{name} = '{word}'" for word in words))


def upgrade() -> None:
    create_alerts()
    create_channels_and_mutes()
    create_deliveries()
    create_attempts()
    op.execute(
        "CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON goldsignal.alerts"
        " FOR EACH STATEMENT EXECUTE FUNCTION goldsignal.refuse_change()"
    )
    apply_script(op.get_bind(), "roles/grants.sql")


def create_alerts() -> None:
    kinds = (
        "published",
        "filled",
        "tp1_reached",
        "closed",
        "corrected",
        "health",
        "breaker",
        "data_blocked",
        "operator",
        "digest",
    )
    op.create_table(
        "alerts",
        numbered("Number of the message."),
        column("natural_key", WORD, "What it is about; the same is owed once."),
        column(
            "kind", WORD, "published, filled, tp1_reached, closed, corrected, health, breaker, data_blocked, operator or digest."
        ),
        optional("symbol", WORD, "Symbol it concerns; NULL for the system."),
        optional("thread", WORD, "Natural key of the message it answers: that of its signal."),
        column("at", INSTANT, "When what it tells became known, UTC."),
        column("owed_at", INSTANT, "When it was found to be owed, UTC."),
        column("useful_until", INSTANT, "When it is of no use any more and is not sent, UTC."),
        column("message", sa.JSON(), "Headline, body and foot, without markup."),
        optional("run_id", TEXT, "Run that found it; NULL for the sender."),
        one_of("alerts", "kind", kinds),
        rule("alerts", "useful_until", "useful_until > at"),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        schema=SCHEMA,
        comment="Append-only messages owed for what happened live, each once; channels deliver them. UPDATE, DELETE and "
        "TRUNCATE are refused.",
    )
    op.create_index("uq_alerts_natural_key", "alerts", ["natural_key"], unique=True, schema=SCHEMA)
    op.create_index("ix_alerts_at", "alerts", ["at"], unique=False, schema=SCHEMA)


def create_channels_and_mutes() -> None:
    op.create_table(
        "alert_channels",
        column("channel", WORD, "Service and a digest of its address."),
        column("since", INSTANT, "When it was first configured; older messages are owed only while of use."),
        optional("quiet_until", INSTANT, "Nothing is sent before: the service asked for it, or fails."),
        optional("moved_to", TEXT, "Where the service says that the chat is now."),
        sa.PrimaryKeyConstraint("channel", name="pk_alert_channels"),
        schema=SCHEMA,
        comment="Channels that were ever configured; a sender holds the row of the one it sends through.",
    )
    op.create_table(
        "alert_mutes",
        numbered("Number of the wish."),
        column("at", INSTANT, "When it was uttered, UTC."),
        column("until", INSTANT, "Until when nothing is sent, UTC; not after `at` ends it."),
        sa.PrimaryKeyConstraint("id", name="pk_alert_mutes"),
        schema=SCHEMA,
        comment="Times in which the user wanted no messages; the newest row holds. What is useful afterwards is sent then.",
    )


def create_deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        column("alert_id", NUMBER, "Message."),
        column("channel", WORD, "Channel."),
        column("state", WORD, "owed, sent, refused or lapsed."),
        column("due_at", INSTANT, "When it may be tried next, UTC."),
        optional("ended_at", INSTANT, "When it left the state owed; NULL while owed."),
        optional("reference", TEXT, "The service's own name of the message; answers refer to it."),
        optional("error", TEXT, "Why it was not delivered, secrets removed."),
        one_of("alert_deliveries", "state", ("owed", "sent", "refused", "lapsed")),
        rule("alert_deliveries", "ended_at", "(state = 'owed') = (ended_at IS NULL)"),
        sa.ForeignKeyConstraint(["alert_id"], ["goldsignal.alerts.id"], name="fk_alert_deliveries_alerts"),
        sa.ForeignKeyConstraint(["channel"], ["goldsignal.alert_channels.channel"], name="fk_alert_deliveries_alert_channels"),
        sa.PrimaryKeyConstraint("alert_id", "channel", name="pk_alert_deliveries"),
        schema=SCHEMA,
        comment="Each message per channel: owed, sent, refused by the service, or lapsed unsent (I17).",
    )
    op.create_index(
        "ix_alert_deliveries_owed",
        "alert_deliveries",
        ["channel", "alert_id"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'owed'"),
    )


def create_attempts() -> None:
    op.create_table(
        "alert_attempts",
        column("alert_id", NUMBER, "Message."),
        column("channel", WORD, "Channel."),
        column("number", sa.Integer(), "Which attempt, from 1."),
        column("started_at", INSTANT, "When the call began, UTC."),
        optional("result", WORD, "sent, failed, unclear or refused; NULL when it was cut off."),
        optional("error", TEXT, "What went wrong, secrets removed."),
        one_of("alert_attempts", "result", ("sent", "failed", "unclear", "refused")),
        rule("alert_attempts", "number", "number > 0"),
        sa.ForeignKeyConstraint(
            ["alert_id", "channel"],
            ["goldsignal.alert_deliveries.alert_id", "goldsignal.alert_deliveries.channel"],
            name="fk_alert_attempts_alert_deliveries",
        ),
        sa.PrimaryKeyConstraint("alert_id", "channel", "number", name="pk_alert_attempts"),
        schema=SCHEMA,
        comment="Every call to a service, written before it is made: one without a result was cut off and may have arrived.",
    )
    op.create_index(
        "ix_alert_attempts_channel_started_at", "alert_attempts", ["channel", "started_at"], unique=False, schema=SCHEMA
    )


def downgrade() -> None:
    for table in ("alert_attempts", "alert_deliveries", "alert_mutes", "alert_channels", "alerts"):
        op.drop_table(table, schema=SCHEMA)
