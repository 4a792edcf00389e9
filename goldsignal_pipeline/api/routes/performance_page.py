"""What the performance page asks: equity and rolling results of every strategy, and the pictures of one choice of trades."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from fastapi import APIRouter, Request

from goldsignal_pipeline.api import pictures
from goldsignal_pipeline.assets.partitions import FIRST_MONTH, month_start
from goldsignal_pipeline.storage.reading import results, signals
from goldsignal_pipeline.storage.reading.queries import rows

TESTED_DAYS: Final = 365
LIVED_DAYS: Final = 90

router = APIRouter(prefix="/page", tags=["pages"])


@router.get("/performance")
def performance(request: Request, symbol: str) -> dict[str, Any]:
    """Equity of signals and of simulated setups, their newest metrics side by side, and the rolling expectancy by day."""
    tomorrow = _tomorrow().date()
    with request.app.state.database.transaction(read_only=True) as connection:
        given, tested = (rows(connection, signals.trades(_everything(symbol), of_signals=real)) for real in (True, False))
        backtests = rows(connection, results.backtests(results.WantedDays(symbol, None, tomorrow, window_days=TESTED_DAYS)))
        lived = rows(connection, results.performance(results.WantedDays(symbol, None, tomorrow, window_days=LIVED_DAYS)))
        days = rows(
            connection,
            results.performance(results.WantedDays(symbol, month_start(FIRST_MONTH).date(), tomorrow, window_days=LIVED_DAYS)),
        )
    side_by_side = [{**row, "kind": "backtest"} for row in backtests] + [{**row, "kind": "signals"} for row in lived]
    return {
        "signals": pictures.curves(given),
        "backtests": pictures.curves(tested),
        "side_by_side": sorted(side_by_side, key=lambda row: (row["strategy"], row["timeframe"], row["kind"])),
        "rolling": pictures.rolling(days),
    }


@router.get("/breakdown")
def breakdown(request: Request, symbol: str, kind: Literal["signals", "backtest"], strategy: str | None = None) -> dict[str, Any]:
    """Weekday by session, time in trade and the fan of all trades of a kind, of one strategy when named."""
    with request.app.state.database.transaction(read_only=True) as connection:
        trades = rows(connection, signals.trades(_everything(symbol, strategy), of_signals=kind == "signals"))
    return pictures.breakdown(trades, key=f"fan\n{symbol}\n{strategy or 'all'}\n{kind}")


def _everything(symbol: str, strategy: str | None = None) -> signals.Wanted:
    return signals.Wanted(symbol, month_start(FIRST_MONTH), _tomorrow(), strategy=strategy)


def _tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)
