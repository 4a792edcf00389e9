"""Trades: candidates in, resolved trades out, by the one kernel.

1. `Candidates` holds what is to be tried, `entry_bars` says where each is filled.
2. Deadlines follow from the entry opens by the trading calendar: hours of market-open time, weekends and holidays not counted.
3. `resolve` hands everything to the kernel; `trades_frame` is its result for people: instants, USD/oz and R.
   `closed_trades` makes of it what is kept and measured.

A trade never changes once `resolved_at` has passed: bars after it are not read. That is the close of the exit bar, and for an
expiry the deadline, because only then is it certain that no later bar closes in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.prices import TICKS_PER_USD, Direction
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.simulation import kernel
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.costs import TradeCosts
from goldsignal_pipeline.simulation.kernel import UNITS_PER_TICK, Exit, Miss, Result
from goldsignal_pipeline.simulation.records import TRADE_DTYPE, BarArrays, CandidateArrays, Integers, Terms, Trades

UNITS_PER_USD: Final = UNITS_PER_TICK * TICKS_PER_USD
GRACE: Final = timedelta(seconds=120)
HOLD_MINUTES: Final = {Timeframe.M15: 24 * 60, Timeframe.H1: 72 * 60, Timeframe.H4: 240 * 60}
"""How long a trade of a timeframe may be held, in minutes of market-open time."""

DEFAULT_COSTS: Final = TradeCosts()


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Trades to try, as arrays of equal length.

    `direction` is +1 (BUY) or -1 (SELL); reference, stop and targets are int64 ticks on the source's side; `confirmed_at` is
    the close of the confirming bar (UTC `datetime64[us]`); `hold_minutes` counts market-open time. Raises DataError unless
    stop, reference, first and second target follow one another in the direction.
    """

    direction: Integers
    reference: Integers
    stop: Integers
    target_one: Integers
    target_two: Integers
    confirmed_at: Instants
    hold_minutes: Integers

    def __post_init__(self) -> None:
        for name in self.__slots__:
            kind = "datetime64[us]" if name == "confirmed_at" else "int64"
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=kind))
        rising = [self.direction * level for level in (self.stop, self.reference, self.target_one, self.target_two)]
        sound = (np.abs(self.direction) == 1) & (rising[0] < rising[1]) & (rising[1] < rising[2]) & (rising[2] <= rising[3])
        if not np.all(sound):
            first = int(np.flatnonzero(~sound)[0])
            raise DataError(
                f"expected stop, reference, TP1 and TP2 in this order along the direction, was candidate {first}: "
                f"{[int(getattr(self, name)[first]) for name in ('direction', 'stop', 'reference', 'target_one', 'target_two')]}",
                done="no trade was resolved",
                fix="correct the strategy that made it",
            )

    def __len__(self) -> int:
        return len(self.direction)

    @classmethod
    def of_setups(cls, setups: pd.DataFrame) -> Candidates:
        """Setups or signals as candidates, in their order; each timeframe has its own hold.

        `setups`: direction (BUY or SELL), timeframe, confirmed_at, and in ticks reference, stop, take_profit_1 and
        take_profit_2. Raises DataError for a timeframe without a hold.
        """
        hold = setups["timeframe"].map({timeframe.value: minutes for timeframe, minutes in HOLD_MINUTES.items()})
        if hold.isna().any():
            names = sorted(set(setups.loc[hold.isna(), "timeframe"]))
            raise DataError(f"no hold is declared for trades of {names}", done="no trade was resolved", fix="use M15, H1 or H4")
        return cls(
            direction=np.where(setups["direction"] == Direction.BUY.value, 1, -1),
            reference=setups["reference"].to_numpy(),
            stop=setups["stop"].to_numpy(),
            target_one=setups["take_profit_1"].to_numpy(),
            target_two=setups["take_profit_2"].to_numpy(),
            confirmed_at=instants_of(setups["confirmed_at"]),
            hold_minutes=np.asarray(hold, dtype=np.int64),
        )


def entry_bars(candidates: Candidates, bars: BaseBars, *, grace: timedelta = GRACE) -> Integers:
    """The position of the bar at whose open each candidate is filled, -1 where that bar has not closed yet."""
    waited = int(grace / timedelta(microseconds=1))
    entries: Integers = kernel.find_entries(_micros(bars.opens), bars.minutes, _micros(candidates.confirmed_at), waited)
    return entries


