from __future__ import annotations

import threading
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.storage import keyed_rows, setup_rows
from goldsignal_pipeline.storage.backtests import BACKTEST_RESULTS, BACKTEST_TRADES
from goldsignal_pipeline.storage.binary_encoding import NO_VALUE
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.keyed_rows import MergeResult, Scope, TableShape
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.performance import STRATEGY_PERFORMANCE
from goldsignal_pipeline.storage.setups import SETUPS
from goldsignal_pipeline.storage.signals import GATE_DECISIONS, OUTCOMES, SIGNAL_EVENTS, SIGNALS
from goldsignal_pipeline_tests.storage import graph_rows
from goldsignal_pipeline_tests.storage.graph_rows import FEBRUARY, JANUARY, MARCH, SYMBOL

SHAPES = {
    "setups": (SETUPS, "confirmed_at"),
    "backtest_trades": (BACKTEST_TRADES, "resolved_at"),
    "backtest_results": (BACKTEST_RESULTS, "day"),
    "gate_decisions": (GATE_DECISIONS, "decided_for"),
    "signals": (SIGNALS, "confirmed_at"),
    "signal_events": (SIGNAL_EVENTS, "at"),
    "outcomes": (OUTCOMES, "resolved_at"),
    "strategy_performance": (STRATEGY_PERFORMANCE, "day"),
}


def scope_of(time: str, start: datetime = JANUARY, end: datetime = FEBRUARY, **where: Any) -> Scope:
    return Scope({"symbol": SYMBOL, **where}, time, start, end)


def replace(
    database: Database, frame: pd.DataFrame, shape: TableShape = GATE_DECISIONS, scope: Scope | None = None, run: str = "first"
) -> MergeResult:
    with database.transaction() as connection:
        return keyed_rows.replace(connection, shape, scope or scope_of("decided_for"), frame.assign(run_id=run))


def held(database: Database, shape: TableShape = GATE_DECISIONS, scope: Scope | None = None) -> pd.DataFrame:
    with database.transaction() as connection:
        return keyed_rows.read(connection, shape, scope or scope_of("decided_for"))


def row_versions(database: Database, table: str) -> set[tuple[str, str, str]]:
    """Where each row lies, which transaction wrote it and for which run: changes with every write, also one of equal values."""
    with database.transaction() as connection:
        rows = connection.execute(text(f"SELECT ctid::text, xmin::text, run_id FROM goldsignal.{table}"))
        return {(row[0], row[1], row[2]) for row in rows}


def made(name: str) -> pd.DataFrame:
    """Some rows for a table, as frames have them."""
    signals = graph_rows.signals(48)
    setups = graph_rows.setups(48)
    frames = {
        "setups": lambda: setup_rows.to_rows(setups, graph_rows.conditions(setups)),
        "backtest_trades": lambda: graph_rows.trades(48),
        "backtest_results": lambda: graph_rows.results(12),
        "gate_decisions": lambda: graph_rows.decisions(48),
        "signals": lambda: signals,
        "signal_events": lambda: graph_rows.events(signals),
        "outcomes": lambda: graph_rows.outcomes(signals),
        "strategy_performance": lambda: graph_rows.performance(16),
    }
    return frames[name]()


@pytest.fixture
def with_signals(database: Database) -> Database:
    """A database with the strategies and signals that other rows refer to."""
    with database.transaction() as connection:
        graph_rows.register(connection)
    replace(database, graph_rows.signals(48), SIGNALS, scope_of("confirmed_at"))
    return database


@pytest.mark.parametrize("name", SHAPES)
def test_i19_what_is_stored_is_read_back_exactly_and_storing_it_again_writes_nothing(with_signals: Database, name: str) -> None:
    shape, time = SHAPES[name]
    frame, scope = made(name), scope_of(time)
    replace(with_signals, frame, shape, scope)
    written = row_versions(with_signals, name)
    read = held(with_signals, shape, scope)
    expected = frame.sort_values([column for column in shape.order if column != "symbol"], ignore_index=True)
    pd.testing.assert_frame_equal(read, expected[list(read.columns)], check_exact=True)
    assert {*read.columns} == {*shape.columns} - {"symbol", "run_id"}
    shuffled = read.sample(frac=1, random_state=3)
    assert replace(with_signals, shuffled, shape, scope, run="second") == MergeResult(0, 0, 0, len(frame))
    assert row_versions(with_signals, name) == written


