"""Is it gold, and in dollars? The level of prices against what gold cost in that year.

Files from MetaTrader may hold points (172497 for 1724.97) instead of dollars. The evidence asked for is both: all prices
are whole numbers, and one power of ten brings them to gold's level of their year.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from goldsignal_pipeline.providers.files.errors import FileFormatError

# Middle of each year's range in USD/oz, rounded; 1999-2002 as 2003, later years as the last known.
_LEVELS: Final = {
    2003: 370, 2004: 410, 2005: 470, 2006: 610, 2007: 700, 2008: 860, 2009: 990, 2010: 1230, 2011: 1580, 2012: 1660,
    2013: 1420, 2014: 1270, 2015: 1180, 2016: 1220, 2017: 1260, 2018: 1270, 2019: 1400, 2020: 1760, 2021: 1810, 2022: 1830,
    2023: 1970, 2024: 2380, 2025: 3500, 2026: 4600,
}  # fmt: skip
# Generous for dollars, for a year's range and made-up data; points need the level proper, and no two scales can fit it.
_DOLLAR_TOLERANCE: Final = 6.0
_POINT_TOLERANCE: Final = 3.0
_POINT_SCALES: Final = (100, 1_000, 10_000, 100_000)
_CURRENCIES: Final = "EUR|GBP|AUD|NZD|USD|CAD|CHF|JPY|CNH|SGD|HKD|SEK|NOK|TRY|ZAR|MXN|XAG|XAU|XPT|XPD|BTC|ETH"
_PAIR: Final = re.compile(rf"(?<![A-Z])({_CURRENCIES})[_/-]?({_CURRENCIES})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Level:
    """The median close of some rows of one year, and how many rows it stands for."""

    year: int
    median: float
    rows: int


def refuse_other_instrument(name: str, *, where: str) -> None:
    """Raise FileFormatError when `name` names a currency pair other than gold in US dollars."""
    pairs = [(match[1] + match[2]).upper() for match in _PAIR.finditer(name)]
    if pairs and "XAUUSD" not in pairs:
        raise FileFormatError(
            f"{where} names {pairs[0]}, not gold in US dollars (XAUUSD)",
            done="nothing was read",
            fix="give a file of XAUUSD; rename it if only the name is wrong",
        )


def decide_points(levels: list[Level], *, all_whole: bool) -> int | None:
    """None when prices are dollars, else how many points make a dollar; raises FileFormatError when neither fits."""
    votes: Counter[int | None] = Counter()
    for level in levels:
        votes[_scale(level)] += level.rows
    scale, _ = votes.most_common(1)[0]
    if scale == 1:
        return None
    if scale is not None and all_whole:
        return scale
    widest = max(levels, key=lambda level: level.rows)
    raise FileFormatError(
        f"prices lie around {widest.median:g} in {widest.year}, gold cost about {_reference(widest.year)} USD/oz",
        done="nothing was read",
        fix="give a file of XAUUSD in US dollars an ounce (futures and other currencies are not converted)",
    )


def _scale(level: Level) -> int | None:
    if not level.median > 0:
        return None
    ratio = level.median / _reference(level.year)
    if 1 / _DOLLAR_TOLERANCE < ratio < _DOLLAR_TOLERANCE:
        return 1
    return next((scale for scale in _POINT_SCALES if abs(math.log(ratio / scale)) < math.log(_POINT_TOLERANCE)), None)


def _reference(year: int) -> int:
    return _LEVELS[min(max(year, min(_LEVELS)), max(_LEVELS))]
