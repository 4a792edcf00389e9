"""One application on the filled graph per module of tests that only ask: its connections would keep others from copying it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import client_of, settings_of


@pytest.fixture(scope="module")
def api(filled_graph: Database) -> Iterator[httpx.Client]:
    with client_of(settings_of(filled_graph)) as client:
        yield client
