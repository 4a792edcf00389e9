"""`/news` behind a real socket, on a real database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from goldsignal_pipeline.api.app import create_app
from goldsignal_pipeline.api.routes.news import News
from goldsignal_pipeline.assets.keep_news import keep_news
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.serving import served
from goldsignal_pipeline_tests.providers.calendar_server import event

NOW = datetime(2025, 4, 2, 12, tzinfo=UTC)
TOLD = NOW - timedelta(days=2)


@pytest.fixture
def address(database: Database, tmp_path: Path) -> Iterator[str]:
    saved = tmp_path / "calendar.json"
    events = [
        event("ISM Manufacturing PMI", "2025-04-01T10:00:00-04:00"),
        event("Michigané <Sentiment>", "2025-04-04T10:00:00-04:00", impact="Medium"),
        event("Cash Rate", "2025-04-01T00:30:00-04:00", country="AUD"),
    ]
    saved.write_text(json.dumps(events))
    keep_news(database, str(saved), now=TOLD)
    saved.write_text(json.dumps([events[0], events[2]]))
    keep_news(database, str(saved), now=NOW)
    url = database.url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, news_calendar=str(saved))  # type: ignore[arg-type]
    with served(create_app(settings, clock=lambda: NOW)) as where:
        yield where


def test_events_are_told_by_time_as_they_stand_and_as_they_were_known(address: str) -> None:
    def ask(**parameters: Any) -> dict[str, Any]:
        answered = httpx.get(f"{address}/news", params=parameters)
        assert answered.status_code == 200, answered.text
        News.model_validate_json(answered.text)
        return answered.json()

    def titles(**parameters: Any) -> list[str]:
        return [one["title"] for one in ask(**parameters)["events"]]

    now = ask()
    assert [(one["title"], one["stops_signals"]) for one in now["events"]] == [
        ("Cash Rate", False),
        ("ISM Manufacturing PMI", True),
    ]
    assert (now["configured"], now["complete"]) == (True, True)
    assert titles(as_of=(NOW - timedelta(hours=1)).isoformat())[-1] == "Michigané <Sentiment>"
    assert titles(as_of=(TOLD - timedelta(hours=1)).isoformat()) == []
    assert titles(currency="AUD") == ["Cash Rate"]
    assert titles(start="2025-04-01T12:00:00Z", end="2025-04-01T14:00:00Z") == [], "the end is exclusive"
    assert titles(start="2025-04-01T14:00:00Z") == ["ISM Manufacturing PMI"]
    assert not ask(limit=1)["complete"]
    assert httpx.get(f"{address}/news", params={"impact": "huge"}).status_code == 422
