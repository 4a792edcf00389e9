"""Every format, generated: what was written is what is read, bar for bar."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import Side, Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.files import FileFormatError, FileReading, ZoneBasis, read_file
from goldsignal_pipeline_tests.providers.files.generated import (
    PRICES,
    assert_same_bars,
    bars,
    lines,
    price,
    write,
    write_bi5,
    write_csv,
    write_lean,
    write_mt5_export,
    write_oanda,
)

pytestmark = pytest.mark.fault("files")

MONTH = ("2025-03-03", "2025-04-11")
HEADER = "time,open,high,low,close,tick_volume,spread,real_volume"


def read(path: Path, **claims: object) -> FileReading:
    return read_file(path, calendar=load_calendar(), **claims)


def _rates(path: Path, frame: pd.DataFrame) -> Path:
    rows = lines(frame, zone="NY+7", stamp="%Y-%m-%d %H:%M:%S", tail=lambda volume: f"{volume},12,0")
    return write(path, rows, header=HEADER)


def _rates_epoch(path: Path, frame: pd.DataFrame) -> Path:
    rows = lines(frame, zone="NY+7", stamp="%s", tail=lambda volume: f"{volume},12,0")
    return write(path, rows, header=HEADER)


def _archive(path: Path, frame: pd.DataFrame) -> Path:
    def trimmed(ticks: int) -> str:
        return price(ticks).rstrip("0").rstrip(".")

    return write(path, lines(frame, zone="NY+7", stamp="%Y.%m.%d %H:%M", separator=";", prices=trimmed))


def _histdata_ascii(path: Path, frame: pd.DataFrame) -> Path:
    rows = lines(frame, zone="UTC-5", stamp="%Y%m%d %H%M%S", separator=";", tail=lambda _: "0")
    return write(path, rows)


def _histdata_mt(path: Path, frame: pd.DataFrame) -> Path:
    def six_places(ticks: int) -> str:
        return price(ticks) + "0000"

    return write(path, lines(frame, zone="UTC-5", stamp="%Y.%m.%d,%H:%M", prices=six_places, tail=lambda _: "0"))


def _dukascopy_csv(path: Path, frame: pd.DataFrame) -> Path:
    rows = lines(frame, zone="UTC", stamp="%d.%m.%Y %H:%M:%S.000", tail=lambda volume: f"{volume / 1000:.4f}")
    return write(path, rows, header="Gmt time,Open,High,Low,Close,Volume")


def _dukascopy_local(path: Path, frame: pd.DataFrame) -> Path:
    local = frame["opens"].dt.tz_convert("Europe/Zurich")
    stamps = local.dt.strftime("%d.%m.%Y %H:%M:%S.000 GMT%z")
    rows = [
        ",".join([stamp, *map(price, row), "1.5"]) for stamp, row in zip(stamps, frame[PRICES].to_numpy().tolist(), strict=True)
    ]
    return write(path, rows, header="Local time,Open,High,Low,Close,Volume")


def _twelvedata(path: Path, frame: pd.DataFrame) -> Path:
    rows = lines(frame, zone="UTC", stamp="%Y-%m-%d %H:%M:%S", separator=";", tail=lambda _: "")
    return write(path, rows, header="# timezone: UTC\ndatetime;open;high;low;close")


def _offset_csv(path: Path, frame: pd.DataFrame) -> Path:
    rows = lines(frame, zone="Asia/Tokyo", stamp="%Y-%m-%d %H:%M:%S+09:00")
    return write(path, rows, header="datetime,open,high,low,close,volume")


def _short_names(path: Path, frame: pd.DataFrame) -> Path:
    return write(path, lines(frame, zone="NY+7", stamp="%Y-%m-%d %H:%M"), header="Date,O,H,L,C,V")


def _parquet(path: Path, frame: pd.DataFrame) -> Path:
    table = pd.DataFrame({"timestamp": frame["opens"], **{name: frame[name] / 100 for name in PRICES}, "volume": frame["volume"]})
    table.to_parquet(path)
    return path


def _naive_parquet(path: Path, frame: pd.DataFrame) -> Path:
    wall = frame["opens"].dt.tz_convert("Europe/Athens").dt.tz_localize(None)
    pd.DataFrame({"time": wall, **{name: frame[name].map(price) for name in PRICES}, "tick_volume": 5}).to_parquet(path)
    return path


Case = tuple[str, Callable[[Path, pd.DataFrame], Path], str, str, ZoneBasis, str]
CASES: list[Case] = [
    (
        "XAUUSD_M15.csv",
        lambda p, f: write_mt5_export(p, f, zone="EET/EEST"),
        "mt5-export",
        "EET/EEST",
        ZoneBasis.INFERRED,
        "metatrader:bid",
    ),
    ("XAUUSDm15.csv", _rates, "mt5-rates", "NY+7", ZoneBasis.INFERRED, "metatrader:bid"),
    ("rates.csv", _rates_epoch, "mt5-rates", "NY+7", ZoneBasis.INFERRED, "metatrader:bid"),
    ("XAU_15m_data.csv", _archive, "mt5-archive", "NY+7", ZoneBasis.INFERRED, "metatrader:bid"),
    ("DAT_ASCII_XAUUSD_M1_2025.csv", _histdata_ascii, "histdata-ascii", "UTC-5", ZoneBasis.STATED, "histdata:bid"),
    ("DAT_MT_XAUUSD_M1_2025.csv", _histdata_mt, "histdata-mt", "UTC-5", ZoneBasis.STATED, "histdata:bid"),
    ("XAUUSD_Candlestick_15_M_ASK.csv", _dukascopy_csv, "dukascopy-csv", "UTC", ZoneBasis.STATED, "dukascopy:ask"),
    ("XAUUSD_Candlestick_15_M_BID.csv", _dukascopy_local, "dukascopy-csv", "UTC", ZoneBasis.STATED, "dukascopy:bid"),
    ("xauusd.csv", _twelvedata, "twelvedata-csv", "UTC", ZoneBasis.STATED, "twelvedata:mid"),
    ("gold.csv", write_csv, "csv", "UTC", ZoneBasis.STATED, "csv:bid"),
    ("gold.csv.gz", write_csv, "csv", "UTC", ZoneBasis.STATED, "csv:bid"),
    ("gold-mid.csv", _offset_csv, "csv", "UTC", ZoneBasis.STATED, "csv:mid"),
    ("gold.csv", _short_names, "csv", "NY+7", ZoneBasis.INFERRED, "csv:bid"),
    ("gold.parquet", _parquet, "parquet", "UTC", ZoneBasis.STATED, "parquet:bid"),
    ("gold.parquet", _naive_parquet, "parquet of mt5-rates", "EET/EEST", ZoneBasis.INFERRED, "metatrader:bid"),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[2]}-{case[0]}" for case in CASES])
def test_a_file_is_read_back_bar_for_bar(tmp_path: Path, case: Case) -> None:
    name, writer, format_name, zone, basis, source = case
    frame = bars(*MONTH, Timeframe.M15)
    reading = read(writer(tmp_path / name, frame))
    assert (reading.format, reading.timeframe, reading.zone, reading.zone_basis) == (format_name, Timeframe.M15, zone, basis)
    assert reading.sources == (Source.parse(source),)
    assert_same_bars(reading.delivery.rows, frame)
    assert reading.delivery.rejected.empty
    assert (reading.delivery.timeframe, reading.plan.rows) == (Timeframe.M15, len(frame))


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5, Timeframe.M30, Timeframe.H1, Timeframe.D1])
def test_the_spacing_of_rows_tells_the_timeframe(tmp_path: Path, timeframe: Timeframe) -> None:
    frame = bars("2025-02-03", "2025-05-31" if timeframe is Timeframe.D1 else "2025-03-15", timeframe)
    reading = read(write_mt5_export(tmp_path / "XAUUSD.csv", frame, zone="NY+7"))
    assert reading.timeframe is timeframe
    assert_same_bars(reading.delivery.rows, frame)


def test_bid_and_ask_of_oanda_are_two_sources_and_its_incomplete_candle_is_forming(tmp_path: Path) -> None:
    frame = bars("2025-03-03", "2025-03-08", Timeframe.H1)
    reading = read(write_oanda(tmp_path / "candles.json", frame, granularity="H1", forming=1))
    assert [str(source) for source in reading.sources] == ["oanda:bid", "oanda:ask"]
    for delivery, shift in zip(reading.deliveries, (0, 20), strict=True):
        assert_same_bars(delivery.rows, frame.iloc[:-1], shift=shift)
        assert delivery.rejected["reason"].tolist() == ["forming"]
        assert delivery.rejected["timestamp"].tolist() == frame["opens"].tolist()[-1:]
        assert '"complete": false' in delivery.rejected["payload"][0]


def test_daily_bars_of_oanda_open_at_the_new_york_roll(tmp_path: Path) -> None:
    frame = bars("2025-03-03", "2025-04-11", Timeframe.D1)
    reading = read(write_oanda(tmp_path / "candles.json", frame, granularity="D"))
    assert reading.timeframe is Timeframe.D1
    assert_same_bars(reading.deliveries[0].rows, frame)


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.H1])
def test_lean_archives_hold_bid_and_ask(tmp_path: Path, timeframe: Timeframe) -> None:
    minute = timeframe is Timeframe.M1
    frame = bars("2025-03-04", "2025-03-05" if minute else "2025-04-11", timeframe)
    path = write_lean(tmp_path / ("20250304_quote.zip" if minute else "xauusd.zip"), frame, day="20250304" if minute else None)
    reading = read(path)
    assert (reading.format, reading.timeframe, reading.zone) == ("lean", timeframe, "UTC")
    assert [str(source) for source in reading.sources] == ["oanda:bid", "oanda:ask"]
    assert_same_bars(reading.deliveries[0].rows, frame)
    assert_same_bars(reading.deliveries[1].rows, frame, shift=20)


def test_one_side_can_be_asked_for_and_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write_lean(tmp_path / "xauusd.zip", bars("2025-03-03", "2025-03-22", Timeframe.H1), day=None)
    assert [str(source) for source in read(path, side=Side.ASK, vendor="mine").sources] == ["mine:ask"]
    with pytest.raises(FileFormatError, match="bid and ask, not mid"):
        read(path, side=Side.MID)


@pytest.mark.parametrize(
    ("name", "side", "assumed"), [("gold", None, True), ("gold", Side.MID, False), ("gold_ask", None, False)]
)
def test_a_side_that_nobody_named_is_said_to_be_assumed(tmp_path: Path, name: str, side: Side | None, assumed: bool) -> None:
    path = write_csv(tmp_path / f"{name}.csv", bars("2025-03-03", "2025-03-22", Timeframe.H1))
    assert any("taken as bid" in note for note in read(path, side=side).notes) is assumed


def test_a_side_without_a_quote_is_no_observation_and_no_fault(tmp_path: Path) -> None:
    path = write_lean(tmp_path / "20250304_quote.zip", bars("2025-03-04", "2025-03-05", Timeframe.M1), day="20250304")

    with zipfile.ZipFile(path) as archive:
        rows = archive.read("20250304_xauusd_minute_quote.csv").decode().splitlines()
    fields = rows[7].split(",")
    rows[7] = ",".join([fields[0], "", "", "", "", "", *fields[6:]])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("20250304_xauusd_minute_quote.csv", "\n".join(rows))
    bid, ask = read(path).deliveries
    assert (len(bid.rows), len(bid.rejected), len(ask.rows)) == (len(rows) - 1, 0, len(rows))


def test_packed_candles_of_dukascopy_take_their_day_from_the_path_with_months_from_zero(tmp_path: Path) -> None:
    frame = bars("2025-03-04", "2025-03-05", Timeframe.M1)
    path = write_bi5(tmp_path / "XAUUSD/2025/02/04/ASK_candles_min_1.bi5", frame, start="2025-03-04")
    reading = read(path)
    assert (reading.timeframe, reading.zone, str(reading.sources[0])) == (Timeframe.M1, "UTC", "dukascopy:ask")
    assert_same_bars(reading.delivery.rows, frame)
    np.testing.assert_allclose(reading.delivery.rows["volume"], frame["volume"] / 1000, atol=0.006)


def test_packed_hours_of_a_month_and_days_of_a_year_count_from_their_begin(tmp_path: Path) -> None:
    frame = bars("2025-03-01", "2025-04-01", Timeframe.H1)
    reading = read(write_bi5(tmp_path / "XAUUSD/2025/02/BID_candles_hour_1.bi5", frame, start="2025-03-01"))
    assert reading.timeframe is Timeframe.H1
    assert_same_bars(reading.delivery.rows, frame)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("XAUUSD/2025/02/04/21h_ticks.bi5", "ticks, not candles"),
        ("EURUSD/2025/02/04/BID_candles_min_1.bi5", "EURUSD, not gold"),
        ("BID_candles_min_1.bi5", "does not say of which symbol"),
        ("XAUUSD/2025/12/04/BID_candles_min_1.bi5", "no day of the calendar"),
    ],
)
def test_packed_files_that_cannot_be_placed_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    path = write_bi5(tmp_path / name, bars("2025-03-04", "2025-03-05", Timeframe.M1), start="2025-03-04")
    with pytest.raises(FileFormatError, match=reason):
        read(path)


def test_a_daily_label_of_twelve_data_is_the_date_on_which_the_new_york_day_ends(tmp_path: Path) -> None:
    """Friday 2025-03-07 began on Thursday 17:00 New York, 22:00 UTC; Friday 2025-03-14 at 21:00 UTC, after the clock change."""
    rows = [f"2025-03-{day:02d};2900;2910;2890;2905" for day in range(14, 2, -1)]
    reading = read(write(tmp_path / "xauusd.csv", rows, header="datetime;open;high;low;close"))
    stamps = dict(zip([row[:10] for row in rows], reading.delivery.rows["timestamp"].astype("str"), strict=True))
    assert stamps["2025-03-07"] == "2025-03-06 22:00:00+00:00"
    assert stamps["2025-03-14"] == "2025-03-13 21:00:00+00:00"


def test_daily_bars_of_a_server_on_european_dates_are_those_of_the_new_york_roll(tmp_path: Path) -> None:
    """Midnight in Athens is 18:00 in New York between both clock changes; the daily break before it holds no trade."""
    frame = bars("2025-02-17", "2025-05-03", Timeframe.D1)
    rows = [f"{(opens + pd.Timedelta(hours=12)).date()},2900,2910,2890,2905,1000" for opens in frame["opens"]]
    path = write(tmp_path / "XAUUSDd1.csv", rows, header="Date,open,high,low,close,tick_volume")
    for zone in (None, "NY+7", "EET/EEST"):
        assert read(path, zone=zone).delivery.rows["timestamp"].tolist() == frame["opens"].tolist()


def test_a_zipped_text_file_is_read_like_the_file_itself(tmp_path: Path) -> None:

    frame = bars(*MONTH, Timeframe.M15)
    inner = _histdata_ascii(tmp_path / "DAT_ASCII_XAUUSD_M1_2025.csv", frame)
    path = tmp_path / "HISTDATA_COM_ASCII_XAUUSD_M12025.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, inner.name)
        archive.writestr("DAT_ASCII_XAUUSD_M1_2025.txt", "Gap of 61s found\n")
    reading = read(path)
    assert reading.format == "histdata-ascii"
    assert_same_bars(reading.delivery.rows, frame)
