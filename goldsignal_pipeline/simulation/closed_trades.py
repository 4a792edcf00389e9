"""Closed trades: what the kernel found of setups or signals, as one row each in whole ticks and units, ready to be kept.

`TRADE_DTYPES` names every column. The key is strategy, timeframe, direction and timestamp (open of the confirming bar). Prices
and distances are ticks (0 for none), money is units of 0.0001 USD/oz (`UNDEFINED` for none), R is float64 for people: the exact
result in R is net over 100 x risk, and `scored` gives it back from the kept columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import TIMESTAMP_DTYPE, timestamps_of
from goldsignal_pipeline.market.frames import ordered, typed
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.costs import TradeCosts
from goldsignal_pipeline.simulation.kernel import NOT_YET, UNITS_PER_TICK, Exit, Miss, Result
from goldsignal_pipeline.simulation.records import Integers, Trades
from goldsignal_pipeline.simulation.scored_trades import SCORED_TRADE_COLUMNS, Flags
from goldsignal_pipeline.simulation.trades import DEFAULT_COSTS, GRACE, Candidates, in_r, resolve

UNDEFINED: Final = int(np.iinfo(np.int64).min)
KEY: Final = ("strategy", "timeframe", "direction", "timestamp")

TRADE_DTYPES: Final[dict[str, str]] = {
    "strategy": "str",
    "timeframe": "str",
    "direction": "str",
    "timestamp": TIMESTAMP_DTYPE,
    "confirmed_at": TIMESTAMP_DTYPE,
    "result": "str",
    "missed_because": "str",
    "entry_at": TIMESTAMP_DTYPE,
    "entry_known_at": TIMESTAMP_DTYPE,  # close of the entry bar
    "deadline": TIMESTAMP_DTYPE,
    "resolved_at": TIMESTAMP_DTYPE,  # when the result was known
    "entry_quote": "int64",
    "entry_fill": "int64",
    "risk": "int64",  # fill to stop
    "first_exit": "str",
    "first_exit_at": TIMESTAMP_DTYPE,
    "first_fill": "int64",
    "second_exit": "str",
    "second_exit_at": TIMESTAMP_DTYPE,
    "second_fill": "int64",
    "favourable": "int64",
    "adverse": "int64",
    "gross": "int64",
    "swap": "int64",
    "cost": "int64",
    "net": "int64",
    "worst": "int64",
    "best": "int64",
    "counterfactual_net": "int64",  # of a missed trade, reported and never scored
    "gross_r": "float64",
    "cost_r": "float64",
    "net_r": "float64",
    "worst_r": "float64",
    "best_r": "float64",
    "counterfactual_r": "float64",
    "bars_held": "int64",
    "hold_minutes": "int64",  # market-open minutes from entry to the last exit
    "resolution_minutes": "int64",
    "coarse_entry": "bool",
    "ambiguous": "bool",
}
"""Columns of `TradeTable.frame`; exits, money and R of a missed trade are empty, 0 or UNDEFINED."""

_MONEY: Final = ("gross", "swap", "cost", "net", "worst", "best")
_IN_R: Final = ("gross", "cost", "net", "worst", "best")


@dataclass(frozen=True, slots=True, eq=False)
class TradeTable:
    """Every given setup as a trade, in their order: `frame` has a row for each (`TRADE_DTYPES`), open ones with NaT.

    `resolved_at` and the exits of a trade that is open are NaT, and its money is UNDEFINED.
    """

    frame: pd.DataFrame

    @classmethod
    def of(cls, trades: Trades, bars: BaseBars, *, setups: pd.DataFrame, calendar: TradingCalendar) -> TradeTable:
        """The trades that `resolve` made of setups (of which are read the key and confirmed_at, in the order of `trades`)."""
        entered = trades["entry_bar"] >= 0
        missed = trades["result"] == Result.MISSED
        final = trades["resolved_at"] != NOT_YET
        filled = final & ~missed
        columns: dict[str, Any] = {name: setups[name].to_numpy() for name in ("strategy", "timeframe", "direction")}
        columns |= {name: setups[name].array for name in ("timestamp", "confirmed_at")}
        columns["result"] = _names(Result, trades["result"])
        columns["missed_because"] = _names(Miss, trades["miss"])
        columns["entry_at"] = _at(bars.opens, trades["entry_bar"], entered)
        columns["entry_known_at"] = _at(bars.closes, trades["entry_bar"], entered)
        for name in ("deadline", "resolved_at"):
            columns[name] = timestamps_of(trades[name].astype("datetime64[us]"))
        for name, source in (("entry_quote", "quote"), ("entry_fill", "entry_fill"), ("risk", "risk")):
            columns[name] = np.where(entered, trades[source], 0)
        columns |= _exits(trades, bars, missed=missed)
        columns |= {name: np.where(filled, trades[name], 0) for name in ("favourable", "adverse")}
        columns |= {name: np.where(filled, trades[name], UNDEFINED) for name in _MONEY}
        columns["counterfactual_net"] = np.where(final & missed, trades["net"], UNDEFINED)
        columns |= {f"{name}_r": np.where(filled, in_r(trades, name), np.nan) for name in _IN_R}
        columns["counterfactual_r"] = np.where(final & missed, in_r(trades, "net"), np.nan)
        columns["bars_held"] = np.where(filled, trades["second_bar"] - trades["entry_bar"] + 1, 0)
        columns["hold_minutes"] = _held_minutes(trades, bars, filled=filled, calendar=calendar)
        columns |= {name: trades[name] for name in ("resolution_minutes", "coarse_entry")}
        columns["ambiguous"] = trades["ambiguous"] & ~missed
        return cls(typed(columns, TRADE_DTYPES))

    def closed(self) -> pd.DataFrame:
        """The rows whose result is known, by the instant at which it was known and key."""
        return ordered(self.frame[self.frame["resolved_at"].notna()], ["resolved_at", *KEY])


def trade_table(
    setups: pd.DataFrame,
    bars: BaseBars,
    *,
    calendar: TradingCalendar,
    costs: TradeCosts = DEFAULT_COSTS,
    grace: timedelta = GRACE,
) -> TradeTable:
    """Resolve setups or signals (key, confirmed_at and levels in ticks) against base bars."""
    trades = resolve(Candidates.of_setups(setups), bars, calendar=calendar, costs=costs, grace=grace)
    return TradeTable.of(trades, bars, setups=setups, calendar=calendar)


def scored(closed: pd.DataFrame) -> pd.DataFrame:
    """Closed trades as metrics read them (`SCORED_TRADE_COLUMNS`), with R computed from whole numbers.

    The instant by which windows count a trade is that at which its result was known.
    """
    is_missed = (closed["result"] == Result.MISSED.name.lower()).to_numpy()
    risk = closed["risk"].to_numpy().astype(np.float64) * UNITS_PER_TICK

    def ratio(name: str) -> Any:
        return np.divide(closed[name].to_numpy(), risk, out=np.full(len(closed), np.nan), where=~is_missed)

    frame = closed.rename(columns={"entry_at": "entry", "ambiguous": "is_ambiguous"})
    frame = frame.assign(is_missed=is_missed, **{f"{name}_r": ratio(name) for name in ("net", "gross", "cost")})
    return frame[list(SCORED_TRADE_COLUMNS)].reset_index(drop=True)


def _exits(trades: Trades, bars: BaseBars, *, missed: Flags) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for leg in ("first", "second"):
        left = (trades[f"{leg}_exit"] != Exit.NONE) & ~missed
        columns[f"{leg}_exit"] = np.where(left, _names(Exit, trades[f"{leg}_exit"]), "")
        columns[f"{leg}_exit_at"] = _at(bars.closes, trades[f"{leg}_bar"], left)
        columns[f"{leg}_fill"] = np.where(left, trades[f"{leg}_fill"], 0)
    return columns


def _held_minutes(trades: Trades, bars: BaseBars, *, filled: Flags, calendar: TradingCalendar) -> Integers:
    held = np.zeros(len(trades), dtype=np.int64)
    entries, exits = bars.opens[trades["entry_bar"][filled]], bars.closes[trades["second_bar"][filled]]
    held[filled] = calendar.open_minutes_between(entries, exits)
    return held


def _at(instants: Instants, positions: Integers, known: Flags) -> pd.DatetimeIndex:
    chosen = np.full(len(positions), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    chosen[known] = instants[positions[known]]
    return timestamps_of(chosen)


def _names(kind: type[Result | Miss | Exit], codes: Any) -> Any:
    names = np.array(["" if member.name == "NONE" else member.name.lower() for member in kind], dtype=object)
    return names[codes]
