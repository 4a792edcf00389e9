"""`/health` says ok only while all of it is well, and names what is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from dagster._daemon.types import DaemonHeartbeat
from pydantic import SecretStr

from goldsignal_pipeline.api.orchestrator import DagsterRecord
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import Told, client_of, settings_of
from goldsignal_pipeline_tests.graph import NOW, SYMBOL

FRIDAY_EVENING = datetime(2026, 3, 20, 20, 59, tzinfo=UTC)
SUNDAY_NOON = datetime(2026, 3, 22, 12, 0, tzinfo=UTC)


class Broken:
    """A Dagster whose storage is away."""

    def heartbeat(self) -> datetime | None:
        raise ConnectionError("away")

    def successes(self) -> dict[str, datetime]:
        raise ConnectionError("away")


def asked(settings: Settings, *, now: datetime = NOW, orchestrator: Any = None) -> tuple[int, dict[str, Any]]:
    with client_of(settings, now=now, orchestrator=orchestrator or Told(beat=now)) as client:
        answer = client.get("/health")
    return answer.status_code, answer.json()


def test_all_is_well_with_a_young_bar_a_living_daemon_and_a_database(api: httpx.Client) -> None:
    answer = api.get("/health")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["database"], told["symbol"], told["reasons"]) == ("ok", "connected", SYMBOL, [])
    # The newest hourly bar closed at 12:00, seven minutes ago.
    assert told["feed"]["newest_close"] == "2026-03-20T12:00:00+00:00"
    assert (told["feed"]["age_minutes"], told["feed"]["market_open"]) == (7, True)
    assert told["daemon"]["age_seconds"] == 0


def test_mistake_18_a_health_check_that_always_said_ok(filled_graph: Database) -> None:
    """A late feed, a silent daemon, an empty record and a database that is away each turn it to 503, and it says which."""
    settings = settings_of(filled_graph)
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://postgres@127.0.0.1:9/nowhere")})
    faults = {
        "feed: the newest bar": asked(settings, now=NOW + timedelta(hours=4)),
        "daemon: last heartbeat": asked(settings, orchestrator=Told(beat=NOW - timedelta(minutes=3))),
        "daemon: it has never run": asked(settings, orchestrator=Told(beat=None)),
        "daemon: Dagster's storage does not answer": asked(settings, orchestrator=Broken()),
        "feed: no bar of XAUUSD is held": asked(
            settings.model_copy(update={"twelvedata_api_key": SecretStr("k" * 32)})  # the real market, of which nothing is held
        ),
        "database: ": asked(away),
    }
    for fault, (status, told) in faults.items():
        assert (status, told["status"]) == (503, "failing"), fault
        assert [reason for reason in told["reasons"] if reason.startswith(fault)], (fault, told)
        assert told["database"] == ("unreachable" if fault.startswith("database") else "connected")


def test_no_bar_is_owed_over_a_weekend(filled_graph: Database) -> None:
    settings = settings_of(filled_graph)
    (evening, late), (sunday, told) = asked(settings, now=FRIDAY_EVENING), asked(settings, now=SUNDAY_NOON)
    # Held are bars up to 12:00 UTC; the market closes at 21:00 UTC, so both are nine hours of trading behind, not two days.
    assert (evening, sunday) == (503, 503)
    assert (late["feed"]["age_minutes"], told["feed"]["age_minutes"]) == (539, 540)
    assert told["feed"]["market_open"] is False


def test_the_heartbeat_and_the_last_success_are_those_of_dagsters_own_storage(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        record = DagsterRecord(instance)
        assert (record.heartbeat(), record.successes()) == (None, {})
        for second in (1_774_000_000.0, 1_774_000_030.0):
            instance.add_daemon_heartbeat(DaemonHeartbeat(second, f"PART_{second:.0f}", "id", errors=[]))
        instance.report_runless_asset_event(dg.AssetMaterialization("candles"))
        assert record.heartbeat() == datetime.fromtimestamp(1_774_000_030, UTC)
        assert set(record.successes()) == {"candles"}
        assert abs(record.successes()["candles"] - datetime.now(UTC)) < timedelta(minutes=1)


def test_without_a_dagster_there_is_no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert (DagsterRecord().heartbeat(), DagsterRecord().successes()) == (None, {})
