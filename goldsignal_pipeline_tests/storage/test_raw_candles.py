from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import raw_candles
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.raw_candles import AppendResult
from goldsignal_pipeline_tests.storage import frames
from goldsignal_pipeline_tests.storage.frames import SYMBOL

NOON = datetime(2026, 1, 9, 12, tzinfo=UTC)
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
PRICES = ["open", "high", "low", "close"]


def append(
    database: Database,
    rows: pd.DataFrame,
    *,
    at: datetime = NOON,
    source: str = "dukascopy:bid",
    timeframe: Timeframe = Timeframe.M5,
    symbol: str = SYMBOL,
) -> AppendResult:
    with database.transaction() as connection:
        return raw_candles.append(
            connection, symbol=symbol, source=source, timeframe=timeframe, rows=rows, observed_at=at, run_id="run"
        )


def newest(database: Database, *, as_of: datetime | None = None) -> pd.DataFrame:
    with database.transaction() as connection:
        frame = raw_candles.newest(connection, symbol=SYMBOL, start=START, end=END, as_of=as_of)
    return frame.sort_values(["source", "timeframe", "timestamp"], ignore_index=True)


def stored(database: Database) -> list[tuple[object, ...]]:
    with database.transaction() as connection:
        rows = connection.execute(text("SELECT source, timeframe, timestamp, observed_at, close FROM goldsignal.raw_candles"))
        return sorted(map(tuple, rows))


def bar(open_minute: int, close: int) -> pd.DataFrame:
    rows = frames.rows("2026-01-05", count=1)
    shifted = rows["timestamp"] + pd.Timedelta(minutes=5 * open_minute)
    return rows.assign(timestamp=shifted, open=close, high=close, low=close, close=close, volume=np.nan)


