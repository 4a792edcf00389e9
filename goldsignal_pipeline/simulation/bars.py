"""Base bars: the finest candles a trade is resolved against, with both quotes and the rolls between them.

Bars of several lengths and sides may follow one another, because the finest record and the best source are chosen for each
trading day; every bar therefore carries its own length and its own distances to bid and ask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import Bars, bars_of
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.sources import Side, Source
from goldsignal_pipeline.market.spread import SpreadHistory, SpreadTable, bid_ask, spread_ticks
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants

Ticks = npt.NDArray[np.int64]

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, eq=False)
class BaseBars:
    """Bars as arrays of equal length: ascending, never overlapping, closed.

    `opens` and `closes` are UTC `datetime64[us]`, `minutes` the nominal lengths, prices and quote distances int64 ticks
    (`bid_below`: price - bid, `ask_above`: ask - price, neither negative). `rolls` counts the 17:00 New York rolls in
    (open of the bar before, open of this one]. `known_until` is the instant up to which the record is complete.
    """

    opens: Instants
    closes: Instants
    minutes: npt.NDArray[np.int64]
    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    bid_below: Ticks
    ask_above: Ticks
    rolls: npt.NDArray[np.int64]
    known_until: np.datetime64

    def __len__(self) -> int:
        return len(self.opens)

    @classmethod
    def of(
        cls,
        bars: Bars,
        *,
        timeframe: Timeframe,
        side: Side,
        spreads: SpreadTable | SpreadHistory | Ticks,
        known_until: np.datetime64 | None = None,
    ) -> BaseBars:
        """Bars of one timeframe and one side.

        `spreads` is a table by session, tables by the instant from which they hold, or one full spread (ticks) per bar.
        `known_until` defaults to the last close and is never earlier. Raises DataError for unordered or overlapping bars
        and for a negative spread.
        """
        opens = np.asarray(bars.opens).astype("datetime64[us]")
        full = _full_spreads(opens, spreads)
        bid, ask = bid_ask(np.zeros(len(opens), dtype=np.int64), spreads=full, side=side)
        closes = bar_close(opens, timeframe=timeframe)
        made = cls(
            opens=opens,
            closes=closes,
            minutes=np.full(len(opens), timeframe.minutes, dtype=np.int64),
            open=_ticks(bars.open),
            high=_ticks(bars.high),
            low=_ticks(bars.low),
            close=_ticks(bars.close),
            bid_below=_ticks(-bid),
            ask_above=_ticks(ask),
            rolls=_rolls_before(opens),
            known_until=_horizon(closes, known_until),
        )
        made._refuse_disorder()
        return made

    @classmethod
    def of_candles(
        cls,
        candles: pd.DataFrame,
        *,
        spreads: SpreadTable | SpreadHistory | dict[str, SpreadTable],
        known_until: np.datetime64 | None = None,
    ) -> BaseBars:
        """The base rows of a frame of candles (timeframe, base_timeframe, timestamp, prices in ticks, volume, source).

        Rows derived from a finer base are left out; without any base row there are no bars. `spreads` is one table, one
        for each source (`vendor:side`), or tables by the instant from which they hold.
        """
        base = candles[(candles["timeframe"] == candles["base_timeframe"]).to_numpy()].sort_values("timestamp")
        runs = (base[["timeframe", "source"]] != base[["timeframe", "source"]].shift()).any(axis=1).cumsum()
        parts = []
        for _, run in base.groupby(runs.to_numpy(), sort=True):
            name = str(run["source"].iloc[0])
            table = spreads[name] if isinstance(spreads, dict) else spreads
            timeframe, side = Timeframe(run["timeframe"].iloc[0]), Source.parse(name).side
            parts.append(cls.of(bars_of(run), timeframe=timeframe, side=side, spreads=table, known_until=known_until))
        if not parts:
            return cls.of(bars_of(base), timeframe=Timeframe.M5, side=Side.BID, spreads=SpreadTable(), known_until=known_until)
        return cls.joined(parts)

    @classmethod
    def joined(cls, parts: list[BaseBars]) -> BaseBars:
        """Runs of bars of different lengths or sides, in time order, as one; raises DataError where they overlap."""
        names = ("opens", "closes", "minutes", "open", "high", "low", "close", "bid_below", "ask_above")
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        known_until = max(part.known_until for part in parts)
        made = cls(**arrays, rolls=_rolls_before(arrays["opens"]), known_until=known_until)
        made._refuse_disorder()
        return made

    def until(self, instant: np.datetime64) -> BaseBars:
        """What was known at `instant`: the bars closed by then, and nothing after."""
        count = int(np.searchsorted(self.closes, instant, side="right"))
        arrays = {name: getattr(self, name)[:count] for name in self.__slots__ if name != "known_until"}
        return replace(self, **arrays, known_until=min(self.known_until, instant.astype("datetime64[us]")))

    def known(self, instant: np.datetime64) -> BaseBars:
        """The same bars as a record that is complete up to `instant`: what is missing by then did not happen."""
        return replace(self, known_until=_horizon(self.closes, instant))

    def _refuse_disorder(self) -> None:
        overlapping = np.flatnonzero(self.closes[:-1] > self.opens[1:])
        if len(overlapping):
            raise DataError(
                f"expected ascending base bars, but the one of {self.opens[overlapping[0]]} ends after the next begins",
                done="no trade was resolved",
                fix="sort the bars and give each instant one of them",
            )
        if np.any(self.bid_below < 0) or np.any(self.ask_above < 0):
            raise DataError("expected spreads of at least 0", done="no trade was resolved", fix="declare another spread table")


def _full_spreads(opens: Instants, spreads: SpreadTable | SpreadHistory | Ticks) -> Ticks:
    if isinstance(spreads, SpreadHistory):
        return spreads.ticks(opens)
    return spread_ticks(opens, table=spreads) if isinstance(spreads, SpreadTable) else np.asarray(spreads, dtype=np.int64)


def _ticks(prices: Ticks) -> Ticks:
    return np.ascontiguousarray(prices, dtype=np.int64)


def _horizon(closes: Instants, known_until: np.datetime64 | None) -> np.datetime64:
    last: np.datetime64 = closes[-1] if len(closes) else np.datetime64("1970-01-01", "us")
    return last if known_until is None else max(last, known_until.astype("datetime64[us]"))


def _rolls_before(opens: Instants) -> npt.NDArray[np.int64]:
    """How many rolls, one on every calendar day, lie in (open of the bar before, open of this bar]."""
    if not len(opens):
        return np.zeros(0, dtype=np.int64)
    first, last = TradingCalendar.trading_day(opens[[0, -1]])
    rolls = TradingCalendar.trading_day_bounds(np.arange(first, last + _DAY))[0]
    passed = np.searchsorted(rolls, opens, side="right")
    return np.diff(passed, prepend=passed[:1]).astype(np.int64)
