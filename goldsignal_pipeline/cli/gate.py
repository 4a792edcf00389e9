"""`goldsignal pause`, `resume`, `strategies` and `settings`: what the user tells the gate, as events that hold from now on.

Nothing past changes: an event is stamped with the instant from which it holds, decisions before it stand, and its digest
is part of every later signal's versions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, table
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.gate_events import GateEvent

_PANEL: Final = "Signals"
_EVIDENCE: Final = ("unproven", "proven")

StrategyArgument = Annotated[str | None, typer.Argument(help="Only this strategy; all when absent.")]


def commands(app: typer.Typer) -> None:
    """Register `pause`, `resume`, `strategies` and `settings`."""
    app.command(rich_help_panel=_PANEL)(pause)
    app.command(rich_help_panel=_PANEL)(resume)
    app.add_typer(_strategies_group(), rich_help_panel=_PANEL)
    app.command("settings", rich_help_panel=_PANEL)(change_settings)


def pause(strategy: StrategyArgument = None, *, as_json: JsonOption = False) -> None:
    """Turn away every setup from now on (of one strategy, or of all) until `resume`."""
    _tell("pause", strategy, as_json=as_json)


def resume(strategy: StrategyArgument = None, *, as_json: JsonOption = False) -> None:
    """Take setups again from now on, of what was paused."""
    _tell("resume", strategy, as_json=as_json)


def _strategies_group() -> typer.Typer:
    group = typer.Typer(name="strategies", help="The installed strategies, and which of them may give signals.")
    group.callback(invoke_without_command=True)(list_strategies)
    group.command("enable")(enable)
    group.command("disable")(disable)
    return group


def list_strategies(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Every strategy with its timeframes, version and whether it is enabled and not paused."""
    if context.invoked_subcommand is not None:
        return
    from goldsignal_pipeline.strategies.registry import load_strategies

    settings = session.start()
    now = datetime.now(UTC)
    with session.open_database(settings) as database, database.transaction(read_only=True) as connection:
        events = _events(connection, settings, now=now)
    rows = [
        {
            "strategy": one.name,
            "timeframes": [timeframe.value for timeframe in one.timeframes],
            "version": one.version,
            "enabled": _last(events, one.name, ("enable", "disable")) != "disable",
            "paused": "pause" in (_last(events, one.name, ("pause", "resume")), _last(events, None, ("pause", "resume"))),
            "description": one.description,
        }
        for one in load_strategies().values()
    ]
    Output(as_json).emit(rows, render=lambda console: _render_strategies(console, rows))


def enable(name: Annotated[str, typer.Argument(help="Name of the strategy.")], *, as_json: JsonOption = False) -> None:
    """Let a strategy give signals again from now on."""
    _tell("enable", name, as_json=as_json)


