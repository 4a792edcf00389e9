"""The record of the proofs holds a change of spread and one of the source order, and a proof that would ignore either fails."""

from __future__ import annotations

import pytest

from goldsignal_pipeline.assets import market_record
from goldsignal_pipeline.assets.parity import prove_parity
from goldsignal_pipeline.cli.prove import copying
from goldsignal_pipeline.cli.prove.reproduce import prove_reproduction
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.spread import SpreadHistory
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import (
    NOW,
    OTHER_SOURCE,
    OTHER_SOURCE_FROM,
    OTHER_SPREAD_FROM,
    SETTINGS,
    SYMBOL,
    rows,
    tamper,
)

SPREAD = "detail::jsonb ? 'spread'"
ORDER = "detail::jsonb ? 'source_order' AND natural_key <> 'settings:first'"


def test_the_record_has_what_the_proofs_speak_of(computed: Database) -> None:
    """Otherwise they would hold of nothing: both spreads are paid, either source gives days, signals lie on both sides."""
    assert rows(computed, f"SELECT count(*) FROM gate_events WHERE ({SPREAD}) OR ({ORDER})") == [(2,)]
    by_source = (
        "SELECT source, min(timestamp) >= :at, max(timestamp) < :at FROM candles WHERE timeframe = 'H1' GROUP BY 1 ORDER BY 1"
    )
    assert rows(computed, by_source, at=OTHER_SOURCE_FROM) == [("simulated:bid", False, True), (str(OTHER_SOURCE), True, False)]
    for table, column, at in (
        ("backtest_trades", "entry_at", OTHER_SPREAD_FROM),
        ("backtest_trades", "entry_at", OTHER_SOURCE_FROM),
        ("signals", "confirmed_at", OTHER_SOURCE_FROM),
    ):
        query = f"SELECT count(*) FILTER (WHERE {column} < :at) > 2, count(*) FILTER (WHERE {column} >= :at) > 2 FROM {table}"
        assert rows(computed, query, at=at) == [(True, True)], (table, at)


def test_parity_fails_where_the_other_spread_is_ignored_and_only_for_trades_that_paid_it(
    computed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_record, "read_spreads", lambda *_, **__: SpreadHistory({}))
    report = prove_parity(computed, SETTINGS, symbol=SYMBOL, now=NOW)
    differing = {table.table: table.differing for table in report.differing}
    ((paid,),) = rows(computed, "SELECT count(*) FROM backtest_trades WHERE resolved_at >= :at", at=OTHER_SPREAD_FROM)
    assert 0 < differing["backtest_trades"] <= paid
    assert "setups" not in differing


@pytest.mark.parametrize(("told", "asset"), [(SPREAD, "backtest_trades"), (ORDER, "candles")])
def test_parity_vouches_for_no_month_that_was_made_by_settings_nobody_told_of(spoilt: Database, told: str, asset: str) -> None:
    assert tamper(spoilt, f"DELETE FROM gate_events WHERE {told}") == 1
    report = prove_parity(spoilt, SETTINGS, symbol=SYMBOL, now=NOW)
    assert not report.passed
    assert set(report.behind[asset]) >= {"2022-07", "2022-08"}
    assert "2022-06" not in report.behind[asset]


def test_a_signal_does_not_come_out_again_without_the_settings_that_were_told(
    computed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one: `test_reproduce` shows that it comes out with them."""
    columns = "strategy, timeframe, direction, timestamp"
    query = f"SELECT {columns} FROM gate_decisions WHERE is_accepted ORDER BY decided_for DESC LIMIT 1"
    ((strategy, timeframe, direction, timestamp),) = rows(computed, query)
    key = SetupKey(strategy, timeframe, Direction(direction), timestamp)
    monkeypatch.setattr(copying, "_gate_events", lambda *_: None)
    report = prove_reproduction(computed, SETTINGS, symbol=SYMBOL, key=key, now=NOW)
    assert not report.passed
    assert report.differences
