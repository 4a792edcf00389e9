"""The user's own account: money in its currency, and levels as the user's own broker quotes them.

What was published never changes; these figures stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

LEVELS: Final = ("reference", "stop", "take_profit_1", "take_profit_2", "invalidation_price")
"""The levels of a signal that are shifted to another broker's quotes."""
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """Currency, the US dollars that one unit of it costs, and what the own broker quotes above the feed in USD/oz."""

    currency: str
    usd_per_unit: Decimal
    level_offset: Decimal

    def level(self, published: Decimal) -> Decimal:
        """A published level as the own broker quotes it."""
        return published + self.level_offset

    def money(self, usd: Decimal) -> Decimal:
        """US dollars in the account's currency, to the cent."""
        return (usd / self.usd_per_unit).quantize(_CENT, rounding=ROUND_HALF_EVEN)