def disable(name: Annotated[str, typer.Argument(help="Name of the strategy.")], *, as_json: JsonOption = False) -> None:
    """Keep a strategy from giving signals from now on; it is still tested."""
    _tell("disable", name, as_json=as_json)


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
    as_json: JsonOption = False,
) -> None:
    """Show what the settings of decisions and trades are and were, or change some of them from now on."""
    from goldsignal_pipeline.assets.gate_record import ensure_first_terms

    settings = session.start()
    now = datetime.now(UTC)
    asked: dict[str, Any] = {
        "account_usd": _amount(account_usd),
        "min_evidence": _evidence(min_evidence),
        "avoid_asia": avoid_asia,
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    with session.open_database(settings) as database, database.transaction() as connection:
        ensure_first_terms(connection, settings, now=now)
        held = [event for event in _events(connection, settings, now=now) if event.kind == "settings"]
        content = json.loads(held[-1].detail)
        if spread:
            changes["spread"] = _spread(spread, content.get("spread", {}))
        if changes:
            _append_terms(connection, content | changes, now=now)
            held = [event for event in _events(connection, settings, now=now) if event.kind == "settings"]
    rows = [{"since": event.at, **_with_spread(json.loads(event.detail))} for event in held]
    Output(as_json).emit(rows, render=lambda console: _render_terms(console, rows, settings))


def _append_terms(connection: Connection, content: dict[str, Any], *, now: datetime) -> None:
    from goldsignal_pipeline.storage import gate_events

    gate_events.append(
        connection,
        natural_key=f"settings:{now.isoformat()}",
        at=now,
        recorded_at=now,
        kind="settings",
        symbol=None,
        strategy=None,
        detail=json.dumps(content, separators=(",", ":")),
    )


def _tell(kind: str, strategy: str | None, *, as_json: bool) -> None:
    """Append an event that holds from now on, and say so."""
    from goldsignal_pipeline.storage import gate_events
    from goldsignal_pipeline.strategies.registry import load_strategies

    known = sorted(load_strategies())
    if strategy is not None and strategy not in known:
        raise UsageError(
            f"There is no strategy {strategy!r}.", done="Nothing was changed.", fix=f"Choose among {', '.join(known)}."
        )
    settings = session.start()
    now = datetime.now(UTC)
    with session.open_database(settings) as database, database.transaction() as connection:
        gate_events.append(
            connection,
            natural_key=f"{kind}:{strategy or 'all'}:{now.isoformat()}",
            at=now,
            recorded_at=now,
            kind=kind,
            symbol=None,
            strategy=strategy,
            detail="{}",
        )
    words = {"pause": "is paused", "resume": "is resumed", "enable": "is enabled", "disable": "is disabled"}
    sentence = f"{strategy or 'Every strategy'} {words[kind]} from {local_text(now, zone=settings.display_zone)} on."
    told = {"kind": kind, "strategy": strategy, "since": now}
    Output(as_json).emit(told, render=lambda console: console.print(sentence))


def _events(connection: Connection, settings: Settings, *, now: datetime) -> Sequence[GateEvent]:
    from goldsignal_pipeline.storage import gate_events

    return gate_events.in_force(connection, symbol=session.default_symbol(settings), until=now)


def _last(events: Sequence[GateEvent], strategy: str | None, kinds: tuple[str, str]) -> str | None:
    """The kind of the last event among two that concerns a strategy, or all."""
    told = [event.kind for event in events if event.kind in kinds and event.strategy == strategy]
    return told[-1] if told else None


def _amount(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise UsageError(
            f"{text!r} is no account in US dollars.", done="Nothing was changed.", fix="Write it as 25000 or 25000.50."
        )
    return str(amount)


def _spread(asked: Sequence[str], held: dict[str, int]) -> dict[str, int]:
    """The table in force with the sessions that were asked for, in ticks."""
    from goldsignal_pipeline.market.spread import SpreadTable

    found: dict[str, int] = _with_spread({"spread": held})["spread"]
    for one in asked:
        name, _, amount = one.partition("=")
        field = f"{name.strip().lower().replace('-', '_')}_ticks"
        ticks = _whole_cents(amount)
        if field not in SpreadTable.model_fields or ticks is None:
            names = ", ".join(known.removesuffix("_ticks").replace("_", "-") for known in SpreadTable.model_fields)
            raise UsageError(
                f"{one!r} is no spread.",
                done="Nothing was changed.",
                fix=f"Write overlap=0.35, in whole cents; sessions are {names}.",
            )
        found[field] = ticks
    return found


def _with_spread(content: dict[str, Any]) -> dict[str, Any]:
    """Settings with the whole spread table that they mean."""
    from goldsignal_pipeline.market.spread import SpreadTable

    return content | {"spread": SpreadTable(**content.get("spread", {})).model_dump()}


def _whole_cents(text: str) -> int | None:
    try:
        cents = 100 * Decimal(text)
    except InvalidOperation:
        return None
    return int(cents) if cents.is_finite() and cents >= 0 and cents == int(cents) else None


def _evidence(text: str | None) -> str | None:
    if text is not None and text not in _EVIDENCE:
        raise UsageError(f"{text!r} is no evidence.", done="Nothing was changed.", fix=f"Choose {' or '.join(_EVIDENCE)}.")
    return text


def _render_strategies(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    def state(row: dict[str, Any]) -> Text:
        if not row["enabled"]:
            return Text("disabled", style="red")
        return Text("paused", style="yellow") if row["paused"] else Text("active", style="green")

    shown = [(row["strategy"], ", ".join(row["timeframes"]), row["version"], state(row), row["description"]) for row in rows]
    console.print(table("strategy", "timeframes", "version", "", "what it looks for", rows=shown))


def _render_terms(console: Console, rows: Sequence[dict[str, Any]], settings: Settings) -> None:
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
        )
        for row in rows
    ]
    console.print(table("since", ("account", "right"), "least evidence", "Asia", "spread, USD/oz", rows=shown))
