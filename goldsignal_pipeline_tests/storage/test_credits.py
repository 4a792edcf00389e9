from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from goldsignal_pipeline.errors import DayLimitError, UsageError
from goldsignal_pipeline.providers.base import CreditBudget
from goldsignal_pipeline.storage.credits import TRAVEL_TIME, PostgresCreditBudget
from goldsignal_pipeline.storage.database import Database

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 5, tzinfo=UTC)
VENDOR = "twelvedata"


def budget(database: Database, *, per_minute: int = 8, per_day: int = 800) -> CreditBudget:
    return PostgresCreditBudget(database, per_minute=per_minute, per_day=per_day)


def granted(database: Database) -> Iterator[tuple[datetime, int]]:
    with database.transaction() as connection:
        yield from map(tuple, connection.execute(text("SELECT at, credits FROM credit_uses WHERE event = 'use' ORDER BY at")))


def forget(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE goldsignal.credit_uses"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asks=st.lists(st.tuples(st.integers(0, 90), st.integers(1, 3)), min_size=5, max_size=40),
    per_minute=st.integers(3, 6),
    per_day=st.integers(5, 40),
    moment=st.tuples(
        st.sampled_from([NOON, MIDNIGHT - timedelta(minutes=3)]), st.integers(0, int(TRAVEL_TIME.total_seconds()) - 1)
    ),
)
def test_no_minute_and_no_day_of_the_vendor_ever_sees_more_than_its_limit(
    database: Database, asks: list[tuple[int, int]], per_minute: int, per_day: int, moment: tuple[datetime, int]
) -> None:
    forget(database)
    shared = budget(database, per_minute=per_minute, per_day=per_day)
    start, latency = moment
    now, arrivals = start, []
    for pause, credits in asks:
        now += timedelta(seconds=pause)
        try:
            if shared.acquire(vendor=VENDOR, credits=credits, now=now) == 0.0:
                # Some calls arrive at once, others up to the travel time later.
                arrivals.append((now + timedelta(seconds=latency * (len(arrivals) % 2)), credits))
        except DayLimitError:
            continue
    for key in ("%Y-%m-%d %H:%M", "%Y-%m-%d"):
        windows: dict[str, int] = {}
        for at, credits in arrivals:
            windows[at.strftime(key)] = windows.get(at.strftime(key), 0) + credits
        assert max(windows.values(), default=0) <= (per_day if key == "%Y-%m-%d" else per_minute)


def test_the_wait_ends_with_the_minute(database: Database) -> None:
    shared = budget(database, per_minute=2)
    at = NOON + timedelta(seconds=20)
    assert [shared.acquire(vendor=VENDOR, credits=1, now=at) for _ in range(3)] == [0.0, 0.0, 40.0]
    assert list(granted(database)) == [(at, 1), (at, 1)]
    assert shared.acquire(vendor=VENDOR, credits=2, now=at + timedelta(seconds=40)) == 0.0


def test_a_call_of_the_last_seconds_counts_in_the_minute_it_may_arrive_in(database: Database) -> None:
    shared = budget(database, per_minute=1)
    assert shared.acquire(vendor=VENDOR, credits=1, now=NOON + timedelta(seconds=58)) == 0.0
    assert shared.acquire(vendor=VENDOR, credits=1, now=NOON + timedelta(seconds=61)) == 59.0
    assert shared.acquire(vendor=VENDOR, credits=1, now=NOON + timedelta(seconds=120)) == 0.0


def test_the_day_ends_at_midnight_utc(database: Database) -> None:
    shared = budget(database, per_day=2)
    for minute in (0, 1):
        assert shared.acquire(vendor=VENDOR, credits=1, now=NOON + timedelta(minutes=minute)) == 0.0
    with pytest.raises(DayLimitError, match="used up"):
        shared.acquire(vendor=VENDOR, credits=1, now=MIDNIGHT - timedelta(seconds=1))
    assert shared.acquire(vendor=VENDOR, credits=1, now=MIDNIGHT) == 0.0


def test_what_the_vendor_reports_as_used_up_closes_the_window(database: Database) -> None:
    shared = budget(database)
    shared.exhausted(vendor=VENDOR, scope="minute", now=NOON + timedelta(seconds=10))
    assert shared.acquire(vendor=VENDOR, credits=1, now=NOON + timedelta(seconds=15)) == 45.0
    assert shared.acquire(vendor="other", credits=1, now=NOON + timedelta(seconds=15)) == 0.0
    assert shared.acquire(vendor=VENDOR, credits=1, now=NOON + timedelta(seconds=60)) == 0.0
    shared.exhausted(vendor=VENDOR, scope="day", now=NOON + timedelta(minutes=5))
    with pytest.raises(DayLimitError):
        shared.acquire(vendor=VENDOR, credits=1, now=NOON + timedelta(hours=2))
    assert shared.acquire(vendor=VENDOR, credits=1, now=MIDNIGHT) == 0.0


def test_a_call_that_no_minute_allows_is_refused_at_once(database: Database) -> None:
    with pytest.raises(UsageError, match="9 credits"):
        budget(database).acquire(vendor=VENDOR, credits=9, now=NOON)


def test_what_counts_is_shown(database: Database) -> None:
    shared = PostgresCreditBudget(database, per_minute=8, per_day=800)
    shared.acquire(vendor=VENDOR, credits=3, now=NOON)
    shared.acquire(vendor=VENDOR, credits=2, now=NOON + timedelta(minutes=1))
    used = shared.used(vendor=VENDOR, now=NOON + timedelta(minutes=1))
    assert (used.in_minute, used.in_day, used.minute_exhausted, used.day_exhausted) == (2, 5, False, False)


MINUTES = 15


def grab(url: str, start: Barrier, taken: multiprocessing.Queue[int]) -> None:
    """In a process of its own: ask once a minute at the same time as the others; tell how many were granted."""
    database = Database(url, connections=1)
    shared = budget(database, per_minute=1)
    count = 0
    for minute in range(MINUTES):
        start.wait()
        count += shared.acquire(vendor=VENDOR, credits=1, now=NOON + timedelta(minutes=minute)) == 0.0
    taken.put(count)


@pytest.mark.fault("concurrency")
def test_several_processes_together_never_take_more_than_the_budget(postgres_url: str, database: Database) -> None:
    context = multiprocessing.get_context("spawn")
    start, taken = context.Barrier(3), context.Queue()
    processes = [context.Process(target=grab, args=(postgres_url, start, taken)) for _ in range(3)]
    for process in processes:
        process.start()
    assert sum(taken.get(timeout=60) for _ in processes) == MINUTES
    for process in processes:
        process.join()
    assert len({at for at, _ in granted(database)}) == len(list(granted(database))) == MINUTES
