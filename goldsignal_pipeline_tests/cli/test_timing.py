"""The time spent in PostgreSQL is measured, for both drivers, and nothing stays wrapped afterwards."""

from __future__ import annotations

import time

import psycopg
from sqlalchemy import create_engine, text

from goldsignal_pipeline.cli.timing import postgres_time
from goldsignal_pipeline.storage.database import Database, driver_connection


def test_statements_of_both_drivers_and_copy_are_counted_once(database: Database) -> None:
    with postgres_time() as ours, database.transaction() as connection:
        connection.execute(text("SELECT pg_sleep(0.3)"))
    assert 0.3 <= ours.seconds < 0.6
    engine = create_engine(database.url.set(drivername="postgresql+psycopg2"))
    with postgres_time() as dagsters, engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(0.3)"))
    engine.dispose()
    assert 0.3 <= dagsters.seconds < 0.6
    with postgres_time() as copied, database.transaction() as connection:
        cursor = driver_connection(connection).cursor()
        with cursor.copy("COPY (SELECT pg_sleep(0.3)) TO STDOUT") as copy:
            for _ in copy:
                pass
    assert 0.3 <= copied.seconds < 0.6


def test_time_outside_postgresql_is_not_counted_and_the_hook_is_removed() -> None:
    before = psycopg.Connection.wait
    with postgres_time() as spent:
        time.sleep(0.05)
    assert spent.seconds == 0.0
    assert psycopg.Connection.wait is before
