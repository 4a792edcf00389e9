"""Every recorded file: read with the expected rows, timeframe, zone and source, or refused for the expected reason.

The expected figures come from the inventory that was made with the recordings, not from this program.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.observations import qualify
from goldsignal_pipeline.providers.files import (
    FileFormatError,
    FileReading,
    ZoneContradictionError,
    ZoneUndecidedError,
    inspect_file,
    read_file,
)

pytestmark = [pytest.mark.recorded, pytest.mark.fault("files")]

CALENDAR = load_calendar()


@dataclass(frozen=True)
class Read:
    """What reading a file must give; `named`: the zone a user has to name."""

    rows: int
    timeframe: str
    zone: str
    sources: tuple[str, ...]
    rejected: dict[str, int] = field(default_factory=dict)
    named: str | None = None


@dataclass(frozen=True)
class Refused:
    """Why a file must be refused."""

    reason: str


BOTH = ("oanda:bid", "oanda:ask")
MT5 = ("metatrader:bid",)
TWELVE = ("twelvedata:mid",)
EXPECTED: dict[str, Read | Refused] = {
    "raw/mt5-export/XAUUSD_H1.csv": Read(4858, "H1", "EET/EEST", MT5),
    "raw/mt5-export/XAUUSD_H4.csv": Read(1271, "H4", "EET/EEST", MT5, named="EET/EEST"),
    "raw/mt5-export/XAUUSD_M15_dst-mismatch-2025-03.csv": Read(1831, "M15", "EET/EEST", MT5),
    "raw/mt5-export/XAUUSD_M5_head6000.csv": Read(6000, "M5", "NY+7", MT5),
    "raw/mt5-python/XAUUSD_M1_head8000.csv": Read(8000, "M1", "NY+7", MT5),
    "raw/mt5-points/XAUUSDd1_points.csv": Read(2400, "D1", "NY+7", MT5),
    "raw/mt5-points/XAUUSDh1_points_tail6000.csv": Read(6000, "H1", "EET/EEST", MT5),
    "raw/mt5-appended/XAUUSD_D1_asrecorded.csv": Read(4995, "D1", "NY+7", MT5, {"forming": 14}),
    "raw/mt5-appended/XAUUSD_H1_2018-transition-daily-to-hourly.csv": Read(470, "H1", "NY+7", MT5, {"misaligned": 33}),
    "raw/mt5-appended/XAUUSD_H1_2026-03-20_on.csv": Read(921, "H1", "NY+7", MT5, {"unreadable": 1}),
    "raw/mt5-appended/XAUUSD_H4_tail500_mixed-date-format.csv": Read(500, "H4", "NY+7", MT5, named="NY+7"),
    "raw/mt5-appended/XAUUSD_W1_asrecorded.csv": Refused("rows are one week apart"),
    "raw/mt5-appended/daily-snapshots_tail4.csv": Refused("mixes several timeframes"),
    "raw/histdata-mt/DAT_MT_XAUUSD_M1_202401_head7000_out-of-order.csv": Read(7000, "M1", "UTC-5", ("histdata:bid",)),
    "raw/lean-oanda/20140501_quote.zip": Read(1375, "M1", "UTC", BOTH),
    "raw/lean-oanda/20140504_quote.zip": Read(120, "M1", "UTC", BOTH),
    "raw/lean-oanda/20140505_quote.zip": Read(1389, "M1", "UTC", BOTH),
    "raw/lean-oanda/20140511_quote.zip": Read(120, "M1", "UTC", BOTH),
    "raw/lean-oanda/daily_xauusd.zip": Read(3949, "D1", "UTC", BOTH),
    "raw/oanda-v20/candles_D_sample.json": Read(1, "D1", "UTC", BOTH),
    "raw/twelvedata/time_series_M15_csv_UTC_2026-08-07_to_20_incl-weekend_last-row-forming.csv": Read(1274, "M15", "UTC", TWELVE),
    "raw/twelvedata/time_series_M5_csv_UTC_good-friday-2026-04-03_frozen.csv": Read(996, "M5", "UTC", TWELVE),
    "raw/twelvedata/time_series_M5_csv_UTC_weekend-2026-02-07_moving.csv": Read(720, "M5", "UTC", TWELVE),
    "raw/twelvedata/derived_time_series_15min_UTC_desc_last-forming.json": Read(30, "M15", "UTC", TWELVE, named="UTC"),
    "raw/twelvedata/derived_time_series_15min_EXCHANGE-SYDNEY_desc.json": Read(
        30, "M15", "Australia/Sydney", TWELVE, named="Australia/Sydney"
    ),
    "raw/twelvedata/recorded_samples.json": Refused("no answer with candles"),
    "raw/dukascopy-bi5/EURUSD_2018_BID_candles_day_1.bi5": Refused("EURUSD, not gold"),
    "raw/dukascopy-bi5/EURUSD_2019_00_BID_candles_hour_1.bi5": Refused("EURUSD, not gold"),
    "raw/dukascopy-bi5/EURUSD_2019_01_04_21h_ticks.bi5": Refused("EURUSD, not gold"),
    "raw/dukascopy-bi5/EURUSD_2019_01_04_22h_ticks.bi5": Refused("EURUSD, not gold"),
    "raw/dukascopy-bi5/EURUSD_2019_01_04_BID_candles_min_1.bi5": Refused("EURUSD, not gold"),
    "raw/calendar/ff_calendar_week_2025-03-30_excerpt.json": Refused("no answer with candles"),
    "raw/calendar/ff_denied.html": Refused("web page"),
    "raw/calendar/finnhub_calendar_economic_sample.json": Refused("no answer with candles"),
    "raw/calendar/investing-style_2024-01_head300.csv": Refused("holds no candles"),
    "raw/telegram/error_bodies.json": Refused("no answer with candles"),
    "candles/xauusd_D1_mt5-ejtraderlabs.csv.gz": Read(2400, "D1", "UTC", ("csv:bid",)),
    "candles/xauusd_D1_oanda-lean-bid.csv.gz": Read(3949, "D1", "UTC", ("csv:bid",)),
    "candles/xauusd_H1_mt5-budimanlai.csv.gz": Read(4858, "H1", "UTC", ("csv:bid",)),
    "candles/xauusd_H1_mt5-ejtraderlabs.csv.gz": Read(57600, "H1", "UTC", ("csv:bid",)),
    "candles/xauusd_H1_oanda-lean-ask.csv.gz": Read(76499, "H1", "UTC", ("csv:ask",)),
    "candles/xauusd_H1_oanda-lean-bid.csv.gz": Read(76499, "H1", "UTC", ("csv:bid",)),
    "candles/xauusd_H4_mt5-budimanlai.csv.gz": Read(1271, "H4", "UTC", ("csv:bid",)),
    "candles/xauusd_H4_mt5-ejtraderlabs.csv.gz": Read(14400, "H4", "UTC", ("csv:bid",)),
    "candles/xauusd_M1_oanda-lean-ask.csv.gz": Read(15222, "M1", "UTC", ("csv:ask",)),
    "candles/xauusd_M1_oanda-lean-bid.csv.gz": Read(15222, "M1", "UTC", ("csv:bid",)),
    "candles/xauusd_M5_mt5-budimanlai.csv.gz": Read(58230, "M5", "UTC", ("csv:bid",)),
    "candles/xauusd_M15_mt5-budimanlai.csv.gz": Read(19418, "M15", "UTC", ("csv:bid",)),
    "candles/xauusd_M30_mt5-budimanlai.csv.gz": Read(9712, "M30", "UTC", ("csv:bid",)),
    "candles/xauusd_M5_twelvedata-24x7.csv.gz": Read(37339, "M5", "UTC", ("csv:bid",)),
    "candles/xauusd_M15_twelvedata-24x7.csv.gz": Read(12450, "M15", "UTC", ("csv:bid",)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_file_is_read_or_refused_as_expected(shared_data: Path, name: str) -> None:
    expected, path = EXPECTED[name], shared_data / name
    if isinstance(expected, Refused):
        with pytest.raises(FileFormatError, match=expected.reason):
            read_file(path, calendar=CALENDAR)
        return
    if expected.named is not None:
        with pytest.raises(ZoneUndecidedError) as caught:
            read_file(path, calendar=CALENDAR)
        assert expected.named in caught.value.candidates
    reading = read_file(path, calendar=CALENDAR, zone=expected.named)
    assert (reading.plan.rows, reading.timeframe, reading.zone) == (expected.rows, expected.timeframe, expected.zone)
    assert tuple(str(source) for source in reading.sources) == expected.sources
    for delivery in reading.deliveries:
        assert delivery.rejected["reason"].value_counts().to_dict() == expected.rejected
        assert len(delivery.rows) + len(delivery.rejected) == expected.rows


def test_no_recorded_file_is_left_out_of_the_table(shared_data: Path) -> None:
    files = [path for folder in ("raw", "candles") for path in (shared_data / folder).rglob("*") if path.is_file()]
    assert {str(path.relative_to(shared_data)) for path in files} == set(EXPECTED)


CLEANED = [
    ("raw/mt5-export/XAUUSD_H1.csv", "H1_mt5-budimanlai", 4858),
    ("raw/mt5-export/XAUUSD_H4.csv", "H4_mt5-budimanlai", 1271),
    ("raw/mt5-export/XAUUSD_M15_dst-mismatch-2025-03.csv", "M15_mt5-budimanlai", 1831),
    ("raw/mt5-export/XAUUSD_M5_head6000.csv", "M5_mt5-budimanlai", 6000),
    ("raw/mt5-points/XAUUSDh1_points_tail6000.csv", "H1_mt5-ejtraderlabs", 6000),
    ("raw/lean-oanda/20140501_quote.zip", "M1_oanda-lean-bid", 1375),
    ("raw/lean-oanda/20140511_quote.zip", "M1_oanda-lean-bid", 120),
    ("raw/lean-oanda/daily_xauusd.zip", "D1_oanda-lean-bid", 3949),
    ("raw/twelvedata/time_series_M5_csv_UTC_weekend-2026-02-07_moving.csv", "M5_twelvedata-24x7", 720),
    ("raw/twelvedata/time_series_M5_csv_UTC_good-friday-2026-04-03_frozen.csv", "M5_twelvedata-24x7", 996),
]


@pytest.mark.parametrize(("raw", "cleaned", "common"), CLEANED, ids=[f"{raw.split('/')[-1]}" for raw, _, _ in CLEANED])
def test_native_files_equal_the_candles_cleaned_from_them(shared_data: Path, raw: str, cleaned: str, common: int) -> None:
    """Same UTC instants, and prices within half a tick of the recorded decimals, for every row of the native file."""
    expected = EXPECTED[raw]
    assert isinstance(expected, Read)
    rows = read_file(shared_data / raw, calendar=CALENDAR, zone=expected.named).deliveries[0].rows
    candles = _cleaned(shared_data, cleaned)
    both = rows.merge(candles, on="timestamp", suffixes=("", "_usd"))
    assert len(both) == len(rows) == common
    for name in ("open", "high", "low", "close"):
        assert (both[name] - both[f"{name}_usd"] * 100).abs().max() <= 0.5 + 1e-6


def test_daily_bars_of_a_server_on_eu_dates_move_at_most_by_the_hour_of_the_break(
    shared_data: Path,
) -> None:
    """2,242 of 2,400 stamps are equal; 158 lie in the weeks between the clock changes and move back to the 17:00 roll."""
    rows = read_file(shared_data / "raw/mt5-points/XAUUSDd1_points.csv", calendar=CALENDAR).delivery.rows
    candles = _cleaned(shared_data, "D1_mt5-ejtraderlabs")
    shift = candles["timestamp"] - rows["timestamp"]
    assert shift.value_counts().to_dict() == {pd.Timedelta(0): 2242, pd.Timedelta(hours=1): 158}
    assert ((rows["close"] / 100 - candles["close"]).abs() < 0.005).all()


@pytest.mark.parametrize(
    ("name", "claim", "right"),
    [
        ("raw/mt5-export/XAUUSD_M15_dst-mismatch-2025-03.csv", "NY+7", "EET/EEST"),
        ("raw/mt5-export/XAUUSD_M15_dst-mismatch-2025-03.csv", "UTC", "EET/EEST"),
        ("raw/mt5-appended/XAUUSD_H1_2026-03-20_on.csv", "UTC", "NY+7"),
        ("raw/mt5-appended/XAUUSD_H1_2018-transition-daily-to-hourly.csv", "EET/EEST", "NY+7"),
        ("raw/mt5-appended/XAUUSD_D1_asrecorded.csv", "UTC", "NY+7"),
        ("raw/histdata-mt/DAT_MT_XAUUSD_M1_202401_head7000_out-of-order.csv", "UTC", "UTC-5"),
        ("raw/mt5-python/XAUUSD_M1_head8000.csv", "EET/EEST", "NY+7"),
    ],
)
def test_a_wrong_zone_claimed_for_a_recorded_file_is_refused(shared_data: Path, name: str, claim: str, right: str) -> None:
    with pytest.raises(ZoneContradictionError) as caught:
        inspect_file(shared_data / name, zone=claim, calendar=CALENDAR)
    assert right in caught.value.found
    assert claim not in caught.value.found


def test_what_the_calendar_closes_leaves_no_row_of_the_moving_weekend_and_good_friday(shared_data: Path) -> None:
    for name, first_open in (
        ("raw/twelvedata/time_series_M5_csv_UTC_weekend-2026-02-07_moving.csv", "2026-02-08 23:00"),
        ("raw/twelvedata/time_series_M5_csv_UTC_good-friday-2026-04-03_frozen.csv", "2026-04-05 22:00"),
    ):
        rows = _qualified(read_file(shared_data / name, calendar=CALENDAR))
        between = (rows["timestamp"] >= pd.Timestamp(first_open, tz="UTC") - pd.Timedelta(hours=48)) & (
            rows["timestamp"] < pd.Timestamp(first_open, tz="UTC")
        )
        assert not between.any()
        assert (rows["timestamp"] >= pd.Timestamp(first_open, tz="UTC")).sum() > 80


def test_utc_days_of_a_daily_file_are_no_new_york_days(shared_data: Path) -> None:
    reading = read_file(shared_data / "raw/lean-oanda/daily_xauusd.zip", calendar=CALENDAR)
    assert _qualified(reading).empty


def _qualified(reading: FileReading) -> pd.DataFrame:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    judged = qualify(reading.deliveries[0], calendar=CALENDAR, now=now, grace=timedelta(seconds=120), reference_close_ticks=None)
    return judged.rows


def _cleaned(shared_data: Path, name: str) -> pd.DataFrame:
    candles = pd.read_csv(shared_data / f"candles/xauusd_{name}.csv.gz", parse_dates=["timestamp"])
    assert candles["timestamp"].is_monotonic_increasing
    return candles.astype({"timestamp": "datetime64[us, UTC]"})
