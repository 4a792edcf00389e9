"""`pause`, `resume`, `strategies` and `settings`: events that hold from now on and change nothing past."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.assets.gate_record import BEGINNING, read_record, read_source_orders
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.market.source_order import SourceOrders
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.gate_inputs import Pause
from goldsignal_pipeline.storage.database import Database

SYMBOL = "XAUUSD-SIM"


@pytest.fixture
def database(own_database: str) -> Iterator[Database]:
    opened = Database(own_database)
    yield opened
    opened.dispose()


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(create_app(), [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def record(database: Database):
    with database.transaction(read_only=True) as connection:
        return read_record(connection, symbol=SYMBOL, until=datetime.now(UTC) + timedelta(minutes=1))


def test_a_pause_and_its_end_are_facts_of_the_fold_from_the_instant_they_were_given(database: Database) -> None:
    before = datetime.now(UTC)
    run("pause")
    run("pause", "ema_momentum")
    run("resume")
    facts = record(database).facts
    assert [(one.strategy, one.is_paused) for one in facts if isinstance(one, Pause)] == [
        (None, True),
        ("ema_momentum", True),
        (None, False),
    ]
    assert all(before <= one.at <= datetime.now(UTC) for one in facts)
    shown = {row["strategy"]: row["paused"] for row in run("strategies")}
    assert shown["ema_momentum"] is True
    assert shown["liquidity_sweep"] is False


def test_a_disabled_strategy_is_told_and_can_be_enabled_again(database: Database) -> None:
    run("strategies", "disable", "breakout_expansion")
    assert {row["strategy"]: row["enabled"] for row in run("strategies")}["breakout_expansion"] is False
    run("strategies", "enable", "breakout_expansion")
    assert all(row["enabled"] for row in run("strategies"))
    assert [one.is_paused for one in record(database).facts] == [True, False]


def test_settings_hold_from_the_beginning_and_changes_from_now_on(database: Database) -> None:
    before = datetime.now(UTC)
    first = run("settings")
    assert [row["account_usd"] for row in first] == ["100000"]
    run("settings", "--account-usd", "25000", "--avoid-asia")
    run("settings", "--min-evidence", "proven")
    terms = record(database).terms
    assert terms[0].since == BEGINNING
    assert [one.policy.account_usd for one in terms] == [Decimal(100_000), Decimal(25_000), Decimal(25_000)]
    assert [one.policy.avoids_asia for one in terms] == [False, True, True]
    assert [one.min_evidence for one in terms] == [Evidence.UNPROVEN, Evidence.UNPROVEN, Evidence.PROVEN]
    assert all(one.since >= before for one in terms[1:])
    digests = [record(database).digest(until=one.since) for one in terms]
    assert len(set(digests)) == 3, "the digest of a signal's versions tells which terms were in force"


def test_a_spread_holds_from_now_on_and_keeps_the_sessions_that_were_not_named(database: Database) -> None:
    before = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")
    run("settings", "--spread", "overlap=0.30", "--spread", "new-york=0.45")
    run("settings", "--account-usd", "25000")
    told = run("settings", "--spread", "otherwise=2")
    assert told[0]["spread"] == SpreadTable().model_dump()
    changed = SpreadTable(overlap_ticks=30, new_york_ticks=45)
    assert [row["spread"] for row in told[1:]] == [
        changed.model_dump(),
        changed.model_dump(),
        changed.model_copy(update={"otherwise_ticks": 200}).model_dump(),
    ]
    changes = record(database).spreads.changes
    assert [*changes.values()] == [SpreadTable(**row["spread"]) for row in told[1:]]
    assert all(since >= before for since in changes)


def test_an_order_of_sources_holds_from_now_on_or_from_an_instant_of_the_past_and_no_other_change_ends_it(
    database: Database,
) -> None:
    before = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")
    run("settings", "--source-order", "two:bid, one:mid")
    run("settings", "--account-usd", "25000")
    told = run("settings", "--source-order", "three:ask", "--since", "2012-05")
    assert [row["source_order"] for row in told] == [[], ["three:ask"], ["two:bid", "one:mid"], ["two:bid", "one:mid"]]
    assert [row["account_usd"] for row in told] == ["100000", "100000", "100000", "25000"]
    with database.transaction() as connection:
        orders = read_source_orders(connection, symbol=SYMBOL, otherwise=("ignored:bid",))
        known = read_source_orders(connection, symbol=SYMBOL, otherwise=("held:bid",), recorded_until=before_all(database))
    assert [names for _, names in orders.changes] == [(), ("three:ask",), ("two:bid", "one:mid")]
    assert orders.changes[1][0] == np.datetime64("2012-05-01", "us")
    assert orders.changes[2][0] >= before
    assert known == SourceOrders(("held:bid",)), "what was told later was not known then"
    run("settings", "--source-order", "")
    assert run("settings")[-1]["source_order"] == []


def before_all(database: Database) -> datetime:
    with database.transaction() as connection:
        first = connection.execute(text("SELECT min(recorded_at) FROM gate_events")).scalar_one()
    return first - timedelta(seconds=1)


def test_the_first_order_of_sources_is_that_of_the_environment(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_SOURCE_ORDER", '["two:bid"]')
    assert run("settings")[0]["source_order"] == ["two:bid"]
    monkeypatch.setenv("GOLDSIGNAL_SOURCE_ORDER", '["one:mid"]')
    assert run("settings")[0]["source_order"] == ["two:bid"], "it is told once and holds"


@pytest.mark.parametrize(
    "arguments",
    [
        ["settings", "--source-order", "twelvedata"],
        ["settings", "--source-order", "twelvedata:middle"],
        ["settings", "--source-order", "one:bid,one:bid"],
        ["settings", "--since", "2012-05"],
        ["settings", "--source-order", "one:bid", "--since", "2999-01"],
        ["pause", "no_such_strategy"],
        ["strategies", "disable", "no_such_strategy"],
        ["settings", "--account-usd", "much"],
        ["settings", "--account-usd", "-5"],
        ["settings", "--min-evidence", "harmful"],
        ["settings", "--spread", "tokyo=0.35"],
        ["settings", "--spread", "asia=-0.35"],
        ["settings", "--spread", "asia=0.355"],
        ["settings", "--spread", "asia"],
    ],
)
def test_nonsense_changes_nothing(database: Database, arguments: list[str]) -> None:
    result = CliRunner().invoke(create_app(), arguments)
    assert result.exit_code == 2
    assert "Nothing was changed" in result.output
    assert record(database).events == []
