from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.storage import candles
from goldsignal_pipeline.storage.candles import MergeResult
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.storage import frames
from goldsignal_pipeline_tests.storage.frames import SYMBOL

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))


def replace(database: Database, frame: pd.DataFrame, start: datetime = JANUARY, end: datetime = FEBRUARY) -> MergeResult:
    with database.transaction() as connection:
        return candles.replace_range(connection, symbol=SYMBOL, start=start, end=end, candles=frame)


def everything(database: Database, symbol: str = SYMBOL) -> pd.DataFrame:
    with database.transaction() as connection:
        return candles.read_all(connection, symbol=symbol, start=JANUARY - timedelta(days=9), end=MARCH + timedelta(days=9))


def row_versions(database: Database) -> list[tuple[str, str]]:
    """Where each row lies and which transaction wrote it: changes with every write, also one of equal values."""
    with database.transaction() as connection:
        rows = connection.execute(text("SELECT ctid::text, xmin::text FROM goldsignal.candles ORDER BY 1"))
        return [(row[0], row[1]) for row in rows]


edits = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from(["drop", "close", "volume", "source", "flag", "base_bars"])), max_size=12
)


def edited(frame: pd.DataFrame, changes: list[tuple[int, str]]) -> pd.DataFrame:
    result = frame.copy()
    dropped = {place for place, what in changes if what == "drop"}
    for place, what in changes:
        if what == "close":
            result.loc[place, "close"] = result.loc[place, "low"]
        elif what == "volume":
            result.loc[place, "volume"] = np.nan
        elif what == "source":
            result.loc[place, "source"] = "oanda:mid"
        elif what == "flag":
            result.loc[place, "flag"] = "flat"
        elif what == "base_bars":
            result.loc[place, "base_bars"] += 1
    return result.drop(index=sorted(dropped)).reset_index(drop=True)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=edits, second=edits)
def test_i2_a_range_holds_exactly_the_given_bars_and_the_counts_are_true(
    database: Database, first: list[tuple[int, str]], second: list[tuple[int, str]]
) -> None:
    base = frames.candles("2026-01-05", count=60)
    before, after = edited(base, first), edited(base, second)
    replace(database, base.iloc[:0])
    replace(database, before)
    done = replace(database, after)
    pd.testing.assert_frame_equal(everything(database), after)
    old = before.set_index("timestamp").apply(tuple, axis=1).map(repr)
    new = after.set_index("timestamp").apply(tuple, axis=1).map(repr)
    common = old.index.intersection(new.index)
    same = int((old[common] == new[common]).sum())
    assert done == MergeResult(len(new) - len(common), len(common) - same, len(old) - len(common), same)


def test_i19_the_same_rows_again_write_nothing(database: Database) -> None:
    frame = frames.candles("2026-01-05", count=300)
    assert replace(database, frame) == MergeResult(300, 0, 0, 0)
    written = row_versions(database)
    shuffled = frame.sample(frac=1, random_state=3)
    assert replace(database, shuffled) == MergeResult(0, 0, 0, 300)
    assert row_versions(database) == written


def test_many_rows_merge_as_few_do(database: Database) -> None:
    frame = frames.candles("2026-01-01", count=8_000)
    assert replace(database, frame) == MergeResult(8_000, 0, 0, 0)
    revised = frame.copy()
    revised.loc[5, "volume"] = 1.25
    assert replace(database, revised.iloc[2:]) == MergeResult(0, 1, 2, 7_997)
    pd.testing.assert_frame_equal(everything(database), revised.iloc[2:].reset_index(drop=True))


def month_edge_bars(timeframe: Timeframe) -> pd.DataFrame:
    """Bars on both sides of the month's edges, with the independent rule: H4 and D1 open on 17:00 New York (UTC-5) steps."""
    step = timedelta(minutes=timeframe.minutes)
    anchor = datetime(2025, 12, 29, 22, tzinfo=UTC)
    opens = [anchor + number * step for number in range(int(timedelta(days=70) / step))]
    near = [at for at in opens if any(abs(at - edge) <= 3 * step for edge in (JANUARY, FEBRUARY, MARCH))]
    frame = frames.candles("2026-01-01", count=len(near), timeframe=timeframe.value)
    return frame.assign(timestamp=pd.DatetimeIndex(near).as_unit("us"))


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_a_bar_belongs_to_the_month_in_which_it_closes(database: Database, timeframe: Timeframe) -> None:
    bars = month_edge_bars(timeframe)
    closes = bars["timestamp"] + pd.Timedelta(minutes=timeframe.minutes)
    january = bars[(closes >= JANUARY) & (closes < FEBRUARY)]
    february = bars[(closes >= FEBRUARY) & (closes < MARCH)]
    assert closes.eq(pd.Timestamp(FEBRUARY)).any() == (timeframe.minutes <= 60)
    replace(database, january)
    replace(database, february, FEBRUARY, MARCH)
    pd.testing.assert_frame_equal(everything(database), pd.concat([january, february], ignore_index=True), check_freq=False)
    assert replace(database, january.iloc[:0]).deleted == len(january)
    pd.testing.assert_frame_equal(everything(database), february.reset_index(drop=True), check_freq=False)
    for stranger in (bars[closes < JANUARY].iloc[-1:], bars[closes >= FEBRUARY].iloc[:1]):
        with pytest.raises(DataError, match="closes outside the range"):
            replace(database, stranger)


