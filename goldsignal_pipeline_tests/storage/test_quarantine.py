from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import quarantine, raw_candles
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.storage import frames
from goldsignal_pipeline_tests.storage.frames import SYMBOL

AT = datetime(2026, 1, 9, tzinfo=UTC)
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def rejected(count: int) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "timestamp": frames.timestamps("2026-01-03", count=count),
            "reason": pd.Series(np.where(np.arange(count) % 2, "weekend", "forming"), dtype="str"),
            "payload": pd.Series([f'{{"row": {number}, "text": "ü<&>"}}' for number in range(count)], dtype="str"),
        }
    )
    frame.loc[frame.index[::5], "timestamp"] = pd.NaT
    return frame


def append(database: Database, frame: pd.DataFrame, *, at: datetime = AT) -> int:
    with database.transaction() as connection:
        return quarantine.append(
            connection,
            symbol=SYMBOL,
            source="twelvedata:mid",
            timeframe=Timeframe.M5,
            rejected=frame,
            stage="observation",
            calendar_version="7",
            observed_at=at,
        )


def test_i16_rows_are_kept_with_their_reason_and_text(database: Database) -> None:
    frame = rejected(20)
    assert append(database, frame) == 20
    with database.transaction() as connection:
        read = quarantine.read(connection, symbol=SYMBOL, start=START, end=END)
        counts = quarantine.count_by_reason(connection, symbol=SYMBOL)
        dated = quarantine.count_by_reason(connection, symbol=SYMBOL, start=START, end=END)
    expected = frame.sort_values(["timestamp", "reason"], kind="stable", na_position="last", ignore_index=True)
    pd.testing.assert_frame_equal(read[list(frame.columns)], expected, check_dtype=False)
    assert counts == {"forming": 10, "weekend": 10}
    assert dated == {"forming": 8, "weekend": 8}
    assert set(read["stage"]) == {"observation"}


def test_i19_the_same_row_is_kept_once(database: Database) -> None:
    assert append(database, rejected(20)) == 20
    assert append(database, rejected(20), at=AT + timedelta(hours=1)) == 0
    assert append(database, rejected(21), at=AT + timedelta(hours=1)) == 1
    doubled = pd.concat([rejected(22), rejected(22)])
    assert append(database, doubled) == 1


def test_contradicted_observations_are_kept_with_their_prices(database: Database) -> None:
    rows = frames.rows("2026-01-05", count=2).assign(source="a:bid", timeframe="M5", reason="contradicted")
    for known in (2, 0):
        with database.transaction() as connection:
            added = quarantine.append_excluded(connection, symbol=SYMBOL, excluded=rows, calendar_version="7", observed_at=AT)
        assert added == known
    with database.transaction() as connection:
        read = quarantine.read(connection, symbol=SYMBOL, start=START, end=END)
    first = rows.iloc[0]
    assert read["payload"].iloc[0] == (
        f"open={first.open / 100:.2f} high={first.high / 100:.2f} low={first.low / 100:.2f} close={first.close / 100:.2f}"
    )
    assert set(read["stage"]) == {"projection"}


def test_known_mistake_12_more_rows_than_one_statement_has_parameters(database: Database) -> None:
    """PostgreSQL allows 65,535 bind parameters in a statement; a bulk insert of 9 columns broke at 7,282 rows."""
    many = 70_000
    assert append(database, rejected(many)) == many
    rows = frames.rows("2024-01-01", count=many)
    with database.transaction() as connection:
        for known in (0, many):
            done = raw_candles.append(
                connection, symbol=SYMBOL, source="a:bid", timeframe="M5", rows=rows, observed_at=AT, run_id=None
            )
            assert (done.stored, done.unchanged) == (many - known, known)
