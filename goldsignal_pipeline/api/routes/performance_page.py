"""What the performance page asks: equity and rolling results of every strategy, and the pictures of one choice of trades."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from goldsignal_pipeline.api import pictures
from goldsignal_pipeline.api.answers import answer
from goldsignal_pipeline.api.asking import Asking
from goldsignal_pipeline.api.page_schemas import BreakdownAnswer, PerformanceAnswer
from goldsignal_pipeline.api.parameters import RECORD_BEGINS, Name, OfSymbol
from goldsignal_pipeline.storage.reading import results, signals
from goldsignal_pipeline.storage.reading.queries import rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

TESTED_DAYS: Final = 365
LIVED_DAYS: Final = 90

router = APIRouter(prefix="/page", tags=["pages"])


class BreakdownAsked(OfSymbol):
    """Trades of a strategy, or of all."""

    strategy: Name | None = Field(None, description="Only this strategy.")
    kind: Literal["signals", "backtest"] = Field("backtest", description="Trades of signals, or of all setups as simulated.")


@router.get("/performance", response_model=PerformanceAnswer)
async def performance(asking: Asking, asked: Annotated[OfSymbol, Query()]) -> Response:
    """Equity of signals and of simulated setups, their newest metrics side by side, and the rolling expectancy by day."""
    symbol, end = asking.symbol(asked), asking.now + timedelta(days=1)
    return answer(await asking.readers.in_thread(lambda connection: _performance(connection, symbol, end=end)))


@router.get("/breakdown", response_model=BreakdownAnswer)
async def breakdown(asking: Asking, asked: Annotated[BreakdownAsked, Query()]) -> Response:
    """Weekday by session, time in trade and the fan of all trades of a kind, of one strategy when named."""
    symbol = asking.symbol(asked)
    wanted = signals.Wanted(symbol, RECORD_BEGINS, asking.now + timedelta(days=1), asked.strategy)

    def work(connection: Connection) -> dict[str, Any]:
        trades = rows(connection, signals.trades(wanted, of_signals=asked.kind == "signals"))
        return pictures.breakdown(trades, key=f"fan\n{symbol}\n{asked.strategy or 'all'}\n{asked.kind}")

    return answer(await asking.readers.in_thread(work))


def _performance(connection: Connection, symbol: str, *, end: datetime) -> dict[str, Any]:
    everything, last = signals.Wanted(symbol, RECORD_BEGINS, end), end.date()
    given, tested = (rows(connection, signals.trades(everything, of_signals=real)) for real in (True, False))
    backtests = rows(connection, results.backtests(results.WantedDays(symbol, None, last, window_days=TESTED_DAYS)))
    lived = rows(connection, results.performance(results.WantedDays(symbol, None, last, window_days=LIVED_DAYS)))
    every_day = results.WantedDays(symbol, RECORD_BEGINS.date(), last, window_days=LIVED_DAYS)
    side_by_side = [{**row, "kind": "backtest"} for row in backtests] + [{**row, "kind": "signals"} for row in lived]
    return {
        "signals": pictures.curves(given),
        "backtests": pictures.curves(tested),
        "side_by_side": sorted(side_by_side, key=lambda row: (row["strategy"], row["timeframe"], row["kind"])),
        "rolling": pictures.rolling(rows(connection, results.performance(every_day))),
    }
