"""Where an observation comes from: a vendor and the side of the quote it reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

REAL_SYMBOL: Final = "XAUUSD"
SIMULATED_SYMBOL: Final = "XAUUSD-SIM"


class Side(StrEnum):
    """Which quote a candle is made of."""

    BID = "bid"
    ASK = "ask"
    MID = "mid"


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One record of the market: separate bid and ask files of one vendor are two sources."""

    vendor: str
    side: Side

    def __str__(self) -> str:
        return f"{self.vendor}:{self.side}"

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read `vendor:side`; raises ValueError for anything else."""
        vendor, separator, side = text.rpartition(":")
        if not separator or not vendor:
            raise ValueError(f"expected a source as 'vendor:side', was {text!r}")
        return cls(vendor=vendor, side=Side(side))
