"""A filled graph behind a real socket, with a Dagster that lives unless told otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
from pydantic import SecretStr

from goldsignal_pipeline.api.app import create_app
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.serving import served
from goldsignal_pipeline_tests.graph import NOW, SETTINGS


@dataclass
class Told:
    """An orchestrator that tells what it is given."""

    beat: datetime | None = NOW
    done: dict[str, datetime] = field(default_factory=dict)

    def heartbeat(self) -> datetime | None:
        return self.beat

    def successes(self) -> dict[str, datetime]:
        return self.done


def settings_of(database: Database, **changes: Any) -> Settings:
    """The settings of the filled graph on a database."""
    url = SecretStr(database.url.render_as_string(hide_password=False))
    return SETTINGS.model_copy(update={"database_url": url, **changes})


@contextmanager
def client_of(settings: Settings, *, now: datetime = NOW, orchestrator: Any = None) -> Iterator[httpx.Client]:
    """A client of the application of these settings at an instant."""
    app = create_app(settings, clock=lambda: now, orchestrator=orchestrator or Told())
    with served(app) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        yield client


def asked(api: httpx.Client, path: str, **parameters: Any) -> dict[str, Any]:
    """The answer of a route, numbers as they are written."""
    answer = api.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


def all_pages(api: httpx.Client, name: str, *, limit: int, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of every page of a list."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = asked(api, f"/{name}", limit=limit, **parameters, **({"cursor": cursor} if cursor else {}))
        assert len(page[name]) <= limit
        found += page[name]
        assert page["next"] != cursor or cursor is None, "the list does not go on"
        cursor = page["next"]
        if cursor is None:
            return found
