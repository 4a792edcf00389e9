"""`goldsignal explain`: why a signal was given, why a setup was turned away, and why there was silence.

`explain SIGNAL` takes the id that commands show (its beginning is enough), `--at TIME` a bar's candidates, `--silence` a range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, table
from goldsignal_pipeline.cli.times import parse_instant, parse_range
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from goldsignal_pipeline.assets.explaining import Explanation, Silence
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

DEFAULT_SPAN: Final = timedelta(days=30)
NO_EDGE: Final = "No strategy is known to have an edge; confidence is a score, not a probability."
_SHOWN_REVISIONS: Final = 10


def commands(app: typer.Typer) -> None:
    """Register `explain`."""
    app.command(rich_help_panel="Signals")(explain)


def explain(
    *,
    signal: Annotated[str | None, typer.Argument(help="Id of a signal or setup; its beginning is enough.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="The candidates of the bar that closed then, or last before it.")] = None,
    strategy: Annotated[str, typer.Option("--strategy", help="With --at: only this strategy.")] = "",
    silence: Annotated[bool, typer.Option("--silence", help="Why nothing was given, over --from and --to.")] = False,
    start: Annotated[
        str | None, typer.Option("--from", help="With --silence: begin; 30 days before the end when absent.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="With --silence: end, exclusive; now when absent.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="XAUUSD or XAUUSD-SIM; the feed's when absent.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a signal, the candidates of a bar, or a silence."""
    if sum((signal is not None, at is not None, silence)) != 1:
        raise UsageError("Name one thing to explain.", fix="A signal's id, or --at TIME, or --silence.")
    settings = session.start()
    chosen, output, now = symbol or session.default_symbol(settings), Output(as_json), datetime.now(UTC)
    zone = settings.display_zone
    with session.open_database(settings) as database:
        if silence:
            first, last = parse_range(start, end, zone=zone)
            span = (first or (last or now) - DEFAULT_SPAN, last or now)
            told = _silence(database, symbol=chosen, span=span)
            output.emit(
                {"symbol": chosen, "from": span[0], "to": span[1], **asdict(told)},
                render=lambda console: _render_silence(console, told, symbol=chosen, span=span, zone=zone),
            )
            return
        if at is not None:
            moment = parse_instant(at, zone=zone)
            found = _at(database, settings, symbol=chosen, at=moment, strategy=strategy, now=now)
        else:
            found = [_by_id(database, settings, beginning=str(signal), now=now)]
    output.emit([_plain(one) for one in found], render=lambda console: _render_all(console, found, zone=zone))


def _by_id(database: Database, settings: Settings, *, beginning: str, now: datetime) -> Explanation:
    from goldsignal_pipeline.assets.explaining import explain_setup, keys_by_id
    from goldsignal_pipeline.selection.signal_ids import signal_id

    with database.transaction(read_only=True) as connection:
        matches = keys_by_id(connection, beginning=beginning.lower())
        if len(matches) != 1:
            ids = ", ".join(signal_id(key, symbol=symbol) for symbol, key in matches[:5])
            raise UsageError(
                f"{len(matches) or 'No'} setups have an id that begins with {beginning!r}.",
                fix=f"Choose among {ids}." if matches else "`goldsignal explain --at TIME` names those of a bar.",
            )
        symbol, key = matches[0]
        found = explain_setup(connection, settings, symbol=symbol, key=key, now=now)
    if found is None:
        raise UsageError(f"The setup {beginning} is no longer held.", fix="Run `goldsignal backfill --missing`.")
    return found


def _at(database: Database, settings: Settings, *, symbol: str, at: datetime, strategy: str, now: datetime) -> list[Explanation]:
    from goldsignal_pipeline.assets.explaining import explain_setup, setups_at

    with database.transaction(read_only=True) as connection:
        named = setups_at(connection, symbol=symbol, at=at, strategy=strategy)
        found = [explain_setup(connection, settings, symbol=symbol, key=key, now=now) for key, _, _ in named]
    if not named:
        who = strategy or "No strategy"
        raise UsageError(f"{who} has had no candidate on {symbol} by then.", fix="`goldsignal explain --silence` tells why.")
    return [one for one in found if one is not None]


def _silence(database: Database, *, symbol: str, span: tuple[datetime, datetime]) -> Silence:
    from goldsignal_pipeline.assets.explaining import explain_silence

    with database.transaction(read_only=True) as connection:
        return explain_silence(connection, symbol=symbol, start=span[0], end=span[1])


def _plain(one: Explanation) -> dict[str, Any]:
    return asdict(one)


