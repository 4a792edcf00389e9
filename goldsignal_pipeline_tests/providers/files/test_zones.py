"""Zones: gold's closed hours give a clock away, wrong claims are refused by name, and what cannot be known is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.files import ZoneBasis, ZoneContradictionError, ZoneUndecidedError, inspect_file, read_file
from goldsignal_pipeline.providers.files.zones import parse_zone
from goldsignal_pipeline_tests.providers.files.generated import PRICES, assert_same_bars, bars, clock, lines, write, write_csv

CALENDAR = load_calendar()
CLOCKS = ("UTC", "NY+7", "EET/EEST", "UTC-5", "America/New_York", "Australia/Sydney", "Europe/London")
NAIVE = "%Y-%m-%d %H:%M:%S"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zones")


@pytest.fixture(scope="module")
def three_months() -> pd.DataFrame:
    """15-minute bars over the weeks between the clock changes of spring 2025, which tell all clocks apart."""
    return bars("2025-02-03", "2025-05-03", Timeframe.M15)


@pytest.mark.parametrize("zone", CLOCKS)
def test_a_clock_is_inferred_from_the_hours_alone(folder: Path, three_months: pd.DataFrame, zone: str) -> None:
    reading = read_file(write_csv(folder / "gold.csv", three_months, zone=zone, stamp=NAIVE), calendar=CALENDAR)
    assert (reading.zone, reading.zone_basis) == (zone, ZoneBasis.INFERRED)
    assert_same_bars(reading.delivery.rows, three_months)


@pytest.mark.fault("files")
@pytest.mark.parametrize("zone", CLOCKS)
def test_a_wrong_claim_is_refused_with_the_right_zone_named(folder: Path, three_months: pd.DataFrame, zone: str) -> None:
    path = write_csv(folder / "gold.csv", three_months, zone=zone, stamp=NAIVE)
    for claim in CLOCKS:
        if claim == zone:
            assert inspect_file(path, zone=claim, calendar=CALENDAR).zone_basis is ZoneBasis.NAMED
            continue
        with pytest.raises(ZoneContradictionError) as caught:
            inspect_file(path, zone=claim, calendar=CALENDAR)
        assert (caught.value.claimed, caught.value.found) == (claim, (zone,))
        assert f"--zone {zone}" in caught.value.fix


@pytest.mark.fault("files")
@pytest.mark.parametrize("zone", ["UTC", "NY+7", "Australia/Sydney"])
def test_a_file_that_fills_closed_hours_is_judged_by_how_little_it_moves_then(folder: Path, zone: str) -> None:
    frame = bars("2026-02-23", "2026-04-20", Timeframe.M15, around_the_clock=True)
    path = write_csv(folder / "gold.csv", frame, zone=zone, stamp=NAIVE)
    plan = inspect_file(path, calendar=CALENDAR)
    assert plan.zone.name == zone
    assert any("around the clock" in note for note in plan.notes)
    with pytest.raises(ZoneContradictionError):
        inspect_file(path, zone="EET/EEST", calendar=CALENDAR)


@settings(max_examples=15, deadline=None)
@given(
    zone=st.sampled_from(CLOCKS),
    first=st.integers(0, 700),
    days=st.integers(1, 40),
    timeframe=st.sampled_from([Timeframe.M15, Timeframe.M30, Timeframe.H1]),
)
def test_an_inferred_zone_means_the_true_instants_or_the_user_is_asked(
    folder: Path, zone: str, first: int, days: int, timeframe: Timeframe
) -> None:
    """Whatever the span: never a wrong instant from inference, and the true zone is always among those named."""
    start = pd.Timestamp("2023-01-03") + pd.Timedelta(days=first)
    frame = bars(str(start), str(start + pd.Timedelta(days=days)), timeframe)
    if len(frame) < 2:
        return
    path = write_csv(folder / "gold.csv", frame, zone=zone, stamp=NAIVE)
    try:
        reading = read_file(path, calendar=CALENDAR, timeframe=timeframe)
    except ZoneUndecidedError as undecided:
        assert zone in undecided.candidates  # noqa: PT017  (both outcomes are right, each with its own promise)
    else:
        assert_same_bars(reading.delivery.rows, frame)
    assert_same_bars(read_file(path, calendar=CALENDAR, timeframe=timeframe, zone=zone).delivery.rows, frame)


def test_a_winter_month_needs_no_question_because_every_fitting_clock_means_the_same(folder: Path) -> None:
    frame = bars("2025-01-06", "2025-02-01", Timeframe.H1)
    reading = read_file(write_csv(folder / "gold.csv", frame, zone="EET/EEST", stamp=NAIVE), calendar=CALENDAR)
    assert reading.zone == "NY+7"
    assert any("EET/EEST" in note and "same instants" in note for note in reading.notes)
    assert_same_bars(reading.delivery.rows, frame)


@pytest.mark.fault("files")
def test_a_file_too_short_to_tell_is_asked_about_and_read_when_named(folder: Path) -> None:
    frame = bars("2025-03-04 08:00", "2025-03-04 12:00", Timeframe.M5)
    path = write_csv(folder / "gold.csv", frame, zone="NY+7", stamp=NAIVE)
    with pytest.raises(ZoneUndecidedError, match="--zone") as caught:
        inspect_file(path, calendar=CALENDAR)
    assert {"NY+7", "EET/EEST", "UTC"} <= set(caught.value.candidates)
    assert_same_bars(read_file(path, calendar=CALENDAR, zone="NY+7").delivery.rows, frame)


@pytest.mark.fault("files")
def test_four_hour_bars_do_not_tell_both_server_clocks_apart(folder: Path) -> None:
    stamps = pd.date_range("2025-02-03", "2025-05-03", freq="4h")
    stamps = stamps[stamps.day_of_week < 5]
    rows = [f"{stamp:%Y-%m-%d %H:%M:%S},2900,2910,2890,2905,1000" for stamp in stamps]
    path = write(folder / "XAUUSD_H4.csv", rows, header="time,open,high,low,close,tick_volume")
    with pytest.raises(ZoneUndecidedError) as caught:
        inspect_file(path, calendar=CALENDAR)
    assert set(caught.value.candidates) >= {"NY+7", "EET/EEST"}
    assert inspect_file(path, zone="NY+7", calendar=CALENDAR).timeframe is Timeframe.H4


@pytest.mark.fault("files")
def test_histdata_called_utc_is_refused(folder: Path, three_months: pd.DataFrame) -> None:
    rows = lines(three_months, zone="UTC-5", stamp="%Y%m%d %H%M%S", separator=";", tail=lambda _: "0")
    path = write(folder / "DAT_ASCII_XAUUSD_M1_2025.csv", rows)
    with pytest.raises(ZoneContradictionError) as caught:
        inspect_file(path, zone="UTC", calendar=CALENDAR)
    assert caught.value.found == ("UTC-5",)


@pytest.mark.fault("files")
def test_times_that_state_their_offset_admit_no_other_zone(folder: Path, three_months: pd.DataFrame) -> None:
    path = write_csv(folder / "gold.csv", three_months)
    assert inspect_file(path, zone="UTC", calendar=CALENDAR).zone.name == "UTC"
    with pytest.raises(ZoneContradictionError, match="instants"):
        inspect_file(path, zone="NY+7", calendar=CALENDAR)


@pytest.mark.fault("files")
def test_server_times_that_wrongly_say_z_are_refused_until_their_zone_is_named(folder: Path, three_months: pd.DataFrame) -> None:
    path = write_csv(folder / "gold.csv", three_months, zone="EET/EEST", stamp=f"{NAIVE}Z")
    for claim in (None, "UTC", "NY+7"):
        with pytest.raises(ZoneContradictionError) as caught:
            inspect_file(path, zone=claim, calendar=CALENDAR)
        assert caught.value.found == ("EET/EEST",)
    assert_same_bars(read_file(path, zone="EET/EEST", calendar=CALENDAR).delivery.rows, three_months)


@pytest.mark.fault("files")
def test_a_zone_line_that_lies_is_refused(folder: Path, three_months: pd.DataFrame) -> None:
    rows = lines(three_months, zone="Australia/Sydney", stamp=NAIVE, separator=";", tail=lambda _: "")
    path = write(folder / "gold.csv", rows, header="# timezone: UTC\ndatetime;open;high;low;close")
    with pytest.raises(ZoneContradictionError) as caught:
        inspect_file(path, calendar=CALENDAR)
    assert caught.value.found == ("Australia/Sydney",)


def test_a_pause_by_the_servers_own_clock_in_early_years_proves_no_zone_wrong(folder: Path) -> None:
    """As one recorded broker on EU dates did in 2013 and 2014: in the weeks between the clock changes of the US and the EU its
    day began at 01:00 Athens, 19:00 New York, and on some days ended after 17:00 New York.
    """
    opens = bars("2014-02-03", "2014-05-03", Timeframe.H1)["opens"]
    new_york = opens.dt.tz_convert("America/New_York")
    between = (new_york.dt.date >= pd.Timestamp("2014-03-09").date()) & (new_york.dt.date < pd.Timestamp("2014-03-30").date())
    kept = opens[~(between & (new_york.dt.hour == 18))]
    late = opens[between & (new_york.dt.hour == 16) & (new_york.dt.day_of_week < 4) & (new_york.dt.day % 3 > 0)]
    stamps = clock(pd.concat([kept, late + pd.Timedelta(hours=1)]).sort_values().reset_index(drop=True), "EET/EEST")
    rows = [f"{stamp:{NAIVE}},1300,1310,1290,1305,900" for stamp in stamps]
    path = write(folder / "gold.csv", rows, header="time,open,high,low,close,tick_volume")
    assert inspect_file(path, zone="EET/EEST", calendar=CALENDAR).zone.name == "EET/EEST"
    with pytest.raises(ZoneUndecidedError) as caught:
        inspect_file(path, calendar=CALENDAR)
    assert set(caught.value.candidates) == {"EET/EEST", "NY+7"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("utc", "UTC"),
        ("EET", "EET/EEST"),
        ("Europe/Athens", "EET/EEST"),
        ("EST", "UTC-5"),
        ("ny+7", "NY+7"),
        ("GMT+2", "UTC+2"),
        ("UTC-05:00", "UTC-5"),
        ("+0330", "UTC+3:30"),
        ("Asia/Tokyo", "Asia/Tokyo"),
        ("UTC+0", "UTC"),
    ],
)
def test_zones_are_named_in_many_ways(text: str, name: str) -> None:
    assert parse_zone(text).name == name


def test_an_unknown_zone_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Europe/Athens"):
        parse_zone("Europe/Athen")


@given(
    st.sampled_from(CLOCKS), st.datetimes(pd.Timestamp("2004-01-01").to_pydatetime(), pd.Timestamp("2030-01-01").to_pydatetime())
)
def test_a_zone_turns_the_wall_time_of_an_instant_back_into_it(zone: str, moment: object) -> None:
    """For instants of open hours; a repeated hour lies at the weekend."""
    opens = pd.Series(pd.DatetimeIndex([pd.Timestamp(moment).floor("min")]).tz_localize("UTC"))
    instant = opens.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    if CALENDAR.is_open(instant)[0]:
        wall = clock(opens, zone).to_numpy().astype("datetime64[us]")
        np.testing.assert_array_equal(parse_zone(zone).to_utc(wall), instant)


def test_prices_play_no_part_in_naming_the_zone(folder: Path, three_months: pd.DataFrame) -> None:
    flat = three_months.assign(**dict.fromkeys(PRICES, 200_000))
    assert inspect_file(write_csv(folder / "gold.csv", flat, zone="NY+7", stamp=NAIVE), calendar=CALENDAR).zone.name == "NY+7"
