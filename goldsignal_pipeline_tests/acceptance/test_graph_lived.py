"""A week lived through on a virtual clock, with every fault of feed and machine, and what may be asked of it afterwards.

The week has an hourly tick instead of one for each of its M15 bars; `goldsignal simulate` and `make prove` have them all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.assets.parity import prove_parity
from goldsignal_pipeline.cli.prove.graph import Run, run_missing
from goldsignal_pipeline.cli.prove.reproduce import prove_reproduction
from goldsignal_pipeline.cli.simulate import Plan, live_through, proved, settings_of
from goldsignal_pipeline.market.delivery import Delivery, empty_rejected
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.parity import ParityReport
from goldsignal_pipeline.providers.simulated import SIMULATED_SOURCE
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.signal_ids import signal_id
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import SETTINGS, SYMBOL, copied, rows, tamper
from goldsignal_pipeline_tests.postgres import Server, migrated_database

EVERY = None if os.environ.get("PROVE") else Timeframe.H1
PLAN = Plan(datetime(2022, 8, 24, tzinfo=UTC), days=7, history_months=3, with_faults=True, every=EVERY)
LIVED = settings_of(SETTINGS, bar="M15", seed=7)
BEGIN = time.monotonic()


@dataclass(frozen=True)
class Week:
    """The database that lived through the week, and what happened."""

    server: Server
    database: Database
    counts: dict[str, int]

    @contextmanager
    def spoilt(self) -> Iterator[Database]:
        with copied(self.server, self.database) as copy:
            yield copy


@pytest.fixture(scope="module")
def week(postgres_server: Server) -> Iterator[Week]:
    with migrated_database(postgres_server) as database:
        yield Week(postgres_server, database, live_through(database, LIVED, PLAN))


def key_of(database: Database, where: str) -> SetupKey:
    query = (
        f"SELECT strategy, timeframe, direction, timestamp FROM gate_decisions WHERE {where} ORDER BY decided_for DESC LIMIT 1"
    )
    ((strategy, timeframe, direction, timestamp),) = rows(database, query)
    return SetupKey(strategy, timeframe, Direction(direction), timestamp)


def parity(database: Database, *, now: datetime = PLAN.finished) -> ParityReport:
    return prove_parity(database, LIVED, symbol=SYMBOL, now=now)


# --- the week itself -------------------------------------------------------------------------------------------------------


@pytest.mark.fault("concurrency")
def test_a_week_with_faults_equals_its_backfill(week: Week) -> None:
    """Missed, doubled and late ticks, outages, late, missing and revised bars: a single pass changes nothing (I19), and the
    backtest path gives every row, live verdicts among them (I15)."""
    report = proved(week.database, LIVED, PLAN, counts=week.counts, begin=BEGIN)
    assert report.changed == ()
    assert report.parity.passed, report.parity.differing
    assert report.parity.live == week.counts["live verdicts"] > 10
    assert week.counts["live signals"] >= 1
    assert week.counts["failed cycles"] >= 1
    assert week.counts["late verdicts"] >= 1
    assert week.counts["revised bars"] >= 1
    assert week.counts["cycles"] > 80


def test_i5_no_row_knows_anything_before_it_happened(week: Week) -> None:
    for broken in (
        "SELECT 1 FROM gate_decisions WHERE known_at < decided_for OR decided_for <= timestamp",
        "SELECT 1 FROM signals WHERE known_at < confirmed_at",
        "SELECT 1 FROM signal_events WHERE known_at < at",
        "SELECT 1 FROM backtest_trades WHERE entry_at < confirmed_at OR resolved_at < entry_known_at",
        "SELECT 1 FROM outcomes WHERE entered_at <= timestamp OR resolved_at <= entered_at",
    ):
        assert rows(week.database, broken) == [], broken


def test_i9_a_signal_ends_once_and_a_late_decision_never_becomes_one(week: Week) -> None:
    doubled = "SELECT timestamp FROM signal_events WHERE kind = '{}' GROUP BY symbol, timeframe, strategy, direction, timestamp"
    for kind in ("published", "filled", "closed"):
        assert rows(week.database, doubled.format(kind) + " HAVING count(*) > 1") == []
    late = (
        "SELECT 1 FROM gate_decisions JOIN signals USING (symbol, timeframe, strategy, direction, timestamp)"
        " WHERE 'late' = ANY (gate_decisions.reasons)"
    )
    assert rows(week.database, late) == []
    assert rows(week.database, "SELECT count(*) FROM gate_decisions WHERE 'late' = ANY (reasons)")[0][0] >= 1


# --- reproduction ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where",
    ["origin = 'live' AND is_accepted", "origin = 'live' AND NOT is_accepted", "origin = 'backfill' AND is_accepted"],
    ids=["live signal", "live silence", "backfill signal"],
)
def test_a_verdict_comes_out_byte_for_byte_in_an_empty_database(week: Week, where: str) -> None:
    key = key_of(week.database, where)
    done = prove_reproduction(week.database, LIVED, symbol=SYMBOL, key=key, now=PLAN.finished)
    assert done.passed, done.differences
    assert done.id == signal_id(key, symbol=SYMBOL)
    assert (done.known_at is not None) == ("live" in where)
    assert ("signals" in done.columns) == (" NOT " not in where)
    assert done.columns["gate_decisions"] > 10


def test_a_signal_that_was_tampered_with_does_not_come_out(week: Week) -> None:
    key = key_of(week.database, "origin = 'live' AND is_accepted")
    with week.spoilt() as database:
        assert tamper(database, f"UPDATE signals SET size_lots = size_lots + 0.01 WHERE timestamp = '{key.timestamp}'") >= 1
        done = prove_reproduction(database, LIVED, symbol=SYMBOL, key=key, now=PLAN.finished)
    assert not done.passed
    ((column, (stored, came_out)),) = done.differences["signals"].items()
    assert column == "size_lots"
    assert float(stored) - float(came_out) == pytest.approx(0.01)


# --- revisions after the fact ----------------------------------------------------------------------------------------------

LATER = PLAN.finished + timedelta(days=2)


def revise(database: Database, key: SetupKey) -> None:
    """Another close of the last base bar before the decision, a month's repair, and everything that follows."""
    opened = key.timestamp + timedelta(minutes=45)
    price = "(close * 100)::bigint"
    ((high, low, close),) = rows(
        database,
        f"SELECT (high * 100)::bigint, (low * 100)::bigint, {price} FROM raw_candles WHERE timestamp = :at AND timeframe = 'M15'"
        " ORDER BY observed_at DESC LIMIT 1",
        at=opened,
    )
    moved = close + 37 if key.direction is Direction.BUY else close - 37
    bar = {"timestamp": [opened], "open": [close], "high": [max(high, moved)], "low": [min(low, moved)], "close": [moved]}
    frame = pd.DataFrame(bar | {"volume": [1.0]})
    frame["timestamp"] = pd.DatetimeIndex(frame["timestamp"]).as_unit("us")
    report = ingest(
        database,
        symbol=SYMBOL,
        deliveries=[Delivery(SIMULATED_SOURCE, Timeframe.M15, frame, empty_rejected())],
        calendar=load_calendar(),
        now=LATER,
        grace=LIVED.grace,
        run_id="revision",
    )
    assert report.stored == 1
    assert run_missing(Run(database, LIVED, LATER, "repair"), symbol=SYMBOL)


