"""What the routes answer is what is stored: complete over pages, exact to the digit, as known at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import all_pages, asked, client_of, settings_of
from goldsignal_pipeline_tests.graph import SYMBOL

LISTS = ("signals", "outcomes", "backtests", "performance")
TABLES = {"signals": "signals", "outcomes": "outcomes", "backtests": "backtest_results", "performance": "strategy_performance"}
LONG = {"start": "2025-06-01"}


def rows_of(database: Database, statement: str, **named: Any) -> list[dict[str, Any]]:
    with database.transaction(read_only=True) as connection:
        return [dict(row) for row in connection.execute(text(statement), named).mappings()]


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("day", "window_days", "symbol", "timeframe", "strategy", "direction", "timestamp"))


@settings(max_examples=12, deadline=None)
@given(name=st.sampled_from(LISTS), limit=st.integers(1, 60), strategy=st.sampled_from([None, "ema_momentum"]))
def test_pages_of_any_size_give_every_row_once(
    api: httpx.Client, filled_graph: Database, name: str, limit: int, strategy: str | None
) -> None:
    days = name in ("backtests", "performance")
    if days:
        limit *= 16  # thousands of rows: as many pages as for the others
    wanted = {"strategy": strategy} if strategy else {}
    found = all_pages(api, name, limit=limit, **wanted, **(LONG if days else {}))
    clause = "WHERE strategy = :strategy" if strategy else ""
    (held,) = rows_of(filled_graph, f"SELECT count(*) AS rows FROM {TABLES[name]} {clause}", strategy=strategy)
    assert len(found) == len({key(row) for row in found}) == held["rows"] > 0
    by = {"signals": "confirmed_at", "outcomes": "resolved_at"}.get(name, "day")
    assert [row[by] for row in found] == sorted((row[by] for row in found), reverse=True)


@settings(max_examples=6, deadline=None)
@given(limit=st.integers(60, 900), timeframe=st.sampled_from(["H1", "H4"]))
def test_candles_paged_backwards_are_all_that_is_held(
    api: httpx.Client, filled_graph: Database, limit: int, timeframe: str
) -> None:
    found: list[tuple[Any, ...]] = []
    end: str | None = None
    while True:
        page = asked(api, "/candles", timeframe=timeframe, limit=limit, **({"end": end} if end else {}))
        found = list(zip(*(page[name] for name in ("time", "open", "high", "low", "close")), strict=True)) + found
        if not page["older"]:
            break
        end = datetime.fromtimestamp(page["time"][0], UTC).isoformat()
    held = rows_of(
        filled_graph,
        "SELECT extract(epoch FROM timestamp)::bigint AS time, open, high, low, close FROM candles"
        " WHERE symbol = :symbol AND timeframe = :timeframe ORDER BY timestamp",
        symbol=SYMBOL,
        timeframe=timeframe,
    )
    assert found == [tuple(row.values()) for row in held]


def test_numbers_have_the_digits_of_the_database(api: httpx.Client, filled_graph: Database) -> None:
    (row,) = asked(api, "/outcomes", limit=1, result="tp2_hit")["outcomes"]
    (held,) = rows_of(
        filled_graph,
        "SELECT fill_price, net_r, net_usd FROM outcomes WHERE result = 'tp2_hit'"
        " ORDER BY resolved_at DESC, strategy DESC, timeframe DESC, direction DESC, timestamp DESC LIMIT 1",
    )
    assert {name: row[name] for name in held} == held
    (explained,) = [asked(api, f"/signals/{row['id']}")["outcome"]]
    assert {name: explained[name] for name in held} == held


def test_rows_of_bars_tell_their_source(api: httpx.Client) -> None:
    page = asked(api, "/candles", limit=2, form="rows", timeframe="D1")
    assert [bar["timestamp"] for bar in page["bars"]] == ["2026-03-17T21:00:00+00:00", "2026-03-18T21:00:00+00:00"]
    assert {bar["source"] for bar in page["bars"]} == {"simulated:bid"}
    assert page["older"] is True


def test_a_signal_is_open_as_of_the_moment_before_it_ended(api: httpx.Client) -> None:
    ended = asked(api, "/signals", status="sl_hit", limit=1)["signals"][0]
    before = datetime.fromisoformat(ended["ended_at"]) - timedelta(minutes=1)
    then = asked(api, "/signals", as_of=before.isoformat(), status="active")["signals"]
    (seen,) = [row for row in then if row["id"] == ended["id"]]
    assert (seen["net_r"], seen["ended_at"]) == (None, None)
    unborn = datetime.fromisoformat(ended["confirmed_at"]) - timedelta(minutes=1)
    assert ended["id"] not in [row["id"] for row in asked(api, "/signals", as_of=unborn.isoformat(), limit=1000)["signals"]]


def test_only_bars_that_had_closed_are_there_as_of_an_instant(api: httpx.Client) -> None:
    page = asked(api, "/candles", as_of="2026-03-10T10:59:59Z", limit=1)
    assert page["time"] == [int(datetime(2026, 3, 10, 9, tzinfo=UTC).timestamp())]
    page = asked(api, "/candles", as_of="2026-03-10T11:00:00Z", limit=1)
    assert page["time"] == [int(datetime(2026, 3, 10, 10, tzinfo=UTC).timestamp())]


def test_an_explanation_holds_the_stored_conditions_verdict_and_own_levels(filled_graph: Database) -> None:
    settings_with_own = settings_of(
        filled_graph, account_currency="EUR", account_currency_rate=Decimal("1.25"), level_offset=Decimal("0.35")
    )
    with client_of(settings_with_own) as client:
        signal = asked(client, "/signals", limit=1)["signals"][0]
        found = asked(client, f"/signals/{signal['id']}")
    assert found["signal"] == signal
    assert found["own"]["stop"] == signal["stop"] + Decimal("0.35")
    assert found["own"]["currency"] == "EUR"
    assert found["own"]["risk"] == round(signal["risk_usd"] / Decimal("1.25"), 2)
    assert found["verdict"]["is_accepted"] is True
    assert all(condition["passed"] for condition in found["conditions"] if condition["required"])
    assert all(reading["passed"] for reading in found["readings"])
    assert len(found["readings"]) == 16


def test_a_setup_that_was_turned_away_is_explained_too(api: httpx.Client, filled_graph: Database) -> None:
    (row,) = rows_of(
        filled_graph,
        "SELECT left(encode(sha256(convert_to(concat_ws(E'\\n', symbol, timeframe, strategy, direction,"
        " to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"')), 'UTF8')), 'hex'), 12) AS id, reasons"
        " FROM gate_decisions WHERE NOT is_accepted ORDER BY decided_for DESC, strategy LIMIT 1",
    )
    found = asked(api, f"/signals/{row['id']}")
    assert (found["signal"], found["own"], found["verdict"]["reasons"]) == (None, None, row["reasons"])
    assert [one["reason"] for one in found["readings"] if not one["passed"]] == row["reasons"]


def test_silence_counts_every_verdict_of_the_range(api: httpx.Client, filled_graph: Database) -> None:
    found = asked(api, "/silence", start="2026-01-01T00:00:00Z", end="2026-03-01T00:00:00Z")
    (held,) = rows_of(
        filled_graph,
        "SELECT count(*) FILTER (WHERE is_accepted) AS yes, count(*) FILTER (WHERE NOT is_accepted) AS no FROM gate_decisions"
        " WHERE decided_for >= '2026-01-01Z' AND decided_for < '2026-03-01Z'",
    )
    assert (found["accepted"], sum(row["setups"] for row in found["turned_away"])) == (held["yes"], held["no"])


@pytest.mark.parametrize("path", ["/candles", "/signals", "/outcomes", "/strategies", "/backtests", "/performance", "/gaps"])
def test_a_market_of_which_nothing_is_held_has_empty_answers(api: httpx.Client, path: str) -> None:
    answer = api.get(path, params={"symbol": "XAGUSD"})
    assert answer.status_code == 200, answer.text
