"""`goldsignal alerts`: try the channels, see what is owed and what was never delivered, mute, try again."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.exits import UNHEALTHY
from goldsignal_pipeline.cli.findings import Finding, note, ok, problem
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, span_text, table
from goldsignal_pipeline.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from goldsignal_pipeline.alerts.channels import Channel
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.alerts import Outbox
    from goldsignal_pipeline.storage.database import Database

_SPAN: Final = re.compile(r"(\d+)\s*(m|min|h|d)")
_UNITS: Final = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
_LONGEST_MUTE: Final = timedelta(days=30)
_TOO_OLD: Final = timedelta(minutes=10)
_RECENT: Final = timedelta(days=1)
_STATE_STYLES: Final = {"sent": "green", "owed": "yellow", "refused": "bold red", "lapsed": "red"}


def commands(app: typer.Typer) -> None:
    """Register the group `alerts`."""
    group = typer.Typer(name="alerts", help="Messages on your phone: what is owed, sent and undeliverable.")
    group.callback(invoke_without_command=True)(show)
    group.command("test")(send_test)
    for command in (mute, unmute, retry):
        group.command()(command)
    app.add_typer(group, rich_help_panel="Signals")


def show(
    context: typer.Context,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="Only messages that were never delivered.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many of the newest.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """The newest messages and what became of them on each channel, and whether alerts are muted."""
    if context.invoked_subcommand is not None:
        return
    from goldsignal_pipeline.storage import alerts

    settings, now = session.start(), datetime.now(UTC)
    with session.open_database(settings) as database, database.transaction(read_only=True) as connection:
        rows = alerts.newest(connection, limit=limit, only_dead=dead)
        channels = alerts.outboxes(connection, since=now - _RECENT)
        muted = alerts.muted_until(connection, now=now)
    payload = {"muted_until": muted, "channels": [asdict(one) for one in channels], "messages": rows}
    Output(as_json).emit(payload, render=lambda console: _render(console, payload, zone=settings.display_zone))


def send_test(as_json: JsonOption = False) -> None:
    """Send a test message through every configured channel now."""
    from goldsignal_pipeline.alerts.channels import Delivered, Letter
    from goldsignal_pipeline.alerts.messages import Message

    settings = session.start()
    at = local_text(datetime.now(UTC), zone=settings.display_zone)
    letter = Letter(Message("GoldSignal: alerts arrive here", (f"A test of {at}; 1 < 2 & all is well.",), "No signal."))
    results: list[dict[str, Any]] = []
    for channel in _channels(settings):
        answer = channel.send(letter)
        results.append({"channel": channel.name, "delivered": isinstance(answer, Delivered), "why": getattr(answer, "why", "")})
    Output(as_json).emit(results, render=lambda console: _render_test(console, results))
    if not all(one["delivered"] for one in results):
        raise typer.Exit(UNHEALTHY)


def mute(
    span: Annotated[str, typer.Option("--for", help="How long, for example 90m, 8h or 2d.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Send nothing for a while; what is still of use is sent afterwards."""
    _mute(_parsed_span(span), as_json=as_json)


def unmute(*, as_json: JsonOption = False) -> None:
    """Send again from now on."""
    _mute(timedelta(0), as_json=as_json)


def retry(*, as_json: JsonOption = False) -> None:
    """Owe again what a service refused and what is still of use, for example after a wrong token was corrected."""
    from goldsignal_pipeline.storage import alerts

    settings = session.start()
    with session.open_database(settings) as database, database.transaction() as connection:
        count = alerts.retry_refused(connection, now=datetime.now(UTC))
    Output(as_json).emit({"owed_again": count}, render=lambda console: console.print(f"{count} messages are owed again."))


