"""The slow, obvious trade: one candidate, plain Python, Decimal dollars. Shares no code with the kernel.

Bars are a list of `ReferenceBar`; deadlines are counted minute by minute from a list of open minutes; rolls are found by asking
the clock of New York. What it returns has dollars as Decimal and instants as naive UTC datetimes.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

NEW_YORK, LONDON, TOKYO = ZoneInfo("America/New_York"), ZoneInfo("Europe/London"), ZoneInfo("Asia/Tokyo")
QUARTER = Decimal("0.25")
HALF = Decimal("0.5")


@dataclass
class ReferenceBar:
    opens_at: datetime
    closes_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    to_bid: Decimal
    to_ask: Decimal


@dataclass
class ReferenceTrade:
    result: str = "open"
    missed_because: str = ""
    entry_at: datetime | None = None
    deadline: datetime | None = None
    resolved_at: datetime | None = None
    quote: Decimal | None = None
    entry_fill: Decimal | None = None
    risk: Decimal | None = None
    exits: list[tuple[str, datetime, Decimal]] = field(default_factory=list)
    gross: Decimal | None = None
    swap: Decimal | None = None
    net: Decimal | None = None
    worst: Decimal | None = None
    best: Decimal | None = None
    favourable: Decimal = Decimal(0)
    adverse: Decimal = Decimal(0)
    ambiguous: bool = False


def session_spread(opens_at: datetime) -> Decimal:
    """The full spread in dollars by the local clocks of three cities."""
    moment = opens_at.replace(tzinfo=UTC)
    asia = 9 <= moment.astimezone(TOKYO).hour < 18
    london = 8 <= moment.astimezone(LONDON).hour < 17
    new_york = 8 <= moment.astimezone(NEW_YORK).hour < 17
    if london or new_york:
        return Decimal("0.35")
    return Decimal("0.40") if asia else Decimal("1.00")


@cache
def rolls_between(after: datetime, until: datetime) -> int:
    """How many times it became 17:00 in New York in (after, until]."""
    count = 0
    day = (after.replace(tzinfo=UTC).astimezone(NEW_YORK) - timedelta(days=1)).date()
    while True:
        roll = datetime(day.year, day.month, day.day, 17, tzinfo=NEW_YORK).astimezone(UTC).replace(tzinfo=None)
        if roll > until:
            return count
        count += roll > after
        day += timedelta(days=1)


@dataclass
class ReferenceMarket:
    """Bars, the open minutes of the calendar, and how far the record is complete."""

    bars: list[ReferenceBar]
    open_minutes: list[datetime]
    known_until: datetime
    slippage: Decimal = Decimal("0.05")

    def __post_init__(self) -> None:
        self.openings = [bar.opens_at for bar in self.bars]

    def entry(self, confirmed_at: datetime) -> int | None:
        for index in range(bisect_left(self.openings, confirmed_at), len(self.bars)):
            bar = self.bars[index]
            is_coarse = bar.closes_at - bar.opens_at > timedelta(minutes=15)
            if is_coarse or bar.opens_at >= confirmed_at + timedelta(seconds=120):
                return index
        return None

    def deadline(self, start: datetime, minutes: int) -> datetime:
        """The end of the last of the next `minutes` open minutes; `start` is the beginning of an open minute."""
        return self.open_minutes[bisect_left(self.open_minutes, start) + minutes - 1] + timedelta(minutes=1)

    def trade(self, *, buy: bool, reference: Decimal, stop: Decimal, tp1: Decimal, tp2: Decimal,
              confirmed_at: datetime, hold_minutes: int) -> ReferenceTrade:  # fmt: skip
        trade = ReferenceTrade()
        entry = self.entry(confirmed_at)
        if entry is None:
            return trade
        bar = self.bars[entry]
        trade.entry_at, trade.deadline = bar.opens_at, self.deadline(bar.opens_at, hold_minutes)
        quote = bar.open
        if (buy and quote <= stop) or (not buy and quote >= stop):
            trade.missed_because = "beyond_stop"
        elif (buy and quote >= tp1) or (not buy and quote <= tp1):
            trade.missed_because = "beyond_target"
        elif abs(quote - reference) > QUARTER * abs(reference - stop):
            trade.missed_because = "too_far"
        trade.quote = reference if trade.missed_because else quote
        if buy:
            trade.entry_fill = trade.quote + bar.to_ask + self.slippage
        else:
            trade.entry_fill = trade.quote - bar.to_bid - self.slippage
        trade.risk = abs(trade.entry_fill - stop)
        _Position(market=self, trade=trade, buy=buy, stop=stop, tp1=tp1, tp2=tp2, entry=entry).run()
        if trade.missed_because:
            trade.result = "missed"
        return trade


@dataclass
class _Position:
    market: ReferenceMarket
    trade: ReferenceTrade
    buy: bool
    stop: Decimal
    tp1: Decimal
    tp2: Decimal
    entry: int
    open_part: Decimal = Decimal(1)
    paid: Fraction = Fraction(0)
    gross: Decimal = Decimal(0)
    proceeds: Decimal = Decimal(0)
    possible: list[Decimal] = field(default_factory=list)

    # --- what a price means for this side ----------------------------------------------------------------------------------

    def exit_quote(self, price: Decimal, bar: ReferenceBar) -> Decimal:
        return price - bar.to_bid if self.buy else price + bar.to_ask

    def at_or_worse(self, price: Decimal, level: Decimal) -> bool:
        return price <= level if self.buy else price >= level

    def at_or_better(self, price: Decimal, level: Decimal) -> bool:
        return price >= level if self.buy else price <= level

    def slipped(self, price: Decimal) -> Decimal:
        return price - self.market.slippage if self.buy else price + self.market.slippage

    def gain(self, bought_or_sold: Decimal, left: Decimal) -> Decimal:
        return left - bought_or_sold if self.buy else bought_or_sold - left

    # --- bookkeeping -------------------------------------------------------------------------------------------------------

    def leave(self, part: Decimal, how: str, level: Decimal, bar: ReferenceBar) -> None:
        fill = level if how.startswith("target") else self.slipped(level)
        source_price = level + bar.to_bid if self.buy else level - bar.to_ask
        self.gross += part * self.gain(self.trade.quote, source_price)
        self.proceeds += part * self.gain(self.trade.entry_fill, fill)
        self.open_part -= part
        self.trade.exits.extend([(how, bar.closes_at, fill)] * int(part / HALF))

    def swap(self) -> Decimal:
        return Decimal(round(self.paid * 10_000)).scaleb(-4)

    def might_have_made(self, first: Decimal, second: Decimal) -> None:
        halves = HALF * self.gain(self.trade.entry_fill, first) + HALF * self.gain(self.trade.entry_fill, second)
        self.possible.append(halves - self.swap())

    def saw(self, *quotes: Decimal) -> None:
        for quote in quotes:
            self.trade.favourable = max(self.trade.favourable, self.gain(self.trade.entry_fill, quote))
            self.trade.adverse = max(self.trade.adverse, -self.gain(self.trade.entry_fill, quote))

    # --- the walk ----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        bars, trade = self.market.bars, self.trade
        for index in range(self.entry, len(bars)):
            bar = bars[index]
            if index > self.entry:
                before = bars[index - 1]
                if bar.closes_at > trade.deadline:
                    self.expire(before)
                    return
                if self.buy:
                    rolls = rolls_between(before.opens_at, bar.opens_at)
                    self.paid += rolls * Fraction(self.open_part) * Fraction(before.close) * Fraction(5, 100) / 365
            if self.open_part == 1:
                self.whole(bar)
            else:
                self.half(bar)
            if self.open_part == 0:
                self.finish(bar.closes_at)
                return
        if self.market.known_until >= trade.deadline:
            self.expire(bars[-1])

    def quotes(self, bar: ReferenceBar) -> tuple[Decimal, Decimal, Decimal]:
        """Open, best and worst price of the bar, as this position could leave at them."""
        high, low = self.exit_quote(bar.high, bar), self.exit_quote(bar.low, bar)
        best, worst = (high, low) if self.buy else (low, high)
        return self.exit_quote(bar.open, bar), best, worst

    def whole(self, bar: ReferenceBar) -> None:
        opened, best, worst = self.quotes(bar)
        if self.at_or_worse(opened, self.stop):
            self.saw(opened)
            self.leave(Decimal(1), "stop", opened, bar)
        elif self.at_or_better(opened, self.tp2):
            self.saw(self.tp2)
            self.leave(HALF, "target_one", self.tp1, bar)
            self.leave(HALF, "target_two", self.tp2, bar)
        elif self.at_or_better(opened, self.tp1):
            self.first_target(bar)
        elif self.at_or_worse(worst, self.stop):
            self.saw(opened, self.stop)
            self.leave(Decimal(1), "stop", self.stop, bar)
            self.might_have_made(self.slipped(worst), self.slipped(worst))
            if self.at_or_better(best, self.tp1):
                self.trade.ambiguous = True
                self.might_have_made(self.tp1, self.tp2)
        elif self.at_or_better(best, self.tp1):
            self.first_target(bar)
        else:
            self.saw(best, worst)

    def first_target(self, bar: ReferenceBar) -> None:
        opened, best, worst = self.quotes(bar)
        self.leave(HALF, "target_one", self.tp1, bar)
        self.saw(opened, worst)
        if self.at_or_worse(worst, self.trade.quote):
            self.trade.ambiguous = True
            self.might_have_made(self.tp1, self.slipped(worst))
            self.might_have_made(self.tp1, self.slipped(self.trade.quote))
        if self.at_or_better(best, self.tp2):
            self.saw(self.tp2)
            self.leave(HALF, "target_two", self.tp2, bar)
        else:
            self.saw(best)

    def half(self, bar: ReferenceBar) -> None:
        opened, best, worst = self.quotes(bar)
        breakeven = self.trade.quote
        if self.at_or_worse(opened, breakeven):
            self.saw(opened)
            self.leave(HALF, "breakeven", opened, bar)
        elif self.at_or_better(opened, self.tp2):
            self.saw(self.tp2)
            self.leave(HALF, "target_two", self.tp2, bar)
        elif self.at_or_worse(worst, breakeven):
            self.saw(opened, breakeven)
            self.leave(HALF, "breakeven", breakeven, bar)
            self.might_have_made(self.tp1, self.slipped(worst))
            if self.at_or_better(best, self.tp2):
                self.trade.ambiguous = True
                self.might_have_made(self.tp1, self.tp2)
        elif self.at_or_better(best, self.tp2):
            self.saw(opened, worst, self.tp2)
            self.leave(HALF, "target_two", self.tp2, bar)
        else:
            self.saw(best, worst)

    def expire(self, last: ReferenceBar) -> None:
        self.leave(self.open_part, "expiry", self.exit_quote(last.close, last), last)
        self.finish(max(last.closes_at, self.trade.deadline))

    def finish(self, resolved_at: datetime) -> None:
        trade = self.trade
        trade.resolved_at, trade.gross, trade.swap = resolved_at, self.gross, self.swap()
        trade.net = self.proceeds - trade.swap
        trade.worst, trade.best = min([*self.possible, trade.net]), max([*self.possible, trade.net])
        kinds = {how for how, _, _ in trade.exits}
        if "target_two" in kinds:
            trade.result = "tp2_hit"
        elif "target_one" in kinds:
            trade.result = "tp1_hit"
        else:
            trade.result = "sl_hit" if "stop" in kinds else "expired"
