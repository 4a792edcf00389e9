"""Twelve Data without faults: questions, pages, credits, silence about the key, and the recorded bodies."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from goldsignal_pipeline.errors import ProviderError, SettingsError, UsageError
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import Side, Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import (
    FetchWindow,
    Provider,
    UnexpectedAnswerError,
)
from goldsignal_pipeline.providers.transport import Timeouts
from goldsignal_pipeline.providers.twelvedata import BARS_PER_PAGE, TwelveDataProvider, Usage, pages
from goldsignal_pipeline_tests.providers.support import KEY, LIVE, NOW, QUICK, MemoryCreditBudget, VirtualClock, desk, walk
from goldsignal_pipeline_tests.vendor_faults import Fault

UTC_TIMEFRAMES = [Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1]
ENDLESS = (Fault.SILENCE, Fault.TRICKLE, Fault.TRICKLED_HEADERS)


def provider(**changes: object) -> TwelveDataProvider:
    clock = VirtualClock(NOW)
    options: dict[str, object] = {
        "api_key": SecretStr(KEY),
        "base_url": "http://127.0.0.1:9",
        "budget": MemoryCreditBudget(),
        "clock": clock,
        "sleep": clock.sleep,
    }
    return TwelveDataProvider(**{**options, **changes})  # type: ignore[arg-type]


def test_it_fulfils_the_protocol():
    feed: Provider = provider()
    assert (feed.symbol, feed.source, feed.base_timeframe) == ("XAUUSD", Source("twelvedata", Side.MID), Timeframe.M5)


@given(
    timeframe=st.sampled_from(UTC_TIMEFRAMES),
    start=st.integers(0, 40_000),
    length=st.integers(0, 60_000),
    seconds=st.integers(0, 59),
    clock=st.integers(0, 120_000),
)
@settings(max_examples=100)
def test_pages_cover_every_bar_of_the_window_up_to_now_exactly_once(timeframe, start, length, seconds, clock):
    origin = datetime(2024, 1, 1, tzinfo=UTC)
    begin = origin + timedelta(minutes=start, seconds=seconds)
    window = FetchWindow(timeframe=timeframe, start=begin, end=begin + timedelta(minutes=length))
    now = origin + timedelta(minutes=clock)
    cut = pages(window, now=now)
    # The independent count: walk over every slot since the origin and keep those that open in the window before now.
    slots = np.arange(0, 120_001, timeframe.minutes) * 60
    wanted = slots[(slots >= start * 60 + seconds) & (slots < (start + length) * 60 + seconds) & (slots < clock * 60)]
    covered = [
        np.arange(int((page.start - origin).total_seconds()), int((page.end - origin).total_seconds()), timeframe.minutes * 60)
        for page in cut
    ]
    assert np.array_equal(np.concatenate(covered) if covered else np.array([], dtype=int), wanted)
    assert len(cut) == -(-len(wanted) // BARS_PER_PAGE)


def test_a_live_question_is_one_call_for_the_window_with_a_bar_of_overlap_in_utc():
    with desk() as at:
        at.fetch()
        (call,) = at.server.calls
    assert call.query == {
        "symbol": "XAU/USD",
        "interval": "5min",
        "start_date": "2024-05-22 09:00:00",
        "end_date": "2024-05-22 10:10:00",
        "timezone": "UTC",
        "order": "desc",
        "outputsize": "5000",
    }
    assert "XAU%2FUSD" in call.target


@pytest.mark.parametrize("edges_are_inclusive", [True, False])
@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1])
def test_a_window_delivers_its_bars_and_no_other_whether_or_not_the_vendor_counts_the_edges(timeframe, edges_are_inclusive):
    window = FetchWindow(timeframe=timeframe, start=datetime(2024, 4, 24, tzinfo=UTC), end=datetime(2024, 5, 15, tzinfo=UTC))
    with desk(edges_are_inclusive=edges_are_inclusive) as at:
        rows = pd.concat([each.rows for each in at.fetch(window)]).sort_values("timestamp")
    wanted = pd.date_range(window.start, window.end, freq=f"{timeframe.minutes}min", inclusive="left")
    assert rows["timestamp"].tolist() == list(wanted)
    assert rows.dtypes.astype(str).to_dict() == {
        "timestamp": "datetime64[us, UTC]",
        **dict.fromkeys(("open", "high", "low", "close"), "int64"),
        "volume": "float64",
    }
    known = walk().set_index("timestamp").loc[window.start : window.end - timedelta(minutes=5)]
    coarse = (
        known.resample(f"{timeframe.minutes}min").agg({"open": "first", "high": "max", "low": "min", "close": "last"}).dropna()
    )
    # Only hours that are open throughout: closed ones hold the vendor's filler.
    open_throughout = known["open"].resample(f"{timeframe.minutes}min").count() == timeframe.minutes // 5
    coarse = coarse[open_throughout.loc[coarse.index]]
    delivered = rows.set_index("timestamp").loc[coarse.index]
    for name in ("open", "high", "low", "close"):
        assert (delivered[name] - coarse[name] * 100).abs().max() <= 0.5001


def test_a_question_about_the_future_costs_nothing():
    with desk() as at:
        tomorrow = FetchWindow(timeframe=Timeframe.M5, start=NOW + timedelta(days=1), end=NOW + timedelta(days=2))
        assert (at.fetch(tomorrow), at.provider.calls_needed(tomorrow), at.server.calls) == ([], 0, [])


def test_a_page_costs_its_credit_only_when_it_is_consumed():
    window = FetchWindow(timeframe=Timeframe.M5, start=datetime(2024, 4, 3, tzinfo=UTC), end=NOW)
    with desk() as at:
        deliveries = at.provider.fetch(window)
        assert len(at.server.calls) == 0
        first = next(deliveries)
        assert len(at.server.calls) == 1
        assert first.rows["timestamp"].min() == window.start


def test_the_vendors_own_count_of_credits_is_readable():
    with desk() as at:
        at.fetch()
        assert at.provider.usage() == Usage(minute_used=1, minute_limit=8, day_used=1, day_limit=800)


@pytest.mark.parametrize("timeframe", [Timeframe.H4, Timeframe.D1])
def test_bars_whose_edges_the_vendor_does_not_document_are_not_fetched(timeframe):
    with pytest.raises(UsageError, match="derived"):
        list(provider().fetch(FetchWindow(timeframe=timeframe, start=NOW - timedelta(days=3), end=NOW)))
    with pytest.raises(UsageError, match="derived"):
        provider(base_timeframe=timeframe)


@pytest.mark.parametrize("address", ["", "api.twelvedata.com", "ftp://host", "http://", "http://[::1"])
def test_an_address_that_cannot_be_called_is_refused_at_once(address):
    with pytest.raises(SettingsError, match="GOLDSIGNAL_TWELVEDATA_BASE_URL"):
        provider(base_url=address)


@pytest.mark.parametrize("key", ["", "k3y with spaces", "k3y-line-end\n", "k3y-ünicode"])
def test_I18_a_key_that_no_header_can_carry_is_refused_without_being_quoted(key):
    with pytest.raises(SettingsError) as caught:
        provider(api_key=SecretStr(key))
    assert not key or key.strip() not in everything_about(caught.value)


def everything_about(error: BaseException) -> str:
    """All text that any handler could print about an error: its words, its causes, its traceback, its attributes."""
    texts = ["".join(traceback.format_exception(error))]
    seen: BaseException | None = error
    while seen is not None:
        texts += [str(seen), repr(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(texts)


@pytest.mark.parametrize("fault", [None, *Fault], ids=str)
def test_I18_mistake_15_the_key_is_in_no_log_line_error_address_or_representation(fault, caplog):
    with caplog.at_level(logging.DEBUG), desk(timeouts=QUICK if fault in ENDLESS else Timeouts()) as at:
        said = [repr(at.provider), str(vars(at.provider))]
        if fault is not None:
            at.server.schedule(fault, calls=99)
        try:
            deliveries = at.fetch()
            said += [frame.to_csv() for each in deliveries for frame in (each.rows, each.rejected)]
        except ProviderError as error:
            said.append(everything_about(error))
        assert at.server.candle_calls[0].is_authorised
        said += [call.target for call in at.server.calls]
    said += [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]
    assert len(caplog.records) > 5
    assert not [text for text in said if KEY in text]


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
@pytest.mark.parametrize(
    "shape",
    [
        {"status": "error", "code": 400, "message": f"your key {KEY} is odd"},
        {"meta": {"symbol": KEY, "interval": "5min"}, "values": [{}]},
        {"meta": {"symbol": "XAU/USD", "interval": "5min"}, "values": [{KEY: "1"}]},
        {
            "meta": {"symbol": "XAU/USD", "interval": "5min"},
            "values": [dict.fromkeys(("datetime", "open", "high", "low", "close"), KEY)],
        },
        {KEY: 1},
    ],
    ids=["message", "symbol", "field", "label", "body"],
)
def test_I18_a_vendor_that_echoes_the_key_does_not_spread_it(status, shape, caplog):
    with caplog.at_level(logging.DEBUG), answering(status, json.dumps(shape)) as address:
        clock = VirtualClock(NOW)
        with pytest.raises(ProviderError) as caught:
            list(provider(base_url=address, clock=clock, sleep=clock.sleep).fetch(LIVE))
    assert KEY not in everything_about(caught.value) + caplog.text


def test_a_redirect_is_not_followed_because_it_would_carry_the_key_elsewhere():
    with desk() as elsewhere, answering(302, "", location=elsewhere.server.base_url) as address:
        with pytest.raises(UnexpectedAnswerError, match="HTTP 302"):
            list(provider(base_url=address).fetch(LIVE))
        assert elsewhere.server.calls == []


class answering:  # noqa: N801 - reads as a verb
    """A server that gives one answer to everything."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.mark.recorded
