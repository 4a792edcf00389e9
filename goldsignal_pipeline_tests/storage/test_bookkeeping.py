"""Trading days, fetches, digests and operator events: small tables, the same promises."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.day_parts import DAY_PART_COLUMNS, blocked_days
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.storage import digests, fetches, operator_events, trading_days
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.locks import months_in
from goldsignal_pipeline_tests.storage.frames import SYMBOL

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
NOON = datetime(2026, 1, 9, 12, tzinfo=UTC)


def day_parts(*days: str, missing: int = 0) -> pd.DataFrame:
    count = len(days)
    instants = np.array(days, dtype="datetime64[us]")
    frame = pd.DataFrame(
        {
            "trading_day": instants,
            "month": pd.Series(instants.astype("datetime64[M]").astype(str), dtype="str"),
            "source": pd.Series(["a:bid"] * count, dtype="str"),
            "base_timeframe": pd.Series(["M5"] * count, dtype="str"),
            "expected_bars": np.full(count, 276),
            "present_bars": np.full(count, 276 - missing),
            "missing_bars": np.full(count, missing),
            "sources_seen": pd.Series(["a:bid b:mid"] * count, dtype="str"),
            "compared_closes": np.full(count, 5),
            "median_difference_ticks": np.full(count, 12.5),
            "distant_share": np.full(count, 0.25),
        }
    )
    assert tuple(frame.columns) == DAY_PART_COLUMNS
    return frame


def replace(database: Database, frame: pd.DataFrame, start: datetime = JANUARY, end: datetime = FEBRUARY) -> int:
    with database.transaction() as connection:
        return trading_days.replace_range(connection, symbol=SYMBOL, start=start, end=end, day_parts=frame)


def parts(database: Database) -> pd.DataFrame:
    with database.transaction() as connection:
        return trading_days.read(connection, symbol=SYMBOL, start=JANUARY, end=MARCH)


def test_day_parts_come_back_exactly(database: Database) -> None:
    frame = day_parts("2026-01-05", "2026-01-06", "2026-01-07")
    frame.loc[1, ["source", "sources_seen"]] = ""
    frame.loc[1, ["median_difference_ticks", "distant_share"]] = np.nan
    assert replace(database, frame) == 3
    pd.testing.assert_frame_equal(parts(database), frame)


def test_i19_only_day_parts_that_differ_are_written(database: Database) -> None:
    frame = day_parts("2026-01-05", "2026-01-06", "2026-01-07")
    replace(database, frame)
    assert replace(database, frame) == 0
    revised = pd.concat([frame.iloc[:1], day_parts("2026-01-06", missing=3), day_parts("2026-01-08")], ignore_index=True)
    assert replace(database, revised) == 3
    pd.testing.assert_frame_equal(parts(database), revised)


def test_day_parts_of_other_months_stand(database: Database) -> None:
    january, february = day_parts("2026-01-05"), day_parts("2026-02-05")
    replace(database, pd.concat([january, february]))
    pd.testing.assert_frame_equal(parts(database), january)
    replace(database, february, FEBRUARY, MARCH)
    assert replace(database, january.iloc[:0]) == 1
    pd.testing.assert_frame_equal(parts(database), february)


@pytest.mark.parametrize("missing", [5, 6])
def test_the_database_blocks_the_days_that_the_core_blocks(database: Database, missing: int) -> None:
    frame = pd.concat([day_parts("2026-01-05"), day_parts("2026-01-06", missing=missing)], ignore_index=True)
    replace(database, frame)
    with database.transaction() as connection:
        blocked = trading_days.blocked(connection, symbol=SYMBOL, first=date(2026, 1, 1), last=date(2026, 1, 31))
    assert blocked.tolist() == blocked_days(frame).tolist()
    assert blocked.tolist() == ([date(2026, 1, 6)] if missing == 6 else [])


def test_windows_asked_are_found_by_overlap_source_and_timeframe(database: Database) -> None:
    windows = {"a:mid": (0, 2), "b:mid": (2, 4)}
    with database.transaction() as connection:
        for source, (first, last) in windows.items():
            window = FetchWindow(Timeframe.M5, NOON + timedelta(hours=first), NOON + timedelta(hours=last))
            fetches.record(connection, symbol=SYMBOL, source=source, window=window, asked_at=NOON, rows=24, credits=1, run_id="r")

        def asked(first: int, last: int, **named: Any) -> list[int]:
            start, end = NOON + timedelta(hours=first), NOON + timedelta(hours=last)
            found = fetches.windows(connection, symbol=SYMBOL, start=start, end=end, **({"timeframe": Timeframe.M5} | named))
            return [int((start - NOON).total_seconds() // 3600) for start in found["start"]]

        assert asked(0, 4) == [0, 2]
        assert asked(1, 2) == [0]
        assert asked(2, 3) == [2]
        assert asked(0, 4, source="b:mid") == [2]
        assert asked(0, 4, timeframe=Timeframe.M1) == []
        none = fetches.windows(connection, symbol=SYMBOL, timeframe=Timeframe.M5, start=FEBRUARY, end=MARCH)
    assert [str(kind) for kind in none.dtypes] == ["datetime64[us, UTC]"] * 3


def test_i19_a_digest_changes_only_with_its_content(database: Database) -> None:
    def upsert(digest: str, at: datetime) -> bool:
        with database.transaction() as connection:
            return digests.upsert(
                connection,
                asset="candles",
                symbol=SYMBOL,
                month="2026-01",
                rows=3,
                digest=digest,
                inputs_digest="in",
                complete=True,
                code_version="1",
                computed_at=at,
                run_id=digest,
            )

    later = NOON + timedelta(hours=1)
    assert [upsert("x", NOON), upsert("x", later), upsert("y", later)] == [True, False, True]
    with database.transaction() as connection:
        held = digests.by_month(connection, asset="candles", symbol=SYMBOL)
        assert digests.symbols(connection, asset="candles") == [SYMBOL]
        assert digests.symbols(connection, asset="raw_candles") == []
    assert held == {"2026-01": digests.Digest(3, "y", "in", True, "1", later, "y")}


def test_i19_an_occurrence_is_told_once(database: Database) -> None:
    def append(key: str, minutes: int) -> bool:
        with database.transaction() as connection:
            return operator_events.append(
                connection,
                at=NOON + timedelta(minutes=minutes),
                kind="run_failed",
                severity="error",
                message=f"Run {key} failed.",
                cause=None,
                run_id=key,
                natural_key=f"run_failed:{key}",
            )

    assert [append("a", 0), append("a", 1), append("b", 2)] == [True, False, True]
    with database.transaction() as connection:
        told = operator_events.read(connection, since=NOON)
        assert [event.run_id for event in told] == ["b", "a"]
        assert [event.run_id for event in operator_events.read(connection, since=NOON + timedelta(minutes=1))] == ["b"]
        assert len(operator_events.read(connection, since=NOON, limit=1)) == 1


def test_months_of_a_range_are_half_open() -> None:
    assert months_in(JANUARY, FEBRUARY) == ["2026-01"]
    assert months_in(JANUARY - timedelta(microseconds=1), FEBRUARY + timedelta(microseconds=1)) == [
        "2025-12",
        "2026-01",
        "2026-02",
    ]
    assert months_in(JANUARY, JANUARY) == []
