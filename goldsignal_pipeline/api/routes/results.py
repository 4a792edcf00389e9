"""`/strategies`, `/backtests` and `/performance`: what strategies are, what they earned in simulation and in signals."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from goldsignal_pipeline.api.answers import answer, page_of
from goldsignal_pipeline.api.asking import Asking, Context
from goldsignal_pipeline.api.parameters import BacktestsAsked, DaysAsked, OfSymbol, PerformanceAsked
from goldsignal_pipeline.api.schemas import Backtests, Performance, Strategies
from goldsignal_pipeline.storage.reading import results as reading

router = APIRouter(tags=["results"])


@router.get("/strategies", response_model=Strategies)
async def strategies(asking: Asking, asked: Annotated[OfSymbol, Query()]) -> Response:
    """Every strategy and timeframe with its parameters, and the newest state of its signals on a market."""
    found = await asking.readers.rows(reading.strategies(symbol=asking.symbol(asked)))
    return answer({"strategies": found})


@router.get("/backtests", response_model=Backtests)
async def backtests(asking: Asking, asked: Annotated[BacktestsAsked, Query()]) -> Response:
    """Simulated results as of 00:00 UTC of each day, newest first; p-values stand beside the number of trials."""
    query = reading.backtests(_wanted(asking, asked, window_days=asked.window_days))
    return await page_of(
        asking.readers, query, name="backtests", order=reading.DAILY_ORDER, cursor=asked.cursor, limit=asked.limit
    )


@router.get("/performance", response_model=Performance)
async def performance(asking: Asking, asked: Annotated[PerformanceAsked, Query()]) -> Response:
    """Results of signals at the end of each day and their state of degradation, newest first."""
    query = reading.performance(_wanted(asking, asked, window_days=asked.window_days))
    return await page_of(
        asking.readers, query, name="performance", order=reading.DAILY_ORDER, cursor=asked.cursor, limit=asked.limit
    )


def _wanted(asking: Context, asked: DaysAsked, *, window_days: int | None) -> reading.WantedDays:
    return reading.WantedDays(
        asking.symbol(asked),
        asked.start,
        asked.end or (asking.now + timedelta(days=1)).date(),
        asked.strategy,
        asked.timeframe.value if asked.timeframe else None,
        window_days,
    )
