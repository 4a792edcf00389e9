"""All recorded sources together: the order decides, a trading day is never a mix, and every source keeps its own record.

By default the half year around OANDA's hole of December 2016; `make prove` (PROVE=1) imports every file whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import gate_events
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.record import (
    ALWAYS,
    BARS,
    BUDIMANLAI,
    CALENDAR,
    EJTRADERLABS,
    OANDA,
    OANDA_ASK,
    OANDA_MINUTES,
    PROVE,
    TWELVEDATA,
    RecordedFile,
    derive_months,
    held,
    import_recorded,
    instants,
    query,
)
from goldsignal_pipeline_tests.postgres import Server, migrated_database

pytestmark = pytest.mark.recorded

FILES = (OANDA, OANDA_ASK, EJTRADERLABS, *((BUDIMANLAI, TWELVEDATA, OANDA_MINUTES) if PROVE else ()))
SPAN = ALWAYS if PROVE else (datetime(2016, 10, 1, tzinfo=UTC), datetime(2017, 4, 1, tzinfo=UTC))
MONTHS = ("2006-03", "2026-06") if PROVE else ("2016-10", "2017-04")
ORDERS = {
    "oanda_first": ("oanda:bid", "oanda:ask", "ejtraderlabs:bid"),
    "metatrader_first": ("ejtraderlabs:bid", "oanda:bid", "oanda:ask"),
}


def _imported(server: Server, shared_data: Path, files: tuple[RecordedFile, ...]) -> Iterator[Database]:
    with migrated_database(server) as database:
        for file in files:
            import_recorded(database, shared_data, file, start=SPAN[0], end=SPAN[1])
        yield database


@pytest.fixture(scope="module")
def alone(postgres_server: Server, shared_data: Path) -> dict[str, tuple[dict[str, pd.DataFrame], pd.DataFrame]]:
    """The candles by timeframe and the day parts of every source in a database of its own."""
    found = {}
    for source in dict.fromkeys(file.source for file in FILES):
        for database in _imported(postgres_server, shared_data, tuple(file for file in FILES if file.source == source)):
            derive_months(database, *MONTHS)
            found[source] = ({timeframe.value: held(database, timeframe) for timeframe in Timeframe}, _day_parts(database))
    return found


@pytest.fixture(scope="module")
def together(postgres_server: Server, shared_data: Path) -> Iterator[Database]:
    yield from _imported(postgres_server, shared_data, FILES)


def _day_parts(database: Database) -> pd.DataFrame:
    columns = ["trading_day", "month", "source", "expected_bars", "present_bars", "missing_bars"]
    rows = query(database, f"SELECT {', '.join(columns)} FROM trading_day_parts ORDER BY 1, 2")
    return pd.DataFrame(rows, columns=columns)


def _days(candles: pd.DataFrame) -> np.ndarray:
    return CALENDAR.trading_day(instants(candles["timestamp"])).astype("datetime64[D]")


@pytest.mark.parametrize("order", ORDERS)
def test_each_trading_day_is_that_of_one_source_exactly_as_if_it_were_alone(
    together: Database, alone: dict[str, tuple[dict[str, pd.DataFrame], pd.DataFrame]], order: str
) -> None:
    derive_months(together, *MONTHS, source_order=ORDERS[order])
    parts = _day_parts(together)
    chosen = parts[parts["source"].notna()].groupby("trading_day")["source"].agg(["nunique", "first"])
    assert (chosen["nunique"] == 1).all()
    source_of = {np.datetime64(day, "D"): source for day, source in chosen["first"].items()}
    for timeframe in Timeframe:
        bars = held(together, timeframe)
        of_day = np.array([source_of[day] for day in _days(bars)], dtype=object)
        assert (bars["source"].to_numpy() == of_day).all()
        for source, (candles, _) in alone.items():
            theirs = candles[timeframe.value]
            picked = np.array([source_of.get(day) == source for day in _days(theirs)], dtype=bool)
            columns = ["timestamp", *BARS, "base_timeframe", "base_bars"]
            left, right = bars[of_day == source][columns], theirs[picked][columns]
            pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True))


@pytest.mark.parametrize("order", ORDERS)
def test_the_first_complete_source_of_the_order_gives_the_day_else_the_fullest(
    together: Database, alone: dict[str, tuple[dict[str, pd.DataFrame], pd.DataFrame]], order: str
) -> None:
    """Decided here from what each source holds alone, by the day's first part with data."""
    derive_months(together, *MONTHS, source_order=ORDERS[order])
    ranked = [*ORDERS[order], *sorted(set(alone) - set(ORDERS[order]))]
    frames = [alone[source][1].assign(rank=rank, source=source) for rank, source in enumerate(ranked)]
    held_parts = pd.concat(frames)[lambda parts: parts["present_bars"] > 0]
    complete = held_parts["missing_bars"] * 50 <= held_parts["expected_bars"]
    share = 1 - held_parts["missing_bars"] / held_parts["expected_bars"]
    scored = held_parts.assign(score=share.where(~complete, 2.0))
    first_month = scored.groupby("trading_day")["month"].transform("min")
    best = scored[scored["month"] == first_month].sort_values(["trading_day", "score", "rank"], ascending=[True, False, True])
    expected = best.groupby("trading_day")["source"].first()
    parts = _day_parts(together)
    actual = parts[parts["source"].notna()].groupby("trading_day")["source"].first()
    assert actual.to_dict() == expected.to_dict()


