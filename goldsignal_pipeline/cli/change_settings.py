"""`goldsignal settings`: what decisions and trades are made with, as events that hold from an instant on.

Accounts, the rules of the gate and spreads hold from now on. The order of sources may also be told for the past, because files of
past years are imported later than they happened; what was published stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, table
from goldsignal_pipeline.cli.times import parse_instant
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings

_EVIDENCE: Final = ("unproven", "proven")
_UNCHANGED: Final = "Nothing was changed."


def commands(app: typer.Typer) -> None:
    """Register `settings`."""
    app.command("settings", rich_help_panel="Signals")(change_settings)


def change_settings(
    *,
    account_usd: Annotated[
        str | None, typer.Option("--account-usd", help="Account that sizes are meant for, US dollars.")
    ] = None,
    min_evidence: Annotated[str | None, typer.Option("--min-evidence", help="unproven or proven.")] = None,
    avoid_asia: Annotated[bool | None, typer.Option("--avoid-asia/--take-asia", help="Setups of the Asian session.")] = None,
    spread: Annotated[
        list[str] | None,
        typer.Option(metavar="SESSION=USD", help="Full spread of asia, london, new-york, overlap or otherwise; may be repeated."),
    ] = None,
    source_order: Annotated[
        str | None,
        typer.Option(metavar="VENDOR:SIDE,...", help="Sources, most trusted first; others follow by name. '' is by name alone."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="With --source-order: from when on it holds; now when absent.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the settings of decisions and trades are and were, or change some of them from now on."""
    settings, now = session.start(), datetime.now(UTC)
    asked: dict[str, Any] = {
        "account_usd": _amount(account_usd),
        "min_evidence": _evidence(min_evidence),
        "avoid_asia": avoid_asia,
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    names = _sources(source_order)
    begin = _since(since, settings=settings, now=now, is_asked=names is not None)
    with session.open_database(settings) as database, database.transaction() as connection:
        rows = _held(connection, settings, now=now)
        if spread:
            changes["spread"] = _spread(spread, _shown(rows[-1])["spread"])
        if changes:
            _append_terms(connection, rows[-1] | changes, now=now)
        if names is not None:
            _append(connection, {"source_order": names}, key=f"source_order:{now.isoformat()}", at=begin, now=now)
        rows = [_shown(row) for row in _held(connection, settings, now=now)]
    Output(as_json).emit(rows, render=lambda console: _render(console, rows, settings))


def _held(connection: Connection, settings: Settings, *, now: datetime) -> list[dict[str, Any]]:
    """Everything that held from each change on, in the order of the instants."""
    from goldsignal_pipeline.assets.gate_record import ensure_first_terms
    from goldsignal_pipeline.storage import gate_events

    ensure_first_terms(connection, settings, now=now)
    events = gate_events.in_force(connection, symbol=session.default_symbol(settings), until=now, kinds=["settings"])
    rows: list[dict[str, Any]] = []
    held: dict[str, Any] = {"source_order": list(settings.source_order)}
    for event in events:
        held = held | json.loads(event.detail)
        rows.append({"since": event.at, **held})
    return rows


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """With the whole spread table that it means."""
    from goldsignal_pipeline.market.spread import SpreadTable

    return row | {"spread": SpreadTable(**row.get("spread", {})).model_dump()}


def _append_terms(connection: Connection, content: dict[str, Any], *, now: datetime) -> None:
    """The order of sources is not said again: else one that is told for the past would end here."""
    told = {name: value for name, value in content.items() if name not in ("since", "source_order")}
    _append(connection, told, key=now.isoformat(), at=now, now=now)


def _append(connection: Connection, content: dict[str, Any], *, key: str, at: datetime, now: datetime) -> None:
    from goldsignal_pipeline.storage import gate_events

    gate_events.append(
        connection,
        natural_key=f"settings:{key}",
        at=at,
        recorded_at=now,
        kind="settings",
        symbol=None,
        strategy=None,
        detail=json.dumps(content, separators=(",", ":")),
    )


def _amount(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise UsageError(f"{text!r} is no account in US dollars.", done=_UNCHANGED, fix="Write it as 25000 or 25000.50.")
    return str(amount)


def _evidence(text: str | None) -> str | None:
    if text is not None and text not in _EVIDENCE:
        raise UsageError(f"{text!r} is no evidence.", done=_UNCHANGED, fix=f"Choose {' or '.join(_EVIDENCE)}.")
    return text


def _sources(text: str | None) -> list[str] | None:
    """The sources of an order that was asked for; none of them twice."""
    from goldsignal_pipeline.market.sources import Source

    if text is None:
        return None
    try:
        names = [str(Source.parse(part.strip())) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no order of sources: {error}.", done=_UNCHANGED, fix="Write twelvedata:mid,metatrader:bid."
        ) from None
    if len(set(names)) < len(names):
        raise UsageError(f"{text!r} names a source twice.", done=_UNCHANGED, fix="Name each source once, most trusted first.")
    return names


def _since(text: str | None, *, settings: Settings, now: datetime, is_asked: bool) -> datetime:
    """From when on the order of sources holds; nothing else can be told for the past, and nothing for the future."""
    if text is None:
        return now
    if not is_asked:
        raise UsageError(
            "Only an order of sources has a --since.", done=_UNCHANGED, fix="Leave it out: changes hold from now on."
        )
    begin = parse_instant(text, zone=settings.display_zone)
    if begin > now:
        raise UsageError(f"{text} lies in the future.", done=_UNCHANGED, fix="Give the order when it is to hold.")
    return begin


def _spread(asked: Sequence[str], held: dict[str, int]) -> dict[str, int]:
    """The table in force with the sessions that were asked for, in ticks."""
    from goldsignal_pipeline.market.spread import SpreadTable

    found = dict(held)
    for one in asked:
        name, _, amount = one.partition("=")
        field = f"{name.strip().lower().replace('-', '_')}_ticks"
        ticks = _whole_cents(amount)
        if field not in SpreadTable.model_fields or ticks is None:
            names = ", ".join(known.removesuffix("_ticks").replace("_", "-") for known in SpreadTable.model_fields)
            raise UsageError(
                f"{one!r} is no spread.", done=_UNCHANGED, fix=f"Write overlap=0.35, in whole cents; sessions are {names}."
            )
        found[field] = ticks
    return found


def _whole_cents(text: str) -> int | None:
    try:
        cents = 100 * Decimal(text)
    except InvalidOperation:
        return None
    return int(cents) if cents.is_finite() and cents >= 0 and cents == int(cents) else None


def _render(console: Console, rows: Sequence[dict[str, Any]], settings: Settings) -> None:
    beginning = datetime(1971, 1, 1, tzinfo=UTC)
    shown = [
        (
            "the beginning" if row["since"] < beginning else local_text(row["since"], zone=settings.display_zone),
            f"{row['account_usd']} USD",
            row["min_evidence"],
            "turned away" if row["avoid_asia"] else "taken",
            ", ".join(
                f"{name.removesuffix('_ticks').replace('_', ' ')} {ticks / 100:.2f}" for name, ticks in row["spread"].items()
            ),
            ", ".join(row["source_order"]) or "by name",
        )
        for row in rows
    ]
    console.print(table("since", ("account", "right"), "least evidence", "Asia", "spread, USD/oz", "sources", rows=shown))
