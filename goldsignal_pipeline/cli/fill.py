"""First data for a new user: the simulated market's last days, or the real market's history within the vendor's budget.

1. Simulated: the months of the last `simulation_days` days are fetched and derived in this process, twelve months a run. A second
   start asks only for what is missing since the first.
2. Real: the plan (months, credits, minutes, silent until) is told, then the months are fetched oldest first. The live cycle runs
   beside it all the while, because the budget is shared in the database and waits are per call. A vendor that fails or a budget
   that is used up does not end `up`: what came is stored, and the cause is told.
3. After a sleep or an outage the bars caught up are told.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from goldsignal_pipeline.assets.partitions import FIRST_MONTH, month_of, months_between, next_month
from goldsignal_pipeline.cli.launch import RunReport, materialize_range

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings

ASSETS = ("raw_candles", "candles")


def fill(settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """Bring the first data and return what was done; raises `ServiceError` with the cause when a run failed."""
    from goldsignal_pipeline.cli.backfill import plan_range, raise_failure
    from goldsignal_pipeline.cli.session import default_symbol, open_database

    now = datetime.now(UTC)
    months = tuple(months_between(first_month(settings, now=now), month_of(now)))
    symbol = default_symbol(settings)
    with open_database(settings) as database:
        plan, source = plan_range(database, settings, months=months, assets=ASSETS, now=now)
        say(_announcement(symbol, source, months, credits_needed=plan.credits, minutes=plan.minutes))
        if plan.credits:
            say(f"Every strategy has the history it needs from {plan.silent_until:%Y-%m-%d} on; silent until then")

        def tell(report: RunReport) -> None:
            outcome = "are there" if report.succeeded else "failed"
            say(f"Candles of {report.first_month} to {report.last_month} {outcome} ({report.seconds:.1f} s)")

        reports = materialize_range(assets=ASSETS, first_month=months[0], last_month=months[-1], progress=tell)
        if settings.feed == "simulated":
            raise_failure(reports)
        for report in reports:
            if not report.succeeded:
                say(
                    f"{'; '.join(report.causes) or 'The run failed.'} What came is stored; `goldsignal backfill` fetches the rest"
                )
        held = _held(database, symbol)
        for sentence in _caught_up(database, since=now):
            say(sentence)
    say(f"{held['candles']:,} candles of {symbol}, newest close {held['newest_close']}")
    complete = all(report.succeeded for report in reports)
    return {"symbol": symbol, "source": source, "first_month": months[0], "last_month": months[-1], "complete": complete, **held}


def first_month(settings: Settings, *, now: datetime) -> str:
    """The first month that `up` fills: simulated days back, or months of real history back."""
    if settings.feed == "simulated":
        return max(month_of(now - timedelta(days=settings.simulation_days)), FIRST_MONTH)
    return max(next_month(month_of(now), steps=-settings.history_months), FIRST_MONTH)


def _announcement(symbol: str, source: str, months: tuple[str, ...], *, credits_needed: int, minutes: int) -> str:
    span = f"{symbol} from {source}, {months[0]} to {months[-1]}"
    if not credits_needed:
        return f"Filling {span}"
    return f"Fetching {span}: {credits_needed} credits, about {minutes} min; the live cycle runs meanwhile"


def _caught_up(database: Any, *, since: datetime) -> list[str]:
    from goldsignal_pipeline.storage import operator_events

    with database.transaction(read_only=True) as connection:
        return [event.message for event in operator_events.read(connection, since=since) if event.kind == "caught_up"]


def _held(database: Any, symbol: str) -> dict[str, Any]:
    from goldsignal_pipeline.storage import candles

    with database.transaction(read_only=True) as connection:
        count = candles.count(connection, symbol=symbol)
        newest = candles.newest_close(connection, symbol=symbol)
    return {"candles": count, "newest_close": "none" if newest is None else f"{newest:%Y-%m-%d %H:%M} UTC"}
