from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.storage import keyed_rows, signals
from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline.storage.keyed_rows import MergeResult, Scope
from goldsignal_pipeline.storage.signals import OUTCOMES, SIGNALS
from goldsignal_pipeline_tests.storage import graph_rows
from goldsignal_pipeline_tests.storage.graph_rows import FEBRUARY, JANUARY, MARCH, SYMBOL

SPAN = {"symbol": SYMBOL, "start": JANUARY, "end": FEBRUARY}
CLOSED = '{"result":"sl_hit"}'


@pytest.fixture
def ready(database: Database) -> Database:
    """A database that knows the strategies."""
    with database.transaction() as connection:
        graph_rows.register(connection)
    return database


def mixed(count: int = 12) -> pd.DataFrame:
    """Signals of a backfill and, from the second half on, live ones."""
    backfill, live = graph_rows.signals(count), graph_rows.signals(count, origin="live")
    return pd.concat([backfill.iloc[: count // 2], live.iloc[count // 2 :]], ignore_index=True)


def store(database: Database, frame: pd.DataFrame, *, run: str = "r") -> MergeResult:
    with database.transaction() as connection:
        return signals.store_signals(connection, **SPAN, signals=frame.assign(run_id=run))


def store_events(database: Database, frame: pd.DataFrame, **kinds: Any) -> MergeResult:
    with database.transaction() as connection:
        return signals.store_events(connection, **SPAN, events=frame.assign(run_id="r"), **kinds)


def read(database: Database, name: str) -> pd.DataFrame:
    with database.transaction() as connection:
        return getattr(signals, f"read_{name}")(connection, **SPAN)


def test_i19_signals_come_back_exactly_and_again_write_nothing(ready: Database) -> None:
    frame = mixed()
    assert store(ready, frame) == MergeResult(12, 0, 0, 0)
    assert store(ready, frame, run="other") == MergeResult(0, 0, 0, 12)
    held = read(ready, "signals")
    pd.testing.assert_frame_equal(held, frame[list(held.columns)], check_exact=True)
    live = read(ready, "live_signals")
    pd.testing.assert_frame_equal(live, frame.iloc[6:].reset_index(drop=True)[list(live.columns)], check_exact=True)


def test_a_backfill_never_reaches_what_was_published(ready: Database) -> None:
    frame = mixed()
    store(ready, frame)
    without_live = frame.iloc[:5].assign(risk_usd=77)
    assert store(ready, without_live) == MergeResult(0, 5, 1, 0)
    held = read(ready, "signals")
    pd.testing.assert_frame_equal(held.iloc[5:].reset_index(drop=True), frame.iloc[6:].reset_index(drop=True)[list(held.columns)])
    assert held["risk_usd"].tolist()[:5] == [77] * 5
    changed = frame.assign(risk_usd=78)
    assert store(ready, changed) == MergeResult(1, 5, 0, 6)
    assert read(ready, "signals")["risk_usd"].tolist()[6:] == frame["risk_usd"].tolist()[6:]


def test_a_backfill_row_in_the_place_of_a_published_one_is_refused(ready: Database) -> None:
    store(ready, graph_rows.signals(2, origin="live"))
    with pytest.raises(DatabaseError, match="is there already") as caught:
        store(ready, graph_rows.signals(2))
    assert caught.value.constraint == "pk_signals"


@pytest.mark.parametrize("table", ["signals", "signal_events"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET run_id = 'x' WHERE {}", "DELETE FROM {} WHERE {}", "TRUNCATE {} CASCADE", "{} merge"]
)
@pytest.mark.parametrize("role", ["goldsignal_writer", "goldsignal_owner", "postgres"])
def test_published_rows_are_never_changed_or_removed_by_anyone(ready: Database, table: str, statement: str, role: str) -> None:
    frame = mixed()
    store(ready, frame)
    store_events(ready, graph_rows.events(frame))
    before = read(ready, "signals"), read(ready, "events")
    merge = (
        f"INSERT INTO goldsignal.{table} SELECT * FROM goldsignal.{table} WHERE origin = 'live'"
        f" ON CONFLICT ON CONSTRAINT pk_{table} DO UPDATE SET run_id = 'x'"
    )
    written = merge if "merge" in statement else statement.format(f"goldsignal.{table}", "origin = 'live'")
    refusal = pytest.raises(DatabaseError, match=r"keeps what was published|permission denied")
    with refusal, ready.transaction() as connection:
        connection.execute(text("SET LOCAL goldsignal.retention = 'on'"))
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        connection.execute(text(written))
    for one, other in zip(before, (read(ready, "signals"), read(ready, "events")), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_the_rows_of_a_backfill_may_be_changed_and_removed_with_all_that_hangs_on_them(ready: Database) -> None:
    frame = graph_rows.signals(6)
    store(ready, frame)
    store_events(ready, graph_rows.events(frame))
    store_outcomes(ready, graph_rows.outcomes(frame))
    assert store(ready, frame.iloc[2:]) == MergeResult(0, 0, 2, 4)
    assert [len(read(ready, name)) for name in ("signals", "events", "outcomes")] == [4, 4, 4]


def test_a_live_row_is_no_business_of_replace_itself(ready: Database) -> None:
    live = graph_rows.signals(2, origin="live").assign(run_id="r")
    with pytest.raises(DataError, match="another origin than backfill"), ready.transaction() as connection:
        keyed_rows.replace(connection, SIGNALS, Scope({"symbol": SYMBOL}, "confirmed_at", JANUARY, FEBRUARY), live)


def test_events_of_other_kinds_are_left_alone(ready: Database) -> None:
    frame = graph_rows.signals(4)
    store(ready, frame)
    published, filled = graph_rows.events(frame), graph_rows.events(frame, kind="filled", hours=1)
    assert store_events(ready, published, kinds=["published"]) == MergeResult(4, 0, 0, 0)
    assert store_events(ready, filled, kinds=["filled", "closed"]) == MergeResult(4, 0, 0, 0)
    assert store_events(ready, filled.iloc[:1], kinds=["filled", "closed"]) == MergeResult(0, 0, 3, 1)
    assert read(ready, "events")["kind"].value_counts().to_dict() == {"published": 4, "filled": 1}
    with pytest.raises(DataError, match="another kind than published"):
        store_events(ready, filled, kinds=["published"])


def test_the_status_of_a_signal_follows_from_its_newest_end(ready: Database) -> None:
    frame = graph_rows.signals(4, origin="live")
    store(ready, frame)
    store_events(ready, graph_rows.events(frame))
    store_events(ready, graph_rows.events(frame, kind="filled", hours=1))
    assert read(ready, "states")["status"].tolist() == ["active"] * 4
    closed = graph_rows.events(frame.iloc[1:], kind="closed", hours=5, detail=CLOSED)
    store_events(ready, closed)
    # A correction that finds the end earlier than was published is known later, and counts.
    earlier = graph_rows.events(frame.iloc[2:], kind="corrected", hours=4, detail='{"result":"tp1_hit"}')
    again = graph_rows.events(frame.iloc[3:], kind="corrected", hours=3, detail='{"result":"expired"}')
    store_events(ready, earlier.assign(known_at=closed["known_at"].iloc[1:] + pd.Timedelta(days=1)))
    store_events(ready, again.assign(known_at=closed["known_at"].iloc[2:] + pd.Timedelta(days=2)))
    states = read(ready, "states")
    assert states["status"].tolist() == ["active", "sl_hit", "tp1_hit", "expired"]
    hours = [None, 5, 4, 3]
    expected = [pd.NaT if one is None else frame["confirmed_at"][row] + pd.Timedelta(hours=one) for row, one in enumerate(hours)]
    assert states["ended_at"].tolist()[1:] == expected[1:]
    assert states["ended_at"].isna().tolist() == [True, False, False, False]


def store_outcomes(
    database: Database, frame: pd.DataFrame, *, start: datetime = JANUARY, end: datetime = FEBRUARY
) -> MergeResult:
    with database.transaction() as connection:
        scope = Scope({"symbol": SYMBOL}, "resolved_at", start, end)
        return keyed_rows.replace(connection, OUTCOMES, scope, frame.assign(run_id="r"))


def test_i9_a_signal_has_one_outcome_and_an_outcome_a_signal(ready: Database) -> None:
    frame = graph_rows.signals(4)
    store(ready, frame)
    outcomes = graph_rows.outcomes(frame)
    with pytest.raises(DataError, match="occurs twice"):
        store_outcomes(ready, pd.concat([outcomes, outcomes.iloc[:1].assign(result="expired")]))
    store_outcomes(ready, outcomes)
    later = outcomes.assign(resolved_at=outcomes["resolved_at"] + pd.Timedelta(days=31))
    with pytest.raises(DatabaseError, match="is there already") as caught:
        store_outcomes(ready, later, start=FEBRUARY, end=MARCH)
    assert caught.value.constraint == "pk_outcomes"
    with pytest.raises(DatabaseError, match="needs another that is not there") as caught:
        store_outcomes(ready, graph_rows.outcomes(graph_rows.signals(5)))
    assert caught.value.constraint == "fk_outcomes_signals"


@pytest.mark.fault("concurrency")
def test_i9_two_live_runs_that_publish_the_same_signals_publish_them_once(ready: Database) -> None:
    frame = graph_rows.signals(30, origin="live")
    barrier, results = threading.Barrier(3), []

    def publish(number: int) -> None:
        barrier.wait()
        results.append(store(ready, frame.assign(risk_usd=100 + number), run=str(number)))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.inserted for one in results) == [0, 0, 30]
    assert read(ready, "signals")["risk_usd"].nunique() == 1


def test_verdicts_come_back_exactly(database: Database) -> None:
    frame = graph_rows.decisions(20)
    with database.transaction() as connection:
        scope = Scope({"symbol": SYMBOL}, "decided_for", JANUARY, FEBRUARY)
        keyed_rows.replace(connection, signals.GATE_DECISIONS, scope, frame.assign(run_id="r"))
    held = read(database, "decisions")
    pd.testing.assert_frame_equal(held, frame[list(held.columns)], check_exact=True)
    assert held["reasons"].tolist()[:4] == ["", "confidence", "degraded", "not_eligible\nmax_open"]
