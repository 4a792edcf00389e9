from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from goldsignal_pipeline.errors import GoldSignalError, StorageError
from goldsignal_pipeline.storage import bulk, candles, raw_candles
from goldsignal_pipeline.storage.database import Database, DatabaseError, explicit_url
from goldsignal_pipeline_tests.postgres import Server
from goldsignal_pipeline_tests.small_disk import small_disk
from goldsignal_pipeline_tests.storage import frames
from goldsignal_pipeline_tests.storage.frames import SYMBOL

JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def load(connection: Connection, *, count: int = 500) -> candles.MergeResult:
    frame = frames.candles("2026-01-05", count=count)
    return candles.replace_range(connection, symbol=SYMBOL, start=JANUARY, end=FEBRUARY, candles=frame)


def load_and_fail(connection: Connection, error: Exception) -> None:
    load(connection)
    raise error


def held(database: Database) -> int:
    with database.transaction() as connection:
        return int(connection.execute(text("SELECT count(*) FROM goldsignal.candles")).scalar_one())


def terminate(database: Database, process: int) -> None:
    with database.transaction() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})


def process_of(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def assert_told(error: DatabaseError, *, sqlstate: str, retryable: bool) -> None:
    assert error.sqlstate == sqlstate
    assert error.retryable is retryable
    assert error.what
    assert error.done
    assert error.fix


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_the_driver_is_explicit_however_the_address_is_written(scheme: str) -> None:
    url = explicit_url(f"{scheme}://user:se%40cret@host:5433/db?sslmode=require")
    assert url.render_as_string(hide_password=False) == "postgresql+psycopg://user:se%40cret@host:5433/db?sslmode=require"


@pytest.mark.parametrize("address", ["mysql://host/db", "sqlite://", "nonsense", ""])
def test_an_address_of_something_else_is_refused(address: str) -> None:
    with pytest.raises(StorageError, match="not one of PostgreSQL"):
        Database(address)


def test_sessions_speak_utc_and_find_the_schema(database: Database) -> None:
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM candles")).scalar_one() == 0
        assert connection.execute(text("SELECT current_setting('timezone')")).scalar_one() == "UTC"
        name = connection.execute(text("SELECT current_setting('application_name')")).scalar_one()
    assert name == f"goldsignal[{os.getpid()}]"


def test_the_server_is_checked(database: Database) -> None:
    facts = database.check()
    assert facts.major >= 14
    assert facts.encoding == "UTF8"
    assert facts.accepts_writes


def test_i18_no_password_in_words_or_logs(postgres_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        database = Database(f"postgresql://nobody:hunter2secret@127.0.0.1:{postgres_server.port}/absent")
        with pytest.raises(DatabaseError) as caught:
            database.facts()
    shown = f"{database!r} {caught.value} {caught.value.__cause__} {caplog.text}"
    assert "hunter2secret" not in shown
    assert "***" in repr(database)


def test_i18_values_of_a_failed_statement_are_not_told(database: Database) -> None:
    with pytest.raises(DatabaseError) as caught, database.transaction() as connection:
        connection.execute(text("SELECT 1 / 0, CAST(:value AS text)"), {"value": "hunter2secret"})
    assert "hunter2secret" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.fault("database")
def test_a_server_that_does_not_answer_is_told(postgres_server: Server) -> None:
    with pytest.raises(DatabaseError, match="does not answer") as caught:
        Database("postgresql://postgres@127.0.0.1:1/postgres").facts()
    assert_told(caught.value, sqlstate="", retryable=True)


@pytest.mark.fault("database")
@pytest.mark.parametrize(
    ("user", "database", "words"), [("postgres", "absent", "does not exist"), ("stranger", "postgres", "refuses the user")]
)
def test_a_refused_connection_names_the_refusal(postgres_server: Server, user: str, database: str, words: str) -> None:
    with pytest.raises(DatabaseError, match=words) as caught:
        Database(postgres_server.url(database, user=user)).facts()
    assert not caught.value.retryable


def test_an_error_of_ours_rolls_back_and_passes_unchanged(database: Database) -> None:
    mistake = GoldSignalError("Ours.")
    with pytest.raises(GoldSignalError) as caught, database.transaction() as connection:
        load_and_fail(connection, mistake)
    assert caught.value is mistake
    assert held(database) == 0


@pytest.mark.fault("database")
def test_a_connection_dropped_in_copy_leaves_no_partial_range(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = bulk.encode

    def cut(*args: object, **kwargs: object) -> Iterator[bytes]:
        for number, block in enumerate(real(*args, **kwargs)):  # type: ignore[arg-type]
            if number == 2:
                terminate(database, victim[0])
                time.sleep(0.1)
            yield block

    monkeypatch.setattr("goldsignal_pipeline.storage.binary_encoding.ROWS_PER_BLOCK", 100)
    victim: list[int] = []

    def load_and_be_cut() -> None:
        with monkeypatch.context() as patched, database.transaction() as connection:
            victim.append(process_of(connection))
            patched.setattr(bulk, "encode", cut)
            load(connection)

    with pytest.raises(DatabaseError) as caught:
        load_and_be_cut()
    assert caught.value.retryable
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert held(database) == 0
    with database.transaction() as connection:
        assert load(connection).inserted == 500


@pytest.mark.fault("database")
def test_an_idle_connection_that_was_cut_is_replaced_unnoticed(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    with other.transaction() as connection:
        process = process_of(connection)
    terminate(database, process)
    time.sleep(0.1)
    with other.transaction() as connection:
        assert load(connection).inserted == 500
    other.dispose()


@pytest.mark.fault("database")
def test_a_statement_timeout_leaves_nothing_and_can_be_retried(database: Database) -> None:
    def load_and_dawdle() -> None:
        with database.transaction(statement_timeout=timedelta(milliseconds=300)) as connection:
            load(connection, count=50)
            connection.execute(text("SELECT pg_sleep(5)"))

    with pytest.raises(DatabaseError, match="longer than it is allowed") as caught:
        load_and_dawdle()
    assert_told(caught.value, sqlstate="57014", retryable=True)
    assert held(database) == 0
    with database.transaction() as connection:
        assert load(connection).inserted == 500
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"


@pytest.mark.fault("database")
def test_a_deadlock_ends_one_of_two_and_the_other_commits(database: Database) -> None:
    with database.transaction() as connection:
        load(connection)
    barrier = threading.Barrier(2)
    errors: list[DatabaseError] = []
    touch = text("UPDATE goldsignal.candles SET base_bars = base_bars + 1 WHERE timestamp = :at")
    instants = [datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 1, tzinfo=UTC)]

    def run(order: list[datetime]) -> None:
        try:
            with database.transaction() as connection:
                connection.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
                connection.execute(touch, {"at": order[0]})
                barrier.wait()
                connection.execute(touch, {"at": order[1]})
        except DatabaseError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(order,)) for order in (instants, instants[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    assert_told(errors[0], sqlstate="40P01", retryable=True)
    with database.transaction() as connection:
        touched = connection.execute(text("SELECT timestamp FROM candles WHERE base_bars = 2 ORDER BY 1")).scalars().all()
    assert touched == instants


@pytest.mark.fault("database")
def test_a_read_only_database_is_told(database: Database, postgres_server: Server) -> None:
    postgres_server.admin(f"ALTER DATABASE {database.url.database} SET default_transaction_read_only TO on")
    other = Database(database.url.render_as_string(hide_password=False))
    with pytest.raises(DatabaseError, match="accepts no writes") as caught, other.transaction() as connection:
        load(connection)
    assert_told(caught.value, sqlstate="25006", retryable=False)
    with pytest.raises(StorageError, match="read-only"):
        other.check()
    postgres_server.admin(f"ALTER DATABASE {database.url.database} RESET default_transaction_read_only")
    other.dispose()
    with other.transaction() as connection:
        assert load(connection).inserted == 500
    other.dispose()


def test_a_reading_transaction_sees_one_snapshot_and_cannot_write(database: Database) -> None:
    with database.transaction(read_only=True) as reading:
        first = reading.execute(text("SELECT count(*) FROM candles")).scalar_one()
        with database.transaction() as writing:
            load(writing)
        assert reading.execute(text("SELECT count(*) FROM candles")).scalar_one() == first
    with pytest.raises(DatabaseError, match="accepts no writes"), database.transaction(read_only=True) as connection:
        load(connection, count=501)


@pytest.mark.fault("database")
def test_a_pool_without_a_free_connection_is_told(postgres_url: str) -> None:
    small = Database(postgres_url, connections=1, wait_seconds=0.1)
    with small.transaction(), pytest.raises(DatabaseError, match="in use") as caught, small.transaction():
        pass
    assert_told(caught.value, sqlstate="", retryable=True)
    with small.transaction() as connection:
        assert load(connection).inserted == 500
    small.dispose()


@pytest.mark.fault("database")
def test_a_full_disk_leaves_no_partial_range(database: Database, postgres_server: Server) -> None:
    def fill(count: int) -> None:
        rows = frames.rows("2012-01-01", count=count)
        with database.transaction() as connection:
            raw_candles.append(
                connection, symbol=SYMBOL, source="a:bid", timeframe="M5", rows=rows, observed_at=JANUARY, run_id=None
            )

    def tablespace(name: str) -> None:
        with database.transaction() as connection:
            connection.execute(text(f"ALTER TABLE goldsignal.raw_candles SET TABLESPACE {name}"))

    with small_disk(postgres_server, megabytes=3) as disk:
        tablespace(disk.tablespace)
        with pytest.raises(DatabaseError, match="disk of the database is full") as caught:
            fill(50_000)
        assert_told(caught.value, sqlstate="53100", retryable=False)
        with database.transaction() as connection:
            assert connection.execute(text("SELECT count(*) FROM raw_candles")).scalar_one() == 0
        tablespace("pg_default")
    fill(50_000)
