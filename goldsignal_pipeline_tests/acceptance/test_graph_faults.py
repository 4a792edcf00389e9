"""The graph against a database that fails, and against itself: nothing half, nothing lost, nothing vouched for unseen.

Small record, real PostgreSQL: connections that die in a COPY, statements that take too long, deadlocks, no writes, no
connection, a full disk; two runs on one range, and a backfill beside a live cycle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from goldsignal_pipeline.assets import trade_setups
from goldsignal_pipeline.assets.staleness import Basis, behind
from goldsignal_pipeline.cli.prove.comparison import contents_of, first_unequal
from goldsignal_pipeline.cli.prove.graph import run_graph, run_missing, steps
from goldsignal_pipeline.storage import bulk, migrations
from goldsignal_pipeline.storage.contents import Content
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.embedded import EmbeddedServer
from goldsignal_pipeline.storage.failures import DatabaseError
from goldsignal_pipeline.storage.locks import lock_months
from goldsignal_pipeline.storage.server_processes import server_processes
from goldsignal_pipeline_tests.acceptance.graph_record import (
    MONTHS,
    NOW,
    SETTINGS,
    SYMBOL,
    at_once,
    changing_record,
    computed_record,
    copied,
    observe,
    rows,
    run,
    tamper,
    tell_other_settings,
)
from goldsignal_pipeline_tests.folders import open_folder
from goldsignal_pipeline_tests.postgres import Server
from goldsignal_pipeline_tests.small_disk import small_disk


@pytest.fixture(scope="module")
def observed(postgres_server: Server) -> Iterator[Database]:
    with changing_record(postgres_server) as database:
        yield database


@pytest.fixture(scope="module")
def undisturbed(postgres_server: Server) -> Iterator[tuple[Database, dict[str, Content]]]:
    with computed_record(postgres_server) as database:
        yield database, contents_of(database)


@pytest.fixture
def fresh(postgres_server: Server, observed: Database) -> Iterator[Database]:
    """Observations and their candles, everything else still to be computed."""
    with copied(postgres_server, observed) as database:
        steps()["candles"](run(database), MONTHS)
        yield database


@pytest.fixture
def computed(postgres_server: Server, undisturbed: tuple[Database, dict[str, Content]]) -> Iterator[Database]:
    """A copy of the computed record to disturb."""
    with copied(postgres_server, undisturbed[0]) as database:
        yield database


# --- the database fails ----------------------------------------------------------------------------------------------------


Disturb = Callable[[Server, Database, pytest.MonkeyPatch], Any]


@contextmanager
def connection_dies_in_copy(server: Server, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another session ends ours after the first block of the first COPY."""
    encode = bulk.encode  # type: ignore[attr-defined]

    def dying(*arguments: Any, **options: Any) -> Iterator[bytes]:
        for block in encode(*arguments, **options):
            yield block
            server.admin(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = '{database.url.database}' AND query LIKE 'COPY%'"
            )

    with monkeypatch.context() as patched:
        patched.setattr(bulk, "encode", dying)
        yield


