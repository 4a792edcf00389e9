"""Answers about a record that was changed: bars corrected later read as they did, missing ones are told with their reason."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import all_pages, asked, client_of, settings_of
from goldsignal_pipeline_tests.graph import NOW, SYMBOL


def test_a_bar_that_was_corrected_reads_as_it_did(graph_database: Database) -> None:
    corrected = "2026-03-20T09:00:00Z"
    with graph_database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO raw_candles SELECT (jsonb_populate_record(r, jsonb_build_object("
                "'high', r.high + 5, 'observed_at', r.observed_at + interval '1 hour'))).* FROM raw_candles AS r"
                " WHERE symbol = :symbol AND timeframe = 'H1' AND timestamp = :at"
            ),
            {"symbol": SYMBOL, "at": corrected},
        )
        connection.execute(
            text("UPDATE candles SET high = high + 5 WHERE symbol = :symbol AND timeframe = 'H1' AND timestamp = :at"),
            {"symbol": SYMBOL, "at": corrected},
        )
    later = NOW + timedelta(hours=2)
    with client_of(settings_of(graph_database), now=later) as client:
        end = "2026-03-20T10:00:00Z"
        now, then = (asked(client, "/candles", end=end, limit=2, **more) for more in ({}, {"as_of": NOW.isoformat()}))
    assert now["time"] == then["time"]
    assert [high - was for high, was in zip(now["high"], then["high"], strict=True)] == [0, 5]
    assert [now[name] for name in ("open", "low", "close")] == [then[name] for name in ("open", "low", "close")]


def test_missing_bars_are_listed_with_their_reason(graph_database: Database) -> None:
    with graph_database.transaction() as connection:
        connection.execute(
            text(
                "DELETE FROM candles WHERE symbol = :symbol AND timeframe = 'H1'"
                " AND timestamp IN ('2026-03-10T09:00Z', '2026-03-10T10:00Z', '2026-03-12T02:00Z')"
            ),
            {"symbol": SYMBOL},
        )
    with client_of(settings_of(graph_database)) as client:
        whole = asked(client, "/gaps")["gaps"]
        paged = all_pages(client, "gaps", limit=1)
        metrics = client.get("/metrics").text
    assert [(gap["start"], gap["missing_bars"]) for gap in whole] == [
        ("2026-03-10T09:00:00+00:00", 2),
        ("2026-03-12T02:00:00+00:00", 1),
    ]
    assert paged == whole
    (reason,) = {gap["reason"] for gap in whole}
    assert f'goldsignal_missing_bars{{symbol="{SYMBOL}",reason="{reason}"}} 3' in metrics
