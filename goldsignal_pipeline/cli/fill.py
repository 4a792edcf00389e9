"""First data for a new user: the simulated market's last two years, or the real market's history within the vendor's budget.

1. The months in which something is worth asking for are told, with their credits and minutes: at a first start all of them, later
   those since the last stop. The whole graph is run over them, oldest first, twelve months a run.
2. The live cycle runs beside it all the while, because the budget is shared in the database and waits are per call. A vendor that
   fails or a budget that is used up does not end `up`: what came is stored, and the cause is told.
3. What is behind what it is made of, after an import or a new version, is computed again.
4. After a sleep or an outage the bars caught up are told; then what there is to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from goldsignal_pipeline.assets.partitions import FIRST_MONTH, month_of, months_between, next_month
from goldsignal_pipeline.cli.launch import RunReport, materialize_range

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

FETCHED_ALONE: Final = "raw_candles"
Say = Callable[[str], None]


def fill(settings: Settings, say: Say) -> dict[str, Any]:
    """Bring the first data and return what was done; raises `ServiceError` with the cause when a run failed."""
    from goldsignal_pipeline.cli.backfill import chosen_assets, raise_failure
    from goldsignal_pipeline.cli.overview import read_overview
    from goldsignal_pipeline.cli.session import default_symbol, open_database

    now = datetime.now(UTC)
    months = tuple(months_between(first_month(settings, now=now), month_of(now)))
    symbol, assets = default_symbol(settings), chosen_assets(None)
    with open_database(settings) as database:
        source, reports = _fetch(database, settings, say, assets=assets, months=months, now=now)
        if settings.feed == "simulated":
            raise_failure(reports)
        for report in reports:
            if not report.succeeded:
                cause = "; ".join(report.causes) or "The run failed."
                say(f"{cause} What came is stored; `goldsignal backfill` fetches the rest")
        computed = _compute(database, settings, say, assets=[name for name in assets if name != FETCHED_ALONE])
        raise_failure(computed)
        held = _held(database, symbol)
        for sentence in _caught_up(database, since=now):
            say(sentence)
        overview = read_overview(database, symbol=symbol)
    say(f"{held['candles']:,} candles of {symbol}, newest close {held['newest_close']}")
    told = {"symbol": symbol, "source": source, "first_month": months[0], "last_month": months[-1]}
    return {**told, "complete": all(report.succeeded for report in reports), **held, "overview": overview}


def first_month(settings: Settings, *, now: datetime) -> str:
    """The first month that `up` fills: simulated days back, or months of real history back."""
    if settings.feed == "simulated":
        return max(month_of(now - timedelta(days=settings.simulation_days)), FIRST_MONTH)
    return max(next_month(month_of(now), steps=-settings.history_months), FIRST_MONTH)


def _fetch(
    database: Database, settings: Settings, say: Say, *, assets: Sequence[str], months: tuple[str, ...], now: datetime
) -> tuple[str, list[RunReport]]:
    """Run the whole graph over the months in which something is worth asking for; the source and the runs."""
    from goldsignal_pipeline.cli.backfill import months_to_fetch, plan_range
    from goldsignal_pipeline.cli.session import default_symbol

    plan, source = plan_range(database, settings, months=months, assets=assets, now=now)
    due = months_to_fetch(database, settings, months=months, now=now)
    if not due:
        say(f"{default_symbol(settings)} is up to date")
        return source, []
    span = f"{default_symbol(settings)} from {source}, {due[0]} to {due[-1]}"
    say(_announcement(span, credits_needed=plan.credits, minutes=plan.minutes))
    if plan.credits:
        say(f"Every strategy has the history it needs from {plan.silent_until:%Y-%m-%d} on; silent until then")
    return source, materialize_range(assets=assets, first_month=due[0], last_month=due[-1], progress=_teller(say))


def _compute(database: Database, settings: Settings, say: Say, *, assets: Sequence[str]) -> list[RunReport]:
    from goldsignal_pipeline.cli.backfill import LAST_MONTH
    from goldsignal_pipeline.cli.computing import compute

    return compute(database, settings, assets=assets, first_month=FIRST_MONTH, last_month=LAST_MONTH, progress=_teller(say))


def _teller(say: Say) -> Callable[[RunReport], None]:
    def tell(report: RunReport) -> None:
        outcome = "are there" if report.succeeded else "failed"
        span = f"{report.first_month} to {report.last_month}"
        say(f"Candles, setups, trades and signals of {span} {outcome} ({report.seconds:.1f} s)")

    return tell


def _announcement(span: str, *, credits_needed: int, minutes: int) -> str:
    if not credits_needed:
        return f"Filling {span}"
    return f"Fetching {span}: {credits_needed} credits, about {minutes} min; the live cycle runs meanwhile"


def _caught_up(database: Database, *, since: datetime) -> list[str]:
    from goldsignal_pipeline.storage import operator_events

    with database.transaction(read_only=True) as connection:
        return [event.message for event in operator_events.read(connection, since=since) if event.kind == "caught_up"]


def _held(database: Database, symbol: str) -> dict[str, Any]:
    from goldsignal_pipeline.storage import candles

    with database.transaction(read_only=True) as connection:
        count = candles.count(connection, symbol=symbol)
        newest = candles.newest_close(connection, symbol=symbol)
    return {"candles": count, "newest_close": "none" if newest is None else f"{newest:%Y-%m-%d %H:%M} UTC"}
