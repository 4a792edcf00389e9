"""`goldsignal pause`, `resume` and `strategies`: what the user tells the gate, as events that hold from now on.

Nothing past changes: an event is stamped with the instant from which it holds, decisions before it stand, and its digest
is part of every later signal's versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
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

StrategyArgument = Annotated[str | None, typer.Argument(help="Only this strategy; all when absent.")]


def commands(app: typer.Typer) -> None:
    """Register `pause`, `resume` and `strategies`."""
    app.command(rich_help_panel=_PANEL)(pause)
    app.command(rich_help_panel=_PANEL)(resume)
    app.add_typer(_strategies_group(), rich_help_panel=_PANEL)


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


def _render_strategies(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    def state(row: dict[str, Any]) -> Text:
        if not row["enabled"]:
            return Text("disabled", style="red")
        return Text("paused", style="yellow") if row["paused"] else Text("active", style="green")

    shown = [(row["strategy"], ", ".join(row["timeframes"]), row["version"], state(row), row["description"]) for row in rows]
    console.print(table("strategy", "timeframes", "version", "", "what it looks for", rows=shown))
