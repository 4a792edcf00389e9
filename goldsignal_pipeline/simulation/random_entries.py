"""Random entries: what chance would have made in the place of each trade, and how often it does as well as a strategy.

1. `random_entries` draws 1,000 entries for every closed trade, once, seeded from the trade's own key, so that every window that
   holds the trade shares them. An entry is a random minute of market-open time in the UTC month of the confirming close and in
   the session of the confirming bar; the base bar that holds it is entered at its open, in the direction of the trade.
2. Stop and targets lie as many ATR14 away as the trade's own, the ATR being that of the last bar of the trade's timeframe closed
   by then, counted from an origin 21 days before the month. The kernel trades them at the same costs.
3. `p_values` compares the expectancy of any window with those of its 1,000 draws: (1 + draws at least as good) / (1 + draws).

What is drawn follows from key and calendar alone, never from candles, and a draw counts from its deadline on, however early it
ended: whether it counts has nothing to do with how it went. Only minutes whose hold ends before the month's last day are drawn,
so that the p-values of that day and of all later ones have every draw, and none of them reads a bar of its future (I5). As of
an earlier day of the month the draws that are not due yet are left out. A minute without a base bar is a draw that is missing.

Month and direction are matched, and the direction that a strategy took tells what its month was like before it could be known:
where nothing can be known, p is too high for a trend follower and a little too low for a strategy that fades moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import bars_of, instants_of
from goldsignal_pipeline.market.hours import Days, TradingCalendar
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants, to_datetime
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.costs import TradeCosts
from goldsignal_pipeline.simulation.kernel import NOT_YET
from goldsignal_pipeline.simulation.records import Integers
from goldsignal_pipeline.simulation.rolling import RESULT_WINDOWS_DAYS
from goldsignal_pipeline.simulation.scored_trades import KEY_COLUMNS, TRADE_KEY, TRADE_ORDER, check_scored_trades, to_micro_r
from goldsignal_pipeline.simulation.seeding import uniform
from goldsignal_pipeline.simulation.trades import DEFAULT_COSTS, HOLD_MINUTES, Candidates, in_r, resolve_entries
from goldsignal_pipeline.strategies import indicators
from goldsignal_pipeline.strategies.context import last_known, sessions_of
from goldsignal_pipeline.strategies.directed import sign_of

Floats = npt.NDArray[np.float64]

RANDOM_ENTRIES: Final = 1_000
MISSING: Final = np.iinfo(np.int64).min
"""In the place of a result: no base bar holds the drawn minute, no ATR is known there, or the record ends before its deadline."""

P_VALUE_COLUMNS: Final = ("day", *KEY_COLUMNS, "window_days", "p_value")
_ATR_WARM_UP: Final = np.timedelta64(21, "D")
_DAY: Final = np.timedelta64(1, "D")
_MONTH: Final = np.timedelta64(1, "M")
_NONE: Final = np.zeros(0, dtype=np.intp)
_LEVELS: Final = ("stop", "take_profit_1", "take_profit_2")


@dataclass(frozen=True, slots=True, eq=False)
class RandomEntries:
    """Closed trades in the order of `TRADE_ORDER` (`SCORED_TRADE_COLUMNS`), and their random entries, a row per trade.

    `micro_r` is the net result of each draw in int64 micro-R or `MISSING`; `due` the UTC day of its deadline in int32 days since
    1970: as of a later day the draw counts.
    """

    trades: pd.DataFrame
    micro_r: Integers
    due: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """The minutes of a month at which trades of a timeframe may be entered, and the positions of those of each session.

    `bar` is -1 where no base bar holds the minute.
    """

    of_session: dict[str, npt.NDArray[np.intp]]
    due: npt.NDArray[np.int32]
    bar: Integers
    atr: Floats


def random_entries(
    trades: pd.DataFrame,
    *,
    setups: pd.DataFrame,
    bars: BaseBars,
    candles: Mapping[Timeframe, pd.DataFrame],
    symbol: str,
    calendar: TradingCalendar,
    costs: TradeCosts = DEFAULT_COSTS,
) -> RandomEntries:
    """1,000 random entries for each of `trades` (`SCORED_TRADE_COLUMNS`) that was not missed.

    `setups` (`SETUP_DTYPES`) hold those the trades came from; `bars` and the `candles` of their timeframes (`timestamp`, prices
    in ticks, `volume`) reach from 21 days before the first month to the end of the last. Raises DataError for a trade without
    its setup.
    """
    check_scored_trades(trades)
    closed = trades[~trades["is_missed"].astype(bool)].sort_values(TRADE_ORDER, ignore_index=True)
    made = _with_setups(closed, setups=setups)
    micro_r = np.full((len(made), RANDOM_ENTRIES), MISSING, dtype=np.int64)
    due = np.zeros((len(made), RANDOM_ENTRIES), dtype=np.int32)
    for (month, name), rows in made.groupby(["month", "timeframe"]):
        timeframe = Timeframe(str(name))
        pool = _pool(np.datetime64(str(month), "M"), timeframe, bars=bars, candles=candles[timeframe], calendar=calendar)
        for position, row in zip(rows.index.to_numpy(), rows.itertuples(), strict=True):
            minutes = pool.of_session.get(str(row.session), _NONE)
            if len(minutes):
                drawn = minutes[uniform(f"{symbol}/{row.key}", size=RANDOM_ENTRIES, below=len(minutes))]
                due[position] = pool.due[drawn]
                micro_r[position] = _results(row, drawn, pool, bars=bars, calendar=calendar, costs=costs)
    return RandomEntries(closed, micro_r, due)


def p_values(entries: RandomEntries, *, days: Days, windows_days: tuple[int, ...] = RESULT_WINDOWS_DAYS) -> pd.DataFrame:
    """(1 + draws at least as good) / (1 + draws) as of 00:00 UTC of each of `days`, for every strategy, timeframe and window.

    A draw is the mean over the window's trades of what their draws of one number made; missing ones are left out, and a draw
    of which nothing is left is none. NaN where there are no trades or no draws. Rows are sorted like rolling metrics.
    """
    parts = []
    for key, rows in entries.trades.groupby(list(KEY_COLUMNS), sort=True):
        comparison = _Comparison.of(entries, rows=rows.index.to_numpy())
        part = pd.DataFrame({"day": np.repeat(days, len(windows_days)), "window_days": np.tile(windows_days, len(days))})
        values = [comparison.p_value(day, width) for day, width in zip(part["day"].to_numpy(), part["window_days"], strict=True)]
        parts.append(part.assign(strategy=str(key[0]), timeframe=str(key[1]), p_value=values))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(P_VALUE_COLUMNS))
    return found[list(P_VALUE_COLUMNS)].astype({"p_value": "float64"})


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """The trades of one strategy and timeframe, with sums over trades [0, i) of results, draws and numbers of draws."""

    resolved_at: Instants
    net: Integers
    drawn: Integers
    counts: Integers
    micro_r: Integers
    due: npt.NDArray[np.int32]
    last_due: npt.NDArray[np.int32]

    @classmethod
    def of(cls, entries: RandomEntries, *, rows: npt.NDArray[np.intp]) -> Self:
        trades = entries.trades.iloc[rows]
        micro_r, due = entries.micro_r[rows], entries.due[rows]
        is_known = micro_r != MISSING
        return cls(
            resolved_at=instants_of(trades["resolved_at"]),
            net=_cumulated(to_micro_r(trades["net_r"].to_numpy(dtype=np.float64))),
            drawn=_cumulated(np.where(is_known, micro_r, 0)),
            counts=_cumulated(is_known),
            micro_r=micro_r,
            due=due,
            last_due=due.max(axis=1),
        )

    def p_value(self, day: np.datetime64, window_days: int) -> float:
        """Of the window of `window_days` that ends at 00:00 UTC of `day`."""
        ends = day.astype("datetime64[D]")
        first, stop = np.searchsorted(self.resolved_at, np.array([ends - window_days * _DAY, ends], dtype="datetime64[us]"))
        sums, counts = self.drawn[stop] - self.drawn[first], self.counts[stop] - self.counts[first]
        late = first + np.flatnonzero(self.last_due[first:stop] >= ends.astype(np.int64))
        if len(late):
            not_due = (self.due[late] >= ends.astype(np.int64)) & (self.micro_r[late] != MISSING)
            sums, counts = sums - np.where(not_due, self.micro_r[late], 0).sum(axis=0), counts - not_due.sum(axis=0)
        number = int(np.count_nonzero(counts))
        if number == 0:
            return float("nan")
        # Means compared as whole numbers: sum / count >= total / trades.
        at_least = (sums * (stop - first) >= (self.net[stop] - self.net[first]) * counts) & (counts > 0)
        return (1 + int(np.count_nonzero(at_least))) / (1 + number)


def _with_setups(closed: pd.DataFrame, *, setups: pd.DataFrame) -> pd.DataFrame:
    """The setup of each trade in the order of the trades, the month in which it confirmed, and its key as text."""
    key = list(TRADE_KEY)
    made = closed[key].merge(setups[[*key, "confirmed_at", "session", "atr", "reference", *_LEVELS]], on=key, how="left")
    if made["confirmed_at"].isna().any():
        raise DataError("a trade lacks the setup it came from", done="no entry was drawn", fix="pass the setups of every trade")
    named = (
        made["strategy"] + "/" + made["timeframe"] + "/" + made["direction"] + made["timestamp"].dt.strftime("/%Y-%m-%dT%H:%M")
    )
    return made.assign(month=instants_of(made["confirmed_at"]).astype("datetime64[M]").astype(str), key=named)


def _pool(
    month: np.datetime64, timeframe: Timeframe, *, bars: BaseBars, candles: pd.DataFrame, calendar: TradingCalendar
) -> _Pool:
    start, last_day = month.astype("datetime64[us]"), ((month + _MONTH).astype("datetime64[D]") - _DAY).astype("datetime64[us]")
    minutes = calendar.expected_opens(timeframe=Timeframe.M1, start=to_datetime(start), end=to_datetime(last_day))
    deadlines = calendar.add_open_time(minutes, minutes=HOLD_MINUTES[timeframe])
    minutes, deadlines = minutes[deadlines < last_day], deadlines[deadlines < last_day]
    bar = np.searchsorted(bars.opens, minutes, side="right") - 1
    holds = bar >= 0
    holds[holds] = minutes[holds] < bars.closes[bar[holds]]
    label = sessions_of(minutes).label
    return _Pool(
        of_session={name: np.flatnonzero(label == name) for name in set(label.tolist())},
        due=deadlines.astype("datetime64[D]").astype(np.int32),
        bar=np.where(holds, bar, -1),
        atr=_atr_by(np.where(holds, bars.opens[bar], start), timeframe, candles=candles, start=start),
    )


def _atr_by(instants: Instants, timeframe: Timeframe, *, candles: pd.DataFrame, start: np.datetime64) -> Floats:
    """ATR14 of the last candle closed by each instant, from the origin of the month that begins at `start`."""
    record = bars_of(candles)
    record = record.take((record.opens >= start - _ATR_WARM_UP) & (record.opens < start + np.timedelta64(31, "D")))
    atr = indicators.atr(*(getattr(record, name).astype(np.float64) for name in ("high", "low", "close")))
    return last_known(atr, known_at=bar_close(record.opens, timeframe=timeframe), at=instants)


def _results(
    row: Any, drawn: npt.NDArray[np.intp], pool: _Pool, *, bars: BaseBars, calendar: TradingCalendar, costs: TradeCosts
) -> Integers:
    """Net micro-R of one trade entered at each of the `drawn` minutes instead."""
    results = np.full(len(drawn), MISSING, dtype=np.int64)
    usable = np.flatnonzero((pool.bar[drawn] >= 0) & ~np.isnan(pool.atr[drawn]))
    bar, atr = pool.bar[drawn[usable]], pool.atr[drawn[usable]]
    direction = np.full(len(bar), sign_of(Direction(row.direction)))
    # Every level is rounded away from the reference, whatever the direction.
    distances = (np.ceil(abs(getattr(row, name) - row.reference) / row.atr * atr).astype(np.int64) for name in _LEVELS)
    stop, target_one, target_two = (direction * distance for distance in distances)
    candidates = Candidates(
        direction=direction,
        reference=bars.open[bar],
        stop=bars.open[bar] - stop,
        target_one=bars.open[bar] + target_one,
        target_two=bars.open[bar] + target_two,
        confirmed_at=bars.opens[bar],
        hold_minutes=np.full(len(bar), HOLD_MINUTES[Timeframe(row.timeframe)]),
    )
    trades = resolve_entries(candidates, bar, bars, calendar=calendar, costs=costs)
    closed = trades["resolved_at"] != NOT_YET
    results[usable[closed]] = to_micro_r(in_r(trades[closed], "net"))
    return results


def _cumulated(values: npt.NDArray[Any]) -> Integers:
    """Sums of the first 0, 1, 2 ... rows."""
    return np.concatenate([np.zeros((1, *values.shape[1:]), dtype=np.int64), np.cumsum(values, axis=0, dtype=np.int64)])