def test_i2_a_bar_given_twice_is_refused_and_the_old_rows_stand(database: Database) -> None:
    frame = frames.candles("2026-01-05", count=5)
    replace(database, frame)
    with pytest.raises(DataError, match="occurs twice"):
        replace(database, pd.concat([frame, frame.iloc[2:3]]))
    pd.testing.assert_frame_equal(everything(database), frame)


def test_symbols_do_not_touch_each_other(database: Database) -> None:
    frame = frames.candles("2026-01-05", count=5)
    replace(database, frame)
    with database.transaction() as connection:
        simulated = "XAUUSD-SIM"
        candles.replace_range(connection, symbol=simulated, start=JANUARY, end=FEBRUARY, candles=frame.iloc[1:])
        assert candles.symbols(connection, start=JANUARY, end=FEBRUARY) == [SYMBOL, simulated]
        assert candles.symbols(connection, start=FEBRUARY, end=MARCH) == []
    replace(database, frame.iloc[:0])
    assert len(everything(database)) == 0
    assert len(everything(database, "XAUUSD-SIM")) == 4


def test_the_newest_close_counts_the_length_of_the_bar(database: Database) -> None:
    with database.transaction() as connection:
        assert candles.newest_close(connection, symbol=SYMBOL) is None
    daily = frames.candles("2026-01-05T22:00", count=1, timeframe="D1", minutes=1440)
    replace(database, pd.concat([frames.candles("2026-01-06", count=2), daily]))
    opens = np.array(["2026-01-05T22:00"], dtype="datetime64[us]")
    with database.transaction() as connection:
        newest = candles.newest_close(connection, symbol=SYMBOL)
    assert newest == datetime(2026, 1, 6, 22, tzinfo=UTC)
    assert bar_close(opens, timeframe=Timeframe.D1)[0] == np.datetime64("2026-01-06T22:00")


def test_chosen_columns_of_one_timeframe_are_read_by_open(database: Database) -> None:
    frame = frames.candles("2026-01-05", count=10)
    replace(database, frame)
    start, end = frame["timestamp"].iloc[2].to_pydatetime(), frame["timestamp"].iloc[6].to_pydatetime()
    with database.transaction() as connection:
        read = candles.read(
            connection, symbol=SYMBOL, timeframe="M5", start=start, end=end, columns=("timestamp", "close", "volume")
        )
    pd.testing.assert_frame_equal(read, frame.loc[2:5, ["timestamp", "close", "volume"]].reset_index(drop=True))


@pytest.mark.parametrize("only_base", [False, True])
@pytest.mark.parametrize("columns", [tuple(candles.KINDS), ("close", "timestamp")])
def test_several_timeframes_are_read_at_once_as_each_alone(
    database: Database, *, only_base: bool, columns: tuple[str, ...]
) -> None:
    """Bars lie five years apart, so that they come in more than one stretch; one timeframe has none."""
    late, early = (
        pd.concat(
            [
                frames.candles(begin, count=600, seed=3),
                frames.candles(begin, count=40, timeframe="H1", minutes=60, seed=4),
                frames.candles(begin, count=9, timeframe="M15", minutes=15, seed=5).assign(base_timeframe="M15"),
            ],
            ignore_index=True,
        )
        for begin in ("2026-01-05", "2021-01-04")
    )
    replace(database, late)
    replace(database, early, datetime(2021, 1, 1, tzinfo=UTC), datetime(2021, 2, 1, tzinfo=UTC))
    timeframes = (Timeframe.H1, Timeframe.M5, Timeframe.D1, Timeframe.M15)
    asked = {"symbol": SYMBOL, "start": datetime(2021, 1, 5, tzinfo=UTC), "end": FEBRUARY} | {"columns": columns}
    with database.transaction() as connection:
        read = candles.read_each(connection, timeframes=timeframes, only_base=only_base, **asked)
        alone = {one: candles.read(connection, timeframe=one, only_base=only_base, **asked) for one in timeframes}
    assert list(read) == list(timeframes)
    assert [len(alone[one]) for one in timeframes] == [0 if only_base else 56, 912, 0, 9]
    for timeframe in timeframes:
        pd.testing.assert_frame_equal(read[timeframe], alone[timeframe])


@pytest.mark.fault("concurrency")
def test_i2_two_writers_of_one_range_take_turns(database: Database) -> None:
    base = frames.candles("2026-01-05", count=200)
    versions = [base.assign(volume=float(number), flag="") for number in range(4)]
    barrier, results = threading.Barrier(len(versions)), []

    def write(frame: pd.DataFrame) -> None:
        barrier.wait()
        results.append(replace(database, frame))

    threads = [threading.Thread(target=write, args=(frame,)) for frame in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((one.inserted, one.updated) for one in results) == [(0, 200), (0, 200), (0, 200), (200, 0)]
    held = everything(database)
    assert held["volume"].nunique() == 1
    assert len(held) == 200