@pytest.mark.skipif(PROVE, reason="counted for the half year only")
@pytest.mark.parametrize(
    ("order", "days"),
    [
        ("oanda_first", {"oanda:bid": 110, "ejtraderlabs:bid": 18}),
        ("metatrader_first", {"ejtraderlabs:bid": 116, "oanda:bid": 12}),
    ],
)
def test_the_hole_of_one_source_is_served_by_the_other(together: Database, order: str, days: dict[str, int]) -> None:
    derive_months(together, *MONTHS, source_order=ORDERS[order])
    parts = _day_parts(together).drop_duplicates("trading_day")
    assert parts["source"].value_counts().to_dict() == days
    hole = parts[parts["trading_day"].astype(str).between("2016-12-12", "2016-12-15")]
    assert set(hole["source"]) == {"ejtraderlabs:bid"}
    blocked = query(
        together,
        "SELECT trading_day FROM trading_day_states WHERE data_blocked AND trading_day BETWEEN '2016-12-12' AND '2016-12-15'",
    )
    assert blocked == []


@pytest.mark.skipif(PROVE, reason="counted for the half year only")
def test_the_agreement_of_the_other_sources_is_measured(together: Database) -> None:
    """Two brokers' bids differ by cents, bid and ask of one by their spread."""
    derive_months(together, *MONTHS, source_order=("oanda:bid", "oanda:ask", "ejtraderlabs:bid"))
    rows = query(
        together,
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY median_difference), max(distant_share), sum(compared_closes)"
        " FROM trading_day_parts WHERE source = 'oanda:bid'",
    )
    median, distant, compared = rows[0]
    assert 0.02 < float(median) < 0.60
    assert float(distant) < 0.10
    assert compared > 4_000


@pytest.mark.skipif(PROVE, reason="shown for the half year only")
def test_days_that_begin_after_a_told_change_are_those_of_the_new_order_and_all_before_of_the_old(together: Database) -> None:
    """The last of this file: the event stays in the database."""
    alone = {}
    for order, names in ORDERS.items():
        derive_months(together, *MONTHS, source_order=names)
        alone[order] = (_day_parts(together), held(together, Timeframe.H1))
    with together.transaction() as connection:
        gate_events.append(
            connection,
            natural_key="settings:source_order:told",
            at=datetime(2017, 2, 1, 12, tzinfo=UTC),
            recorded_at=datetime(2017, 2, 1, 12, tzinfo=UTC),
            kind="settings",
            symbol=None,
            strategy=None,
            detail=json.dumps({"source_order": ORDERS["metatrader_first"]}),
        )
    derive_months(together, *MONTHS, source_order=ORDERS["oanda_first"])
    told = (_day_parts(together), held(together, Timeframe.H1))
    changed = np.datetime64("2017-02-02")  # The trading day of 1 February had begun on the evening before.
    for found, old, new in zip(told, alone["oanda_first"], alone["metatrader_first"], strict=True):
        _assert_equal(found[_of_day(found) < changed], old[_of_day(old) < changed])
        _assert_equal(found[_of_day(found) >= changed], new[_of_day(new) >= changed])
    assert not alone["oanda_first"][1].equals(alone["metatrader_first"][1])


def _of_day(rows: pd.DataFrame) -> np.ndarray:
    return _days(rows) if "timestamp" in rows else rows["trading_day"].to_numpy().astype("datetime64[D]")


def _assert_equal(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True))
