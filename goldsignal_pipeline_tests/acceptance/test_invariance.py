"""A month of real bars on PostgreSQL: how it was cut, in which order it came and what else is held change nothing (I7, I8).

`make prove` (PROVE=1) runs all ten months and more shuffles.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.files import read_file
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.conftest import Imported
from goldsignal_pipeline_tests.acceptance.record import (
    BUDIMANLAI,
    CALENDAR,
    PROVE,
    TWELVEDATA,
    RecordedFile,
    counts,
    derive_months,
    derive_stale,
    held,
    query,
    store,
)
from goldsignal_pipeline_tests.assets.support import everything
from goldsignal_pipeline_tests.postgres import Server, migrated_database

pytestmark = pytest.mark.recorded

SHUFFLES = range(10) if PROVE else range(2)
MARCH = (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
SPAN = (
    (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 11, 1, tzinfo=UTC))
    if PROVE
    else (datetime(2025, 2, 1, tzinfo=UTC), MARCH[1])
)


def _bars(shared_data: Path, file: RecordedFile, span: tuple[datetime, datetime]) -> Delivery:
    delivery = read_file(file.path(shared_data), vendor=file.vendor, side=file.side, calendar=CALENDAR).delivery
    inside = (delivery.rows["timestamp"] >= span[0]) & (delivery.rows["timestamp"] < span[1])
    return _with_rows(delivery, delivery.rows[inside].reset_index(drop=True))


def _with_rows(delivery: Delivery, rows: pd.DataFrame) -> Delivery:
    return Delivery(delivery.source, delivery.timeframe, rows, delivery.rejected)


@pytest.mark.parametrize("file", [BUDIMANLAI, TWELVEDATA], ids=["broker", "vendor"])
def test_i8_any_chunks_in_any_order_give_the_tables_of_one_pass(
    postgres_server: Server, shared_data: Path, file: RecordedFile
) -> None:
    """Chunks of rows arrive shuffled, with repetitions; months are derived one by one, some before their observations came."""
    span = SPAN if file is BUDIMANLAI else (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    whole = _bars(shared_data, file, span)
    with migrated_database(postgres_server) as database:
        store(database, whole)
        months = sorted(counts(database, "partition_digests", "month", "asset = 'raw_candles'"))
        last = str(np.datetime64(months[-1], "M") + np.timedelta64(1, "M"))
        derive_months(database, months[0], last)
        at_once = everything(database)
    for seed in SHUFFLES if file is BUDIMANLAI else SHUFFLES[-1:]:
        chooser = random.Random(seed)
        cuts = sorted(chooser.sample(range(1, len(whole.rows)), 7))
        pieces = [whole.rows.iloc[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole.rows)], strict=True)]
        chooser.shuffle(pieces)
        with migrated_database(postgres_server) as database:
            for number, piece in enumerate([*pieces, *pieces[:2]]):
                store(database, _with_rows(whole, piece.sample(frac=1, random_state=seed).reset_index(drop=True)))
                if number % 3 == 1:
                    month = chooser.choice(months)
                    derive_months(database, month, month)
            todo = [*months, last, *months]
            chooser.shuffle(todo)
            for month in todo:
                derive_months(database, month, month)
            assert everything(database) == at_once


def test_i7_more_history_changes_no_candle_of_a_month(budimanlai: Imported, database: Database, shared_data: Path) -> None:
    """March from two months of observations equals March from ten."""
    store(database, _bars(shared_data, BUDIMANLAI, (datetime(2025, 2, 1, tzinfo=UTC), MARCH[1])))
    derive_months(database, "2025-03", "2025-03")
    statement = (
        "SELECT timeframe, timestamp, open, high, low, close, volume, source, base_timeframe, base_bars, flag FROM candles"
        " WHERE timestamp >= '2025-03-01' AND timestamp < '2025-03-31 21:00Z' ORDER BY 1, 2"
    )
    short, long = query(database, statement), query(budimanlai[0], statement)
    assert len(short) > 9_000
    assert short == long
    days = "SELECT * FROM trading_day_parts WHERE month = '2025-03' ORDER BY trading_day"
    assert query(database, days) == query(budimanlai[0], days)


# --- as of -----------------------------------------------------------------------------------------------------------------


FIRST_SEEN = datetime(2026, 6, 2, 12, tzinfo=UTC)
CORRECTED = FIRST_SEEN + timedelta(days=1)


def _first_import(shared_data: Path) -> tuple[Delivery, Delivery]:
    """March as first delivered, without its last week and with closes off by a dollar on two days, and as corrected."""
    right = _bars(shared_data, BUDIMANLAI, MARCH)
    rows = right.rows[right.rows["timestamp"] < datetime(2025, 3, 24, tzinfo=UTC)].copy()
    wrong = rows["timestamp"].dt.strftime("%d").isin(["11", "12"])
    rows.loc[wrong, "close"] = rows.loc[wrong, ["low", "close"]].min(axis=1)
    return _with_rows(right, rows.reset_index(drop=True)), right


def test_what_was_known_before_a_correction_can_still_be_seen(own_record: Database, shared_data: Path) -> None:
    """I5: the SQL function and the command show the first import as of then, the corrected one as of now."""
    first, right = _first_import(shared_data)
    store(own_record, first, now=FIRST_SEEN)
    derive_stale(own_record, now=FIRST_SEEN)
    known = {timeframe: _shown(timeframe) for timeframe in ("M5", "H1", "D1")}
    report = store(own_record, right, now=CORRECTED)
    changed = first.rows.merge(right.rows, on="timestamp")
    revised = int((changed["close_x"] != changed["close_y"]).sum())
    assert revised > 400
    assert report.stored == revised + len(right.rows) - len(first.rows)
    assert report.unchanged == len(first.rows) - revised
    derive_stale(own_record, now=CORRECTED)
    assert len(_as_of(own_record, FIRST_SEEN - timedelta(seconds=1))) == 0
    for moment, given in ((FIRST_SEEN, first), (CORRECTED - timedelta(seconds=1), first), (CORRECTED, right)):
        assert _as_of(own_record, moment) == [(opened, close) for opened, close in _closes(given.rows)]
    for timeframe, before in known.items():
        assert _shown(timeframe) != before
        assert _shown(timeframe, "--as-of", f"{CORRECTED - timedelta(hours=1):%Y-%m-%dT%H:%MZ}") == before
        assert _shown(timeframe, "--as-of", f"{CORRECTED:%Y-%m-%dT%H:%MZ}") == _shown(timeframe)


def _closes(rows: pd.DataFrame) -> list[tuple[datetime, int]]:
    return list(zip(rows["timestamp"].dt.to_pydatetime(), rows["close"].tolist(), strict=True))


def _as_of(database: Database, moment: datetime) -> list[tuple[datetime, int]]:
    rows = query(
        database,
        "SELECT timestamp, (close * 100)::bigint FROM raw_candles_as_of(CAST(:moment AS timestamptz)) ORDER BY 1",
        moment=moment,
    )
    return [(opened, int(close)) for opened, close in rows]


def _shown(timeframe: str, *options: str) -> str:
    span = ("--from", "2025-03-03T00:00Z", "--to", "2025-03-31T00:00Z", "--symbol", REAL_SYMBOL, "--csv")
    result = CliRunner().invoke(create_app(), ["candles", "-t", timeframe, *span, *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_month_that_ends_with_a_bar_hands_it_to_the_next_even_when_nothing_was_observed_there(
    database: Database, shared_data: Path
) -> None:
    """The last bars of a file that ends with its month close in the month after, and are derived with it."""
    store(database, _bars(shared_data, BUDIMANLAI, MARCH))
    assert derive_stale(database) == [("2025-03", "2025-04")]
    assert str(held(database, Timeframe.M5)["timestamp"].iloc[-1]) == "2025-03-31 23:55:00+00:00"
    assert str(held(database, Timeframe.D1)["timestamp"].iloc[-1]) == "2025-03-31 21:00:00+00:00"
    assert derive_stale(database) == []
