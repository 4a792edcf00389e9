from __future__ import annotations

import logging
import threading
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, text

from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.storage import migrations
from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline.storage.tables import METADATA, SCHEMA
from goldsignal_pipeline_tests.postgres import Server
from goldsignal_pipeline_tests.sql.sample_rows import SAMPLES

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
OF_THE_GRAPH = ("setups", "backtest_trades", "gate_decisions", "signal_events", "gate_events", "gate_states")
OF_ALERTS = ("alerts", "alert_channels", "alert_deliveries", "alert_attempts", "alert_mutes")
OF_NEWS = ("news_events", "news_sources")
OF_RETENTION = ("pruned_candles",)
TABLES = {table.name: table for table in METADATA.sorted_tables}


def constraints(connection: Connection) -> set[tuple[str, ...]]:
    """Every constraint, index and comment of the schema, as the server prints it."""
    query = text(
        "SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'goldsignal'::regnamespace"
        " UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'goldsignal'"
        " UNION ALL SELECT 'comment', objoid::regclass::text, coalesce(attname, ''), description FROM pg_description"
        " LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND attnum > 0"
        " WHERE objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'goldsignal'::regnamespace AND relkind = 'r')"
        " UNION ALL SELECT 'column', attrelid::regclass::text, attname, format_type(atttypid, atttypmod) || ' '"
        "  || attnotnull || ' ' || attcollation::regcollation::text FROM pg_attribute"
        " WHERE attnum > 0 AND NOT attisdropped"
        "  AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'goldsignal'::regnamespace"
        "  AND relkind = 'r')"
    )
    rows = connection.execute(query).all()
    return {tuple(map(str, row)) for row in rows if "alembic_version" not in str(row)}


def fill(database: Database) -> None:
    with database.transaction() as connection:
        for name, row in SAMPLES.items():
            connection.execute(insert(TABLES[name]).values(**row))


def counts(database: Database) -> dict[str, int]:
    with database.transaction() as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {SCHEMA}.{name}")).scalar_one()
            for name in TABLES
            if connection.execute(text("SELECT to_regclass(:name)"), {"name": f"{SCHEMA}.{name}"}).scalar() is not None
        }


def test_an_empty_database_is_brought_to_the_newest_revision(empty_url: str) -> None:
    assert migrations.current(empty_url) is None
    assert migrations.pending(empty_url) == REVISIONS
    migrations.upgrade(empty_url)
    assert migrations.current(empty_url) == REVISIONS[-1]
    assert migrations.pending(empty_url) == ()


def test_i19_a_second_upgrade_changes_nothing(postgres_url: str, database: Database) -> None:
    fill(database)
    migrations.upgrade(postgres_url)
    assert set(counts(database).values()) == {1}


def test_every_table_has_a_sample_row() -> None:
    assert set(SAMPLES) == set(TABLES)


@pytest.mark.parametrize("target", ["base", *REVISIONS[:-1]])
def test_up_down_and_up_again_with_data_in_it(postgres_url: str, database: Database, target: str) -> None:
    fill(database)
    migrations.downgrade(postgres_url, target)
    kept = counts(database)
    assert set(kept.values()) <= {1}
    migrations.upgrade(postgres_url)
    assert migrations.pending(postgres_url) == ()
    assert {name: count for name, count in counts(database).items() if count} == kept
    missing = set(TABLES) - set(kept)
    with database.transaction() as connection:
        for name in SAMPLES:
            if name in missing:
                connection.execute(insert(TABLES[name]).values(**SAMPLES[name]))
    assert set(counts(database).values()) == {1}


def test_a_downgrade_below_the_views_keeps_every_row(postgres_url: str, database: Database) -> None:
    fill(database)
    migrations.downgrade(postgres_url, "0003")
    assert counts(database) == {name: 1 for name in TABLES if name not in {*OF_THE_GRAPH, *OF_ALERTS, *OF_NEWS, *OF_RETENTION}}


