"""Figures of docs/explanation/spread-model.md: the kernel on recorded bid and ask against the session spread model.

The record holds both sides of every bar. A BUY leaves on the bid and is resolved on the bid bars; a SELL leaves on the ask and is
resolved on the ask bars, lowered by the spread at each bar's open, so that its entry is the bid of that open and all four prices
of the bar are those of the ask. Run as a program with the folder of recorded data, it prints the rows of the page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import Bars, bars_of, instants_of
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable, spread_ticks
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.kernel import NOT_YET, Result
from goldsignal_pipeline.simulation.records import Trades
from goldsignal_pipeline.simulation.trades import Candidates, in_r, resolve
from goldsignal_pipeline.strategies.context import sessions_of
from goldsignal_pipeline.strategies.indicators import atr
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, recorded
from goldsignal_pipeline_tests.strategies.records import run

SESSIONS = ("asia", "london", "overlap", "new_york", "none")
Markets = tuple[BaseBars, BaseBars]


@dataclass(frozen=True)
class TwoSides:
    """Bid and ask of one timeframe, without what the calendar calls closed; equal rows are equal bars."""

    timeframe: Timeframe
    bid: pd.DataFrame
    ask: pd.DataFrame

    @classmethod
    def of(cls, folder: Path, timeframe: Timeframe) -> TwoSides:
        bid, ask = (recorded(folder, timeframe, f"oanda-lean-{side}") for side in ("bid", "ask"))
        assert bid["timestamp"].equals(ask["timestamp"])
        traded = CALENDAR.is_expected(instants_of(bid["timestamp"]), timeframe=timeframe)
        return cls(timeframe, *(side[traded].reset_index(drop=True) for side in (bid, ask)))

    @property
    def spreads(self) -> np.ndarray:
        """The full spread at the open of each bar, in ticks."""
        return (self.ask["open"] - self.bid["open"]).to_numpy()

    def modelled(self) -> Markets:
        """The bid alone with spreads by session, for BUY and SELL."""
        bars = self._bars(bars_of(self.bid), SpreadTable())
        return bars, bars

    def true(self) -> Markets:
        """Both sides as recorded, for BUY and SELL."""
        ask = bars_of(self.ask)
        lowered = (getattr(ask, name) - self.spreads for name in ("open", "high", "low", "close"))
        return self._bars(bars_of(self.bid), self.spreads), self._bars(Bars(ask.opens, *lowered, ask.volume), self.spreads)

    def _bars(self, bars: Bars, spreads: SpreadTable | np.ndarray) -> BaseBars:
        return BaseBars.of(bars, timeframe=self.timeframe, side=Side.BID, spreads=spreads)


def resolved(setups: pd.DataFrame, markets: Markets) -> Trades:
    candidates = Candidates.of_setups(setups)
    buys, sells = (resolve(candidates, bars, calendar=CALENDAR) for bars in markets)
    return np.where(candidates.direction == 1, buys, sells)


def compared(setups: pd.DataFrame, sides: TwoSides) -> pd.DataFrame:
    """Net R and cost (R) of every trade that both markets filled and resolved, and whether it ended alike."""
    model, true = (resolved(setups, markets) for markets in (sides.modelled(), sides.true()))
    filled = np.logical_and.reduce([(t["resolved_at"] != NOT_YET) & (t["result"] != Result.MISSED) for t in (model, true)])
    alike = (model["result"] == true["result"]) & (model["second_bar"] == true["second_bar"])
    columns = {"strategy": setups["strategy"], "direction": setups["direction"], "year": setups["confirmed_at"].dt.year}
    columns |= {f"{name}_{which}": in_r(t, name) for name in ("net", "cost") for which, t in (("model", model), ("true", true))}
    frame = pd.DataFrame(columns).assign(alike=alike, same_result=model["result"] == true["result"])[filled]
    return frame.assign(difference=frame["net_model"] - frame["net_true"]).reset_index(drop=True)


def strategy_setups(sides: TwoSides) -> pd.DataFrame:
    """The setups of all strategies on the H1 bid."""
    first, last = sides.bid["timestamp"].iloc[0], sides.bid["timestamp"].iloc[-1]
    months = pd.period_range(f"{first:%Y-%m}", f"{last:%Y-%m}", freq="M").astype(str).tolist()
    return run(sides.bid, months=months, record_start=first.to_pydatetime()).accepted()


def hourly_setups(hours: pd.DataFrame, *, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """A setup at the close of every hour in [start, end), both ways, with stops of 1.5, 2.5 and 4 ATR14."""
    known = atr(*(hours[name].to_numpy(dtype=np.float64) for name in ("high", "low", "close")))
    inside = np.flatnonzero((hours["timestamp"] >= start) & (hours["timestamp"] < end))
    at, direction, multiple = (axis.ravel() for axis in np.meshgrid(inside, [1, -1], [1.5, 2.5, 4.0], indexing="ij"))
    reference, risk = hours["close"].to_numpy()[at], np.ceil(multiple * known[at]).astype(np.int64)
    levels = {"stop": -risk, "take_profit_1": (3 * risk + 1) // 2, "take_profit_2": 3 * risk}
    frame = pd.DataFrame({"strategy": "every hour", "timeframe": "H1", "direction": np.where(direction == 1, "BUY", "SELL")})
    frame = frame.assign(confirmed_at=(hours["timestamp"].iloc[at] + pd.Timedelta(hours=1)).array, reference=reference)
    return frame.assign(**{name: reference + direction * distance for name, distance in levels.items()})


def session_rows(sides: TwoSides) -> list[str]:
    """Median, mean and 95th percentile of the recorded spread by session, beside the table."""
    opens = instants_of(sides.bid["timestamp"])
    labels, table = sessions_of(opens).label, spread_ticks(opens, table=SpreadTable())
    rows = []
    for label in SESSIONS:
        spreads = sides.spreads[labels == label] / 100
        figures = (np.median(spreads), spreads.mean(), np.quantile(spreads, 0.95), np.median(table[labels == label]) / 100)
        rows.append(f"| {label} | {len(spreads):,} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")
    return rows


def trade_rows(trades: pd.DataFrame, by: str) -> list[str]:
    """One row for each group, one for all."""
    groups = [*trades.groupby(by), ("all", trades)]
    return [f"| {name} | " + " | ".join(_figures(group)) + " |" for name, group in groups]


def _figures(trades: pd.DataFrame) -> list[str]:
    means = trades[["net_model", "net_true", "difference", "cost_model", "cost_true"]].mean()
    return [f"{len(trades):,}", *(f"{mean:+.3f}" for mean in means[:3]), *(f"{mean:.3f}" for mean in means[3:]),
            f"{100 * trades['alike'].mean():.1f} %"]  # fmt: skip


def page_rows(folder: Path) -> dict[str, list[str]]:
    """All rows of the page, by table."""
    hours, minutes = TwoSides.of(folder, Timeframe.H1), TwoSides.of(folder, Timeframe.M1)
    trades = compared(strategy_setups(hours), hours)
    first, last = minutes.bid["timestamp"].iloc[0], minutes.bid["timestamp"].iloc[-1]
    hourly = hourly_setups(hours.bid, start=first, end=last - pd.Timedelta(days=5))
    fine = compared(hourly, minutes)
    return {
        "sessions H1": session_rows(hours),
        "sessions M1": session_rows(minutes),
        "strategies": trade_rows(trades, "strategy"),
        "directions": trade_rows(trades, "direction")[:-1],
        "years": trade_rows(trades, "year")[:-1],
        "every hour": trade_rows(fine, "direction"),
    }


if __name__ == "__main__":
    for title, rows in page_rows(Path(sys.argv[1])).items():
        print(title, *rows, sep="\n")