def test_recorded_answers_in_utc_are_taken_and_the_same_with_sydney_labels_are_refused(shared_data):
    folder, now = shared_data / "raw/twelvedata", datetime(2026, 8, 20, 6, 29, 56, tzinfo=UTC)
    taken = (folder / "derived_time_series_15min_UTC_desc_last-forming.json").read_text()
    count = len(json.loads(taken)["values"])
    start = datetime(2026, 8, 20, 6, 15, tzinfo=UTC) - timedelta(minutes=15 * (count - 1))
    window = FetchWindow(timeframe=Timeframe.M15, start=start, end=now)
    with answering(200, taken) as address:
        (delivery,) = provider(base_url=address, clock=VirtualClock(now)).fetch(window)
    assert len(delivery.rows) == count
    assert delivery.rows["close"].tolist()[:2] == [449356, 449265]
    refused = (folder / "derived_time_series_15min_EXCHANGE-SYDNEY_desc.json").read_text()
    with answering(200, refused) as address, pytest.raises(UnexpectedAnswerError, match="another time zone"):
        list(provider(base_url=address, clock=VirtualClock(now)).fetch(window))


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "closed"),
    [
        ("time_series_M5_csv_UTC_weekend-2026-02-07_moving.csv", {"weekend"}),
        ("time_series_M5_csv_UTC_good-friday-2026-04-03_frozen.csv", {"holiday", "weekend"}),
    ],
)
def test_recorded_filler_served_over_a_socket_leaves_only_market_hours(shared_data, name, closed):
    recorded = pd.read_csv(shared_data / "raw/twelvedata" / name, sep=";", comment="#", dtype=str)
    recorded["timestamp"] = pd.to_datetime(recorded["datetime"], utc=True)
    window = FetchWindow(
        timeframe=Timeframe.M5,
        start=recorded["timestamp"].iloc[0].to_pydatetime(),
        end=recorded["timestamp"].iloc[-1].to_pydatetime() + timedelta(minutes=5),
    )
    with desk(candles=recorded, now=window.end + timedelta(minutes=3), market={"fill_closed_hours": False}) as at:
        judged = at.judge(window, reference_close_ticks=None)
    assert set(judged.rejected["reason"]) == closed
    assert len(judged.rows) + len(judged.rejected) == len(recorded)
    expected = load_calendar().expected_opens(timeframe=Timeframe.M5, start=window.start, end=window.end)
    assert set(judged.rows["timestamp"].dt.tz_localize(None)) <= set(pd.DatetimeIndex(expected))
