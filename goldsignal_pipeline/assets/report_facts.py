"""What a report tells of a range, read from the stored record in one transaction."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from goldsignal_pipeline import __version__
from goldsignal_pipeline.assets.explaining import explain_silence
from goldsignal_pipeline.assets.missing_bars import find
from goldsignal_pipeline.assets.partitions import month_of
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.report.facts import DataQuality, ReportFacts, Silence, Versions
from goldsignal_pipeline.storage import digests, gate_events
from goldsignal_pipeline.storage.reading import results, signals
from goldsignal_pipeline.storage.reading.queries import page, rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings

LONGEST: Final = 100_000
_TESTED_DAYS: Final = 365
_LIVED_DAYS: Final = 90
_MONTH: Final = timedelta(days=32)
# Verdicts are many, and each stands in the tables of the report.
_TOLD_KINDS: Final = ("live_since", "pause", "resume", "enable", "disable", "settings", "news")
_DAYS: Final = text("""
    SELECT trading_day, expected_bars, missing_bars, data_blocked FROM goldsignal.trading_day_states
    WHERE symbol = :symbol AND trading_day >= CAST(:start AS date) AND trading_day < CAST(:end AS date) ORDER BY trading_day
""")
_STRATEGIES: Final = text(
    "SELECT strategy, timeframe, version, parameters::text AS parameters FROM goldsignal.strategies"
    " WHERE is_active ORDER BY strategy, timeframe"
)


def read_facts(
    connection: Connection, settings: Settings, *, symbol: str, start: datetime, end: datetime, now: datetime
) -> ReportFacts:
    """Everything a report tells of [start, end)."""
    wanted = signals.Wanted(symbol, start, end)
    given = page(signals.signals(wanted), order=signals.SIGNAL_ORDER, after=None, limit=LONGEST)
    return ReportFacts(
        symbol=symbol,
        start=start,
        end=end,
        made_at=now,
        zone=settings.display_zone,
        signals=rows(connection, given),
        signal_trades=rows(connection, signals.trades(wanted, of_signals=True)),
        simulated_trades=rows(connection, signals.trades(wanted, of_signals=False)),
        tested=_tested(connection, symbol=symbol, end=end),
        lived=_lived(connection, symbol=symbol, end=end),
        silence=_silence(connection, symbol=symbol, start=start, end=end),
        quality=_quality(connection, settings, symbol=symbol, start=start, end=end, now=now),
        versions=_versions(connection, symbol=symbol, start=start, end=end),
    )


def _tested(connection: Connection, *, symbol: str, end: datetime) -> list[dict[str, Any]]:
    """The newest day before `end` with p-values: they are computed for the last day of each month."""
    days = results.WantedDays(symbol, (end - 2 * _MONTH).date(), end.date(), window_days=_TESTED_DAYS)
    found = [row for row in rows(connection, results.backtests(days)) if row["p_value"] is not None]
    newest = max((row["day"] for row in found), default=None)
    return sorted((row for row in found if row["day"] == newest), key=lambda row: (row["strategy"], row["timeframe"]))


def _lived(connection: Connection, *, symbol: str, end: datetime) -> list[dict[str, Any]]:
    days = results.WantedDays(symbol, None, end.date(), window_days=_LIVED_DAYS)
    return sorted(rows(connection, results.performance(days)), key=lambda row: (row["strategy"], row["timeframe"]))


def _silence(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> Silence:
    found = explain_silence(connection, symbol=symbol, start=start, end=end)
    return Silence(
        turned_away=[(row["strategy"], row["reason"], row["setups"]) for row in found.turned_away],
        refused=[(row["strategy"], row["reason"], row["candidates"]) for row in found.refused],
        near_misses=[
            (
                one.strategy,
                one.condition,
                one.count,
                f"{one.nearest_shortfall:.2f} {one.unit}, {one.nearest_at:%Y-%m-%d %H:%M} UTC",
            )
            for one in found.near_misses
        ],
    )


def _quality(
    connection: Connection, settings: Settings, *, symbol: str, start: datetime, end: datetime, now: datetime
) -> DataQuality:
    days = [dict(row) for row in connection.execute(_DAYS, {"symbol": symbol, "start": start, "end": end}).mappings()]
    gaps = find(connection, grace=settings.grace, symbol=symbol, start=start, end=end, now=now)
    missing = Counter[tuple[str, str]]()
    for row in gaps.gaps.to_dict("records"):
        missing[row["reason"], row["timeframe"]] += row["missing_bars"]
    return DataQuality(
        expected_bars=sum(day["expected_bars"] for day in days),
        missing_bars=sum(day["missing_bars"] for day in days),
        missing_by_reason=[(*why, count) for why, count in sorted(missing.items())],
        blocked_days=[day for day in days if day["data_blocked"]],
        closed_minutes=gaps.closed_minutes,
    )


def _versions(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> Versions:
    first, last = month_of(start), month_of(end - timedelta(microseconds=1))
    told = gate_events.in_force(connection, symbol=symbol, until=end, kinds=_TOLD_KINDS)
    return Versions(
        code=__version__,
        calendar=load_calendar().version,
        strategies=[dict(row) for row in connection.execute(_STRATEGIES).mappings()],
        gate_events=[(one.at, one.kind, f"{one.strategy or ''} {json.dumps(json.loads(one.detail))}".strip()) for one in told],
        digests=[
            {
                "asset": asset,
                "month": month,
                "rows": one.rows,
                "code_version": one.code_version,
                "complete": one.complete,
                "digest": one.digest,
                "inputs_digest": one.inputs_digest,
            }
            for asset, held in digests.by_asset(connection, symbol=symbol).items()
            for month, one in held.items()
            if first <= month <= last
        ],
    )
