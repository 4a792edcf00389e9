"""Damaged, mislabelled and enormous files: a typed error, or rejected rows with reasons and all good rows kept."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.files import FileFormatError, FileReading, inspect_file, iter_deliveries, read_file
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

CALENDAR = load_calendar()
NAIVE = "%Y-%m-%d %H:%M:%S"
RATES = "time,open,high,low,close,tick_volume"


def read(path: Path, **claims: object) -> FileReading:
    return read_file(path, calendar=CALENDAR, **claims)


@pytest.fixture(scope="module")
def month() -> pd.DataFrame:
    return bars("2025-03-03", "2025-04-05", Timeframe.M15)


@pytest.mark.parametrize("name", ["empty.csv", "empty.bi5", "empty.json", "empty.csv.gz", "header.csv", "comments.csv"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = {"empty.csv.gz": gzip.compress(b""), "header.csv": RATES.encode(), "comments.csv": b"# timezone: UTC\n"}
    path.write_bytes(content.get(name, b" \n"))
    with pytest.raises(FileFormatError) as caught:
        read(path)
    assert caught.value.done == "nothing was read"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bytes(range(256)) * 40, "binary"),
        (random.Random(7).randbytes(5000), "binary"),
        (b"<!DOCTYPE html><html><body>Request denied</body></html>", "web page"),
        (b"PAR1" + b"\0" * 300, "damaged parquet"),
        (b"PK\x03\x04" + b"\0" * 300, "is damaged"),
        (gzip.compress(b"time,open,high,low,close\n" * 9000)[:-40], "is damaged"),
        (b'{"candles": [{"complete": true, "ti', "no complete JSON"),
        (b'{"status": "error", "code": 429, "message": "You have run out of API credits"}', "vendor's error"),
        (b"20250303 000000123,2900.1,2900.3,0\n", "ticks"),
        (b"time,bid,ask\n2025-03-03 00:00:00,2900.1,2900.3\n", "ticks"),
        (b"Dear customer,\nplease find attached\n", "holds no candles"),
        (b"time,open,high,low,close\nsoon,a,b,c,d\n", "readable time"),
        (b"time,open,high,low,close\n2025-03-03 00:00:00,a,b,c,d\n", "readable price"),
        (b"time,open,high,low,close\n2025-03-03 00:00:00,1,2,3,4\n", "one row"),
    ],
)
def test_what_holds_no_candles_is_refused_with_its_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "XAUUSD.csv"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=reason):
        read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be opened"):
        read(tmp_path / "absent.csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_byte_order_marks_and_windows_line_ends_change_nothing(
    tmp_path: Path, month: pd.DataFrame, encoding: str, ending: str
) -> None:
    path = write_csv(tmp_path / "gold.csv", month, encoding=encoding, ending=ending)
    assert_same_bars(read(path).delivery.rows, month)


def test_shuffled_days_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    frame = bars("2025-01-06", "2025-01-25", Timeframe.M5)
    days = [day for _, day in frame.groupby(frame["opens"].dt.date)]
    random.Random(3).shuffle(days)
    shuffled = pd.concat(days, ignore_index=True)
    rows = lines(shuffled, zone="UTC-5", stamp="%Y.%m.%d,%H:%M", tail=lambda _: "0")
    reading = read(write(tmp_path / "DAT_MT_XAUUSD_M1_202501.csv", rows))
    assert reading.timeframe is Timeframe.M5
    assert_same_bars(reading.delivery.rows, shuffled)


def test_rows_in_no_order_at_all_still_tell_timeframe_and_zone(tmp_path: Path, month: pd.DataFrame) -> None:
    mixed = month.sample(frac=1, random_state=5).reset_index(drop=True)
    reading = read(write_csv(tmp_path / "gold.csv", mixed, zone="EET/EEST", stamp=NAIVE))
    assert (reading.timeframe, reading.zone) == (Timeframe.M15, "EET/EEST")
    assert_same_bars(reading.delivery.rows, mixed)


@pytest.mark.parametrize("per_dollar", [100, 1000])
def test_points_are_told_from_dollars_by_whole_numbers_at_golds_level(
    tmp_path: Path, month: pd.DataFrame, per_dollar: int
) -> None:
    rounded = month.assign(**{name: month[name] // 10 * 10 for name in PRICES})
    rows = lines(rounded, zone="NY+7", stamp=NAIVE, prices=lambda ticks: f"{ticks * per_dollar // 100}.0")
    reading = read(write(tmp_path / "XAUUSDm15.csv", rows, header=RATES))
    assert reading.plan.points_per_usd == per_dollar
    assert any(f"{per_dollar} to the dollar" in note for note in reading.notes)
    assert_same_bars(reading.delivery.rows, rounded)


def test_whole_dollars_stay_dollars(tmp_path: Path, month: pd.DataFrame) -> None:
    whole = month.assign(**{name: month[name] // 100 * 100 for name in PRICES})
    reading = read(
        write(tmp_path / "gold.csv", lines(whole, zone="NY+7", stamp=NAIVE, prices=lambda t: str(t // 100)), header=RATES)
    )
    assert reading.plan.points_per_usd is None
    assert_same_bars(reading.delivery.rows, whole)


@pytest.mark.parametrize("factor", [0.0005, 0.012, 23.7])
def test_prices_that_are_not_golds_are_refused(tmp_path: Path, month: pd.DataFrame, factor: float) -> None:
    rows = lines(month, zone="NY+7", stamp=NAIVE, prices=lambda ticks: f"{ticks / 100 * factor:.5f}")
    with pytest.raises(FileFormatError, match="gold cost about"):
        read(write(tmp_path / "prices.csv", rows, header=RATES))


def test_the_name_or_a_column_of_another_symbol_is_refused(tmp_path: Path, month: pd.DataFrame) -> None:
    with pytest.raises(FileFormatError, match="XAUEUR"):
        read(write_csv(tmp_path / "XAUEUR_M15.csv", month))
    rows = [f"GBPUSD,{row}" for row in lines(month, zone="UTC", stamp=NAIVE)]
    with pytest.raises(FileFormatError, match="GBPUSD"):
        read(write(tmp_path / "data.csv", rows, header=f"symbol,{RATES}"))


def test_a_daily_row_frozen_while_forming_is_rejected_and_its_correction_kept(tmp_path: Path) -> None:
    """Known mistake 2: the forming bar stored and never corrected."""
    frame = bars("2024-06-03", "2025-06-07", Timeframe.D1)
    for position in (100, 150, len(frame) - 1):
        frame.loc[position, "volume"] //= 12
        frame.loc[position, ["high", "low"]] = [
            frame.loc[position, ["open", "close"]].max() + 5,
            frame.loc[position, ["open", "close"]].min() - 5,
        ]
    corrected = frame.iloc[[150]].assign(volume=frame.loc[149, "volume"], high=frame.loc[150, "high"] + 300)
    delivered = pd.concat([frame, corrected], ignore_index=True)
    rows = lines(delivered, zone="NY+7", stamp="%Y-%m-%d")
    reading = read(write(tmp_path / "XAUUSD_D1.csv", rows, header=RATES))
    rejected = reading.delivery.rejected
    assert rejected["reason"].unique().tolist() == ["forming"]
    assert rejected["timestamp"].tolist() == frame["opens"].iloc[[100, 150, len(frame) - 1]].tolist()
    assert_same_bars(reading.delivery.rows, delivered.drop([100, 150, len(frame) - 1]))


def test_the_newest_hour_with_a_fraction_of_its_volume_is_rejected_but_a_quiet_older_one_is_not(tmp_path: Path) -> None:
    frame = bars("2025-01-06", "2025-03-01", Timeframe.H1)
    for position in (500, len(frame) - 1):
        frame.loc[position, "volume"] = 50
        frame.loc[position, ["high", "low"]] = [
            frame.loc[position, ["open", "close"]].max(),
            frame.loc[position, ["open", "close"]].min(),
        ]
    frame.loc[[500, len(frame) - 1], "high"] += 2
    reading = read(write(tmp_path / "XAUUSD_H1.csv", lines(frame, zone="NY+7", stamp=NAIVE), header=RATES))
    assert reading.delivery.rejected["timestamp"].tolist() == frame["opens"].tolist()[-1:]
    assert_same_bars(reading.delivery.rows, frame.iloc[:-1])


def test_a_bar_that_closes_after_the_file_was_written_was_forming(tmp_path: Path, month: pd.DataFrame) -> None:
    path = write_csv(tmp_path / "gold.csv", month)
    written = month["opens"].iloc[-1] + pd.Timedelta(minutes=8)
    os.utime(path, (written.timestamp(), written.timestamp()))
    reading = read(path)
    assert reading.delivery.rejected["reason"].tolist() == ["forming"]
    assert_same_bars(reading.delivery.rows, month.iloc[:-1])
    closed = written + pd.Timedelta(minutes=7)
    os.utime(path, (closed.timestamp(), closed.timestamp()))
    assert_same_bars(read(path).delivery.rows, month)


def test_midnights_written_as_dates_are_read_beside_full_times(tmp_path: Path) -> None:
    frame = bars("2025-03-03", "2025-04-05", Timeframe.H1)
    wall = lines(frame, zone="NY+7", stamp=NAIVE)
    mixed = [row.replace(" 00:00:00,", ",") if position % 2 else row.replace("-", ".", 2) for position, row in enumerate(wall)]
    assert_same_bars(read(write(tmp_path / "XAUUSD_H1.csv", mixed, header=RATES), zone="NY+7").delivery.rows, frame)


def test_daily_bars_at_the_head_of_an_hourly_file_never_become_hours(tmp_path: Path) -> None:
    daily = bars("2025-01-06", "2025-02-15", Timeframe.D1)
    hourly = bars("2025-02-17", "2025-05-03", Timeframe.H1, seed=2)
    rows = lines(pd.concat([daily, hourly], ignore_index=True), zone="NY+7", stamp=NAIVE)
    reading = read(write(tmp_path / "XAUUSD_H1.csv", rows, header=RATES))
    assert (reading.timeframe, reading.zone) == (Timeframe.H1, "NY+7")
    assert reading.delivery.rejected["reason"].unique().tolist() == ["misaligned"]
    assert reading.delivery.rejected["timestamp"].tolist() == daily["opens"].tolist()
    assert any(f"{len(daily)} rows are daily bars" in note for note in reading.notes)
    assert_same_bars(reading.delivery.rows, hourly)


def test_a_wholly_daily_file_claimed_to_be_hourly_is_refused(tmp_path: Path) -> None:
    path = write_mt5_export(tmp_path / "XAUUSD_H1.csv", bars("2025-01-06", "2025-06-07", Timeframe.D1), zone="NY+7")
    with pytest.raises(FileFormatError, match="one day apart: these are D1 bars, not H1"):
        read(path, timeframe=Timeframe.H1)
    assert read(path).timeframe is Timeframe.D1


@pytest.mark.parametrize(("frequency", "spoken"), [("3min", "3 minutes"), ("W", "one week"), ("2h", "2 hours")])
def test_a_timeframe_of_no_use_is_refused(tmp_path: Path, frequency: str, spoken: str) -> None:
    stamps = pd.date_range("2025-01-06", periods=300, freq=frequency)
    rows = [f"{stamp:{NAIVE}},2900,2910,2890,2905,5" for stamp in stamps]
    with pytest.raises(FileFormatError, match=f"rows are {spoken} apart"):
        read(write(tmp_path / "XAUUSD.csv", rows, header=RATES))


def test_rows_of_several_timeframes_in_one_file_are_refused(tmp_path: Path, month: pd.DataFrame) -> None:
    rows = [f"{'H1' if position % 2 else 'D1'},{row}" for position, row in enumerate(lines(month, zone="UTC", stamp=NAIVE))]
    with pytest.raises(FileFormatError, match="mixes several timeframes"):
        read(write(tmp_path / "data.csv", rows, header=f"timeframe,{RATES}"))


def test_bad_rows_are_rejected_one_by_one_and_good_rows_kept(tmp_path: Path, month: pd.DataFrame) -> None:
    rows = lines(month, zone="NY+7", stamp=NAIVE)
    bad = [
        ("2025-03-05 10:00:00,2900,2910,2890", "unreadable"),
        ("2025-03-05 10:00:00,2900,2910,2890,2905,5,6,7,8", "unreadable"),
        (RATES, "unreadable"),
        ("2025-02-30 10:00:00,2900,2910,2890,2905,5", "unreadable"),
        ("yesterday,2900,2910,2890,2905,5", "unreadable"),
        ("2025-03-05 10:00:00,2900,nan,2890,2905,5", "not_a_number"),
        ("2025-03-05 10:00:00,,2910,2890,2905,5", "not_a_number"),
        ("2025-03-05 10:00:00,2900,2910,0,2905,5", "not_positive"),
        ("2025-03-05 10:00:00,2900,2910,-2890,2905,5", "not_positive"),
        ("2025-03-05 10:00:00,2900,1e9,2890,2905,5", "out_of_range"),
        ("2025-03-05 10:00:00,29\ufffd0,2910,2890,2905,5", "not_a_number"),
    ]
    mixed = rows[:50] + [row for row, _ in bad] + rows[50:]
    reading = read(write(tmp_path / "XAUUSD.csv", mixed, header=RATES))
    rejected = reading.delivery.rejected
    assert sorted(zip(rejected["payload"], rejected["reason"], strict=True)) == sorted(bad)
    assert rejected["timestamp"].isna().sum() == 5
    assert_same_bars(reading.delivery.rows, month)
    assert reading.plan.rows == len(month) + len(bad)


def test_prices_are_rounded_as_the_decimal_that_was_written(tmp_path: Path) -> None:
    rows = [f"2025-03-03T{hour:02d}:00:00Z,1920.755,1920.76500001,1920.745,1920.75,1.005" for hour in range(3, 9)]
    delivered = read(write(tmp_path / "gold.csv", rows, header="timestamp,open,high,low,close,volume")).delivery.rows
    assert delivered[PRICES].iloc[0].tolist() == [192076, 192077, 192074, 192075]


def test_a_price_of_twenty_digits_is_rounded_as_written_and_not_as_its_float(tmp_path: Path) -> None:
    rows = [f"2025-03-03T{hour:02d}:00:00Z,1920.7450000000000001,1920.755,1920.745, 1920.755,1" for hour in range(3, 9)]
    delivered = read(write(tmp_path / "gold.csv", rows, header="timestamp,open,high,low,close,volume")).delivery.rows
    assert delivered[PRICES].iloc[0].tolist() == [192075, 192076, 192074, 192076]


def test_a_time_without_an_offset_among_times_with_one_is_unreadable(tmp_path: Path, month: pd.DataFrame) -> None:
    rows = lines(month, zone="UTC", stamp="%Y-%m-%dT%H:%M:%S+00:00")
    rows[7] = rows[7].replace("+00:00", "")
    reading = read(write(tmp_path / "gold.csv", rows, header="timestamp,open,high,low,close,volume"))
    assert reading.delivery.rejected["payload"].tolist() == [rows[7]]
    assert_same_bars(reading.delivery.rows, month.drop(index=7))


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "zip", "json", "bi5"])
def test_damage_anywhere_is_a_typed_error_or_costs_only_damaged_rows(tmp_path: Path, kind: str) -> None:
    frame = bars("2025-03-04", "2025-03-05", Timeframe.M1)
    sound = _sound_file(tmp_path, kind, frame).read_bytes()
    random_source = random.Random(11)
    for _ in range(25):
        damaged = bytearray(sound)
        for _ in range(random_source.randint(1, 12)):
            damaged[random_source.randrange(len(damaged))] = random_source.randrange(256)
        path = _sound_file(tmp_path, kind, frame)
        path.write_bytes(bytes(damaged[: random_source.randint(len(damaged) // 2, len(damaged))]))
        try:
            reading = read(path, zone="UTC")
        except FileFormatError:
            continue
        for delivery in reading.deliveries:
            assert len(delivery.rows) + len(delivery.rejected) == reading.plan.rows


def _sound_file(folder: Path, kind: str, frame: pd.DataFrame) -> Path:
    if kind == "parquet":
        table = pd.DataFrame({"timestamp": frame["opens"], **{name: frame[name] / 100 for name in PRICES}, "volume": 1.0})
        table.to_parquet(folder / "gold.parquet")
        return folder / "gold.parquet"
    if kind == "zip":
        return write_lean(folder / "20250304_quote.zip", frame, day="20250304")
    if kind == "json":
        return write_oanda(folder / "gold.json", frame, granularity="M1")
    if kind == "bi5":
        return write_bi5(folder / "XAUUSD/2025/02/04/BID_candles_min_1.bi5", frame, start="2025-03-04")
    return write_csv(folder / f"gold.{kind}", frame)


def test_a_file_that_changes_between_looking_and_reading_is_refused(tmp_path: Path, month: pd.DataFrame) -> None:
    path = write_csv(tmp_path / "gold.csv", month)
    plan = inspect_file(path, calendar=CALENDAR)
    write_csv(path, month.iloc[:-1])
    with pytest.raises(FileFormatError, match="changed"):
        next(iter_deliveries(plan, calendar=CALENDAR))


def test_progress_reaches_the_size_of_the_file_in_both_passes(tmp_path: Path, month: pd.DataFrame) -> None:
    path = write_csv(tmp_path / "gold.csv.gz", month)
    size = path.stat().st_size
    seen: list[tuple[int, int]] = []
    plan = inspect_file(path, calendar=CALENDAR, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (size, size)
    seen.clear()
    assert sum(len(part.rows) for part in iter_deliveries(plan, calendar=CALENDAR, progress=lambda *at: seen.append(at))) == len(
        month
    )
    assert seen[-1] == (size, size)


_MEASURE = """
import resource, sys
from pathlib import Path
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.providers.files import inspect_file, iter_deliveries
calendar = load_calendar()
small, large = map(Path, sys.argv[1:])
for part in iter_deliveries(inspect_file(small, zone="NY+7", calendar=calendar), calendar=calendar):
    pass
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = largest = 0
for part in iter_deliveries(inspect_file(large, zone="NY+7", calendar=calendar), calendar=calendar):
    rows += len(part.rows)
    largest = max(largest, len(part.rows))
unit = 1024 * 1024 if sys.platform == "darwin" else 1024
print(rows, largest, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // unit)
"""


def test_a_large_file_is_read_in_memory_that_does_not_grow_with_it(tmp_path: Path) -> None:
    """100 MB, and 1 GB under `make prove`; the bound is the same."""
    megabytes = 1000 if os.environ.get("PROVE") else 100
    frame = bars("2024-01-02", "2024-12-28", Timeframe.M5)
    small = write_mt5_export(tmp_path / "XAUUSD_small.csv", frame, zone="NY+7")
    header, _, block = small.read_bytes().partition(b"\n")
    repeats = megabytes * 1_000_000 // len(block)
    large = tmp_path / "XAUUSD_large.csv"
    with large.open("wb") as file:
        file.write(header + b"\n")
        for _ in range(repeats):
            file.write(block)
    result = subprocess.run([sys.executable, "-c", _MEASURE, str(small), str(large)], capture_output=True, text=True, check=True)
    rows, largest, grown_megabytes = map(int, result.stdout.split())
    assert rows == repeats * len(frame)
    assert largest < 200_000
    assert grown_megabytes < 150


def test_a_level_is_written_with_two_places() -> None:
    assert price(200_005) == "2000.05"
