"""What machines watch, as families of samples, and their text in OpenMetrics.

Everything is read from the record when asked, so every figure is a gauge: signals that a backfill found can be found otherwise
by a later one, and their number may fall.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from goldsignal_pipeline.assets.missing_bars import find
from goldsignal_pipeline.market.freshness import feed_age_minutes
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.providers.twelvedata import VENDOR
from goldsignal_pipeline.selection.gate_state import Breaker
from goldsignal_pipeline.selection.state_text import parse_state
from goldsignal_pipeline.storage import alerts, candles, credits

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings

MISSING_SPAN: Final = timedelta(days=30)
_SIGNALS: Final = text(
    "SELECT symbol, strategy, timeframe, direction, status, origin, count(*) AS value FROM signal_states"
    " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6"
)
_OUTCOMES: Final = text(
    "SELECT symbol, strategy, timeframe, result, count(*) AS value FROM outcomes GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
)
_NEWEST_STATES: Final = text(
    "SELECT DISTINCT ON (symbol) symbol, state::text AS state FROM gate_states ORDER BY symbol, month DESC"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One value, and the labels that tell it from its like."""

    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name."""

    name: str
    help: str
    samples: Sequence[Sample]
    unit: str = ""


def measure(
    connection: Connection, settings: Settings, *, successes: Mapping[str, datetime], heartbeat: datetime | None, now: datetime
) -> list[Family]:
    """Everything that is watched; `successes` is when each asset was last materialized."""
    return [
        *_feed(connection, settings, now=now),
        *_credits(connection, settings, now=now),
        Family("goldsignal_signals", "Signals by standing.", _counted(connection, _SIGNALS)),
        Family("goldsignal_outcomes", "Signals that ended, by result.", _counted(connection, _OUTCOMES)),
        *_outbox(connection, now=now),
        *_breakers(connection, now=now),
        Family(
            "goldsignal_asset_last_success_timestamp_seconds",
            "When each asset was last materialized, in seconds since 1970.",
            [Sample(at.timestamp(), {"asset": asset}) for asset, at in sorted(successes.items())],
            unit="seconds",
        ),
        Family(
            "goldsignal_daemon_heartbeat_age_seconds",
            "Age of the newest heartbeat of Dagster's daemon.",
            [] if heartbeat is None else [Sample((now - heartbeat).total_seconds(), {})],
            unit="seconds",
        ),
    ]


def text_of(families: Sequence[Family]) -> str:
    """The families in OpenMetrics 1.0."""
    return "".join(line + "\n" for family in families for line in _lines(family)) + "# EOF\n"


def _lines(family: Family) -> Iterator[str]:
    yield f"# TYPE {family.name} gauge"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {family.help}"
    for sample in family.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        yield f"{family.name}{{{labels}}} {sample.value!r}" if labels else f"{family.name} {sample.value!r}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _feed(connection: Connection, settings: Settings, *, now: datetime) -> Iterator[Family]:
    symbol, calendar = settings.symbol, load_calendar()
    newest = candles.newest_close(connection, symbol=symbol)
    ages = [] if newest is None else [(newest, feed_age_minutes(newest, now=now, calendar=calendar))]
    of_symbol = {"symbol": symbol}
    yield Family(
        "goldsignal_newest_bar_close_timestamp_seconds",
        "When the newest bar closed, in seconds since 1970.",
        [Sample(close.timestamp(), of_symbol) for close, _ in ages],
        unit="seconds",
    )
    yield Family(
        "goldsignal_feed_age_seconds",
        "Trading time since the newest bar closed.",
        [Sample(minutes * 60, of_symbol) for _, minutes in ages],
        unit="seconds",
    )
    missing = find(connection, grace=settings.grace, symbol=symbol, start=now - MISSING_SPAN, end=now, now=now).missing_bars
    yield Family(
        "goldsignal_missing_bars",
        f"Expected bars of the last {MISSING_SPAN.days} days that are missing, by reason.",
        [Sample(count, {**of_symbol, "reason": reason}) for reason, count in sorted(missing.items())],
    )


def _credits(connection: Connection, settings: Settings, *, now: datetime) -> Iterator[Family]:
    if settings.feed != "twelvedata":
        return
    used = credits.used(connection, vendor=VENDOR, now=now)
    day = 0 if used.day_exhausted else max(0, settings.twelvedata_credits_per_day - used.in_day)
    minute = 0 if used.minute_exhausted else max(0, settings.twelvedata_credits_per_minute - used.in_minute)
    left = {"day": day, "minute": min(day, minute)}
    samples = [Sample(count, {"vendor": VENDOR, "window": window}) for window, count in left.items()]
    yield Family("goldsignal_credits_left", "Calls of the vendor that are left in its day and minute.", samples)


def _outbox(connection: Connection, *, now: datetime) -> Iterator[Family]:
    boxes = alerts.outboxes(connection, since=now)
    states = ("owed", "sent", "refused", "lapsed")
    counts = [Sample(getattr(box, state), {"channel": box.channel, "state": state}) for box in boxes for state in states]
    yield Family("goldsignal_outbox_messages", "Messages by channel and what became of them.", counts)
    ages = [
        Sample(0 if box.oldest_owed is None else max(0.0, (now - box.oldest_owed).total_seconds()), {"channel": box.channel})
        for box in boxes
    ]
    yield Family("goldsignal_outbox_age_seconds", "Age of the oldest message that is still owed.", ages, unit="seconds")


def _breakers(connection: Connection, *, now: datetime) -> Iterator[Family]:
    found: dict[str, Breaker] = {row.symbol: parse_state(row.state).gate.breaker for row in connection.execute(_NEWEST_STATES)}
    holding = [
        Sample(int(breaker.holds_until is not None and now < breaker.holds_until), {"symbol": symbol})
        for symbol, breaker in found.items()
    ]
    yield Family("goldsignal_circuit_breaker_holds", "1 while the circuit breaker lets no signal through.", holding)
    losses = [Sample(breaker.losses_in_a_row, {"symbol": symbol}) for symbol, breaker in found.items()]
    yield Family("goldsignal_circuit_breaker_losses", "Losses in a row that the circuit breaker has counted.", losses)


def _counted(connection: Connection, query: Any) -> list[Sample]:
    return [
        Sample(row["value"], {name: value for name, value in row.items() if name != "value"})
        for row in connection.execute(query).mappings()
    ]
