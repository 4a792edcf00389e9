"""The economic calendar over real sockets and from files: what it means, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError, GoldSignalError, ProviderError
from goldsignal_pipeline.market.news import EconomicEvent, Impact, distinct, weeks_of
from goldsignal_pipeline.providers.base import (
    AuthenticationError,
    RequestError,
    UnexpectedAnswerError,
    VendorUnavailableError,
)
from goldsignal_pipeline.providers.economic_calendar import (
    LONGEST_PAUSE,
    USUAL_PAUSE,
    CalendarRefusedError,
    calendar_name,
    fetch,
    read,
    read_file,
)
from goldsignal_pipeline.providers.transport import Timeouts
from goldsignal_pipeline_tests.providers.calendar_server import DENIED, CalendarServer, Handler, event

QUICK = Timeouts(connect_seconds=0.5, read_seconds=0.3, total_seconds=0.6)
PAYROLLS = event("Non-Farm Employment Change", "2025-04-04T08:30:00-04:00")


@pytest.fixture
def service() -> Iterator[CalendarServer]:
    with CalendarServer() as server:
        server.events = [PAYROLLS, event("Bank Holiday", "2025-04-04T00:00:00-04:00", country="CNY", impact="Holiday")]
        yield server


def ask(service: CalendarServer, **marks: str | None):
    return fetch(service.address, **{"etag": None, "last_modified": None, **marks}, timeouts=QUICK)


def test_events_are_read_at_their_instants(service: CalendarServer) -> None:
    announced = ask(service)
    assert announced is not None
    assert [(one.at, one.currency, one.title, one.impact, one.forecast) for one in announced.events] == [
        (datetime(2025, 4, 4, 4, tzinfo=UTC), "CNY", "Bank Holiday", Impact.HOLIDAY, "0.3%"),
        (datetime(2025, 4, 4, 12, 30, tzinfo=UTC), "USD", "Non-Farm Employment Change", Impact.HIGH, "0.3%"),
    ]
    assert [one.stops_signals for one in announced.events] == [False, True]


def test_an_unchanged_calendar_is_asked_for_by_its_marks_and_not_sent_again(service: CalendarServer) -> None:
    announced = ask(service)
    assert announced is not None
    assert ask(service, etag=announced.etag, last_modified=announced.last_modified) is None
    assert service.questions[1]["If-Modified-Since"] == announced.last_modified
    service.events = [PAYROLLS]
    changed = ask(service, etag=announced.etag)
    assert changed is not None
    assert len(changed.events) == 1


def test_what_an_address_asks_by_its_query_reaches_the_service(service: CalendarServer) -> None:
    seen: list[str] = []

    def tell(handler: Handler) -> None:
        seen.append(handler.path)
        handler.answer(200, json.dumps(service.events))

    service.fault = tell
    fetch(f"{service.address}?version=1", etag=None, last_modified=None, timeouts=QUICK)
    assert seen == ["/ff_calendar_thisweek.json?version=1"]


FAULTS = {
    "429 with a time": (lambda to: to.answer(429, "slow down", **{"Retry-After": "300"}), CalendarRefusedError),
    "429 without a time": (lambda to: to.answer(429, DENIED), CalendarRefusedError),
    "refusal page under 200": (lambda to: to.answer(200, DENIED), CalendarRefusedError),
    "web page under 200": (lambda to: to.answer(200, "<html><body>checking your browser</body></html>"), VendorUnavailableError),
    "truncated JSON": (lambda to: to.answer(200, json.dumps([PAYROLLS])[:-20]), VendorUnavailableError),
    "404 of next week": (lambda to: to.answer(404, "not found"), RequestError),
    "401": (lambda to: to.answer(401, ""), AuthenticationError),
    "403": (lambda to: to.answer(403, "<html>forbidden</html>"), AuthenticationError),
    "500": (lambda to: to.answer(500, "oops"), VendorUnavailableError),
    "503": (lambda to: to.answer(503, "<html>maintenance</html>"), VendorUnavailableError),
    "redirect": (lambda to: to.answer(302, "", Location="http://127.0.0.1:9/"), RequestError),
    "object instead of array": (lambda to: to.answer(200, '{"error": "down"}'), UnexpectedAnswerError),
    "empty array": (lambda to: to.answer(200, "[]"), UnexpectedAnswerError),
    "renamed field": (
        lambda to: to.answer(200, json.dumps([{"name": "CPI"} | PAYROLLS | {"date": None}])),
        UnexpectedAnswerError,
    ),
    "trickle": (Handler.trickle, VendorUnavailableError),
    "reset": (Handler.reset, VendorUnavailableError),
}


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_service_is_a_typed_error_after_one_question(service: CalendarServer, fault: str) -> None:
    service.fault, expected = FAULTS[fault]
    with pytest.raises(expected) as raised:
        ask(service)
    assert type(raised.value) is expected
    assert raised.value.fix
    assert len(service.questions) == 1


@pytest.mark.fault("vendor")
def test_a_service_that_is_not_there_is_unavailable() -> None:
    with CalendarServer() as gone:
        address = gone.address
    with pytest.raises(VendorUnavailableError):
        fetch(address, etag=None, last_modified=None, timeouts=QUICK)


@pytest.mark.parametrize(
    ("told", "pause"),
    [("300", timedelta(seconds=300)), ("", USUAL_PAUSE), ("soon", USUAL_PAUSE), ("99999999999", LONGEST_PAUSE)],
)
def test_the_service_is_left_alone_for_as_long_as_it_asks_for(service: CalendarServer, told: str, pause: timedelta) -> None:
    service.fault = lambda to: to.answer(429, DENIED, **({"Retry-After": told} if told else {}))
    with pytest.raises(CalendarRefusedError) as raised:
        ask(service)
    assert raised.value.pause == pause


@pytest.mark.parametrize(
    "row",
    [
        PAYROLLS | {"date": "2025-04-04T08:30:00"},
        PAYROLLS | {"date": "tomorrow"},
        PAYROLLS | {"date": "0001-01-01T00:00:00+14:00"},
        PAYROLLS | {"impact": "Enormous"},
        PAYROLLS | {"title": ""},
        PAYROLLS | {"title": None},
        [1],
        None,
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_and_counted(row: object) -> None:
    announced = read(json.dumps([PAYROLLS, row]))
    assert (len(announced.events), announced.unreadable) == (1, 1)


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.text(max_size=20),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["title", "country", "date", "impact", "forecast"]), x),
    ).map(json.dumps)
)
@settings(deadline=None, max_examples=60)
def test_whatever_a_document_holds_it_is_events_or_a_typed_error(text: str) -> None:
    with suppress(ProviderError):
        assert read(text).events


def test_of_an_event_announced_twice_the_stronger_word_counts() -> None:
    weak, strong = read(json.dumps([PAYROLLS | {"impact": "Low"}])).events[0], read(json.dumps([PAYROLLS])).events[0]
    assert distinct([weak, strong, weak]) == [strong]


@given(st.lists(st.integers(0, 400 * 24 * 60), min_size=1, max_size=8))
@settings(deadline=None, max_examples=60)
def test_the_weeks_of_a_calendar_hold_its_events_and_run_from_sunday_to_saturday_in_new_york(minutes: list[int]) -> None:
    instants = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=one) for one in minutes]
    start, end = weeks_of([EconomicEvent(at, "USD", "CPI", Impact.HIGH) for at in instants])
    assert start <= min(instants)
    assert max(instants) < end
    local = [one.astimezone(ZoneInfo("America/New_York")) for one in (start, end)]
    assert [(one.strftime("%A"), one.hour, one.minute) for one in local] == [("Sunday", 0, 0)] * 2
    assert min(instants) - start < timedelta(days=7, hours=1)
    assert end - max(instants) <= timedelta(days=7, hours=1)


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    saved = tmp_path / "calendar.json"
    saved.write_bytes(b"\xef\xbb\xbf" + json.dumps([PAYROLLS]).encode())
    assert len(read_file(saved).events) == 1


@pytest.mark.fault("files")
@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00binary", b"", b"Datetime,Currency,Importance,Event\n"])
def test_a_file_that_is_no_calendar_is_refused_without_its_path(tmp_path: Path, content: bytes | None) -> None:
    saved = tmp_path / "calendar.json"
    if content is not None:
        saved.write_bytes(content)
    with pytest.raises((DataError, ProviderError)) as raised:
        read_file(saved)
    assert isinstance(raised.value, GoldSignalError)
    assert str(tmp_path) not in str(raised.value)


def test_i18_a_calendar_is_called_without_what_may_be_a_secret() -> None:
    name = calendar_name("https://user:pass@calendar.example/week.json?token=abcdef123456#x")
    assert name == "calendar.example/week.json"


@pytest.mark.recorded
def test_a_recorded_week_is_read_whole(shared_data: Path) -> None:
    announced = read_file(shared_data / "raw" / "calendar" / "ff_calendar_week_2025-03-30_excerpt.json")
    rows = json.loads((shared_data / "raw" / "calendar" / "ff_calendar_week_2025-03-30_excerpt.json").read_text())
    assert announced.unreadable == 0
    assert len(announced.events) == len({(row["title"], row["country"], row["date"]) for row in rows})
    stopping = [one for one in announced.events if one.stops_signals]
    assert len(stopping) == sum(row["impact"] == "High" and row["country"] == "USD" for row in rows)
    assert stopping[0].at == datetime(2025, 4, 1, 14, tzinfo=UTC), "10:00 of New York in summer"