def altered(values: pd.Series, kind: Kind) -> pd.Series:
    """Another value of the kind in place of each."""
    if kind is Kind.INSTANT:
        return values.fillna(pd.Timestamp(MARCH)).astype(values.dtype) + pd.Timedelta(microseconds=1)
    if kind is Kind.BOOLEAN:
        return ~values
    if kind is Kind.JSON:
        return values.map(lambda held: f"[{held or '0'}]").astype("str")
    if kind in (Kind.TEXT, Kind.TEXTS):
        return values + "x"
    if kind is Kind.METRIC:
        return np.rint(1e4 * values.fillna(0.0) + 1) / 1e4
    return values.where(values != NO_VALUE, 0) + 1


def without_checks(database: Database, table: str) -> None:
    """Take the check constraints off a table, so that one value of a row may change alone."""
    query = "SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND contype = 'c'"
    with database.transaction() as connection:
        for constraint in connection.execute(text(query), {"table": f"goldsignal.{table}"}).scalars().all():
            connection.execute(text(f"ALTER TABLE goldsignal.{table} DROP CONSTRAINT {constraint}"))


@pytest.mark.parametrize("name", SHAPES)
def test_every_single_value_of_a_row_counts(with_signals: Database, name: str) -> None:
    shape, time = SHAPES[name]
    before, scope = made(name), scope_of(time)
    replace(with_signals, before, shape, scope)
    without_checks(with_signals, name)
    fixed = {"symbol", "run_id", time, *shape.key, *shape.replaceable}
    values = [column for column in shape.columns if column not in fixed]
    after = before.copy()
    for place, column in enumerate(values):
        after.loc[place, column] = altered(before[column], shape.columns[column])[place]
    assert replace(with_signals, after, shape, scope) == MergeResult(0, len(values), 0, len(before) - len(values))
    read = held(with_signals, shape, scope)
    expected = after.sort_values([column for column in shape.order if column != "symbol"], ignore_index=True)
    pd.testing.assert_frame_equal(read, expected[list(read.columns)], check_exact=True)


def test_who_wrote_a_row_changes_only_with_the_row(database: Database) -> None:
    frame = graph_rows.decisions(12)
    replace(database, frame, run="first")
    revised = frame.copy()
    revised.loc[4, "risk_usd"] += 1
    assert replace(database, revised, run="second") == MergeResult(0, 1, 0, 11)
    with database.transaction() as connection:
        runs = connection.execute(text("SELECT run_id, count(*) FROM goldsignal.gate_decisions GROUP BY 1")).all()
    assert {tuple(row) for row in runs} == {("first", 11), ("second", 1)}


edits = st.lists(st.tuples(st.integers(0, 39), st.sampled_from(["drop", "risk", "score", "rank", "reasons"])), max_size=12)


def edited(frame: pd.DataFrame, changes: list[tuple[int, str]]) -> pd.DataFrame:
    result = frame.copy()
    for place, what in changes:
        if what == "risk":
            result.loc[place, "risk_usd"] += 1
        elif what == "score":
            result.loc[place, "rank_score"] = np.nan
        elif what == "rank":
            result.loc[place, "rank"] = 7
        elif what == "reasons":
            result.loc[place, ["reasons", "is_accepted", "is_shadow"]] = ["late\ntoo_small", False, False]
    dropped = {place for place, what in changes if what == "drop"}
    return result.drop(index=sorted(dropped)).reset_index(drop=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=edits, second=edits, seed=st.integers(0, 9))
def test_a_scope_holds_exactly_the_given_rows_and_only_what_differs_was_written(
    database: Database, first: list[tuple[int, str]], second: list[tuple[int, str]], seed: int
) -> None:
    base = graph_rows.decisions(40)
    before, after = edited(base, first), edited(base, second)
    replace(database, before.iloc[:0])
    replace(database, before)
    earlier = row_versions(database, "gate_decisions")
    done = replace(database, after.sample(frac=1, random_state=seed), run="second")
    read = held(database)
    pd.testing.assert_frame_equal(read, after[list(read.columns)], check_exact=True)
    old, new = (frame.set_index("timestamp").apply(tuple, axis=1).map(repr) for frame in (before, after))
    common = old.index.intersection(new.index)
    same = int((old[common] == new[common]).sum())
    assert done == MergeResult(len(new) - len(common), len(common) - same, len(old) - len(common), same)
    assert len(row_versions(database, "gate_decisions") & earlier) == same


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, 59), max_size=4), order=st.randoms(use_true_random=False))
def test_i8_any_cutting_of_a_range_in_any_order_gives_equal_rows(database: Database, cuts: set[int], order: Any) -> None:
    frame = graph_rows.decisions(30, start="2026-01-31T08:00")
    edges = [JANUARY, *(JANUARY + timedelta(days=cut) for cut in sorted(cuts)), MARCH]
    chunks = list(pairwise(edges))
    order.shuffle(chunks)
    replace(database, frame.iloc[:0], scope=scope_of("decided_for", JANUARY, MARCH))
    replace(database, frame.iloc[::3].assign(risk_usd=1), scope=scope_of("decided_for", JANUARY, MARCH))
    for start, end in chunks:
        inside = (frame["decided_for"] >= start) & (frame["decided_for"] < end)
        replace(database, frame[inside], scope=scope_of("decided_for", start, end))
    read = held(database, scope=scope_of("decided_for", JANUARY, MARCH))
    pd.testing.assert_frame_equal(read, frame[list(read.columns)], check_exact=True)


