"""Markets and candidates for kernel tests: generated in whole arrays, and the recorded M5 of 2025."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import Bars
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.prices import to_ticks
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe, bar_open
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.trades import Candidates
from goldsignal_pipeline_tests.simulation.reference import ReferenceBar, ReferenceMarket, session_spread

CALENDAR = load_calendar()
START, END = datetime(2024, 10, 25, tzinfo=UTC), datetime(2024, 12, 6, tzinfo=UTC)


def rough_bars(
    timeframe: Timeframe, *, seed: int, side: Side = Side.BID, start: datetime = START, end: datetime = END, holes: float = 0.02
) -> BaseBars:
    """Real hours, holes, and prices that jump between bars often enough for every rule to be needed."""
    rng = np.random.default_rng(seed)
    opens = CALENDAR.expected_opens(timeframe=timeframe, start=start, end=end)
    opens = opens[rng.random(len(opens)) >= holes]
    n = len(opens)
    jumps = np.where(rng.random(n) < 0.15, rng.integers(-150, 151, n), 0)
    moves = rng.integers(-60, 61, n)
    close = 250_000 + np.cumsum(jumps + moves)
    open_ = close - moves
    high = np.maximum(open_, close) + rng.integers(0, 60, n)
    low = np.minimum(open_, close) - rng.integers(0, 60, n)
    bars = Bars(opens, open_, high, low, close, np.full(n, np.nan))
    return BaseBars.of(bars, timeframe=timeframe, side=side, spreads=SpreadTable())


def random_candidates(bars: BaseBars, *, seed: int, count: int, tight: bool = True) -> Candidates:
    """Candidates confirmed at random five-minute instants within the bars, some so far off that they are missed."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, len(bars), count)
    at[:20] = len(bars) - rng.integers(1, 6, 20)  # so that some are still open, or not yet filled
    five_minutes = np.timedelta64(5, "m")
    confirmed_at = bars.closes[at] + rng.integers(0, 3, count) * five_minutes
    direction = rng.choice(np.array([-1, 1]), count)
    reference = bars.close[at] + rng.integers(-12, 13, count)
    risk = rng.integers(15, 260, count) if tight else rng.integers(300, 2500, count)
    first = 1 + risk * rng.integers(1, 9, count) // 4
    second = first + risk * rng.integers(0, 8, count) // 4
    hold = rng.choice(np.array([30, 75, 360, 1440, 4320]), count)
    return Candidates(
        direction, reference, reference - direction * risk, reference + direction * first, reference + direction * second,
        confirmed_at, hold,
    )  # fmt: skip


def take(candidates: Candidates, where: np.ndarray) -> Candidates:
    return Candidates(**{name: getattr(candidates, name)[where] for name in Candidates.__slots__})


def mirrored(candidates: Candidates, *, about: int) -> Candidates:
    levels = {name: about - getattr(candidates, name) for name in ("reference", "stop", "target_one", "target_two")}
    return replace(candidates, direction=-candidates.direction, **levels)


def mirrored_bars(bars: BaseBars, *, about: int) -> BaseBars:
    """Prices turned upside down: highs become lows, and the distance to the bid that to the ask."""
    return replace(bars, open=about - bars.open, high=about - bars.low, low=about - bars.high, close=about - bars.close,
                   bid_below=bars.ask_above, ask_above=bars.bid_below)  # fmt: skip


def dollars(ticks: int) -> Decimal:
    return Decimal(int(ticks)).scaleb(-2)


def reference_market(bars: BaseBars, *, side: Side) -> ReferenceMarket:
    """The same market for the slow trade, its spreads found by its own means."""
    prices_of = (getattr(bars, name).tolist() for name in ("open", "high", "low", "close"))
    rows = zip(bars.opens.tolist(), bars.closes.tolist(), *prices_of, strict=True)
    reference_bars = []
    for opens_at, closes_at, *prices in rows:
        spread = session_spread(opens_at)
        below = {Side.BID: Decimal(0), Side.ASK: spread, Side.MID: (spread / 2).quantize(Decimal("0.01"), "ROUND_DOWN")}[side]
        reference_bars.append(ReferenceBar(opens_at, closes_at, *map(dollars, prices), to_bid=below, to_ask=spread - below))
    first, last = (pd.Timestamp(moment, tz="UTC") for moment in (bars.opens[0], bars.closes[-1]))
    minutes = CALENDAR.expected_opens(timeframe=Timeframe.M1, start=first, end=last + pd.Timedelta(days=14))
    return ReferenceMarket(reference_bars, minutes.tolist(), bars.known_until.tolist())


def random_walk(*, seed: int, start: datetime, end: datetime, step_ticks: int = 5, steps: int = 20) -> BaseBars:
    """M5 bars cut from one continuous walk over real hours, closed hours passing without a move; every level on the grid of
    `step_ticks` is met exactly, and bars show the true extremes of their steps.
    """
    opens = CALENDAR.expected_opens(timeframe=Timeframe.M5, start=start, end=end)
    moves = np.random.default_rng(seed).integers(0, 2, (len(opens), steps)) * (2 * step_ticks) - step_ticks
    close = 400_000 + np.cumsum(moves.sum(axis=1))
    open_ = np.concatenate([[400_000], close[:-1]])
    path = open_[:, None] + np.cumsum(moves, axis=1)
    high, low = np.maximum(path.max(axis=1), open_), np.minimum(path.min(axis=1), open_)
    bars = Bars(opens, open_, high, low, close, np.full(len(opens), np.nan))
    return BaseBars.of(bars, timeframe=Timeframe.M5, side=Side.BID, spreads=SpreadTable())


def coarser(bars: BaseBars, *, timeframe: Timeframe) -> BaseBars:
    """The same record in longer bars, with the quote distances of the first."""
    labels = bar_open(bars.opens, timeframe=timeframe)
    firsts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    lasts = np.append(firsts[1:], len(labels)) - 1
    high, low = np.maximum.reduceat(bars.high, firsts), np.minimum.reduceat(bars.low, firsts)
    folded = Bars(labels[firsts], bars.open[firsts], high, low, bars.close[lasts], np.full(len(firsts), np.nan))
    return BaseBars.of(folded, timeframe=timeframe, side=Side.BID, spreads=SpreadTable(), known_until=bars.known_until)


def recorded_m5(folder: Path) -> BaseBars:
    """The recorded M5 of 2025, bid, without what the calendar calls closed."""
    rows = pd.read_csv(folder / "candles" / "xauusd_M5_mt5-budimanlai.csv.gz", dtype=str)
    opens = pd.to_datetime(rows["timestamp"], utc=True).dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    expected = CALENDAR.is_expected(opens, timeframe=Timeframe.M5)
    prices = [to_ticks(rows[name])[0][expected] for name in ("open", "high", "low", "close")]
    bars = Bars(opens[expected], *prices, np.full(int(expected.sum()), np.nan))
    return BaseBars.of(bars, timeframe=Timeframe.M5, side=Side.BID, spreads=SpreadTable())
