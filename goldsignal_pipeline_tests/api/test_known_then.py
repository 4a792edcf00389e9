"""Bars as they read before they were corrected, on a real database: of the bar itself, and of the coarser bars that hold it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from goldsignal_pipeline.api.known_then import ReadThen, Span, corrections
from goldsignal_pipeline.assets.derive import derive
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage import candles, raw_candles
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.graph import GRACE, SYMBOL, fill_candles

NOW = datetime(2025, 7, 18, 12, 7, tzinfo=UTC)
MONTHS = ("2025-06", "2025-07")
MIDDLE, FIRST_DAY = datetime(2025, 6, 10, 14, tzinfo=UTC), datetime(2025, 7, 1, 9, tzinfo=UTC)
"""The day of the second begins in the month before."""
LATER = NOW + timedelta(days=1)
BEGIN, END = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC)


def as_stored(database: Database, timeframe: Timeframe) -> pd.DataFrame:
    with database.transaction(read_only=True) as connection:
        return candles.read(connection, symbol=SYMBOL, timeframe=timeframe, start=BEGIN, end=END).set_index("timestamp")


@pytest.mark.parametrize("corrected", [MIDDLE, FIRST_DAY])
def test_a_corrected_bar_reads_as_it_did_and_so_do_the_bars_above_it(database: Database, corrected: datetime) -> None:
    fill_candles(database, MONTHS, now=NOW)
    before = {timeframe: as_stored(database, timeframe) for timeframe in (Timeframe.H1, Timeframe.H4, Timeframe.D1)}
    with database.transaction() as connection:
        seen = raw_candles.newest(connection, symbol=SYMBOL, start=corrected, end=corrected + timedelta(hours=1))
        rows = seen.assign(high=seen["high"] + 5000).drop(columns=["source", "timeframe", "observed_at"])
        source, timeframe = str(seen["source"].iloc[0]), Timeframe.H1
        raw_candles.append(
            connection, symbol=SYMBOL, source=source, timeframe=timeframe, rows=rows, observed_at=LATER, run_id=None
        )
    derive(database, months=MONTHS, now=LATER, grace=GRACE, source_order=(), run_id=None)
    for timeframe, bars in before.items():
        today = as_stored(database, timeframe)
        both = bars.index.intersection(today.index)
        changed = both[(bars.loc[both, "high"] != today.loc[both, "high"]).to_numpy()]
        assert len(changed) == 1
        with database.transaction(read_only=True) as connection:
            span = Span(SYMBOL, timeframe, BEGIN, END)
            then, now = (corrections(connection, Settings(), span=span, as_of=instant) for instant in (NOW, LATER))
        was = bars.loc[changed[0]]
        expected = (int(changed[0].timestamp()), *(was[name] / 100 for name in ("open", "high", "low", "close")))
        assert (then, now) == (ReadThen([expected]), ReadThen([]))