def _render_all(console: Console, found: Sequence[Explanation], *, zone: ZoneInfo) -> None:
    for position, one in enumerate(found):
        if position:
            console.print()
        _render(console, one, zone=zone)
    console.print(Text(NO_EDGE, style="dim"))


def _render(console: Console, one: Explanation, *, zone: ZoneInfo) -> None:
    setup, key = one.setup, one.key
    status = one.signal["status"] if one.signal else setup.get("kind", "setup")
    console.print(Text(f"{key.strategy} {key.direction} on {key.timeframe} of {one.symbol}  {one.id}", style="bold"))
    console.print(f"confirmed {local_text(setup['confirmed_at'], zone=zone)}, {_verdict(one)}, {str(status).replace('_', ' ')}")
    if setup.get("stop") is not None:
        levels = ("reference", "stop", "take_profit_1", "take_profit_2")
        console.print(
            table(*((name.replace("_", " "), "right") for name in levels), rows=[[f"{setup[name]}" for name in levels]])
        )
    console.print()
    console.print(table("condition", ("measured", "right"), "", ("threshold", "right"), "", rows=map(_condition, one.conditions)))
    if one.readings:
        console.print()
        rows = [(_mark(reading.passed), reading.reason.value, reading.measured, reading.needed) for reading in one.readings]
        console.print(table("", "rule", "measured", "needed", rows=rows))
    _render_rest(console, one, zone=zone)


def _render_rest(console: Console, one: Explanation, *, zone: ZoneInfo) -> None:
    """Steps, outcome, versions and revisions."""
    if one.events:
        console.print()
        rows = [
            (str(row["kind"]).replace("_", " "), local_text(row["at"], zone=zone), _detail(row["detail"])) for row in one.events
        ]
        console.print(table("step", "at", "", rows=rows))
    if one.signal:
        console.print()
        names = (
            "origin",
            "code_version",
            "strategy_version",
            "parameters_digest",
            "calendar_version",
            "events_digest",
            "inputs_digest",
        )
        versions = [(name.replace("_", " "), str(one.signal[name])[:16]) for name in names]
        console.print(table("version", "", rows=versions))
    console.print()
    if not one.revisions:
        console.print("The candles that it read have not been revised since.")
        return
    console.print(f"{len(one.revisions)} observations that it may have read were revised since:")
    shown = one.revisions[:_SHOWN_REVISIONS]
    revised = [
        (str(row["source"]), str(row["timeframe"]), *(local_text(row[name], zone=zone) for name in ("timestamp", "observed_at")))
        for row in shown
    ]
    console.print(table("source", "bars", "bar", "observed", rows=revised))


def _verdict(one: Explanation) -> str:
    if one.verdict is None:
        return "no verdict"
    if one.verdict["is_accepted"]:
        return "accepted"
    return "turned away: " + ", ".join(reason.replace("_", " ") for reason in one.verdict["reasons"])


def _condition(row: Mapping[str, Any]) -> tuple[Text | str, ...]:
    kind = "required" if row["required"] else f"+{row['points']}" if row["points"] else "told"
    numbers = [_number(row[name], row["unit"]) for name in ("measured", "threshold")]
    return f"{row['name'].replace('_', ' ')} ({kind})", numbers[0], row["comparison"], numbers[1], _mark(row["passed"])


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "not available"
    return f"{value / 100:.2f} USD" if unit == "ticks" else f"{value:.4g}"


def _mark(passed: bool) -> Text:
    return Text("yes", style="green") if passed else Text("no", style="bold red")


def _detail(detail: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in detail.items())


def _render_silence(console: Console, told: Silence, *, symbol: str, span: tuple[datetime, datetime], zone: ZoneInfo) -> None:
    begin, end = (local_text(moment, zone=zone) for moment in span)
    console.print(f"{symbol}, {begin} to {end}: {told.accepted} signals given.")
    rows = [
        (str(row["strategy"]), str(row["reason"]).replace("_", " "), str(row["setups"]), str(row["by_this_alone"]))
        for row in told.turned_away
    ]
    console.print(table("turned away by the gate", "rule", ("setups", "right"), ("by it alone", "right"), rows=rows))
    console.print()
    refused = [(str(row["strategy"]), str(row["reason"]).replace("_", " "), str(row["candidates"])) for row in told.refused]
    console.print(table("refused by the strategy", "reason", ("candidates", "right"), rows=refused))
    console.print()
    misses = [
        (
            one.strategy,
            one.condition.replace("_", " "),
            str(one.count),
            _number(one.nearest_shortfall, one.unit),
            local_text(one.nearest_at, zone=zone),
        )
        for one in told.near_misses
    ]
    console.print(table("near misses", "trigger that failed", ("times", "right"), ("lacked least", "right"), "at", rows=misses))