def test_a_revision_after_the_fact_is_told_apart_and_what_was_published_stands(week: Week) -> None:
    key = key_of(week.database, "origin = 'live' AND is_accepted")
    published = rows(
        week.database, "SELECT * FROM signals WHERE timestamp = :at AND strategy = :who", at=key.timestamp, who=key.strategy
    )
    with week.spoilt() as database:
        revise(database, key)
        report = parity(database, now=LATER)
        assert report.passed, report.differing
        assert signal_id(key, symbol=SYMBOL) in report.revised
        query = "SELECT * FROM signals WHERE timestamp = :at AND strategy = :who"
        assert rows(database, query, at=key.timestamp, who=key.strategy) == published
        done = prove_reproduction(database, LIVED, symbol=SYMBOL, key=key, now=LATER)
        assert done.passed, done.differences


def test_a_live_verdict_that_nothing_excuses_is_a_difference(week: Week) -> None:
    """Tampered verdicts are no revised data: the gate's word and its row must agree."""
    with week.spoilt() as database:
        where = "origin = 'live' AND NOT is_accepted AND rank IS NOT NULL"
        chosen = f"(SELECT min(ctid) FROM gate_decisions WHERE {where})"
        assert tamper(database, f"UPDATE gate_decisions SET rank = rank + 1 WHERE ctid = {chosen}") == 1
        report = parity(database)
        assert not report.passed
        ((table, first),) = [(one.table, one.first) for one in report.differing]
        assert table == "gate_decisions"
        assert first is not None
        assert first.column == "rank"
        assert report.revised == parity(week.database).revised
