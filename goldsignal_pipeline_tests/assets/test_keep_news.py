"""The economic calendar in the database and at the gate: told once, moved, withdrawn, known only from when it was told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.alerts.texts import Reader
from goldsignal_pipeline.assets.gate_record import BEGINNING, read_record
from goldsignal_pipeline.assets.keep_news import LONGEST_WITHOUT, keep_news
from goldsignal_pipeline.assets.news_events import news_events
from goldsignal_pipeline.assets.owe_operator_alerts import owe_operator_alerts
from goldsignal_pipeline.automation.schedules import economic_calendar_schedule
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.errors import SettingsError
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.providers.base import RequestError, VendorUnavailableError
from goldsignal_pipeline.providers.economic_calendar import CalendarRefusedError
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource
from goldsignal_pipeline.selection.gate_inputs import News
from goldsignal_pipeline.settings import Settings, cached_settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.reading import news as reading
from goldsignal_pipeline.storage.reading.queries import page, rows
from goldsignal_pipeline_tests.graph import MONTHS, NOW, compute_graph
from goldsignal_pipeline_tests.providers.calendar_server import DENIED, CalendarServer, event

MONDAY = datetime(2025, 3, 31, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
CPI = datetime(2025, 4, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def service() -> Iterator[CalendarServer]:
    with CalendarServer() as server:
        server.events = [
            event("CPI m/m", "2025-04-01T08:30:00-04:00"),
            event("Core CPI m/m", "2025-04-01T08:30:00-04:00"),
            event("ISM Services PMI", "2025-04-03T10:00:00-04:00"),
            event("Cash Rate", "2025-04-01T00:30:00-04:00", country="AUD"),
            event("Trade Balance", "2025-04-03T08:30:00-04:00", impact="Low"),
            event("JOLTS Job Openings", "2025-03-30T22:00:00-04:00"),
        ]
        yield server


def gate_news(database: Database) -> list[News]:
    with database.transaction(read_only=True) as connection:
        record = read_record(connection, symbol=REAL_SYMBOL, until=datetime(2030, 1, 1, tzinfo=UTC))
    return [fact for fact in record.facts if isinstance(fact, News)]


def events(database: Database, **more: Any) -> list[str]:
    asked = reading.events(start=BEGINNING, end=datetime(2030, 1, 1, tzinfo=UTC), **more)
    with database.transaction(read_only=True) as connection:
        return [row["title"] for row in rows(connection, page(asked, order=reading.NEWS_ORDER, after=None, limit=100))]


def test_only_important_usd_events_to_come_are_told_to_the_gate_and_each_instant_once(
    database: Database, service: CalendarServer
) -> None:
    kept = keep_news(database, service.address, now=MONDAY)
    assert (kept.events, kept.changed, kept.withdrawn, kept.gate_events) == (6, 6, 0, 2)
    assert gate_news(database) == [News(MONDAY, CPI), News(MONDAY, datetime(2025, 4, 3, 14, tzinfo=UTC))]
    assert keep_news(database, service.address, now=MONDAY + HOUR).nothing_because == "it is unchanged"
    service.events = [*service.events]
    service.events[4] = service.events[4] | {"forecast": "-120B"}
    again = keep_news(database, service.address, now=MONDAY + 2 * HOUR)
    assert (again.changed, again.withdrawn, again.gate_events) == (1, 0, 0)
    assert len(gate_news(database)) == 2


def test_an_instant_is_lifted_when_its_last_important_event_moves_away(database: Database, service: CalendarServer) -> None:
    keep_news(database, service.address, now=MONDAY)
    service.events = [one for one in service.events if one["title"] != "CPI m/m"]
    one_left = keep_news(database, service.address, now=MONDAY + HOUR)
    assert (one_left.withdrawn, one_left.gate_events) == (1, 0)
    service.events = [event("Core CPI m/m", "2025-04-02T08:30:00-04:00"), *service.events[1:]]
    moved = keep_news(database, service.address, now=MONDAY + 2 * HOUR)
    assert (moved.withdrawn, moved.gate_events) == (1, 2)
    assert set(gate_news(database)[2:]) == {
        News(MONDAY + 2 * HOUR, CPI, is_withdrawn=True),
        News(MONDAY + 2 * HOUR, CPI + timedelta(days=1)),
    }
    assert "CPI m/m" not in events(database)
    assert events(database, as_of=MONDAY + HOUR / 2).count("CPI m/m") == 1
    assert events(database, as_of=MONDAY - HOUR) == []
    assert events(database, least_impact="high", currency="AUD") == ["Cash Rate"]


def test_another_week_withdraws_nothing_and_what_is_over_stays(database: Database, service: CalendarServer) -> None:
    keep_news(database, service.address, now=MONDAY)
    service.events = [event("CPI y/y", "2025-04-09T08:30:00-04:00")]
    assert keep_news(database, service.address, now=MONDAY + HOUR).withdrawn == 0
    service.events = [event("Nonfarm Payrolls", "2025-04-04T08:30:00-04:00")]
    assert keep_news(database, service.address, now=CPI + HOUR).withdrawn == 2
    assert {"CPI m/m", "JOLTS Job Openings", "CPI y/y"} <= set(events(database))


@pytest.mark.fault("vendor")
def test_a_service_that_refuses_is_left_alone_and_what_is_held_stays_in_force(
    database: Database, service: CalendarServer
) -> None:
    keep_news(database, service.address, now=MONDAY)
    service.fault = lambda to: to.answer(429, DENIED, **{"Retry-After": "1800"})
    refused = keep_news(database, service.address, now=MONDAY + HOUR)
    assert "asked too often" in refused.nothing_because
    asked = len(service.questions)
    assert "quiet until" in keep_news(database, service.address, now=MONDAY + 1.4 * HOUR).nothing_because
    assert len(service.questions) == asked
    service.fault = None
    assert keep_news(database, service.address, now=MONDAY + 1.5 * HOUR).nothing_because == "it is unchanged"
    assert len(gate_news(database)) == 2


@pytest.mark.fault("vendor")
@pytest.mark.parametrize(("status", "error"), [(429, CalendarRefusedError), (503, VendorUnavailableError)])
def test_a_day_without_a_calendar_is_an_error(
    database: Database, service: CalendarServer, status: int, error: type[Exception]
) -> None:
    service.fault = lambda to: to.answer(status, "")
    with pytest.raises(error):
        keep_news(database, service.address, now=MONDAY)
    service.fault = None
    later = MONDAY + HOUR
    keep_news(database, service.address, now=later)
    service.fault = lambda to: to.answer(status, "")
    assert keep_news(database, service.address, now=later + LONGEST_WITHOUT).nothing_because
    with pytest.raises(error):
        keep_news(database, service.address, now=later + LONGEST_WITHOUT + HOUR)


@pytest.mark.fault("vendor")
def test_a_calendar_that_fails_is_told_once_an_hour_and_no_more_once_it_answers(
    database: Database, service: CalendarServer
) -> None:
    reader = Reader(ZoneInfo("Europe/Zurich"), Settings().own_account)

    def told(now: datetime) -> list[str]:
        with contextlib.suppress(VendorUnavailableError), contextlib.suppress(RequestError):
            keep_news(database, service.address, now=now)
        with database.transaction() as connection:
            owe_operator_alerts(connection, reader, now=now)
            query = text("SELECT message ->> 'headline' FROM alerts WHERE owed_at = :now AND kind = 'operator'")
            return list(connection.execute(query, {"now": now}).scalars())

    service.fault = lambda to: to.answer(503, "")
    (never,) = told(MONDAY)
    assert never.startswith(
        "Attention: The economic calendar 127.0.0.1/ff_calendar_thisweek.json cannot be had. None was ever had"
    )
    service.fault = None
    assert told(MONDAY + HOUR) == []
    service.fault = lambda to: to.answer(503, "")
    (kept,) = told(MONDAY + 2 * HOUR)
    assert kept.endswith("The one of 2025-03-31 07:00 UTC stays in force.")
    assert told(MONDAY + 2.9 * HOUR) == []
    service.fault = lambda to: to.answer(404, "")
    assert len(told(MONDAY + 3 * HOUR)) == 1
    service.fault = None
    assert told(MONDAY + 4 * HOUR) == []


@pytest.mark.fault("vendor")
def test_a_wrong_address_is_an_error_at_once(database: Database, service: CalendarServer) -> None:
    keep_news(database, service.address, now=MONDAY)
    service.fault = lambda to: to.answer(404, "")
    with pytest.raises(RequestError, match="404"):
        keep_news(database, service.address, now=MONDAY + HOUR)


def test_without_a_calendar_nothing_is_scheduled_and_asking_says_what_to_set(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="GOLDSIGNAL_NEWS_CALENDAR"):
        keep_news(database, None, now=MONDAY)
    cached_settings.cache_clear()
    context = dg.build_schedule_context(scheduled_execution_time=MONDAY)
    assert isinstance(economic_calendar_schedule(context), dg.SkipReason)
    monkeypatch.setenv("GOLDSIGNAL_NEWS_CALENDAR", "calendar.json")
    cached_settings.cache_clear()
    assert isinstance(economic_calendar_schedule(context), dg.RunRequest)
    monkeypatch.undo()
    cached_settings.cache_clear()


def test_the_asset_and_the_command_read_the_calendar_of_the_settings(
    database: Database, service: CalendarServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("GOLDSIGNAL_NEWS_CALENDAR", service.address)
    monkeypatch.setenv("GOLDSIGNAL_ENV_FILE", str(tmp_path / "absent.env"))
    cached_settings.cache_clear()
    resources = {"database": DatabaseResource(), "clock": ClockResource(), "settings": SettingsResource()}
    result = dg.materialize([news_events], resources=resources, instance=dg.DagsterInstance.ephemeral())
    (told,) = result.asset_materializations_for_node("news_events")
    assert told.metadata["events"].value == 6
    shown = CliRunner().invoke(create_app(), ["news", "--from", "2025-03-30", "--to", "2025-04-05", "--json"])
    found = json.loads(shown.stdout)["events"]
    assert [one["title"] for one in found if one["stops_signals"]] == [
        "JOLTS Job Openings", "CPI m/m", "Core CPI m/m", "ISM Services PMI",
    ]  # fmt: skip
    saved = tmp_path / "next.json"
    saved.write_text(json.dumps([event("Federal Funds Rate", f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:00:00}Z")]))
    fetched = CliRunner().invoke(create_app(), ["news", "fetch", "--file", str(saved)])
    assert "1 event, 1 new or changed, 0 withdrawn; 1 told to the gate" in " ".join(fetched.stdout.split())
    assert "no signals 30 min around" in CliRunner().invoke(create_app(), ["news"]).stdout
    cached_settings.cache_clear()


def test_a_decision_knows_what_was_told_by_the_close_of_its_bar_and_no_more(graph_database: Database, tmp_path: Path) -> None:
    """Told a minute too late, news changes nothing; told an hour before, the same setup is kept back."""
    with graph_database.transaction(read_only=True) as connection:
        query = text("SELECT * FROM signals WHERE confirmed_at > '2026-03-01Z' ORDER BY confirmed_at LIMIT 1")
        signal = connection.execute(query).mappings().one()
    saved = tmp_path / "calendar.json"
    at = signal["confirmed_at"] + timedelta(minutes=29)
    saved.write_text(json.dumps([event("Nonfarm Payrolls", at.isoformat())]))

    def reasons() -> list[str]:
        compute_graph(graph_database, MONTHS[-1:], now=NOW)
        with graph_database.transaction(read_only=True) as connection:
            return connection.execute(
                text("SELECT reasons FROM gate_decisions WHERE (strategy, timestamp) = (:strategy, :timestamp)"), dict(signal)
            ).scalar_one()

    keep_news(graph_database, str(saved), now=signal["confirmed_at"] + timedelta(minutes=1))
    assert reasons() == []
    # Another database would have been told earlier; here the same instant is announced by an earlier event.
    with graph_database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO gate_events (natural_key, at, recorded_at, kind, detail)"
                " VALUES ('news:earlier', :at, :at, 'news', CAST(:detail AS json))"
            ),
            {"at": signal["confirmed_at"] - HOUR, "detail": json.dumps({"event_at": at.isoformat()})},
        )
    assert reasons() == ["news_blackout"]
