"""Histories as a vendor may give them: a market, the bars that are missing at first or for good, those that are told anew later,
and an order in which somebody computes the months.

Hourly bars of the simulated market, because every strategy runs on them. What is drawn is small data, so that hypothesis can
shrink it; `observe` turns it into observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.assets.partitions import month_start
from goldsignal_pipeline.assets.registering import register
from goldsignal_pipeline.market.delivery import Delivery, empty_rejected
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.simulated import SIMULATED_SOURCE, SimulatedProvider
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import GRACE, MONTHS, OBSERVED, SYMBOL

BARS = 1_600
"""A lower bound of the hours of the market from the first month to `OBSERVED`."""
TOLD_ANEW = OBSERVED + timedelta(days=1)


@dataclass(frozen=True)
class Hole:
    """Bars that are missing, from the `at`th on; `is_late` when they come with the second telling."""

    at: int
    length: int
    is_late: bool


@dataclass(frozen=True)
class Revision:
    """The close of the `at`th bar moves by some ticks with the second telling."""

    at: int
    ticks: int


@dataclass(frozen=True)
class History:
    """What is drawn: the seed of the market, its holes and revisions, chunks of months in an order, when to cut the future."""

    seed: int
    holes: tuple[Hole, ...]
    revisions: tuple[Revision, ...]
    chunks: tuple[tuple[str, ...], ...]
    cut: datetime


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Some market, as careless a vendor and as careless an operator as you like."""
    places = st.integers(0, BARS - 1)
    holes = st.lists(st.builds(Hole, places, st.integers(1, 40), st.booleans()), max_size=4)
    moves = st.integers(-300, 300).filter(bool)
    revisions = st.lists(st.builds(Revision, places, moves), max_size=6, unique_by=lambda one: one.at)
    edges = sorted(draw(st.sets(st.integers(1, len(MONTHS) - 1), max_size=2)))
    bounds = [0, *edges, len(MONTHS)]
    chunks = [MONTHS[start:end] for start, end in pairwise(bounds)]
    order = draw(st.permutations(chunks))
    cut = datetime(2022, 7, 10, tzinfo=UTC) + timedelta(hours=draw(st.integers(0, 24 * 30)))
    return History(draw(st.integers(1, 10_000)), tuple(draw(holes)), tuple(draw(revisions)), tuple(order), cut)


def bars_of(history: History) -> pd.DataFrame:
    """Every bar of the market, as it is told first."""
    feed = SimulatedProvider(seed=history.seed, calendar=load_calendar(), base_timeframe=Timeframe.H1, clock=lambda: OBSERVED)
    window = FetchWindow(Timeframe.H1, month_start(MONTHS[0]), OBSERVED)
    rows = pd.concat([one.rows for one in feed.fetch(window)], ignore_index=True)
    closed = rows["timestamp"] + timedelta(hours=1) + GRACE <= OBSERVED
    return rows[closed].reset_index(drop=True)


def first_telling(history: History) -> pd.DataFrame:
    """The bars without any that are missing."""
    bars = bars_of(history)
    return bars[~_missing(history, len(bars), late=(True, False))]


def second_telling(history: History) -> pd.DataFrame:
    """The bars that come late, and those that have another close than was told."""
    bars = bars_of(history)
    told = _missing(history, len(bars), late=(True,))
    for revision in history.revisions:
        close = bars.loc[revision.at, "close"] + revision.ticks
        bars.loc[revision.at, "close"] = close
        bars.loc[revision.at, "high"] = max(bars.loc[revision.at, "high"], close)
        bars.loc[revision.at, "low"] = min(bars.loc[revision.at, "low"], close)
        told[revision.at] = True
    return bars[told & ~_missing(history, len(bars), late=(False,))]


def observe(database: Database, rows: pd.DataFrame, *, now: datetime) -> None:
    """Store what a vendor tells at an instant."""
    register(database, now=now)
    ingest(
        database,
        symbol=SYMBOL,
        deliveries=[Delivery(SIMULATED_SOURCE, Timeframe.H1, rows.reset_index(drop=True), empty_rejected())],
        calendar=load_calendar(),
        now=now,
        grace=GRACE,
        run_id="feed",
    )


def _missing(history: History, count: int, *, late: tuple[bool, ...]) -> np.ndarray:
    missing = np.zeros(count, dtype=bool)
    for hole in history.holes:
        if hole.is_late in late:
            missing[hole.at : hole.at + hole.length] = True
    return missing