def test_a_signal_of_the_earlier_release_keeps_its_status_and_gets_what_is_new(postgres_url: str, database: Database) -> None:
    fill(database)
    migrations.downgrade(postgres_url, "0004")
    with database.transaction() as connection:
        before = connection.execute(text("SELECT status, conditions FROM goldsignal.signals")).one()
    migrations.upgrade(postgres_url)
    with database.transaction() as connection:
        after = connection.execute(text("SELECT risk_usd, events_digest, status FROM goldsignal.signal_states")).one()
    assert tuple(before) == ("sl_hit", [])
    assert tuple(after) == (Decimal("100.00"), "unknown", "active")


def test_the_revisions_make_exactly_the_tables_of_the_models(postgres_server: Server, empty_url: str, database: Database) -> None:
    modelled = Database(empty_url)
    with modelled.transaction() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        METADATA.create_all(connection)
        expected = constraints(connection)
    modelled.dispose()
    with database.transaction() as connection:
        assert constraints(connection) == expected
        context = MigrationContext.configure(
            connection,
            opts={
                "target_metadata": METADATA,
                "include_schemas": True,
                "include_name": lambda name, kind, _: name == SCHEMA if kind == "schema" else name != "alembic_version",
            },
        )
        assert compare_metadata(context, METADATA) == []


def test_a_database_of_a_newer_release_is_left_alone(postgres_url: str, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("UPDATE goldsignal.alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer release"):
        migrations.upgrade(postgres_url)
    assert migrations.current(postgres_url) == "9999"


@pytest.mark.fault("concurrency")
def test_two_processes_may_migrate_at_once(empty_url: str) -> None:
    failures: list[Exception] = []

    def migrate() -> None:
        try:
            migrations.upgrade(empty_url)
        except Exception as error:
            failures.append(error)

    # Alembic keeps its context in module state, so that within one process the second must wait for the advisory lock too.
    threads = [threading.Thread(target=migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert migrations.pending(empty_url) == ()


@pytest.mark.fault("database")
def test_an_interrupted_migration_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "sql"
    _copy_scripts(broken)
    grants = broken / "roles" / "grants.sql"
    grants.write_text(grants.read_text() + "\nSELECT pg_terminate_backend(pg_backend_pid());")
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "SCRIPTS", broken)
        with pytest.raises(DatabaseError) as caught:
            migrations.upgrade(empty_url)
    assert caught.value.retryable
    assert migrations.current(empty_url) is None
    with psycopg.connect(empty_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT to_regnamespace('goldsignal')").fetchone() == (None,)
    migrations.upgrade(empty_url)
    assert migrations.pending(empty_url) == ()


def _copy_scripts(target: Path) -> None:
    import shutil

    shutil.copytree(migrations.SCRIPTS, target, ignore=shutil.ignore_patterns("__pycache__"))


def test_a_user_who_may_not_create_roles_can_still_migrate(postgres_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    login, database = f"plain_{uuid4().hex[:8]}", f"own_{uuid4().hex[:8]}"
    with postgres_server.without_roles("goldsignal_owner", "goldsignal_writer", "goldsignal_reader"):
        postgres_server.admin(f"CREATE ROLE {login} LOGIN")
        postgres_server.admin(f"CREATE DATABASE {database} OWNER {login}")
        url = postgres_server.url(database, user=login)
        with caplog.at_level(logging.WARNING):
            migrations.upgrade(url)
        assert "role goldsignal_writer was not created" in caplog.text
        assert migrations.pending(url) == ()
        postgres_server.admin(f"DROP DATABASE {database} WITH (FORCE)")
        postgres_server.admin(f"DROP ROLE {login}")


def test_a_path_of_the_scripts_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch, empty_url: str) -> None:
    monkeypatch.setattr(migrations, "SCRIPTS", Path("/nowhere"))
    with pytest.raises(StorageError, match="checkout"):
        migrations.upgrade(empty_url)


def test_nothing_is_created_outside_schema_goldsignal(database: Database) -> None:
    with database.transaction() as connection:
        found = connection.execute(
            text("SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
        ).scalars()
        assert set(found) == {SCHEMA}
