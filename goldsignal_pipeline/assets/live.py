"""Which symbol a run decides live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.market.sources import REAL_SYMBOL, SIMULATED_SYMBOL

if TYPE_CHECKING:
    import dagster as dg

    from goldsignal_pipeline.settings import Settings

KIND_TAG: Final = "goldsignal/kind"


def live_symbol_of(context: dg.AssetExecutionContext, settings: Settings) -> str | None:
    """The symbol of the feed in a run of the live cycle; None in any other."""
    if context.run.tags.get(KIND_TAG) != "live":
        return None
    return SIMULATED_SYMBOL if settings.feed == "simulated" else REAL_SYMBOL
