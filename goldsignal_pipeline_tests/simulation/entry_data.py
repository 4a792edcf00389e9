"""Markets, setups and their trades for tests of random entries, and the slow obvious draw."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import instants_of, timestamps_of
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import scored, trade_table
from goldsignal_pipeline.simulation.random_entries import RandomEntries, random_entries
from goldsignal_pipeline_tests.simulation.markets import CALENDAR, coarser, dollars, reference_market, rough_bars
from goldsignal_pipeline_tests.simulation.reference import LONDON, NEW_YORK, ReferenceMarket

SYMBOL = "XAUUSD-SIM"
START, END = datetime(2024, 9, 5, tzinfo=UTC), datetime(2024, 12, 10, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")


@dataclass(frozen=True)
class Case:
    """A market with H1 candles, setups on them, and what became of the setups."""

    bars: BaseBars
    candles: pd.DataFrame
    setups: pd.DataFrame

    @classmethod
    def of(cls, *, seed: int, timeframe: Timeframe = Timeframe.M15, count: int = 60) -> Case:
        bars = rough_bars(timeframe, seed=seed, start=START, end=END)
        candles = candles_of(bars)
        return cls(bars, candles, setups_on(candles, seed=seed, count=count))

    def until(self, instant: np.datetime64) -> Case:
        """What was known at an instant: bars and candles closed by then, and the setups they confirm."""
        instant = instant.astype("datetime64[us]")
        closes = bar_close(instants_of(self.candles["timestamp"]), timeframe=Timeframe.H1)
        confirmed = instants_of(self.setups["confirmed_at"]) <= instant
        return Case(self.bars.until(instant), self.candles[closes <= instant], self.setups[confirmed])

    def trades(self) -> pd.DataFrame:
        return scored(trade_table(self.setups, self.bars, calendar=CALENDAR).closed())

    def drawn(self, *, trades: pd.DataFrame | None = None, symbol: str = SYMBOL) -> RandomEntries:
        return random_entries(
            self.trades() if trades is None else trades,
            setups=self.setups,
            bars=self.bars,
            candles={Timeframe.H1: self.candles},
            symbol=symbol,
            calendar=CALENDAR,
        )

    def poisoned_from(self, instant: np.datetime64, *, seed: int) -> Case:
        """The same past with another future: every price that follows `instant` is moved."""
        rng, later = np.random.default_rng(seed), self.bars.opens >= instant.astype("datetime64[us]")
        noise = np.where(later, rng.integers(-20_000, 20_000, len(self.bars)), 0)
        bars = replace(self.bars, **{name: getattr(self.bars, name) + noise for name in ("open", "high", "low", "close")})
        return Case(bars, candles_of(bars), self.setups)


def candles_of(bars: BaseBars) -> pd.DataFrame:
    """H1 candles of finer or equal bars."""
    hours = coarser(bars, timeframe=Timeframe.H1)
    prices = {name: getattr(hours, name) for name in ("open", "high", "low", "close")}
    return pd.DataFrame({"timestamp": timestamps_of(hours.opens), **prices, "volume": np.nan})


def setups_on(candles: pd.DataFrame, *, seed: int, count: int) -> pd.DataFrame:
    """Setups of two strategies at random bars from October on, of 1 to 5 ATR; the ATR is any, only multiples of it matter."""
    rng = np.random.default_rng(seed)
    warm = candles.index[candles["timestamp"] >= pd.Timestamp("2024-10-01T00:00Z")].to_numpy()
    bars = candles.loc[np.sort(rng.choice(warm, count, replace=False))].reset_index(drop=True)
    direction = rng.choice(np.array([1, -1]), count)
    atr = rng.uniform(80, 200, count)
    risk = np.ceil(atr * rng.uniform(1, 5, count)).astype(np.int64)
    return pd.DataFrame(
        {
            "strategy": rng.choice(np.array(["one", "two"], dtype=object), count),
            "timeframe": "H1",
            "direction": np.where(direction == 1, "BUY", "SELL"),
            "timestamp": bars["timestamp"],
            "confirmed_at": bars["timestamp"] + pd.Timedelta(hours=1),
            "kind": "setup",
            "session": [session_label(moment.to_pydatetime()) for moment in bars["timestamp"]],
            "atr": atr,
            "reference": bars["close"],
            "stop": bars["close"] - direction * risk,
            "take_profit_1": bars["close"] + direction * (3 * risk // 2),
            "take_profit_2": bars["close"] + direction * 3 * risk,
        }
    )


def session_label(moment: datetime) -> str:
    """The most liquid session by the clocks of three cities."""
    hours = [moment.astimezone(zone).hour for zone in (TOKYO, LONDON, NEW_YORK)]
    asia, london, new_york = 9 <= hours[0] < 18, 8 <= hours[1] < 17, 8 <= hours[2] < 17
    if london and new_york:
        return "overlap"
    return "london" if london else "new_york" if new_york else "asia" if asia else "none"


class SlowDraws:
    """Random entries of one trade after another, minute by minute, in plain Python."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.market: ReferenceMarket = reference_market(case.bars, side=Side.BID)
        self.candles = [
            (row.timestamp.to_pydatetime().replace(tzinfo=None), int(row.high), int(row.low), int(row.close))
            for row in case.candles.itertuples()
        ]

    def pool(self, setup: pd.Series) -> list[datetime]:
        """Minutes of the month and session whose 72 open hours end before the month's last day."""
        confirmed = setup["confirmed_at"].to_pydatetime()
        next_month = (date(confirmed.year, confirmed.month, 28) + timedelta(days=4)).replace(day=1)
        last_day = datetime.combine(next_month - timedelta(days=1), datetime.min.time())
        return [
            minute
            for minute in self.market.open_minutes
            if (minute.year, minute.month) == (confirmed.year, confirmed.month)
            and session_label(minute.replace(tzinfo=UTC)) == setup["session"]
            and self.market.deadline(minute, 72 * 60) < last_day
        ]

    def atr(self, moment: datetime, month: datetime) -> float | None:
        """Wilder's ATR14 of the hours closed by `moment`, from 21 days before the month on."""
        ranges, before, value = [], None, None
        for opens_at, high, low, close in self.candles:
            if opens_at + timedelta(hours=1) > moment:
                break
            if opens_at < month - timedelta(days=21):
                continue
            if before is not None:
                true_range = max(high, before) - min(low, before)
                ranges.append(true_range)
                value = sum(ranges) / 14 if len(ranges) == 14 else value and (value * 13 + true_range) / 14
            before = close
        return value

    def results(self, setup: pd.Series, *, numbers: range) -> list[Decimal | None]:
        """Net R of the draws of these numbers, None where there is none."""
        pool = self.pool(setup)
        key = "/".join([SYMBOL, *setup[["strategy", "timeframe", "direction"]], setup["timestamp"].strftime("%Y-%m-%dT%H:%M")])
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")
        picks = np.random.PCG64(seed).random_raw(1000).tolist()
        return [self.result(setup, pool[picks[number] % len(pool)]) for number in numbers]

    def result(self, setup: pd.Series, minute: datetime) -> Decimal | None:
        bar = next((bar for bar in self.market.bars if bar.opens_at <= minute < bar.closes_at), None)
        month = minute.replace(day=1, hour=0, minute=0)
        atr = bar and self.atr(bar.opens_at, month)
        if bar is None or atr is None:
            return None
        buy = setup["direction"] == "BUY"
        sign, levels = 1 if buy else -1, ("stop", "take_profit_1", "take_profit_2")
        ticks = [math.ceil(abs(setup[name] - setup["reference"]) / setup["atr"] * atr) for name in levels]
        stop, tp1, tp2 = (bar.open + side * sign * dollars(step) for step, side in zip(ticks, (-1, 1, 1), strict=True))
        is_coarse = bar.closes_at - bar.opens_at > timedelta(minutes=15)
        confirmed_at = bar.opens_at - timedelta(seconds=0 if is_coarse else 120)
        trade = self.market.trade(
            buy=buy, reference=bar.open, stop=stop, tp1=tp1, tp2=tp2, confirmed_at=confirmed_at, hold_minutes=72 * 60
        )  # fmt: skip
        assert trade.entry_at == bar.opens_at
        return trade.net / trade.risk
