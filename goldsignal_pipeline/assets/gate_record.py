"""Gate events as the fold reads them: terms, pauses and news, and the verdicts that live runs gave.

`live_since` is the instant from which a symbol is live: every setup that confirms later is decided once, by the run that sees it
first, and its verdict is an event that all later runs take as given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from goldsignal_pipeline.market.digests import combine
from goldsignal_pipeline.market.source_order import SourceOrders
from goldsignal_pipeline.market.spread import SpreadHistory, SpreadTable
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.gate_inputs import News, Pause, SetupKey
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.selection.month_fold import Given, Terms
from goldsignal_pipeline.selection.verdict_text import parse_verdict, verdict_text
from goldsignal_pipeline.storage import gate_events
from goldsignal_pipeline.storage.gate_events import GateEvent
from goldsignal_pipeline.storage.tables.words import GATE_EVENT_KINDS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(9000, 1, 1, tzinfo=UTC)
_UNDIGESTED: Final = frozenset({"decided", "live_since"})
_PAUSING: Final = {"pause": True, "disable": True, "resume": False, "enable": False}


@dataclass(frozen=True, slots=True)
class GateRecord:
    """What the gate is told besides candles, of one symbol."""

    terms: Sequence[Terms]
    facts: Sequence[Pause | News]
    given: Mapping[SetupKey, Given]
    live_since: datetime | None
    events: Sequence[GateEvent] = field(repr=False)

    @property
    def spreads(self) -> SpreadHistory:
        """The spread tables that the settings named, each from its instant on."""
        return _spreads(self.events)

    def digest(self, *, until: datetime) -> str:
        """A digest of the terms, pauses and news that hold at `until` or before; verdicts are not among them."""
        told = [event for event in self.events if event.kind not in _UNDIGESTED and event.at <= until]
        return combine(f"{event.at.isoformat()} {event.kind} {event.strategy or ''} {event.detail}" for event in told)


def ensure_first_terms(connection: Connection, settings: Settings, *, now: datetime) -> None:
    """Write the terms of the settings as those from the beginning of time, unless there are any."""
    content = {
        "account_usd": str(settings.account_usd),
        "min_evidence": settings.min_evidence,
        "avoid_asia": settings.avoid_asia,
        "source_order": list(settings.source_order),
    }
    gate_events.append(
        connection,
        natural_key="settings:first",
        at=BEGINNING,
        recorded_at=now,
        kind="settings",
        symbol=None,
        strategy=None,
        detail=json.dumps(content, separators=(",", ":")),
    )


def ensure_source_order(connection: Connection, settings: Settings, *, symbols: Sequence[str], now: datetime) -> None:
    """Write the order of sources of the settings as that from the beginning of time, unless one is told of."""
    for symbol in symbols:
        if read_source_orders(connection, symbol=symbol, otherwise=()).changes:
            continue
        gate_events.append(
            connection,
            natural_key=f"settings:source_order:first:{symbol}",
            at=BEGINNING,
            recorded_at=now,
            kind="settings",
            symbol=symbol,
            strategy=None,
            detail=json.dumps({"source_order": list(settings.source_order)}, separators=(",", ":")),
        )


def go_live(connection: Connection, *, symbol: str, now: datetime) -> None:
    """Say that a symbol is live from now on, unless it is already."""
    gate_events.append(
        connection,
        natural_key=f"live_since:{symbol}",
        at=now,
        recorded_at=now,
        kind="live_since",
        symbol=symbol,
        strategy=None,
        detail="{}",
    )


def read_record(connection: Connection, *, symbol: str, until: datetime) -> GateRecord:
    """Every gate event of a symbol that holds at `until` or before."""
    events = gate_events.in_force(connection, symbol=symbol, until=until)
    since = [event.at for event in events if event.kind == "live_since"]
    given = [parse_verdict(event.detail) for event in events if event.kind == "decided"]
    return GateRecord(
        terms=_terms(events),
        facts=[fact for event in events for fact in _facts(event)],
        given={one.setup.key: one for one in given},
        live_since=min(since, default=None),
        events=events,
    )


def read_digested(connection: Connection, *, symbol: str) -> GateRecord:
    """Only what `GateRecord.digest` tells of, at any time: the verdicts, of which there are many, stay unread."""
    kinds = [kind for kind in GATE_EVENT_KINDS if kind not in _UNDIGESTED]
    events = gate_events.in_force(connection, symbol=symbol, until=_END, kinds=kinds)
    return GateRecord(terms=(), facts=(), given={}, live_since=None, events=events)


def read_spreads(connection: Connection, *, symbol: str) -> SpreadHistory:
    """The spread tables of a symbol at any time."""
    return _spreads(gate_events.in_force(connection, symbol=symbol, until=_END, kinds=["settings"]))


def tell_verdicts(connection: Connection, verdicts: Iterable[Given], *, symbol: str, now: datetime) -> None:
    """Write the verdicts of this run on setups of a live symbol."""
    for one in verdicts:
        key = one.setup.key
        gate_events.append(
            connection,
            natural_key=f"decided:{symbol}:{key.timeframe}:{key.strategy}:{key.direction.value}:{key.timestamp.isoformat()}",
            at=one.setup.at,
            recorded_at=now,
            kind="decided",
            symbol=symbol,
            strategy=key.strategy,
            detail=verdict_text(one),
        )


def read_source_orders(
    connection: Connection, *, symbol: str, otherwise: Sequence[str], recorded_until: datetime | None = None
) -> SourceOrders:
    """The orders of sources of a symbol at any time, as recorded by then; `otherwise` holds before the first that is told of."""
    events = gate_events.in_force(connection, symbol=symbol, until=_END, recorded_until=recorded_until, kinds=["settings"])
    told = ((to_instant(event.at), json.loads(event.detail).get("source_order")) for event in events)
    return SourceOrders(tuple(otherwise), tuple((at, tuple(names)) for at, names in told if names is not None))


def _terms(events: Sequence[GateEvent]) -> list[Terms]:
    found = []
    for event in events:
        content: dict[str, Any] = json.loads(event.detail) if event.kind == "settings" else {}
        if "account_usd" in content:
            policy = GatePolicy(account_usd=Decimal(content["account_usd"]), avoids_asia=content["avoid_asia"])
            found.append(Terms(event.at, policy, Evidence(content["min_evidence"])))
    return found


def _spreads(events: Sequence[GateEvent]) -> SpreadHistory:
    told = {event.at: json.loads(event.detail).get("spread") for event in events if event.kind == "settings"}
    return SpreadHistory({to_instant(at): SpreadTable(**table) for at, table in told.items() if table is not None})


def _facts(event: GateEvent) -> list[Pause | News]:
    if event.kind in _PAUSING:
        return [Pause(event.at, event.strategy, _PAUSING[event.kind])]
    if event.kind == "news":
        told = json.loads(event.detail)
        return [News(event.at, datetime.fromisoformat(told["event_at"]), told.get("withdrawn", False))]
    return []