def outbox_findings(database: Database, settings: Settings, *, now: datetime) -> list[Finding]:
    """Is what is owed sent, and was anything undeliverable in the last day? For `goldsignal status`."""
    from goldsignal_pipeline.storage import alerts

    if not settings.sends_alerts:
        return [note("alerts", "off", fix="See docs/how-to/get-alerts.md.")]
    with database.transaction(read_only=True) as connection:
        channels = alerts.outboxes(connection, since=now - _RECENT)
        muted = alerts.muted_until(connection, now=now)
    if not channels:
        return [note("alerts", "the sender has not run yet", fix="`goldsignal up` starts it.")]
    return [_finding(one, muted=muted, now=now, zone=settings.display_zone) for one in channels]


def _finding(box: Outbox, *, muted: datetime | None, now: datetime, zone: ZoneInfo) -> Finding:
    told = f"{box.channel}: {box.sent} sent, {box.owed} owed, {box.dead_since} undeliverable in a day"
    if muted is not None:
        return note("alerts", f"{told}; muted until {local_text(muted, zone=zone)}", fix="`goldsignal alerts unmute` ends it.")
    if box.oldest_owed is not None and now - box.oldest_owed > _TOO_OLD:
        age = span_text((now - box.oldest_owed).total_seconds())
        return problem("alerts", f"{told}; the oldest waits for {age}", fix="`goldsignal alerts` says why.")
    if box.dead_since:
        return problem("alerts", told, fix="`goldsignal alerts --dead` says why; `goldsignal alerts retry` tries again.")
    return ok("alerts", told)


def _channels(settings: Settings) -> list[Channel]:
    from goldsignal_pipeline.alerts.configured import configured_channels

    channels = configured_channels(settings)
    if not channels:
        raise SettingsError(
            "No channel for alerts is configured.",
            done="Nothing was sent.",
            fix="Set GOLDSIGNAL_TELEGRAM_BOT_TOKEN and GOLDSIGNAL_TELEGRAM_CHAT_ID, or GOLDSIGNAL_ALERT_URLS.",
        )
    return channels


def _mute(span: timedelta, *, as_json: bool) -> None:
    from goldsignal_pipeline.storage import alerts

    settings, now = session.start(), datetime.now(UTC)
    until = now + span
    with session.open_database(settings) as database, database.transaction() as connection:
        alerts.mute(connection, at=now, until=until)
    told = f"Muted until {local_text(until, zone=settings.display_zone)}." if span else "Alerts are sent again."
    Output(as_json).emit({"muted_until": until if span else None}, render=lambda console: console.print(told))


def _parsed_span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text.strip().lower())
    span = timedelta(**{_UNITS[found.group(2)]: int(found.group(1)[:6])}) if found else timedelta(0)
    if not timedelta(0) < span <= _LONGEST_MUTE:
        raise UsageError(
            f"expected a time up to 30 days such as 90m, 8h or 2d, was {text!r}.",
            done="Nothing was changed.",
            fix="goldsignal alerts mute --for 8h",
        )
    return span


def _render(console: Console, payload: dict[str, Any], *, zone: ZoneInfo) -> None:
    for box in payload["channels"]:
        console.print("{channel}: {sent} sent, {owed} owed, {refused} refused, {lapsed} lapsed".format(**box))
    if payload["muted_until"] is not None:
        console.print(f"Muted until {local_text(payload['muted_until'], zone=zone)}.", style="yellow")
    if not payload["messages"]:
        console.print("No message yet: only what happens live is told.")
        return
    rows = [
        (
            local_text(one["at"], zone=zone, with_zone=False),
            one["headline"],
            Text(one["state"] or "no channel", style=_STATE_STYLES.get(one["state"] or "", "dim")),
            one["error"] or "",
        )
        for one in payload["messages"]
    ]
    console.print(table(f"known ({zone.key})", "message", "", "why", rows=rows))


def _render_test(console: Console, results: list[dict[str, Any]]) -> None:
    for one in results:
        said = Text("delivered", style="green") if one["delivered"] else Text(f"not delivered: {one['why']}", style="bold red")
        console.print(Text(f"{one['channel']}: ").append_text(said))
