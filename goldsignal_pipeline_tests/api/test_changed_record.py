"""Answers about a record that was changed: bars corrected later read as they did, missing ones are told with their reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from goldsignal_pipeline.api.known_then import MOST_MONTHS
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import all_pages, asked, client_of, settings_of
from goldsignal_pipeline_tests.graph import NOW, SYMBOL


def correct(database: Database, *opens: str) -> None:
    """Give bars another high, an hour after they were first seen."""
    named = {"symbol": SYMBOL, "opens": list(opens)}
    chosen = "symbol = :symbol AND timeframe = 'H1' AND timestamp = ANY (CAST(:opens AS timestamptz[]))"
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO raw_candles SELECT (jsonb_populate_record(r, jsonb_build_object("
                "'high', r.high + 5, 'observed_at', r.observed_at + interval '1 hour'))).* FROM raw_candles AS r"
                f" WHERE {chosen}"
            ),
            named,
        )
        connection.execute(text(f"UPDATE candles SET high = high + 5 WHERE {chosen}"), named)


def test_a_bar_that_was_corrected_reads_as_it_did(graph_database: Database) -> None:
    correct(graph_database, "2026-03-20T09:00:00Z")
    later = NOW + timedelta(hours=2)
    with client_of(settings_of(graph_database), now=later) as client:
        end = "2026-03-20T10:00:00Z"
        now, then = (asked(client, "/candles", end=end, limit=2, **more) for more in ({}, {"as_of": NOW.isoformat()}))
        refused = client.get("/candles", params={"as_of": NOW.isoformat(), "form": "rows"})
    assert now["time"] == then["time"]
    assert [high - was for high, was in zip(now["high"], then["high"], strict=True)] == [0, 5]
    assert [now[name] for name in ("open", "low", "close")] == [then[name] for name in ("open", "low", "close")]
    assert (now["exact_from"], then["exact_from"]) == (None, None)
    assert refused.status_code == 422
    assert "columns only" in refused.text


def test_where_more_months_were_corrected_than_are_read_again_the_answer_says_from_when_it_is_exact(
    graph_database: Database,
) -> None:
    days = ["2025-09-10", "2025-10-10", "2025-11-10", "2025-12-10", "2026-01-12", "2026-02-10", "2026-03-10"]
    assert len(days) == MOST_MONTHS + 1
    correct(graph_database, *(f"{day}T09:00:00Z" for day in days))
    with client_of(settings_of(graph_database), now=NOW + timedelta(hours=2)) as client:

        def changed(**more: str) -> tuple[list[str], str | None]:
            """Days whose bars read otherwise at the instant than today, and from when on that is known."""
            now, then = (asked(client, "/candles", limit=100_000, **more, **at) for at in ({}, {"as_of": NOW.isoformat()}))
            today = dict(zip(now["time"], now["high"], strict=True))
            differ = [at for at, high in zip(then["time"], then["high"], strict=True) if today[at] - high == 5]
            return [f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%d}" for at in differ], then["exact_from"]

        assert changed() == (days[1:], "2025-10-01T00:00:00+00:00")
        assert changed(end="2025-10-01T00:00:00Z") == (days[:1], None)


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
