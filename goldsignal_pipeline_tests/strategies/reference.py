"""The four strategies once more, slowly and obviously: plain Python over lists, written from the rules and from nothing else.

Shares no code with the strategies. A bar is a tuple of prices in ticks; both directions are spelled out through `Side`. Only
what is a trade is returned: what the rules call a setup, before the limits of planned R, and how each was refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple


class Bar(NamedTuple):
    open: int
    high: int
    low: int
    close: int


class Found(NamedTuple):
    bar: int
    stop: int
    take_profit_1: int
    take_profit_2: int
    points: int
    refused: bool


@dataclass(frozen=True)
class Side:
    """BUY or SELL, in words: ahead is where the trade gains."""

    buy: bool

    def gain(self, frm: float, to: float) -> float:
        return to - frm if self.buy else frm - to

    def behind(self, bar: Bar) -> int:
        return bar.low if self.buy else bar.high

    def ahead(self, bar: Bar) -> int:
        return bar.high if self.buy else bar.low

    def farthest_behind(self, bars: list[Bar]) -> int:
        return min(bar.low for bar in bars) if self.buy else max(bar.high for bar in bars)

    def farthest_ahead(self, bars: list[Bar]) -> int:
        return max(bar.high for bar in bars) if self.buy else min(bar.low for bar in bars)

    def moved(self, price: float, by: float) -> float:
        return price + by if self.buy else price - by


def ema(values: list[float], period: int) -> list[float]:
    result = [math.nan] * len(values)
    for i in range(period - 1, len(values)):
        if i == period - 1:
            result[i] = sum(values[:period]) / period
        else:
            result[i] = result[i - 1] + (values[i] - result[i - 1]) * 2 / (period + 1)
    return result


def atr(bars: list[Bar], period: int = 14) -> list[float]:
    ranges = [math.nan] + [
        max(bar.high - bar.low, abs(bar.high - before.close), abs(bar.low - before.close)) for before, bar in pairwise(bars)
    ]
    result = [math.nan] * len(bars)
    for i in range(period, len(bars)):
        result[i] = sum(ranges[1 : period + 1]) / period if i == period else (result[i - 1] * (period - 1) + ranges[i]) / period
    return result


def band_width(closes: list[int], period: int = 20) -> list[float]:
    result = [math.nan] * len(closes)
    for i in range(period - 1, len(closes)):
        window = closes[i - period + 1 : i + 1]
        mean = sum(window) / period
        result[i] = 4 * math.sqrt(sum((value - mean) ** 2 for value in window) / period)
    return result


def is_swing(bars: list[Bar], s: int, known: int, side: Side, *, behind: bool, order: int = 5) -> bool:
    """Whether bar s is a swing that somebody at the close of bar `known` can know."""
    if s - order < 0 or s + order > known:
        return False
    edge = side.behind if behind else side.ahead
    others = [edge(bars[k]) for k in range(s - order, s + order + 1) if k != s]
    lowest = side.buy == behind
    return all(edge(bars[s]) < other for other in others) if lowest else all(edge(bars[s]) > other for other in others)


def _finish(bars, ranges, side, i, *, raw_stop, tp1_r, tp2_r, points, target=None) -> Found:
    reference = bars[i].close
    stop = math.floor(raw_stop) if side.buy else math.ceil(raw_stop)
    risk = side.gain(stop, reference)
    outward = math.ceil if side.buy else math.floor
    tp1 = outward(side.moved(reference, tp1_r * risk))
    tp2 = outward(side.moved(reference, tp2_r * risk))
    if target is not None:
        tp2 = target(tp1, risk) or tp2
    return Found(i, stop, tp1, tp2, points, not (ranges[i] <= risk <= 5 * ranges[i] and risk > 0))


def liquidity_sweep(bars: list[Bar], side: Side, overlap: list[bool]) -> list[Found]:
    ranges = atr(bars)
    best: dict[int, tuple[int, list[int]]] = {}
    for i in range(len(bars)):
        swept = [
            side.behind(bars[s])
            for s in range(max(i - 50, 0), i - 4)
            if is_swing(bars, s, i, side, behind=True) and side.gain(side.behind(bars[s]), side.behind(bars[i])) < 0
        ]
        if not swept or not all(side.gain(level, bars[i].close) > 0 for level in swept):
            continue
        for j in range(i + 1, min(i + 4, len(bars))):
            if any(side.gain(side.behind(bars[i]), side.behind(bar)) < 0 for bar in bars[i + 1 : j + 1]):
                break
            if side.gain(side.ahead(bars[i]), bars[j].close) > 0:
                if j not in best or side.gain(side.behind(bars[best[j][0]]), side.behind(bars[i])) < 0:
                    best[j] = (i, swept)
                break
    found = []
    for j, (i, swept) in sorted(best.items()):
        extreme, bar = side.behind(bars[i]), bars[j]
        lowest_swept = min(swept) if side.buy else max(swept)
        points = 10 * (side.gain(extreme, lowest_swept) > ranges[j]) + 10 * (len(swept) >= 2) + 5 * overlap[i]
        if bar.high > bar.low:
            points += 5 * (side.gain(side.behind(bar), bar.close) / (bar.high - bar.low) >= 0.7)
        found.append(
            _finish(bars, ranges, side, j, raw_stop=side.moved(extreme, -0.5 * ranges[j]), tp1_r=1.5, tp2_r=3, points=points)
        )
    return [setup for setup in found if not math.isnan(ranges[setup.bar])]


def trend_continuation(bars: list[Bar], side: Side, overlap: list[bool]) -> list[Found]:
    ranges, closes = atr(bars), [bar.close for bar in bars]
    fast, slow = ema(closes, 50), ema(closes, 200)
    found = []
    for j in range(205, len(bars)):
        p = j - 1
        if side.gain(slow[j], fast[j]) < 0.5 * ranges[j]:
            continue
        extended = [k for k in range(p - 8, p) if side.gain(fast[k], closes[k]) > 1.5 * ranges[j]]
        if not extended or abs(closes[p] - fast[p]) > ranges[p] or side.gain(side.ahead(bars[p]), closes[j]) <= 0:
            continue
        extreme = side.farthest_behind(bars[extended[-1] : j + 1])
        points = 5 * (side.gain(slow[j], fast[j]) > side.gain(slow[j - 5], fast[j - 5]))
        points += 5 * (abs(closes[p] - fast[p]) <= 0.5 * ranges[p]) + 5 * overlap[j]

        def swing_beyond(tp1: int, risk: float, j: int = j) -> int | None:
            levels = [side.ahead(bars[s]) for s in range(j - 200, j - 4) if is_swing(bars, s, j, side, behind=False)]
            within = [
                level for level in levels if side.gain(tp1, level) >= 0.25 * risk and side.gain(closes[j], level) <= 5 * risk
            ]
            return min(within, key=lambda level: side.gain(closes[j], level), default=None)

        found.append(
            _finish(
                bars,
                ranges,
                side,
                j,
                raw_stop=side.moved(extreme, -0.5 * ranges[j]),
                tp1_r=2,
                tp2_r=3,
                points=points,
                target=swing_beyond,
            )
        )
    return found


def breakout_expansion(bars: list[Bar], side: Side, overlap: list[bool], london_open: list[bool]) -> list[Found]:
    ranges, widths = atr(bars), band_width([bar.close for bar in bars])
    squeezed = [
        not math.isnan(widths[max(k - 119, 0)]) and k >= 119 and sum(w < widths[k] for w in widths[k - 119 : k + 1]) < 0.25 * 120
        for k in range(len(bars))
    ]
    found, used = [], set()
    for i in range(15, len(bars)):
        unit = ranges[i - 1]
        lengths = [
            n
            for n in range(6, min(120, i) + 1)
            if max(bar.high for bar in bars[i - n : i]) - min(bar.low for bar in bars[i - n : i]) <= 2.5 * unit
        ]
        length = max(lengths, default=0)
        if not length:
            while length < i and squeezed[i - 1 - length]:
                length += 1
        if length < 6:
            continue
        box = bars[i - length : i]
        top, bottom = side.farthest_ahead(box), side.farthest_behind(box)
        body = side.gain(bars[i].open, bars[i].close)
        if side.gain(top, bars[i].close) < 0.1 * unit or body < 1.0 * unit or i - length in used:
            continue
        raw_stop = (top + bottom) / 2 if abs(top - bottom) > 2 * unit else bottom
        points = 5 * (length >= 12) + 5 * (body >= 1.5 * ranges[i]) + 5 * london_open[i] + 5 * overlap[i]
        setup = _finish(bars, ranges, side, i, raw_stop=raw_stop, tp1_r=1.5, tp2_r=3, points=points)
        found.append(setup)
        if not setup.refused:
            used.add(i - length)
    return found


def ema_momentum(bars: list[Bar], side: Side, overlap: list[bool]) -> list[Found]:
    ranges, closes = atr(bars), [bar.close for bar in bars]
    fast, middle, slow = ema(closes, 21), ema(closes, 50), ema(closes, 200)
    found, armed = [], False
    for i in range(20, len(bars)):
        if side.gain(fast[i], closes[i]) < 0:
            armed = True
        if i < 205 or not armed:
            continue
        ordered = side.gain(middle[i], fast[i]) > 0 and side.gain(slow[i], middle[i]) > 0
        rising = side.gain(fast[i - 5], fast[i]) > 0 and side.gain(middle[i - 5], middle[i]) > 0
        body, beyond = side.gain(bars[i].open, closes[i]), side.gain(fast[i], closes[i])
        if not (ordered and rising and body >= 0.6 * ranges[i] and beyond > 0):
            continue
        swings = [s for s in range(i - 20, i - 4) if is_swing(bars, s, i, side, behind=True)]
        extreme = side.behind(bars[swings[-1]]) if swings else side.farthest_behind(bars[i - 20 : i + 1])
        points = 5 * (side.gain(middle[i], fast[i]) > ranges[i]) + 5 * (beyond > ranges[i])
        points += 5 * (side.gain(slow[i], middle[i]) > 2 * ranges[i]) + 5 * overlap[i]
        setup = _finish(bars, ranges, side, i, raw_stop=side.moved(extreme, -0.5 * ranges[i]), tp1_r=1.5, tp2_r=3, points=points)
        found.append(setup)
        armed = armed and setup.refused
    return found
