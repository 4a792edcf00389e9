"""What happened live and is not owed yet: facts of messages, read from append-only events by anti-join on natural keys.

1. `steps` are events of published signals that happened in a range, with the signal, its outcome and, for a correction, what was
   told before. Events that a backfill found have another origin and are never among them.
2. `blocked_day` and `day_over` say whether the running trading day is blocked, and what the last one brought.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import text

from goldsignal_pipeline.alerts.operating import Day
from goldsignal_pipeline.assets.explaining import Silence, explain_silence
from goldsignal_pipeline.market.hours import TradingCalendar, load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_datetime, to_instant

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row = Mapping[str, Any]

_SIGNAL_KEY: Final = (
    "concat_ws('|', 'signal', signal.symbol, signal.timeframe, signal.strategy, signal.direction,"
    " to_char(signal.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI'))"
)
_KEY: Final = ("symbol", "timeframe", "strategy", "direction", "timestamp")
_SAME: Final = " AND ".join(f"{{0}}.{name} = signal.{name}" for name in _KEY)
_STEPS: Final = text(f"""
    SELECT steps.*, before.detail AS before FROM (
        SELECT signal.*, event.kind AS event_kind, event.at AS event_at, event.known_at AS event_known_at, event.detail,
            {_SIGNAL_KEY} || '|published' AS published_key,
            {_SIGNAL_KEY} || CASE event.kind WHEN 'published' THEN '|published' ELSE
                '|' || event.kind || to_char(event.at AT TIME ZONE 'UTC', '|YYYY-MM-DD"T"HH24:MI:SS.US') END AS natural_key,
            outcome.net_usd, outcome.ambiguous, outcome.worst_r, outcome.best_r
        FROM signal_events AS event JOIN signals AS signal ON {_SAME.format("event")}
        LEFT JOIN outcomes AS outcome ON {_SAME.format("outcome")}
        WHERE event.origin = 'live' AND event.at >= :start AND event.at < :end
    ) AS steps LEFT JOIN LATERAL (
        SELECT earlier.detail FROM signal_events AS earlier
        WHERE {" AND ".join(f"earlier.{name} = steps.{name}" for name in _KEY)} AND steps.event_kind = 'corrected'
          AND earlier.kind IN ('closed', 'corrected') AND earlier.known_at < steps.event_known_at
        ORDER BY earlier.known_at DESC LIMIT 1
    ) AS before ON true
    WHERE NOT EXISTS (SELECT FROM alerts AS owed WHERE owed.natural_key = steps.natural_key)
    ORDER BY steps.event_known_at, steps.event_at, steps.natural_key
""")  # noqa: S608  # constants
_RECORD: Final = text("""
    SELECT trades, expectancy, expectancy_error FROM backtest_results
    WHERE symbol = :symbol AND strategy = :strategy AND timeframe = :timeframe AND window_days = 365 AND day <= :day
    ORDER BY day DESC LIMIT 1
""")
_DAY_STATE: Final = text("""
    SELECT trading_day, missing_bars, expected_bars, data_blocked FROM trading_day_states
    WHERE symbol = :symbol AND trading_day = :day
""")
_GIVEN: Final = text(
    "SELECT * FROM signals WHERE origin = 'live' AND symbol = :symbol AND confirmed_at >= :start AND confirmed_at < :end"
    " ORDER BY confirmed_at"
)
_ENDED: Final = text("""
    SELECT strategy, direction, detail ->> 'result' AS result, (detail ->> 'net_r')::numeric AS net_r FROM signal_events
    WHERE origin = 'live' AND kind = 'closed' AND symbol = :symbol AND at >= :start AND at < :end ORDER BY at