def deadlines(candidates: Candidates, entries: Integers, bars: BaseBars, *, calendar: TradingCalendar) -> Instants:
    """When each trade expires (UTC `datetime64[us]`): its hold of market-open time after the entry open; NaT without one."""
    due = np.full(len(candidates), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    for minutes in np.unique(candidates.hold_minutes).tolist():
        chosen = (candidates.hold_minutes == minutes) & (entries >= 0)
        due[chosen] = calendar.add_open_time(bars.opens[entries[chosen]], minutes=minutes)
    return due


def resolve(
    candidates: Candidates,
    bars: BaseBars,
    *,
    calendar: TradingCalendar,
    costs: TradeCosts = DEFAULT_COSTS,
    grace: timedelta = GRACE,
) -> Trades:
    """One trade for each candidate, in their order: filled, missed, or still open where the bars do not tell.

    A missed trade carries what it would have made from its reference; that is reported and never scored.
    """
    entries = entry_bars(candidates, bars, grace=grace)
    trades = resolve_entries(candidates, entries, bars, calendar=calendar, costs=costs)
    entered = entries >= 0
    trades["coarse_entry"][entered] = bars.minutes[entries[entered]] > kernel.COARSE_MINUTES
    trades["resolution_minutes"] = _resolution(trades, bars)
    return trades


def resolve_entries(
    candidates: Candidates, entries: Integers, bars: BaseBars, *, calendar: TradingCalendar, costs: TradeCosts
) -> Trades:
    """One trade for each candidate, entered at the open of the given bar (-1: not yet); what an entry took is not told."""
    due = deadlines(candidates, entries, bars, calendar=calendar)
    trades = np.zeros(len(candidates), dtype=TRADE_DTYPE)
    levels = (candidates.reference, candidates.stop, candidates.target_one, candidates.target_two)
    kernel.resolve_trades(
        _bar_arrays(bars),
        CandidateArrays(candidates.direction, *levels, entries, _micros(due)),
        Terms(
            int(bars.known_until.astype("datetime64[us]").astype(np.int64)),
            costs.slippage_ticks,
            costs.swap_long_basis_points,
            costs.swap_short_basis_points,
        ),
        trades,
    )
    return trades


def trades_frame(trades: Trades, bars: BaseBars) -> pd.DataFrame:
    """Trades as a frame: instants in UTC, prices, costs and excursions in USD/oz, results in R; what is undefined is missing.

    R is the distance from the fill to the stop. Gross, cost, net, worst and best of a missed trade are missing, its
    `counterfactual_r` is not. `bars_held` counts from the entry bar to the last exit bar, both included.
    """
    entered, final = trades["entry_bar"] >= 0, trades["resolved_at"] != kernel.NOT_YET
    missed = trades["result"] == Result.MISSED
    scored = final & ~missed
    frame = pd.DataFrame({"result": _names(Result, trades["result"]), "missed_because": _names(Miss, trades["miss"])})
    frame["entry_at"] = _instants(bars.opens, trades["entry_bar"], entered)
    frame["deadline"] = pd.to_datetime(trades["deadline"].astype("datetime64[us]"), utc=True)
    frame["resolved_at"] = pd.to_datetime(trades["resolved_at"].astype("datetime64[us]"), utc=True)
    for name in ("quote", "entry_fill", "risk", "favourable", "adverse"):
        frame[name] = np.where(entered, trades[name] / TICKS_PER_USD, np.nan)
    for leg in ("first", "second"):
        left = trades[f"{leg}_exit"] != Exit.NONE
        frame[f"{leg}_exit"] = _names(Exit, trades[f"{leg}_exit"])
        frame[f"{leg}_exit_at"] = _instants(bars.closes, trades[f"{leg}_bar"], left)
        frame[f"{leg}_fill"] = np.where(left, trades[f"{leg}_fill"] / TICKS_PER_USD, np.nan)
    for name in ("gross", "swap", "cost", "net", "worst", "best"):
        frame[name] = np.where(scored, trades[name] / UNITS_PER_USD, np.nan)
    for name in ("gross", "cost", "net", "worst", "best"):
        frame[f"{name}_r"] = np.where(scored, in_r(trades, name), np.nan)
    frame["counterfactual_r"] = np.where(final & missed, in_r(trades, "net"), np.nan)
    frame["bars_held"] = pd.array(trades["second_bar"] - trades["entry_bar"] + 1, dtype="Int64")
    frame.loc[~final, "bars_held"] = pd.NA
    for name in ("resolution_minutes", "coarse_entry", "ambiguous"):
        frame[name] = trades[name]
    return frame


def in_r(trades: Trades, name: str) -> npt.NDArray[np.float64]:
    """A column of units (`gross`, `cost`, `net`, `worst`, `best`) over the risk from fill to stop; NaN where none is filled."""
    risk = trades["risk"].astype(np.float64)
    return np.asarray(np.divide(trades[name], risk * UNITS_PER_TICK, out=np.full(len(trades), np.nan), where=risk > 0))


def _resolution(trades: Trades, bars: BaseBars) -> Integers:
    """The longest base bar each trade was walked through, in minutes; 0 before an entry."""
    entered = np.flatnonzero(trades["entry_bar"] >= 0)
    longest = np.zeros(len(trades), dtype=np.int64)
    if not len(entered):
        return longest
    if np.all(bars.minutes == bars.minutes[0]):
        longest[entered] = bars.minutes[0]
        return longest
    last = np.where(trades["second_bar"] >= 0, trades["second_bar"], len(bars) - 1)[entered]
    first = trades["entry_bar"][entered]
    # An end at len(bars) needs one element more; a zero never is the longest.
    minutes = np.append(bars.minutes, 0)
    longest[entered] = np.maximum.reduceat(minutes, np.column_stack([first, last + 1]).ravel())[::2]
    return longest


def _bar_arrays(bars: BaseBars) -> BarArrays:
    names = ("open", "high", "low", "close", "bid_below", "ask_above", "rolls")
    return BarArrays(_micros(bars.opens), _micros(bars.closes), *(getattr(bars, name) for name in names))


def _micros(instants: Instants) -> Integers:
    return np.ascontiguousarray(instants, dtype="datetime64[us]").view(np.int64)


def _names(kind: type[Result | Miss | Exit], codes: npt.NDArray[np.int8]) -> npt.NDArray[np.object_]:
    """Lower-case names of codes; what is NONE has no name."""
    names = np.array(["" if member.name == "NONE" else member.name.lower() for member in kind], dtype=object)
    return np.asarray(names[codes])


def _instants(instants: Instants, bars: Integers, known: npt.NDArray[np.bool_]) -> pd.Series:
    chosen = np.full(len(bars), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    chosen[known] = instants[bars[known]]
    return pd.Series(pd.to_datetime(chosen, utc=True))
