"""`/metrics` is OpenMetrics by another program's parser, and its figures are those of the record."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from goldsignal_pipeline.api.measures import Family, Sample, text_of
from goldsignal_pipeline.providers.twelvedata import VENDOR
from goldsignal_pipeline.storage.credits import PostgresCreditBudget
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import Told, client_of, settings_of
from goldsignal_pipeline_tests.graph import NOW, SYMBOL

Found = dict[str, dict[tuple[tuple[str, str], ...], float]]


def measured(client: httpx.Client) -> Found:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    return {
        family.name: {tuple(sorted(sample.labels.items())): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


def test_figures_are_those_of_the_record(filled_graph: Database) -> None:
    done = {"candles": NOW - timedelta(minutes=4)}
    with client_of(settings_of(filled_graph), orchestrator=Told(beat=NOW - timedelta(seconds=20), done=done)) as client:
        found = measured(client)
    with filled_graph.transaction(read_only=True) as connection:
        signals = connection.execute(text("SELECT count(*) FROM signals")).scalar_one()
        stopped = connection.execute(text("SELECT count(*) FROM outcomes WHERE result = 'sl_hit'")).scalar_one()
    of_symbol = (("symbol", SYMBOL),)
    assert found["goldsignal_feed_age_seconds"] == {of_symbol: 420}
    assert found["goldsignal_newest_bar_close_timestamp_seconds"] == {
        of_symbol: datetime.fromisoformat("2026-03-20T12:00:00Z").timestamp()
    }
    assert sum(found["goldsignal_signals"].values()) == signals
    assert sum(n for labels, n in found["goldsignal_outcomes"].items() if ("result", "sl_hit") in labels) == stopped
    assert found["goldsignal_asset_last_success_timestamp_seconds"] == {(("asset", "candles"),): done["candles"].timestamp()}
    assert found["goldsignal_daemon_heartbeat_age_seconds"] == {(): 20}
    assert set(found["goldsignal_circuit_breaker_holds"]) == {of_symbol}
    assert "goldsignal_credits_left" not in found


def test_credits_outbox_and_a_holding_breaker_are_told(graph_database: Database) -> None:
    settings = settings_of(graph_database, twelvedata_api_key=SecretStr("k" * 32))
    PostgresCreditBudget(graph_database, per_minute=8, per_day=800).acquire(vendor=VENDOR, credits=3, now=NOW)
    with graph_database.transaction() as connection:
        connection.execute(text("INSERT INTO alert_channels (channel, since) VALUES ('telegram:1', :now)"), {"now": NOW})
        connection.execute(
            text(
                "WITH owed AS (INSERT INTO alerts (natural_key, kind, at, owed_at, useful_until, message)"
                " VALUES ('k', 'digest', :at, :at, :until, '{}') RETURNING id)"
                " INSERT INTO alert_deliveries (alert_id, channel, state, due_at) SELECT id, 'telegram:1', 'owed', :at FROM owed"
            ),
            {"at": NOW - timedelta(minutes=5), "until": NOW + timedelta(hours=1)},
        )
        connection.execute(
            text(
                "UPDATE gate_states SET state = jsonb_set(state::jsonb, '{gate,breaker}', CAST(:breaker AS jsonb))::json"
                " WHERE month = (SELECT max(month) FROM gate_states)"
            ),
            {"breaker": '[5, -5000000, 0, "2026-03-20T20:00:00+00:00"]'},
        )
    with client_of(settings) as client:
        found = measured(client)
    assert found["goldsignal_credits_left"] == {
        (("vendor", VENDOR), ("window", "day")): 797,
        (("vendor", VENDOR), ("window", "minute")): 5,
    }
    assert found["goldsignal_outbox_age_seconds"] == {(("channel", "telegram:1"),): 300}
    assert found["goldsignal_outbox_messages"][("channel", "telegram:1"), ("state", "owed")] == 1
    assert found["goldsignal_circuit_breaker_holds"] == {(("symbol", SYMBOL),): 1}
    assert found["goldsignal_circuit_breaker_losses"] == {(("symbol", SYMBOL),): 5}


def test_labels_of_any_characters_are_read_back() -> None:
    odd = 'a "quoted"\\ name\nin two lines'
    (family,) = text_string_to_metric_families(text_of([Family("one", "Help.", [Sample(1.5, {"label": odd})])]))
    assert [(sample.labels, sample.value) for sample in family.samples] == [({"label": odd}, 1.5)]