deliveries = st.lists(
    st.tuples(
        st.sampled_from(["a:bid", "a:ask", "b:mid"]),
        st.sampled_from([Timeframe.M1, Timeframe.M5]),
        st.lists(st.tuples(st.integers(0, 3), st.integers(100, 102)), min_size=1, max_size=4, unique_by=lambda row: row[0]),
        st.integers(-3, 3),
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=deliveries, asked_after=st.integers(0, 8))
def test_i3_i5_every_version_is_kept_and_what_was_known_can_be_asked(
    database: Database, sent: list[tuple[str, Timeframe, list[tuple[int, int]], int]], asked_after: int
) -> None:
    """Against a plain model: a list of versions per bar, appended when it differs, clock steps back included."""
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL goldsignal.retention = 'on'"))
        connection.execute(text("TRUNCATE goldsignal.raw_candles"))
    model: dict[tuple[str, str, int], list[tuple[datetime, int]]] = {}
    for number, (source, timeframe, bars, clock_error) in enumerate(sent):
        at = NOON + timedelta(seconds=2 * number + clock_error)
        before = stored(database)
        rows = pd.concat([bar(place, close) for place, close in bars], ignore_index=True)
        done = append(database, rows, at=at, source=source, timeframe=timeframe)
        new = 0
        for place, close in bars:
            versions = model.setdefault((source, timeframe.value, place), [])
            if not versions or versions[-1][1] != close:
                new += 1
                stamp = max(at, versions[-1][0] + timedelta(microseconds=1)) if versions else at
                versions.append((stamp, close))
        assert done == AppendResult(stored=new, unchanged=len(bars) - new)
        assert set(before) <= set(stored(database))
    assert len(stored(database)) == sum(map(len, model.values()))
    known_at = NOON + timedelta(seconds=2 * asked_after)
    for as_of in (None, known_at):
        expected = {}
        for key, versions in model.items():
            known = [version for version in versions if as_of is None or version[0] <= as_of]
            if known:
                expected[key] = max(known)
        found = {
            (row.source, row.timeframe, int((row.timestamp - pd.Timestamp("2026-01-05", tz="UTC")).total_seconds()) // 300): (
                row.observed_at.to_pydatetime(),
                row.close,
            )
            for row in newest(database, as_of=as_of).itertuples()
        }
        assert found == expected


def test_the_sql_function_and_the_view_agree_with_the_repository(database: Database) -> None:
    rows = frames.rows("2026-01-05", count=50)
    append(database, rows, at=NOON)
    append(database, rows.assign(close=rows["low"]), at=NOON + timedelta(minutes=5))
    for relation, as_of in (
        ("goldsignal.raw_candles_current", None),
        ("goldsignal.raw_candles_as_of('2026-01-09 12:04Z')", NOON + timedelta(minutes=4)),
        ("goldsignal.raw_candles_as_of('2026-01-09 11:59Z')", NOON - timedelta(minutes=1)),
    ):
        with database.transaction() as connection:
            found = connection.execute(text(f"SELECT (close * 100)::bigint FROM {relation} ORDER BY timestamp")).scalars().all()
        assert list(found) == newest(database, as_of=as_of)["close"].tolist()


def test_i19_the_same_rows_again_store_nothing(database: Database) -> None:
    rows = frames.rows("2026-01-05", count=6_000)
    assert append(database, rows) == AppendResult(6_000, 0)
    before = stored(database)
    assert append(database, rows.sample(frac=1, random_state=1), at=NOON + timedelta(hours=1)) == AppendResult(0, 6_000)
    assert stored(database) == before


def test_what_is_stored_comes_back_exactly(database: Database) -> None:
    rows = frames.rows("2026-01-05", count=200)
    rows.loc[::7, "volume"] = np.nan
    append(database, rows)
    pd.testing.assert_frame_equal(newest(database)[list(rows.columns)], rows)


def test_a_changed_or_vanished_volume_is_a_new_version(database: Database) -> None:
    rows = frames.rows("2026-01-05", count=3)
    append(database, rows)
    assert append(database, rows.assign(volume=np.nan), at=NOON + timedelta(hours=1)) == AppendResult(3, 0)
    assert newest(database)["volume"].isna().all()
    assert append(database, rows, at=NOON + timedelta(hours=2)) == AppendResult(3, 0)
    pd.testing.assert_series_equal(newest(database)["volume"], rows["volume"])


@pytest.mark.fault("time")
def test_a_clock_that_steps_back_cannot_hide_a_revision(database: Database) -> None:
    append(database, bar(0, 100), at=NOON)
    append(database, bar(0, 101), at=NOON - timedelta(hours=1))
    assert newest(database)["close"].tolist() == [101]
    assert newest(database, as_of=NOON)["close"].tolist() == [100]
    assert newest(database)["observed_at"].tolist() == [pd.Timestamp(NOON) + pd.Timedelta(microseconds=1)]


def test_sources_and_timeframes_are_separate_records(database: Database) -> None:
    rows = frames.rows("2026-01-05", count=3)
    for source in ("a:bid", "a:ask"):
        for timeframe in (Timeframe.M1, Timeframe.M5):
            assert append(database, rows, source=source, timeframe=timeframe) == AppendResult(3, 0)
    assert append(database, rows, symbol="XAUUSD-SIM") == AppendResult(3, 0)
    assert len(newest(database)) == 12
    with database.transaction() as connection:
        assert raw_candles.symbols(connection, start=START, end=END) == [SYMBOL, "XAUUSD-SIM"]
        assert raw_candles.symbols(connection, start=END, end=END + timedelta(days=9)) == []
        opens = raw_candles.opens(connection, symbol=SYMBOL, source="a:bid", timeframe=Timeframe.M1, start=START, end=END)
    assert opens.tolist() == rows["timestamp"].dt.tz_localize(None).to_numpy().astype("datetime64[us]").tolist()


def test_the_reference_close_counts_each_bar_once_by_its_newest_version(database: Database) -> None:
    append(database, pd.concat([bar(0, 100), bar(1, 200), bar(2, 300)], ignore_index=True))
    for minute, close in enumerate((201, 202, 203)):
        append(database, bar(1, close), at=NOON + timedelta(minutes=5 + minute))
    opened = datetime(2026, 1, 5, tzinfo=UTC)
    with database.transaction() as connection:
        assert raw_candles.close_before(connection, symbol=SYMBOL, before=opened) is None
        assert raw_candles.close_before(connection, symbol=SYMBOL, before=opened + timedelta(days=1)) == 203


def test_an_empty_delivery_stores_nothing(database: Database) -> None:
    assert append(database, frames.rows("2026-01-05", count=0)) == AppendResult(0, 0)
    assert newest(database).columns.tolist() == ["source", "timeframe", "timestamp", *PRICES, "volume", "observed_at"]


@pytest.mark.fault("concurrency")
def test_two_runs_that_deliver_the_same_bars_store_them_once(database: Database) -> None:
    rows = frames.rows("2026-01-05", count=500)
    barrier, results = threading.Barrier(3), []

    def run(number: int) -> None:
        barrier.wait()
        results.append(append(database, rows, at=NOON + timedelta(seconds=number)))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.stored for one in results) == [0, 0, 500]
    assert len(stored(database)) == 500


def level(closes: list[int], *, first: datetime) -> pd.DataFrame:
    stamps = pd.date_range(first, periods=len(closes), freq="5min").as_unit("us")
    prices = {name: pd.Series(closes, dtype="int64") for name in PRICES}
    return pd.DataFrame({"timestamp": stamps, **prices, "volume": float("nan")})


def test_no_single_bad_bar_can_be_the_reference_close(database: Database) -> None:
    append(database, level([500_000, 500_100, 500_200, 115, 500_300], first=NOON))
    with database.transaction() as connection:
        assert raw_candles.close_before(connection, symbol=SYMBOL, before=NOON + timedelta(days=1)) == 500_100


def test_a_close_of_another_year_is_no_reference(database: Database) -> None:
    """Files are imported in any order: what gold cost in 2019 says nothing about 2025."""
    first = datetime(2019, 2, 25, 10, tzinfo=UTC)
    append(database, level([132_700] * 5, first=first))
    with database.transaction() as connection:
        assert raw_candles.close_before(connection, symbol=SYMBOL, before=first + timedelta(days=31)) is None
        assert raw_candles.close_before(connection, symbol=SYMBOL, before=first + timedelta(days=29)) == 132_700
