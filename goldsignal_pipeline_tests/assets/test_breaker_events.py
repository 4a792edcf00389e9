from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from goldsignal_pipeline.assets.breaker_events import tell_breaker
from goldsignal_pipeline.assets.keeping import Writing
from goldsignal_pipeline.selection.gate_state import Breaker
from goldsignal_pipeline.storage import operator_events
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.sql.sample_rows import AT, HOUR


@pytest.mark.parametrize(
    ("until", "live_since", "expected"),
    [(AT + HOUR, AT - HOUR, 1), (AT, AT - HOUR, 0), (None, AT - HOUR, 0), (AT + HOUR, None, 0), (AT + HOUR, AT + HOUR, 0)],
    ids=["holds", "let go", "never tripped", "not live", "before it was live"],
)
def test_a_breaker_that_holds_is_told_once_of_a_live_symbol(
    database: Database, until: datetime | None, live_since: datetime | None, expected: int
) -> None:
    writing = Writing(("2026-03",), AT, timedelta(minutes=2), None)
    with database.transaction() as connection:
        for _ in range(2):
            tell_breaker(connection, Breaker(holds_until=until), symbol="XAUUSD", live_since=live_since, writing=writing)
        events = operator_events.read(connection, since=AT - HOUR)
    assert len(events) == expected
    assert all("no signals until 2026-03-02 15:00 UTC" in event.message for event in events)