@contextmanager
def statements_take_too_long(server: Server, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody holds the months, and no statement may wait longer than a moment."""
    holder = Database(server.url(str(database.url.database)))
    server.admin(f"ALTER DATABASE {database.url.database} SET statement_timeout = '300ms'")
    database.dispose()
    with holder.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for table in ("setups", "backtest_trades", "backtest_results", "signals", "outcomes", "strategy_performance"):
            lock_months(connection, table=table, months=MONTHS[-1:])
        yield
    holder.dispose()
    server.admin(f"ALTER DATABASE {database.url.database} RESET statement_timeout")
    database.dispose()


@contextmanager
def the_database_takes_no_writes(server: Server, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server.admin(f"ALTER DATABASE {database.url.database} SET default_transaction_read_only = on")
    database.dispose()
    yield
    server.admin(f"ALTER DATABASE {database.url.database} RESET default_transaction_read_only")
    database.dispose()


@contextmanager
def every_connection_is_in_use(server: Server, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(database, "_connections", 1)
        patched.setattr(database, "_wait_seconds", 0.3)
        database.dispose()
        database.__dict__.pop("engine", None)
        with database.transaction():
            yield
    database.dispose()
    database.__dict__.pop("engine", None)


@contextmanager
def the_disk_is_full(server: Server, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database lies on a disk of which every byte is taken."""

    def move(tablespace: str) -> None:
        database.dispose()
        server.admin(f"ALTER DATABASE {database.url.database} SET TABLESPACE {tablespace}")

    with small_disk(server, megabytes=64) as disk:
        move(disk.tablespace)
        # The first session of a moved database writes a file of its own and could not be opened later.
        rows(database, "SELECT count(*) FROM candles")
        disk.fill()
        yield
        disk.free()
        move("pg_default")


@contextmanager
def two_wait_for_each_other(server: Server, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another transaction holds the last month of what is written and then wants the first, as nobody of ours ever does."""
    other = Database(server.url(str(database.url.database)))
    holds, done = threading.Event(), threading.Event()

    def hold_then_want() -> None:
        with other.transaction() as connection:
            # The other side gives up first.
            connection.execute(text("SET LOCAL deadlock_timeout = '20s'"))
            for table in TABLE_OF.values():
                lock_months(connection, table=table, months=MONTHS[:1])
            holds.set()
            blocked = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
            while not connection.execute(blocked).scalar_one() and not done.wait(0.02):
                pass
            for table in HELD_FIRST.values():
                lock_months(connection, table=table, months=MONTHS[:1])

    thread = threading.Thread(target=hold_then_want)
    thread.start()
    assert holds.wait(10)
    yield
    done.set()
    thread.join(30)
    assert not thread.is_alive()
    other.dispose()


# The table whose months each step locks first, and one that it locks while it holds those.
HELD_FIRST = {"signals": "signals", "outcomes": "signals"}
TABLE_OF = {"signals": "gate_decisions", "outcomes": "outcomes"}

FAULTS = {
    "connection dies in COPY": (connection_dies_in_copy, True),
    "statement takes too long": (statements_take_too_long, True),
    "no writes": (the_database_takes_no_writes, False),
    "no connection": (every_connection_is_in_use, True),
    "full disk": (the_disk_is_full, False),
}


@pytest.mark.fault("database")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_database_leaves_nothing_half_and_the_next_run_succeeds(
    postgres_server: Server,
    fresh: Database,
    undisturbed: tuple[Database, dict[str, Content]],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    disturb, is_retryable = FAULTS[fault]
    for name, compute in steps().items():
        if name == "candles":
            continue
        before = contents_of(fresh)
        with disturb(postgres_server, fresh, monkeypatch), pytest.raises(DatabaseError) as told:
            compute(run(fresh), MONTHS)
        assert told.value.retryable is is_retryable
        assert told.value.done
        assert told.value.fix
        assert contents_of(fresh) == before, name
        compute(run(fresh), MONTHS)
    assert first_unequal(undisturbed[0], undisturbed[1], fresh) is None


@pytest.mark.fault("database")
@pytest.mark.parametrize("step", TABLE_OF)
def test_a_deadlock_ends_one_side_whole_and_the_next_run_succeeds(
    postgres_server: Server,
    computed: Database,
    undisturbed: tuple[Database, dict[str, Content]],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    with two_wait_for_each_other(postgres_server, computed, monkeypatch), pytest.raises(DatabaseError) as told:
        steps()[step](run(computed), MONTHS)
    assert told.value.sqlstate == "40P01"
    assert told.value.retryable
    assert contents_of(computed) == undisturbed[1]
    steps()[step](run(computed), MONTHS)
    assert contents_of(computed) == undisturbed[1]


# --- PostgreSQL is killed --------------------------------------------------------------------------------------------------


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A server of its own, that may be killed."""
    with open_folder() as folder, EmbeddedServer(folder / "home") as server:
        migrations.upgrade(server.url())
        yield server


@pytest.mark.fault("crash")
def test_postgresql_killed_in_the_middle_of_a_run_leaves_whole_assets_and_the_next_run_succeeds(
    own_server: EmbeddedServer, undisturbed: tuple[Database, dict[str, Content]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process of the server by SIGKILL while trades are copied: setups are there, trades are not, and nothing is half."""
    database = Database(own_server.url())
    observe(database)
    tell_other_settings(database)
    encode, killed = bulk.encode, threading.Event()  # type: ignore[attr-defined]

    def dying(*arguments: Any, **options: Any) -> Iterator[bytes]:
        for block in encode(*arguments, **options):
            yield block
            for process in server_processes(own_server.data):
                process.kill()
            killed.set()

    with monkeypatch.context() as patched, pytest.raises(DatabaseError) as told:
        run_graph(
            run(database), MONTHS, between=lambda name: patched.setattr(bulk, "encode", dying) if name == "setups" else None
        )
    assert killed.is_set()
    assert told.value.retryable
    assert own_server.start() == "started"
    left, whole = contents_of(database), undisturbed[1]
    assert left["setups"] == whole["setups"]
    assert left["backtest_trades"].rows == left["signals"].rows == 0
    assert run_missing(run(database), symbol=SYMBOL)
    assert first_unequal(undisturbed[0], whole, database) is None
    database.dispose()


# --- runs beside each other ------------------------------------------------------------------------------------------------


@pytest.mark.fault("concurrency")
def test_two_runs_on_one_range_store_every_row_once(fresh: Database, undisturbed: tuple[Database, dict[str, Content]]) -> None:
    """I2, I9: keys are unique in the database, so neither run may fail on the other's rows."""
    raised = at_once(*(lambda name=name: run_graph(run(fresh, run_id=name), MONTHS) for name in ("one", "two")))
    assert raised == []
    run_missing(run(fresh), symbol=SYMBOL)
    assert first_unequal(undisturbed[0], undisturbed[1], fresh) is None


@pytest.mark.fault("concurrency")
def test_a_backfill_beside_a_live_cycle_loses_nothing(fresh: Database, undisturbed: tuple[Database, dict[str, Content]]) -> None:
    """The cycle computes the newest months again and again while the backfill works its way up to them."""
    raised = at_once(
        lambda: [run_graph(run(fresh, run_id="backfill"), [month]) for month in MONTHS],
        lambda: [run_graph(run(fresh, run_id="live"), MONTHS[-2:]) for _ in range(3)],
    )
    assert raised == []
    run_missing(run(fresh), symbol=SYMBOL)
    assert first_unequal(undisturbed[0], undisturbed[1], fresh) is None


@pytest.mark.fault("concurrency")
def test_rows_that_change_after_they_were_read_make_the_month_outdated(
    computed: Database, undisturbed: tuple[Database, dict[str, Content]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run replaces setups between their reading and the writing of their trades: the trades are of the old ones."""
    tamper(computed, "UPDATE setups SET stop = stop + 0.01, planned_risk = abs(reference - stop - 0.01) WHERE kind = 'setup'")
    closed_trades = trade_setups.closed_trades

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        found = closed_trades(*arguments, **options)
        steps()["setups"](run(computed, run_id="another"), MONTHS)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(trade_setups, "closed_trades", meanwhile)
        tamper(computed, "UPDATE partition_digests SET digest = 'tampered' WHERE asset = 'setups'")
        steps()["backtest_trades"](run(computed), MONTHS)
    with computed.transaction() as connection:
        lagging = behind(connection, Basis.of(SETTINGS, now=NOW), symbol=SYMBOL).assets
    assert set(lagging["backtest_trades"]) == set(MONTHS)
    run_missing(run(computed), symbol=SYMBOL)
    assert first_unequal(undisturbed[0], undisturbed[1], computed) is None


@pytest.mark.fault("concurrency")
def test_a_signal_cannot_go_between_its_reading_and_its_outcome(computed: Database) -> None:
    """Deciding and resolving the same months take turns: else an outcome could be stored for a signal that is gone."""
    waited = threading.Event()
    with computed.transaction() as connection:
        lock_months(connection, table="signals", months=["2022-07"])
        thread = threading.Thread(target=lambda: (steps()["outcomes"](run(computed), ["2022-08"]), waited.set()))
        thread.start()
        assert not waited.wait(1.0)
    thread.join(30)
    assert waited.is_set()


def test_outcomes_that_went_with_their_signals_come_back_with_them(
    computed: Database, undisturbed: tuple[Database, dict[str, Content]]
) -> None:
    """Deciding takes signals away and gives them back unchanged; by their digests alone nothing would be missing."""
    kept = rows(
        computed, "SELECT confidence, timestamp, strategy FROM setups WHERE kind = 'setup' AND confirmed_at >= '2022-07-01'"
    )
    assert kept
    tamper(computed, "UPDATE setups SET confidence = 0 WHERE kind = 'setup'")
    steps()["signals"](run(computed), MONTHS)
    assert rows(computed, "SELECT count(*) FROM outcomes") == [(0,)]
    steps()["setups"](run(computed), MONTHS)
    steps()["signals"](run(computed), MONTHS)
    assert run_missing(run(computed), symbol=SYMBOL)
    assert first_unequal(undisturbed[0], undisturbed[1], computed) is None
