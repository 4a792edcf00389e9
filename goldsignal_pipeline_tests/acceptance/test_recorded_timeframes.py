"""The candles of a real source equal the coarser files of the same source, bar for bar; what differs is counted with its cause.

Every cause is proved from the files and the zone database, and listed in docs/explanation/recorded-differences.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.timeframes import Timeframe, is_aligned
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.conftest import Imported
from goldsignal_pipeline_tests.acceptance.record import (
    BARS,
    CALENDAR,
    OANDA_MINUTES,
    closed_reasons,
    compare,
    derive_stale,
    folded,
    held,
    import_recorded,
    in_clock_mismatch,
    instants,
    query,
    recorded,
)
from goldsignal_pipeline_tests.postgres import Server, migrated_database

pytestmark = pytest.mark.recorded


def _agree(bars: pd.DataFrame, others: pd.DataFrame) -> int:
    """How many rows of equal position agree in prices and volume."""
    return int((bars[BARS].to_numpy() == others[[f"{name}_recorded" for name in BARS]].to_numpy()).all(axis=1).sum())


# --- MetaTrader 5, M5 of 2025 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("timeframe", "bars"), [("M5", 58230), ("M15", 19418), ("M30", 9712), ("H1", 4858)])
def test_m5_of_a_broker_become_its_m15_m30_and_h1_without_any_difference(
    budimanlai: Imported, shared_data: Path, timeframe: str, bars: int
) -> None:
    database, _ = budimanlai
    found = compare(held(database, timeframe), recorded(shared_data, f"{timeframe}_mt5-budimanlai"))
    assert found.figures() == (bars, 0, 0, 0)


def test_m5_of_a_broker_become_its_h4_but_for_the_weeks_between_the_clock_changes(
    budimanlai: Imported, shared_data: Path
) -> None:
    """96 of 1,271 H4 bars begin an hour later at the broker; cut at its own opens, the M5 give exactly its bars."""
    database, _ = budimanlai
    found = compare(held(database, Timeframe.H4), recorded(shared_data, "H4_mt5-budimanlai"))
    assert found.figures() == (1175, 0, 95, 96)
    assert in_clock_mismatch(found.only_recorded["timestamp"]).all()
    assert in_clock_mismatch(found.only_derived["timestamp"]).all()
    assert not in_clock_mismatch(found.equal).any()
    theirs = folded(held(database, Timeframe.M5), found.only_recorded["timestamp"], hours=4)
    assert _agree(theirs, found.only_recorded) == 95


# --- MetaTrader 5, H1 of 2012 to 2022 ----------------------------------------------------------------------------------------


def test_h1_of_ten_years_become_the_brokers_h4(ejtraderlabs: Imported, shared_data: Path) -> None:
    """13,416 equal. 977 lie in the weeks between the clock changes; 7 hold or are hours of an early close or a holiday."""
    database, _ = ejtraderlabs
    found = compare(held(database, Timeframe.H4), recorded(shared_data, "H4_mt5-ejtraderlabs"))
    assert found.figures() == (13416, 1, 983, 977)
    off_grid = ~is_aligned(instants(found.only_recorded["timestamp"]), timeframe=Timeframe.H4)
    assert off_grid.tolist() == in_clock_mismatch(found.only_recorded["timestamp"]).tolist()
    assert int(off_grid.sum()) == 977
    assert in_clock_mismatch(found.only_derived["timestamp"]).all()
    # Six bars wholly after an early close or on a holiday, and one of which an hour was.
    assert closed_reasons(found.only_recorded.loc[~off_grid, "timestamp"]) == {"early_close": 5, "holiday": 1}
    assert found.differing["timestamp"].astype(str).tolist() == ["2013-05-27 17:00:00+00:00"]


def test_h4_of_the_mismatched_weeks_are_the_same_hours_cut_at_the_brokers_opens(
    ejtraderlabs: Imported, shared_data: Path
) -> None:
    """950 of 977 equal without the quarantined hours, all 977 with them: the other 27 hold an hour of the daily break."""
    database, _ = ejtraderlabs
    found = compare(held(database, Timeframe.H4), recorded(shared_data, "H4_mt5-ejtraderlabs"))
    theirs = found.only_recorded[in_clock_mismatch(found.only_recorded["timestamp"])]
    assert _agree(folded(held(database, Timeframe.H1), theirs["timestamp"], hours=4), theirs) == 950
    everything = recorded(shared_data, "H1_mt5-ejtraderlabs")
    assert _agree(folded(everything, theirs["timestamp"], hours=4), theirs) == 977


def test_h1_of_ten_years_become_the_brokers_d1(ejtraderlabs: Imported, shared_data: Path) -> None:
    """2,235 equal; 158 begin an hour later in the mismatched weeks, 7 hold or are quarantined hours."""
    database, _ = ejtraderlabs
    days, everything = recorded(shared_data, "D1_mt5-ejtraderlabs"), recorded(shared_data, "H1_mt5-ejtraderlabs")
    found = compare(held(database, Timeframe.D1), days)
    assert found.figures() == (2235, 6, 159, 158)
    shifted = in_clock_mismatch(found.only_recorded["timestamp"])
    assert found.only_recorded.loc[~shifted, "timestamp"].astype(str).tolist() == ["2015-04-02 21:00:00+00:00"]
    # The broker's day of those weeks begins at 18:00 New York; nothing trades in the hour before.
    theirs = found.only_recorded[shifted]
    assert _agree(folded(everything, theirs["timestamp"], hours=24), theirs) == 158
    ours = found.only_derived.assign(timestamp=found.only_derived["timestamp"] + pd.Timedelta("1h"))
    beside = theirs[["timestamp", *(f"{name}_recorded" for name in BARS)]].merge(ours[["timestamp", *BARS]], on="timestamp")
    assert (len(beside), _agree(beside, beside)) == (158, 133)
    quarantined = pd.Series([row[0] for row in query(database, "SELECT timestamp FROM quarantined_candles")])
    assert len(quarantined) == 38
    touched = set(CALENDAR.trading_day(instants(quarantined) - np.timedelta64(1, "h")).astype(str))
    unequal = (beside[BARS].to_numpy() != beside[[f"{name}_recorded" for name in BARS]].to_numpy()).any(axis=1)
    differing = pd.concat([found.differing["timestamp"], beside.loc[unequal, "timestamp"]])
    assert set(CALENDAR.trading_day(instants(differing)).astype(str)) <= touched


# --- Twelve Data, M5 of 2026 as the vendor sends it --------------------------------------------------------------------------


def test_m5_of_a_vendor_become_its_m15_and_nothing_in_closed_hours(twelvedata: Imported, shared_data: Path) -> None:
    """8,328 equal; the first bucket was entered in its middle; 4,120 recorded bars lie in closed hours, all of them."""
    database, _ = twelvedata
    found = compare(held(database, Timeframe.M15), recorded(shared_data, "M15_twelvedata-24x7"))
    assert found.figures() == (8328, 1, 4120, 0)
    first = found.differing.iloc[0]
    assert (str(first["timestamp"]), first["base_bars"]) == ("2026-01-22 06:45:00+00:00", 2)
    assert first[["high", "low", "close"]].tolist() == first[["high_recorded", "low_recorded", "close_recorded"]].tolist()
    assert closed_reasons(found.only_recorded["timestamp"]) == {
        "weekend": 3716,
        "closed_hours": 288,
        "holiday": 96,
        "early_close": 20,
    }


# --- OANDA, M1 of two weeks beside H1 of 13 years ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minutes(postgres_server: Server, shared_data: Path) -> Iterator[Database]:
    with migrated_database(postgres_server) as database:
        import_recorded(database, shared_data, OANDA_MINUTES)
        derive_stale(database)
        yield database


def test_m1_of_a_broker_become_its_h1_but_for_the_hour_after_the_break(minutes: Database, shared_data: Path) -> None:
    """The recorded hour after each weekday's break holds its first quarter only; the first hour of each Sunday is absent."""
    found = compare(held(minutes, Timeframe.H1), recorded(shared_data, OANDA_H1))
    assert found.figures() == (242, 9, 9, 2)
    wall = found.differing["timestamp"].dt.tz_convert("America/New_York")
    assert set(wall.dt.hour) == {18}
    m1 = held(minutes, Timeframe.M1)
    for row in found.differing.itertuples():
        quarter = m1[(m1["timestamp"] >= row.timestamp) & (m1["timestamp"] < row.timestamp + pd.Timedelta("15min"))]
        bar = (quarter["open"].iloc[0], quarter["high"].max(), quarter["low"].min(), quarter["close"].iloc[-1])
        assert bar == (row.open_recorded, row.high_recorded, row.low_recorded, row.close_recorded)
    assert closed_reasons(found.only_recorded["timestamp"]) == {"closed_hours": 9}
    assert set(found.only_derived["timestamp"].dt.tz_convert("America/New_York").dt.strftime("%a %H:%M")) == {"Sun 18:00"}