def test_many_rows_merge_as_few_do(database: Database) -> None:
    frame = graph_rows.decisions(12_000, start="2024-09-01")
    scope = scope_of("decided_for", JANUARY - timedelta(days=900), MARCH)
    assert replace(database, frame, scope=scope) == MergeResult(12_000, 0, 0, 0)
    revised = frame.assign(risk_usd=frame["risk_usd"].where(np.arange(12_000) < 6_000, 1)).iloc[3:]
    assert replace(database, revised, scope=scope) == MergeResult(0, 6_000, 3, 5_997)
    read = held(database, scope=scope)
    pd.testing.assert_frame_equal(read, revised[list(read.columns)].reset_index(drop=True), check_exact=True)


def test_rows_outside_the_scope_are_left_alone(database: Database) -> None:
    frame = graph_rows.decisions(10, start="2026-01-31T20:00")
    is_january = frame["decided_for"] < FEBRUARY
    replace(database, frame[is_january])
    replace(database, frame[~is_january], scope=scope_of("decided_for", FEBRUARY, MARCH))
    replace(database, frame[is_january], scope=Scope({"symbol": "XAUUSD-SIM"}, "decided_for", JANUARY, FEBRUARY))
    assert 0 < is_january.sum() < len(frame)
    assert replace(database, frame.iloc[:0]).deleted == is_january.sum()
    left = held(database, scope=Scope({"symbol": (SYMBOL, "XAUUSD-SIM")}, "decided_for", JANUARY, MARCH))
    assert sorted(left["symbol"]) == [SYMBOL] * int((~is_january).sum()) + ["XAUUSD-SIM"] * int(is_january.sum())


def test_a_scope_may_name_several_values_of_a_column_and_numbers(database: Database) -> None:
    setups = graph_rows.setups(9)
    rows = setup_rows.to_rows(setups, graph_rows.conditions(setups))
    replace(database, rows, SETUPS, scope_of("confirmed_at"))
    some = scope_of("confirmed_at", kind=("refused", "near_miss"))
    assert set(held(database, SETUPS, some)["kind"]) == {"refused", "near_miss"}
    assert replace(database, rows.iloc[:0], SETUPS, some) == MergeResult(0, 0, 6, 0)
    kept = held(database, SETUPS, scope_of("confirmed_at", confidence=int(rows["confidence"][0])))
    assert "confidence" not in kept
    assert kept["timestamp"].tolist() == [rows["timestamp"][0]]


def test_days_belong_to_a_range_by_their_beginning(with_signals: Database) -> None:
    frame = graph_rows.results(4, start="2026-01-30")
    replace(with_signals, frame, BACKTEST_RESULTS, scope_of("day", JANUARY, MARCH))
    january, february = (
        held(with_signals, BACKTEST_RESULTS, scope_of("day", *span))["day"] for span in ((JANUARY, FEBRUARY), (FEBRUARY, MARCH))
    )
    assert set(january.astype(str)) == {"2026-01-30", "2026-01-31"}
    assert set(february.astype(str)) == {"2026-02-01", "2026-02-02"}
    assert replace(with_signals, frame.iloc[:0], BACKTEST_RESULTS, scope_of("day")) == MergeResult(0, 0, 8, 0)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda rows: pd.concat([rows, rows.iloc[3:4]]), "occurs twice"),
        (lambda rows: rows.assign(decided_for=rows["decided_for"] + pd.Timedelta(days=40)), "outside the range"),
        (lambda rows: rows.assign(decided_for=rows["decided_for"] - pd.Timedelta(days=40)), "outside the range"),
        (lambda rows: rows.assign(decided_for=pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us, UTC]")), "outside"),
        (lambda rows: rows.assign(symbol="XAGUSD"), "another symbol than XAUUSD"),
        (lambda rows: rows.assign(rank_score=np.inf), "rank_score holds inf"),
        (lambda rows: rows.assign(rank_score=-1_000_000.0), r"does not fit NUMERIC\(10,4\)"),
        (lambda rows: rows.assign(rank=2**31), "does not fit an integer column"),
    ],
)
def test_rows_that_do_not_belong_are_refused_and_nothing_is_stored(database: Database, spoil: Any, told: str) -> None:
    frame = graph_rows.decisions(6)
    replace(database, frame)
    with pytest.raises(DataError, match=told):
        replace(database, spoil(frame.assign(risk_usd=5)))
    assert held(database)["risk_usd"].tolist() == frame["risk_usd"].tolist()


