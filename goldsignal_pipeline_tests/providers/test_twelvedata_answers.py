"""What single answers mean: their type, their rows, their rejected rows; the recorded bodies among them."""

from __future__ import annotations

import json

import pytest

from goldsignal_pipeline.providers.base import (
    AuthenticationError,
    DayLimitError,
    MinuteLimitError,
    PlanError,
    RequestError,
    UnexpectedAnswerError,
    VendorUnavailableError,
)
from goldsignal_pipeline.providers.redaction import Redactor
from goldsignal_pipeline.providers.transport import Answer
from goldsignal_pipeline.providers.twelvedata_answers import read_body, read_page
from goldsignal_pipeline_tests.vendor_server import KEY

NOBODY = Redactor([])


def body_of(*rows: object, **changes: object) -> dict[str, object]:
    return {"meta": {"symbol": "XAU/USD", "interval": "5min"}, "values": list(rows), "status": "ok", **changes}


ROW = {"datetime": "2024-05-22 09:05:00", "open": "2300.5", "high": "2301", "low": "2299.12345", "close": "2300"}


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (403, "<html>blocked</html>", RequestError),
        (401, "", AuthenticationError),
        (429, "slow down", MinuteLimitError),
        (418, "{}", RequestError),
        (200, "", VendorUnavailableError),
        (200, "[1, 2]", UnexpectedAnswerError),
        (200, '{"status":"error","message":"You have run out of API credits for the day. 1316 were used"}', DayLimitError),
        (200, '{"status":"error","message":"something new"}', UnexpectedAnswerError),
        (200, '{"status":"error","code":"401","message":""}', AuthenticationError),
        (404, '{"code":404,"message":"**symbol** or **figi** parameter is missing","status":"error"}', RequestError),
        (404, '{"code":404,"message":"This symbol is available starting with the Grow plan.","status":"error"}', PlanError),
        (400, '{"code":400,"message":"Invalid **interval** provided","status":"error"}', RequestError),
        (500, '{"status":"ok","values":[]}', VendorUnavailableError),
        (200, "[" * 100_000, VendorUnavailableError),
    ],
)
def test_an_answer_is_typed_by_its_status_its_code_and_its_words(status, text, kind):
    with pytest.raises(kind) as caught:
        read_body(Answer(status=status, text=text), redactor=NOBODY)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({**ROW, "open": None}, "not_a_number"),
        ({**ROW, "open": True}, "not_a_number"),
        ({name: value for name, value in ROW.items() if name != "close"}, "not_a_number"),
        ({**ROW, "datetime": "22.05.2024 09:05"}, "unreadable"),
        ({**ROW, "datetime": "2024-05-22"}, "unreadable"),
        ("no row at all", "unreadable"),
    ],
)
def test_one_odd_row_is_rejected_with_its_text_and_the_others_are_read(odd, reason):
    page = read_page(body_of(ROW, odd), interval="5min", redactor=NOBODY)
    assert page is not None
    assert page.rows[["open", "high", "low", "close"]].to_numpy().tolist() == [[230050, 230100, 229912, 230000]]
    assert page.rejected["reason"].tolist() == [reason]
    assert json.loads(page.rejected["payload"][0]) == odd


def test_I18_the_text_of_a_rejected_row_holds_no_key():
    page = read_page(body_of(ROW, {**ROW, "open": f"?apikey={KEY}"}), interval="5min", redactor=Redactor([KEY]))
    assert page is not None
    assert "apikey" in page.rejected["payload"][0]
    assert KEY not in page.rejected["payload"][0]


def test_numbers_that_are_no_strings_are_read_as_the_decimals_they_are_written_as():
    text = json.dumps(body_of({**ROW, "close": 0})).replace('"close": 0', '"close": 2300.015')
    body = read_body(Answer(status=200, text=text), redactor=NOBODY)
    page = read_page(body or {}, interval="5min", redactor=NOBODY)
    assert page is not None
    # Exactly half a tick, to the even one; the nearest binary float would lie beside it.
    assert page.rows["close"].tolist() == [230002]


@pytest.mark.parametrize(
    "changes",
    [
        {"meta": None},
        {"values": {"datetime": "x"}},
        {"meta": {"symbol": "XAU/USD", "interval": "15min"}},
        {"meta": {"symbol": "XAG/USD", "interval": "5min"}},
        {"values": [{**ROW, "datetime": "today"}, {**ROW, "datetime": "now"}]},
        {"values": ["text", "text"]},
    ],
    ids=str,
)
def test_another_shape_is_an_unexpected_answer(changes):
    with pytest.raises(UnexpectedAnswerError):
        read_page(body_of(ROW, **changes), interval="5min", redactor=NOBODY)


@pytest.mark.recorded
def test_recorded_errors_become_their_types(shared_data):
    recorded = json.loads((shared_data / "raw/twelvedata/recorded_samples.json").read_text())
    expected = {
        "error_401_captured": AuthenticationError,
        "error_404_invalid_symbol_captured_http404": RequestError,
        "error_404_plan_gated_captured": PlanError,
        "error_403_endpoint_plan_captured": PlanError,
        "error_429_minute_captured": MinuteLimitError,
        "error_429_day_seen_in_production_logs": DayLimitError,
    }
    for name, kind in expected.items():
        text = json.dumps(recorded[name]["body"])
        for status in (200, recorded[name]["body"].get("code", 429)):
            with pytest.raises(kind):
                read_body(Answer(status=status, text=text), redactor=NOBODY)
    assert read_body(Answer(status=400, text=json.dumps(recorded["error_400_no_data"]["body"])), redactor=NOBODY) is None


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "interval", "ticks"),
    [
        ("time_series_5min_outputsize1_default_timezone_2022", "5min", [164711, 164749, 164698, 164741]),
        ("time_series_1h_default_timezone_2025-12", "1h", [452295, 454692, 452173, 454152]),
        ("time_series_1h_weekend_frozen_2026-01-03", "1h", [433049, 433068, 433043, 433047]),
    ],
)
def test_recorded_bodies_are_read_to_the_tick(shared_data, name, interval, ticks):
    recorded = json.loads((shared_data / "raw/twelvedata/recorded_samples.json").read_text())
    body = read_body(Answer(status=200, text=json.dumps(recorded[name]["body"])), redactor=NOBODY)
    page = read_page(body or {}, interval=interval, redactor=NOBODY)
    assert page is not None
    assert page.rows[["open", "high", "low", "close"]].iloc[0].tolist() == ticks
