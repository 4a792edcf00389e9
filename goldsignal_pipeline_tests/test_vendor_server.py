"""The local vendor is honest: it shows what was recorded of the real one, and a simulated day of live cycles runs on it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import httpx
import pandas as pd
import pytest

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.observations import qualify
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline_tests.providers.support import GRACE, NOW, desk, walk
from goldsignal_pipeline_tests.vendor_faults import Fault
from goldsignal_pipeline_tests.vendor_market import VendorMarket
from goldsignal_pipeline_tests.vendor_server import KEY, VendorServer, VirtualClock


@pytest.fixture
def vendor():
    with VendorServer(VendorMarket(walk()), clock=VirtualClock(NOW)) as server:
        yield server


def ask(vendor, path="/time_series", *, key=KEY, **query):
    return httpx.get(
        vendor.base_url + path,
        params={"symbol": "XAU/USD", "interval": "5min", **query},
        headers={"Authorization": f"apikey {key}"},
    )


def test_without_a_zone_labels_are_sydneys_and_with_utc_they_are_utc(vendor):
    sydney, utc = ask(vendor).json()["values"], ask(vendor, timezone="UTC").json()["values"]
    assert (sydney[0]["datetime"], utc[0]["datetime"]) == ("2024-05-22 20:05:00", "2024-05-22 10:05:00")
    assert len(sydney) == len(utc) == 30


def test_rows_are_newest_first_strings_without_trailing_zeros_and_no_volume(vendor):
    rows = ask(vendor, timezone="UTC", outputsize=500).json()["values"]
    labels = [row["datetime"] for row in rows]
    assert labels == sorted(labels, reverse=True)
    assert set(rows[0]) == {"datetime", "open", "high", "low", "close"}
    prices = [row[name] for row in rows for name in ("open", "high", "low", "close")]
    assert all(isinstance(price, str) and "." in price and not price.endswith("0") for price in prices)
    assert [row["datetime"] for row in ask(vendor, timezone="UTC", outputsize=500, order="asc").json()["values"]] == labels[::-1]


def test_every_slot_of_a_weekend_is_filled_with_near_frozen_bars(vendor):
    rows = ask(vendor, timezone="UTC", start_date="2024-05-18 00:00:00", end_date="2024-05-18 23:55:00").json()["values"]
    ranges = [float(row["high"]) - float(row["low"]) for row in rows]
    assert len(rows) == 288
    assert max(ranges) < 0.6
    assert all(float(row["low"]) <= min(float(row["open"]), float(row["close"])) for row in rows)


@pytest.mark.parametrize("minutes", [5, 60])
def test_a_bar_grows_from_its_open_to_its_final_values_within_its_extremes(minutes):
    market = VendorMarket(walk())
    start = NOW.replace(minute=0, second=0)
    seen = [
        {
            name: column[-1]
            for name, column in market.bars(minutes=minutes, start=start, end=start, now=start + timedelta(seconds=after))[
                1
            ].items()
        }
        for after in range(0, minutes * 60 + 90, 15)
    ]
    final = market.bars(minutes=minutes, start=start, end=start, now=start + timedelta(days=1))[1]
    assert seen[0]["open"] == seen[0]["high"] == seen[0]["low"] == seen[0]["close"]
    assert seen[-1] == {name: column[-1] for name, column in final.items()}
    assert seen[minutes * 4] != seen[-1]
    assert all(sooner["high"] <= later["high"] and sooner["low"] >= later["low"] for sooner, later in itertools.pairwise(seen))


def test_credits_are_counted_by_wall_clock_minute_and_utc_day_and_refused_calls_count_too(vendor):
    vendor.credits_per_minute, vendor.credits_per_day = 2, 5
    answers = [ask(vendor) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert "4 API credits were used, with the current limit being 2" in answers[3].json()["message"]
    assert (answers[0].headers["api-credits-used"], answers[0].headers["Api-Credits-Left"]) == ("1", "1")
    vendor.clock.sleep(60)
    assert [ask(vendor).status_code for _ in range(2)] == [200, 429]
    assert "for the day. 7 API credits" in ask(vendor).json()["message"]
    vendor.clock.now = NOW + timedelta(days=1)
    assert ask(vendor).status_code == 200
    assert ask(vendor, "/api_usage").json()["daily_usage"] == 1
    assert vendor.is_overdrawn


def test_a_wrong_key_symbol_or_interval_is_refused_as_recorded(vendor):
    assert ask(vendor, key="other").json()["code"] == 401
    assert ask(vendor, symbol="XAUUSD").json()["code"] == 404
    assert ask(vendor, interval="7min").json()["code"] == 400
    assert ask(vendor, start_date="2019-01-01", end_date="2019-01-02").json()["message"].startswith("No data is available")


def test_faults_can_be_set_for_a_span_of_the_virtual_time(vendor):
    vendor.schedule(Fault.ERROR_503, calls=99, since=NOW + timedelta(minutes=5), until=NOW + timedelta(minutes=10))
    statuses = []
    for _ in range(4):
        statuses.append(ask(vendor).status_code)
        vendor.clock.sleep(240)
    assert statuses == [200, 200, 503, 200]


@pytest.mark.fault("vendor")
def test_a_simulated_day_of_live_cycles_stores_every_closed_bar_once_and_no_forming_one():
    """Every five minutes from Thursday 12:00 to Friday 12:00 UTC: 12 bars of refetch, faults and revisions on the way."""
    begin = datetime(2024, 5, 23, 12, tzinfo=UTC)
    newest: dict[pd.Timestamp, tuple[int, ...]] = {}
    versions = 0
    with desk(now=begin) as at:
        for hour, fault in enumerate(
            [Fault.ERROR_502, Fault.RESET, Fault.MINUTE_LIMIT, Fault.WEB_PAGE, Fault.UNSORTED, Fault.DUPLICATES]
        ):
            at.server.schedule(fault, since=begin + timedelta(hours=3 * hour + 1))
        revised = begin + timedelta(hours=4)
        at.server.market.revise(revised, shown_from=revised + timedelta(minutes=30), close=2345.67, high=2399.99)
        for cycle in range(289):
            at.clock.now = max(at.clock.now, begin + timedelta(minutes=5 * cycle, seconds=121))
            window = FetchWindow(timeframe=Timeframe.M5, start=at.clock.now - timedelta(minutes=65), end=at.clock.now)
            for delivery in at.provider.fetch(window):
                judged = qualify(delivery, calendar=load_calendar(), now=at.clock(), grace=GRACE, reference_close_ticks=None)
                for row in judged.rows.itertuples():
                    values = (row.open, row.high, row.low, row.close)
                    versions += newest.get(row.timestamp) != values
                    newest[row.timestamp] = values
        assert not at.server.is_overdrawn
    opens = pd.DatetimeIndex(
        load_calendar().expected_opens(timeframe=Timeframe.M5, start=begin, end=begin + timedelta(days=1))
    ).tz_localize("UTC")
    assert set(opens) <= set(newest)
    truth = walk().set_index("timestamp")
    for timestamp in opens:
        meant = truth.loc[timestamp, ["open", "high", "low", "close"]] * 100
        if timestamp == revised:
            assert newest[timestamp][1::2] == (239_999, 234_567)
        else:
            assert all(abs(got - want) <= 0.5001 for got, want in zip(newest[timestamp], meant, strict=True))
    assert versions == len(newest) + 1
