"""What is behind is told exactly: no month too many, none too few, and computing it brings the tables of an undisturbed run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from goldsignal_pipeline.assets import versions
from goldsignal_pipeline.assets.derive import derive
from goldsignal_pipeline.assets.lineage import LINEAGE, record_months
from goldsignal_pipeline.assets.parity import prove_parity
from goldsignal_pipeline.assets.partitions import months_between, next_month
from goldsignal_pipeline.assets.staleness import Basis, Behind, Cause, everything_behind, first_range
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.storage import gate_events
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.assets.support import rows
from goldsignal_pipeline_tests.graph import GRACE, MONTHS, NOW, SETTINGS, SYMBOL, compute_graph, fill_candles, hourly_market
from goldsignal_pipeline_tests.postgres import Server, migrated_database

AS_JSON = "(jsonb_strip_nulls(to_jsonb(held)) - 'run_id')"
OF_A_RUN = (
    "setups",
    "backtest_trades",
    "backtest_results",
    "gate_decisions",
    "signals",
    "signal_events",
    "outcomes",
    "strategy_performance",
)
TABLES = {
    **dict.fromkeys(OF_A_RUN, AS_JSON),
    "candles": "*",
    "trading_day_parts": "*",
    "partition_digests": "asset, symbol, month, rows, digest, inputs_digest, complete",
    "gate_states": "symbol, month, state::text, digest",
}


@pytest.fixture
def second_database(postgres_server: Server) -> Iterator[Database]:
    """Another empty, migrated database."""
    with migrated_database(postgres_server) as database:
        yield database


def everything(database: Database) -> dict[str, list[str]]:
    """Every row of the graph as text, by table, but for the run that wrote it."""
    return {
        table: sorted(str(row) for row in rows(database, f"SELECT {columns} FROM {table} AS held"))
        for table, columns in TABLES.items()
    }


def behind(database: Database, *, now: datetime = NOW) -> dict[str, dict[str, Cause]]:
    """What is behind of the one symbol."""
    found = everything_behind(database, Basis.of(SETTINGS, now=now))
    assert len(found) <= 1
    return {asset: dict(months) for asset, months in found[0].assets.items()} if found else {}


def causes(database: Database, *, now: datetime = NOW) -> dict[str, list[str]]:
    """The months with a cause of their own."""
    found = everything_behind(database, Basis.of(SETTINGS, now=now))
    return {asset: sorted(months) for one in found for asset, months in one.causes.items()}


def compute_behind(database: Database, *, longest: int = 12, now: datetime = NOW) -> list[tuple[str, str]]:
    """Compute what is behind, earliest first, until nothing is; the ranges that took."""
    ranges = []
    while found := everything_behind(database, Basis.of(SETTINGS, now=now)):
        assert len(ranges) < 40, found
        begin = min(month for months in found[0].causes.values() for month in months)
        first, last = first_range([month for month in found[0].months if month >= begin], longest=longest)
        months = months_between(first, last)
        derive(database, months=months, now=now, grace=GRACE, source_order=(), run_id=None)
        compute_graph(database, months, now=now)
        ranges.append((first, last))
    return ranges


def revise(database: Database, month: str, *, by_ticks: int = 5) -> None:
    """Observe another high of one bar in the middle of a month."""
    from goldsignal_pipeline.assets.ingest import ingest
    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.providers.base import FetchWindow

    market = hourly_market()
    opened = next(iter(rows(database, f"SELECT timestamp FROM raw_candles WHERE timestamp >= '{month}-14 10:00Z' LIMIT 1")))[0]
    window = FetchWindow(timeframe=market.base_timeframe, start=opened, end=opened + timedelta(hours=1))
    (page,) = market.fetch(window)
    changed = page.rows.assign(high=page.rows["high"] + by_ticks)
    delivery = Delivery(source=page.source, timeframe=page.timeframe, rows=changed, rejected=page.rejected)
    ingest(database, symbol=SYMBOL, deliveries=[delivery], calendar=load_calendar(), now=NOW, grace=GRACE, run_id=None)


def change_settings(database: Database, detail: str) -> None:
    """Tell of other settings that hold from the middle of January on."""
    with database.transaction() as connection:
        gate_events.append(
            connection,
            natural_key="settings:test",
            at=datetime.fromisoformat("2026-01-15T00:00:00+00:00"),
            recorded_at=NOW,
            kind="settings",
            symbol=None,
            strategy=None,
            detail=detail,
        )


def readers(asset: str, month: str, months: Sequence[str]) -> dict[str, set[str]]:
    """What reads a month, directly or not: the table of the architecture followed by hand, as a closure."""
    windows = {
        "candles": {"candles": (0, 1)},
        "setups": {"candles": (0, 9)},
        "backtest_trades": {"setups": (0, 1), "candles": (0, 1)},
        "backtest_results": {"backtest_trades": (0, 13), "setups": (0, 13), "candles": (0, 14)},
        "signals": {"setups": (0, 1), "backtest_results": (0, 0), "candles": (0, 1), "signals": (1, 1)},
        "outcomes": {"signals": (0, 1), "candles": (0, 1)},
        "strategy_performance": {"outcomes": (0, 4), "signals": (0, 1), "setups": (0, 1), "candles": (0, 1)},
    }
    found: dict[str, set[str]] = {asset: {month}}
    before = -1
    while before != (before := sum(map(len, found.values()))):
        for reader, sources in windows.items():
            for source, (nearest, farthest) in sources.items():
                reached = {next_month(one, steps=step) for one in found.get(source, ()) for step in range(nearest, farthest + 1)}
                found.setdefault(reader, set()).update(reached & set(months))
    return found


def test_nothing_of_a_filled_graph_is_behind(filled_graph: Database) -> None:
    assert behind(filled_graph) == {}


def test_of_a_record_without_results_every_month_of_every_asset_is_missing(database: Database) -> None:
    fill_candles(database, MONTHS[:2])
    follower = next_month(MONTHS[1])
    found = {asset: sorted(months) for asset, months in behind(database).items()}
    # The hour before midnight closes in August, which is so far without candles; trades of August may end in September.
    assert found.pop("candles") == [follower]
    assert found == {asset: [*MONTHS[:2], follower, next_month(follower)] for asset in LINEAGE}
    assert {cause for months in behind(database).values() for cause in months.values()} == {Cause.MISSING}


def test_months_before_the_record_are_not_missing_and_the_one_after_it_is_as_soon_as_it_has_begun() -> None:
    held = ["2024-02", "2024-05"]
    assert record_months(held, now=datetime.fromisoformat("2024-08-03T00:00:00+00:00")) == [
        "2024-02",
        "2024-03",
        "2024-04",
        "2024-05",
        "2024-06",
    ]
    assert record_months(held, now=datetime.fromisoformat("2024-05-31T23:59:00+00:00"))[-1] == "2024-05"
    assert record_months([], now=NOW) == []


@pytest.mark.parametrize("month", ["2025-06", "2025-12", "2026-03"])
def test_a_revision_puts_behind_what_reads_its_month_and_nothing_else(graph_database: Database, month: str) -> None:
    revise(graph_database, month)
    expected = readers("candles", month, MONTHS)
    expected["candles"] &= {month, next_month(month)}
    assert {asset: set(found) for asset, found in behind(graph_database).items()} == expected
    assert causes(graph_database) == {"candles": sorted(expected["candles"])}, "all else follows"


def test_i8_after_a_revision_only_computing_what_is_behind_gives_the_tables_of_a_new_start(
    graph_database: Database, database: Database
) -> None:
    revise(graph_database, "2025-12", by_ticks=900)
    assert compute_behind(graph_database, longest=2)
    fill_candles(database, MONTHS)
    revise(database, "2025-12", by_ticks=900)
    derive(database, months=MONTHS, now=NOW, grace=GRACE, source_order=(), run_id=None)
    compute_graph(database, MONTHS)
    assert everything(graph_database) == everything(database)


def test_what_only_follows_is_left_alone_when_the_cause_changed_nothing(graph_database: Database) -> None:
    with graph_database.transaction() as connection:
        connection.execute(text("DELETE FROM partition_digests WHERE asset = 'setups' AND month = '2025-10'"))
    assert causes(graph_database)["setups"] == ["2025-10"]
    assert len(behind(graph_database)["signals"]) == 6, "until it is known that the setups are the same"
    assert compute_behind(graph_database, longest=1) == [("2025-10", "2025-10")]


def test_i8_months_out_of_order_and_then_what_is_behind_give_the_tables_of_one_pass(
    database: Database, filled_graph: Database
) -> None:
    fill_candles(database, MONTHS)
    for month in ("2025-12", "2026-03", "2025-08"):
        compute_graph(database, [month])
    assert compute_behind(database, longest=5)
    assert everything(database) == everything(filled_graph)


def test_a_change_of_settings_puts_behind_what_was_decided_since_it_holds(graph_database: Database) -> None:
    change_settings(graph_database, '{"account_usd":"5000","min_evidence":"unproven","avoid_asia":true}')
    assert causes(graph_database) == {"signals": ["2026-01", "2026-02", "2026-03"]}
    compute_behind(graph_database)
    assert behind(graph_database) == {}


def test_another_spread_puts_trades_behind_from_its_month_on_and_parity_follows_it(graph_database: Database) -> None:
    """Trades that were closed before it keep their cost, those entered after it pay the new one."""
    query = "SELECT timestamp, strategy, direction, cost FROM backtest_trades WHERE result <> 'missed' AND {}"
    closed, entered = (query.format(f"{column} '2026-01-15Z'") for column in ("resolved_at <", "entry_at >="))
    earlier = sorted(rows(graph_database, closed))
    cheap = {row[:3]: row[3] for row in rows(graph_database, entered)}
    detail = {"account_usd": "100000", "min_evidence": "unproven", "avoid_asia": False}
    detail["spread"] = dict.fromkeys(SpreadTable.model_fields, 900)
    change_settings(graph_database, json.dumps(detail))
    behind_it = ("backtest_trades", "backtest_results", "signals", "outcomes", "strategy_performance")
    assert causes(graph_database) == {asset: ["2026-01", "2026-02", "2026-03"] for asset in behind_it}
    assert not prove_parity(graph_database, SETTINGS, symbol=SYMBOL, now=NOW).passed
    compute_behind(graph_database)
    assert behind(graph_database) == {}
    assert sorted(rows(graph_database, closed)) == earlier
    dear = {row[:3]: row[3] for row in rows(graph_database, entered)}
    assert len(dear.keys() & cheap.keys()) > 100
    assert all(dear[key] > cheap[key] + 4 for key in dear.keys() & cheap.keys())
    report = prove_parity(graph_database, SETTINGS, symbol=SYMBOL, now=NOW)
    assert report.passed, report.differing


def test_another_order_of_sources_puts_candles_behind_from_its_month_on(graph_database: Database) -> None:
    change_settings(graph_database, '{"source_order":["other:bid"]}')
    # An event of the gate is part of what signals are decided by, whatever it tells.
    assert causes(graph_database) == {asset: ["2026-01", "2026-02", "2026-03"] for asset in ("candles", "signals")}
    held = rows(graph_database, "SELECT * FROM candles ORDER BY 1, 2, 3")
    compute_behind(graph_database)
    assert behind(graph_database) == {}
    assert rows(graph_database, "SELECT * FROM candles ORDER BY 1, 2, 3") == held, "there is one source"
    report = prove_parity(graph_database, SETTINGS, symbol=SYMBOL, now=NOW)
    assert report.passed, report.differing


def test_another_version_of_code_puts_its_asset_behind_in_every_month(
    filled_graph: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldsignal_pipeline.assets import lineage

    newer = {**LINEAGE, "outcomes": lineage.Lineage(versions.OUTCOMES_VERSION + "x", LINEAGE["outcomes"].reads)}
    for module in ("lineage", "staleness"):
        monkeypatch.setattr(f"goldsignal_pipeline.assets.{module}.LINEAGE", newer)
    assert causes(filled_graph) == {"outcomes": list(MONTHS)}


def test_on_the_next_day_the_running_month_owes_its_new_rows(filled_graph: Database) -> None:
    tomorrow = NOW + timedelta(days=1)
    assert causes(filled_graph, now=tomorrow) == {"backtest_results": ["2026-03"], "strategy_performance": ["2026-03"]}


def test_i8_a_hole_of_the_record_is_the_same_however_the_months_are_cut_and_keeps_nothing_incomplete(
    database: Database, second_database: Database
) -> None:
    """Two records with months between them: strategies warm up anew, and no month waits for candles that never come."""
    early, late = ("2024-10",), ("2025-02", "2025-03", "2025-04", "2025-05")
    through = months_between(early[0], next_month(late[-1], steps=2))
    for target in (database, second_database):
        fill_candles(target, early)
        fill_candles(target, late)
    derive(second_database, months=through, now=NOW, grace=GRACE, source_order=(), run_id=None)
    compute_graph(second_database, through)
    for month in through:
        derive(database, months=[month], now=NOW, grace=GRACE, source_order=(), run_id=None)
        compute_graph(database, [month])
    assert behind(database) == behind(second_database) == {}
    assert everything(database) == everything(second_database)
    assert rows(database, "SELECT count(*) FROM partition_digests WHERE NOT complete AND asset <> 'candles'") == [(0,)]
    first_words = dict(rows(database, "SELECT strategy, min(to_char(confirmed_at, 'YYYY-MM')) FROM setups GROUP BY strategy"))
    assert first_words == {
        "breakout_expansion": "2025-03",  # 21 days after the second record begins
        "liquidity_sweep": "2025-03",
        "ema_momentum": "2025-05",  # 70 days
        "trend_continuation": "2025-05",
    }


def test_a_year_from_the_first_month_is_one_range() -> None:
    assert first_range(["2024-03", "2025-02", "2025-03"], longest=12) == ("2024-03", "2025-02")
    assert first_range(["2024-03"], longest=12) == ("2024-03", "2024-03")


def test_what_was_observed_a_moment_ago_has_a_run_of_its_own(graph_database: Database) -> None:
    revise(graph_database, "2026-02")
    (found,) = everything_behind(graph_database, Basis.of(SETTINGS, now=NOW))
    assert isinstance(found, Behind)
    later = NOW + timedelta(seconds=1)
    assert found.unsettled(since=later) == set()
    assert "2026-02" in found.unsettled(since=NOW)
    assert "2026-02" in found.months
