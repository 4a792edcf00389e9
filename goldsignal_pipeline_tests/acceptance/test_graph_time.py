"""The graph over Christmas, New Year, a leap day, both clock changes with the weeks between them, and Good Friday: bars are
those of a table made by hand, and a host in another zone computes the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from goldsignal_pipeline.assets.parity import prove_parity
from goldsignal_pipeline.assets.partitions import month_start, months_between
from goldsignal_pipeline.cli.prove.comparison import contents_of, first_unequal
from goldsignal_pipeline.cli.prove.graph import run_graph, run_missing
from goldsignal_pipeline.cli.prove.workers import Job, worker
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import NOW, SEED, SETTINGS, SYMBOL, rows, run
from goldsignal_pipeline_tests.acceptance.histories import observe
from goldsignal_pipeline_tests.postgres import Server, migrated_database

OBSERVED = datetime(2024, 4, 5, 12, 2, tzinfo=UTC)
MONTHS = tuple(months_between("2023-12", "2024-05"))

# Hourly bars and days of the trading week that begins on a Sunday, and the UTC hour in which its days roll at 17:00 New York.
WEEKS = {
    "2023-12-24": (4 * 23, 4, 22),  # Christmas on Monday
    "2023-12-31": (4 * 23, 4, 22),  # New Year's Day on Monday
    "2024-01-07": (5 * 23, 5, 22),
    "2024-01-14": (4 * 23 + 21, 5, 22),  # Martin Luther King: Monday to 14:30, the half hour is a bar
    "2024-02-18": (4 * 23 + 21, 5, 22),  # Washington's birthday
    "2024-02-25": (5 * 23, 5, 22),  # with 29 February
    "2024-03-03": (5 * 23, 5, 22),
    "2024-03-10": (5 * 23, 5, 21),  # New York has summer time, London has not
    "2024-03-17": (5 * 23, 5, 21),
    "2024-03-24": (4 * 23, 4, 21),  # Good Friday
}


@pytest.fixture(scope="module")
def observed(postgres_server: Server) -> Iterator[Database]:
    feed = SimulatedProvider(seed=SEED, calendar=load_calendar(), base_timeframe=Timeframe.H1, clock=lambda: OBSERVED)
    window = FetchWindow(Timeframe.H1, month_start(MONTHS[0]), OBSERVED)
    with migrated_database(postgres_server) as database:
        observe(database, pd.concat([one.rows for one in feed.fetch(window)], ignore_index=True), now=OBSERVED)
        yield database


@pytest.fixture(scope="module")
def computed(postgres_server: Server, observed: Database) -> Iterator[Database]:
    observed.dispose()
    with migrated_database(postgres_server, template=str(observed.url.database)) as database:
        run_graph(run(database), MONTHS)
        yield database


@pytest.mark.fault("time")
@pytest.mark.parametrize("sunday", WEEKS)
def test_a_week_holds_the_bars_of_an_independent_table(computed: Database, sunday: str) -> None:
    begin = datetime.fromisoformat(f"{sunday}T12:00+00:00")
    span = {"begin": begin, "end": begin + timedelta(days=6)}
    query = "SELECT timestamp FROM candles WHERE timeframe = '{}' AND timestamp >= :begin AND timestamp < :end"
    hours = rows(computed, query.format("H1"), **span)
    days = rows(computed, query.format("D1"), **span)
    assert (len(hours), len(days), {day.astimezone(UTC).hour for (day,) in days}) == (*WEEKS[sunday][:2], {WEEKS[sunday][2]})


@pytest.mark.fault("time")
def test_trades_over_clock_changes_and_holidays_are_those_of_the_backtest_path(computed: Database) -> None:
    between = "SELECT count(*) FROM setups WHERE confirmed_at > '2024-03-10' AND confirmed_at < '2024-03-31'"
    assert rows(computed, between)[0][0] > 10
    report = prove_parity(computed, SETTINGS, symbol=SYMBOL, now=NOW)
    assert report.passed, report.differing


@pytest.mark.fault("time")
def test_i8_a_host_and_a_database_in_other_zones_compute_the_same_rows(
    postgres_server: Server, observed: Database, computed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of its own on a host in Nepal, a server by the clock of Lord Howe with half an hour of summer time, by months."""
    observed.dispose()
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("PGTZ", "America/St_Johns")
    with migrated_database(postgres_server, template=str(observed.url.database)) as database:
        postgres_server.admin(f"ALTER DATABASE {database.url.database} SET timezone = 'Australia/Lord_Howe'")
        with worker(database, SETTINGS, Job(tuple((month,) for month in MONTHS), NOW, "elsewhere")) as elsewhere:
            elsewhere.finish()
        run_missing(run(database), symbol=SYMBOL)
        assert first_unequal(computed, contents_of(computed), database) is None