OANDA_H1 = "H1_oanda-lean-bid"


def test_h1_of_13_years_stand_as_recorded_but_for_closed_hours(oanda: Imported, shared_data: Path) -> None:
    """74,254 of 76,499; those left out lie in closed hours, most in the hour of New York's break that OANDA quoted until 2015."""
    database, _ = oanda
    found = compare(held(database, Timeframe.H1), recorded(shared_data, OANDA_H1))
    assert found.figures() == (74254, 0, 2245, 0)
    assert closed_reasons(found.only_recorded["timestamp"]) == {
        "closed_hours": 1878,
        "early_close": 157,
        "holiday": 153,
        "weekend": 57,
    }
    in_break = CALENDAR.closed_reason(instants(found.only_recorded["timestamp"])) == "closed_hours"
    years = found.only_recorded.loc[in_break, "timestamp"].dt.year
    assert (len(years), set(years)) == (1878, set(range(2006, 2016)))


@pytest.mark.parametrize(("timeframe", "hours"), [("H4", 4), ("D1", 24)])
def test_coarser_candles_of_a_source_without_coarser_files_are_the_hours_between_their_opens(
    oanda: Imported, timeframe: str, hours: int
) -> None:
    """I4 on 13 years; a trading day lasts 23 to 25 hours, in the last of which nothing trades."""
    database, _ = oanda
    bars = held(database, timeframe).fillna({"volume": 0.0})
    plain = bars[bars["timestamp"].dt.tz_convert("America/New_York").dt.day_of_week != 6]
    again = folded(held(database, Timeframe.H1).fillna({"volume": 0.0}), plain["timestamp"], hours=hours)
    assert (again[BARS].to_numpy() == plain[BARS].to_numpy()).all()
    assert len(plain) > 2_500