""")
_OPEN: Final = text(
    "SELECT * FROM signal_states WHERE origin = 'live' AND symbol = :symbol AND status = 'active' AND confirmed_at >= :long_ago"
    " ORDER BY confirmed_at"
)
_LONGEST_OPEN: Final = timedelta(days=60)
_PAUSED: Final = text("""
    SELECT kind FROM gate_events WHERE kind IN ('pause', 'resume') AND strategy IS NULL AND at < :end
    ORDER BY at DESC, id DESC LIMIT 1
""")
_ERRORS: Final = text("SELECT count(*) FROM operator_events WHERE severity = 'error' AND at >= :start AND at < :end")


def steps(connection: Connection, *, start: datetime, end: datetime) -> list[Row]:
    """Events of published signals that happened in [start, end) and are not owed yet, in the order in which they became known."""
    return [dict(row) for row in connection.execute(_STEPS, {"start": start, "end": end}).mappings()]


def tested_record(connection: Connection, signal: Row) -> Row | None:
    """What the strategy of a signal had achieved in 365 days of backtest by then."""
    named = {name: signal[name] for name in ("symbol", "strategy", "timeframe")} | {"day": signal["confirmed_at"].date()}
    row = connection.execute(_RECORD, named).mappings().one_or_none()
    return None if row is None else dict(row)


def live_since(connection: Connection, *, symbol: str) -> datetime | None:
    """Since when a symbol is decided live; None when it is not."""
    query = text("SELECT min(at) FROM gate_events WHERE kind = 'live_since' AND symbol = :symbol")
    since: datetime | None = connection.execute(query, {"symbol": symbol}).scalar()
    return since


def blocked_day(connection: Connection, *, symbol: str, now: datetime) -> Row | None:
    """The running trading day when too many of its bars are missing."""
    day = load_calendar().trading_day(np.array([to_instant(now)]))[0].item()
    row = connection.execute(_DAY_STATE, {"symbol": symbol, "day": day}).mappings().one_or_none()
    return dict(row) if row is not None and row["data_blocked"] else None


def last_day(calendar: TradingCalendar, *, now: datetime) -> tuple[date, datetime, datetime] | None:
    """The newest trading day that is over, with its bounds; None when it had no market."""
    today = calendar.trading_day(np.array([to_instant(now)]))
    before = today - np.timedelta64(1, "D")
    (start,), (end,) = calendar.trading_day_bounds(before)
    bounds = to_datetime(start), to_datetime(end)
    opens = calendar.expected_opens(timeframe=Timeframe.H1, start=bounds[0], end=bounds[1])
    return (before[0].item(), *bounds) if len(opens) else None


def day_over(connection: Connection, *, symbol: str, day: date, start: datetime, end: datetime) -> Day:
    """What a trading day brought, and why it did not bring more."""
    window = {"symbol": symbol, "start": start, "end": end, "long_ago": end - _LONGEST_OPEN, "day": day}
    silence = explain_silence(connection, symbol=symbol, start=start, end=end)
    state = connection.execute(_DAY_STATE, window).mappings().one_or_none()
    return Day(
        symbol,
        day,
        given=[dict(row) for row in connection.execute(_GIVEN, window).mappings()],
        ends=[dict(row) for row in connection.execute(_ENDED, window).mappings()],
        open=[dict(row) for row in connection.execute(_OPEN, window).mappings()],
        turned_away=_counted(silence, "turned_away", "setups"),
        refused=_counted(silence, "refused", "candidates"),
        near_misses=[
            f"{one.strategy} {one.condition}, {one.count} times, by {one.nearest_shortfall:.1f} {one.unit} at the nearest"
            for one in silence.near_misses
        ],
        missing=None if state is None else (state["missing_bars"], state["expected_bars"]),
        paused=connection.execute(_PAUSED, window).scalar() == "pause",
        errors=connection.execute(_ERRORS, window).scalar_one(),
    )


def _counted(silence: Silence, what: str, number: str) -> list[tuple[str, int]]:
    counted = Counter[str]()
    for row in getattr(silence, what):
        counted[row["reason"]] += row[number]
    return counted.most_common()
