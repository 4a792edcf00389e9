"""Views, functions, the guard of append-only tables, and roles."""

from __future__ import annotations

from alembic import op

from goldsignal_pipeline.storage.migrations import apply_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCRIPTS = (
    "functions/raw_candles_as_of.sql",
    "functions/refuse_change.sql",
    "views/raw_candles_current.sql",
    "views/trading_day_states.sql",
    "roles/roles.sql",
    "roles/grants.sql",
)


def upgrade() -> None:
    for name in SCRIPTS:
        apply_script(op.get_bind(), name)


def downgrade() -> None:
    op.execute("DROP VIEW goldsignal.trading_day_states")
    op.execute("DROP VIEW goldsignal.raw_candles_current")
    op.execute("DROP FUNCTION goldsignal.refuse_change() CASCADE")
    op.execute("DROP FUNCTION goldsignal.raw_candles_as_of(timestamptz)")