def test_what_is_appended_leaves_held_rows_as_they_are(database: Database) -> None:
    frame, scope = graph_rows.decisions(8).assign(run_id="first"), scope_of("decided_for")
    with database.transaction() as connection:
        assert keyed_rows.append(connection, GATE_DECISIONS, scope, frame.iloc[:5]) == MergeResult(5, 0, 0, 0)
        assert keyed_rows.append(connection, GATE_DECISIONS, scope, frame.iloc[:0]) == MergeResult(0, 0, 0, 0)
    written = row_versions(database, "gate_decisions")
    with database.transaction() as connection:
        done = keyed_rows.append(connection, GATE_DECISIONS, scope, frame.iloc[2:].assign(risk_usd=5, run_id="second"))
    assert done == MergeResult(3, 0, 0, 3)
    assert written < row_versions(database, "gate_decisions")
    assert held(database)["risk_usd"].tolist() == [*frame["risk_usd"][:5], 5, 5, 5]


@pytest.mark.fault("concurrency")
def test_two_runs_that_append_the_same_rows_add_them_once(database: Database) -> None:
    frame, scope = graph_rows.decisions(50).assign(run_id="r"), scope_of("decided_for")
    barrier, results = threading.Barrier(3), []

    def append() -> None:
        barrier.wait()
        with database.transaction() as connection:
            results.append(keyed_rows.append(connection, GATE_DECISIONS, scope, frame))

    threads = [threading.Thread(target=append) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.inserted for one in results) == [0, 0, 50]
    assert len(held(database)) == 50


def test_chosen_columns_are_read_in_the_order_of_the_shape(database: Database) -> None:
    replace(database, graph_rows.decisions(6).sample(frac=1, random_state=1))
    with database.transaction() as connection:
        read = keyed_rows.read(connection, GATE_DECISIONS, scope_of("decided_for"), columns=["risk_usd", "run_id", "symbol"])
    assert read["risk_usd"].tolist() == [9_999, 10_000, 10_001, 10_002, 10_003, 10_004]
    assert set(read["run_id"]) == {"first"}
    assert set(read["symbol"]) == {SYMBOL}
    assert list(read.columns) == ["risk_usd", "run_id", "symbol"]


def test_a_scope_without_rows_is_an_empty_frame_of_the_same_types(with_signals: Database) -> None:
    for name, (shape, time) in SHAPES.items():
        replace(with_signals, made(name), shape, scope_of(time))
        full, empty = (held(with_signals, shape, scope_of(time, *span)) for span in ((JANUARY, FEBRUARY), (FEBRUARY, MARCH)))
        assert len(empty) == 0
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()


@pytest.mark.fault("concurrency")
def test_two_writers_of_one_month_take_turns_and_one_of_another_does_not_wait(database: Database) -> None:
    frame = graph_rows.decisions(60)
    versions = [frame.assign(risk_usd=number) for number in range(4)]
    barrier, results = threading.Barrier(len(versions)), []

    def write(rows: pd.DataFrame) -> None:
        barrier.wait()
        results.append(replace(database, rows))

    threads = [threading.Thread(target=write, args=(rows,)) for rows in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((one.inserted, one.updated, one.deleted) for one in results) == [(0, 60, 0)] * 3 + [(60, 0, 0)]
    assert held(database)["risk_usd"].nunique() == 1
    february = graph_rows.decisions(5, start="2026-02-03")
    with database.transaction() as connection:
        keyed_rows.replace(connection, GATE_DECISIONS, scope_of("decided_for"), frame.assign(run_id=""))
        assert replace(database, february, scope=scope_of("decided_for", FEBRUARY, MARCH)).inserted == 5
