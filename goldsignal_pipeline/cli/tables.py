"""`goldsignal signals`, `outcomes` and `performance`: what was given, how it ended, what it earned; newest first.

The rows are those of the API, asked by the same functions. Every result stands beside the number of trades it was made of and the
interval in which its expectancy lies 95 times of 100.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.candles import RECORD_BEGINS
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, table
from goldsignal_pipeline.cli.times import parse_range
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.reading.queries import Order, Query

Row = Mapping[str, Any]

_PANEL: Final = "Signals"
_STATUS_STYLES: Final = {"active": "bold", "tp2_hit": "green", "tp1_hit": "green", "sl_hit": "red", "missed": "dim"}
_STATE_STYLES: Final = {"healthy": "green", "watch": "yellow", "probation": "yellow", "degraded": "bold red"}

StartOption = Annotated[str | None, typer.Option("--from", help="Begin, inclusive; that of the record when absent.")]
EndOption = Annotated[str | None, typer.Option("--to", help="End, exclusive; now when absent.")]
StrategyOption = Annotated[str | None, typer.Option("--strategy", help="Only this strategy.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many of the newest.")]
SymbolOption = Annotated[str | None, typer.Option("--symbol", help="XAUUSD or XAUUSD-SIM; the feed's when absent.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was asked: rows of a symbol in [start, end), of one strategy where named."""

    settings: Settings
    symbol: str
    start: datetime | None
    end: datetime
    strategy: str | None

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which times are shown."""
        return self.settings.display_zone

    def payload(self, **rows: Any) -> dict[str, Any]:
        """The answer as plain values."""
        return {"symbol": self.symbol, "from": self.start, "to": self.end, "strategy": self.strategy, **rows}


def commands(app: typer.Typer) -> None:
    """Register `signals`, `outcomes` and `performance`."""
    for command in (signals, outcomes, performance):
        app.command(rich_help_panel=_PANEL)(command)


def signals(
    *,
    start: StartOption = None,
    end: EndOption = None,
    strategy: StrategyOption = None,
    limit: LimitOption = 20,
    symbol: SymbolOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest signals with their levels, evidence and fate, by the close of the confirming bar."""
    from goldsignal_pipeline.storage.reading import signals as reading

    asked = _asked(start, end, strategy, symbol)
    wanted = reading.Wanted(asked.symbol, asked.start or RECORD_BEGINS, asked.end, strategy)
    (rows,) = _answers(asked, _newest(reading.signals(wanted), reading.SIGNAL_ORDER, limit))
    Output(as_json).emit(asked.payload(signals=rows), render=lambda console: _render_signals(console, rows, asked))


def outcomes(
    *,
    start: StartOption = None,
    end: EndOption = None,
    strategy: StrategyOption = None,
    limit: LimitOption = 20,
    symbol: SymbolOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how the newest signals ended, by the close of the bar that ended them."""
    from goldsignal_pipeline.storage.reading import signals as reading

    asked = _asked(start, end, strategy, symbol)
    wanted = reading.Wanted(asked.symbol, asked.start or RECORD_BEGINS, asked.end, strategy)
    (rows,) = _answers(asked, _newest(reading.outcomes(wanted), reading.OUTCOME_ORDER, limit))
    Output(as_json).emit(asked.payload(outcomes=rows), render=lambda console: _render_outcomes(console, rows, asked))


def performance(
    *,
    start: Annotated[str | None, typer.Option("--from", help="First day; only the newest day when absent.")] = None,
    end: EndOption = None,
    strategy: StrategyOption = None,
    limit: LimitOption = 100,
    symbol: SymbolOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what strategies earned, in signals and in simulation, with intervals and the number of trials."""
    from goldsignal_pipeline.storage.reading import results as reading

    asked = _asked(start, end, strategy, symbol)
    # Days that began before the end.
    beyond = (asked.end - timedelta(microseconds=1)).date() + timedelta(days=1)
    days = reading.WantedDays(asked.symbol, asked.start.date() if asked.start else None, beyond, strategy)
    queries = [_newest(query(days), reading.DAILY_ORDER, limit) for query in (reading.performance, reading.backtests)]
    given, tested = ([_with_interval(row) for row in rows] for rows in _answers(asked, *queries))
    payload = asked.payload(signals=given, backtests=tested)
    Output(as_json).emit(payload, render=lambda console: _render_performance(console, given, tested, asked))


def _asked(start: str | None, end: str | None, strategy: str | None, symbol: str | None) -> Asked:
    settings = session.start()
    if strategy is not None:
        _refuse_unknown(strategy)
    first, last = parse_range(start, end, zone=settings.display_zone)
    return Asked(settings, symbol or session.default_symbol(settings), first, last or datetime.now(UTC), strategy)


def _refuse_unknown(strategy: str) -> None:
    from goldsignal_pipeline.strategies.registry import load_strategies

    known = sorted(load_strategies())
    if strategy not in known:
        raise UsageError(f"There is no strategy {strategy!r}.", fix=f"Choose among {', '.join(known)}.")


def _newest(query: Query, order: Order, limit: int) -> Query:
    from goldsignal_pipeline.storage.reading.queries import page

    return page(query, order=order, after=None, limit=limit)


def _answers(asked: Asked, *queries: Query) -> list[list[dict[str, Any]]]:
    from goldsignal_pipeline.storage.reading.queries import rows

    with session.open_database(asked.settings) as database, database.transaction(read_only=True) as connection:
        return [rows(connection, query) for query in queries]


def _with_interval(row: dict[str, Any]) -> dict[str, Any]:
    """The row with `expectancy_low` and `expectancy_high`, from its week-clustered error; None where that is unknown."""
    from goldsignal_pipeline.alerts.texts import NORMAL_95

    mean, error = row["expectancy"], row["expectancy_error"]
    if mean is None or error is None:
        return row | {"expectancy_low": None, "expectancy_high": None}
    return row | {"expectancy_low": mean - NORMAL_95 * error, "expectancy_high": mean + NORMAL_95 * error}


def _render_signals(console: Console, rows: Sequence[Row], asked: Asked) -> None:
    if not rows:
        console.print(f"{asked.symbol}: no signal in this range. `goldsignal explain` says why.")
        return
    shown = [
        (
            local_text(row["confirmed_at"], zone=asked.zone, with_zone=False),
            row["id"],
            row["strategy"],
            row["timeframe"],
            row["direction"],
            f"{row['reference']:.2f}",
            f"{row['stop']:.2f}",
            f"{row['take_profit_1']:.2f}",
            f"{row['size_lots']:.2f}",
            row["evidence"],
            Text(row["status"], style=_STATUS_STYLES.get(row["status"], "")),
            _r(row["net_r"]),
        )
        for row in rows
    ]
    numbers: list[str | tuple[str, str]] = [(name, "right") for name in ("price", "stop", "target 1", "lots")]
    headers = ["bar closed", "id", "strategy", "of", "", *numbers, "evidence", "status", ("net R", "right")]
    console.print(table(*headers, rows=shown, title=f"{asked.symbol} signals, USD/oz, times in {asked.zone.key}"))
    _say_no_edge(console)


def _render_outcomes(console: Console, rows: Sequence[Row], asked: Asked) -> None:
    if not rows:
        console.print(f"{asked.symbol}: no signal ended in this range.")
        return
    shown = [
        (
            local_text(row["resolved_at"], zone=asked.zone, with_zone=False),
            row["id"],
            row["strategy"],
            row["timeframe"],
            row["direction"],
            Text(row["result"], style=_STATUS_STYLES.get(row["result"], "")),
            _r(row["net_r"]),
            _r(row["cost_r"]),
            f"{_r(row['worst_r'])} to {_r(row['best_r'])}" if row["ambiguous"] else "",
            row["resolution"],
            row["origin"],
        )
        for row in rows
    ]
    headers: list[str | tuple[str, str]] = [
        "ended",
        "id",
        "strategy",
        "of",
        "",
        "result",
        ("net R", "right"),
        ("cost R", "right"),
    ]
    title = f"{asked.symbol} outcomes, times in {asked.zone.key}"
    console.print(table(*headers, "if the order is unclear", "by", "origin", rows=shown, title=title))
    scored = [row["net_r"] for row in rows if row["net_r"] is not None]
    console.print(f"{len(scored)} scored of {len(rows)} shown, {sum(scored, Decimal(0)):+.2f} R in all.")
    _say_no_edge(console)


def _render_performance(console: Console, given: Sequence[Row], tested: Sequence[Row], asked: Asked) -> None:
    if not given and not tested:
        console.print(f"{asked.symbol}: no results in this range.")
        return
    headers: list[str | tuple[str, str]] = ["day", "strategy", "of", ("days", "right"), ("n", "right"), ("wins", "right")]
    headers += [("mean R", "right"), ("95 % of it", "right")]
    states = [Text(row["state"] or "", style=_STATE_STYLES.get(row["state"], "")) for row in given]
    shown: list[Sequence[str | Text]] = [(*_result_cells(row), state) for row, state in zip(given, states, strict=True)]
    console.print(table(*headers, "health", rows=shown, title=f"{asked.symbol}, signals by the end of the day"))
    against = [("" if row["p_value"] is None else f"{row['p_value']:.3f}", str(row["trials"] or "")) for row in tested]
    shown_tested: list[Sequence[str | Text]] = [(*_result_cells(row), *cells) for row, cells in zip(tested, against, strict=True)]
    headers += [("p against chance", "right"), ("trials", "right")]
    console.print(table(*headers, rows=shown_tested, title=f"{asked.symbol}, simulation as of 00:00 UTC of the day"))
    console.print("p is known for the last day of each month only; of several trials, some look good by luck.", style="dim")
    _say_no_edge(console)


def _result_cells(row: Row) -> tuple[str, ...]:
    low, high = row["expectancy_low"], row["expectancy_high"]
    interval = "unknown" if low is None else f"{low:+.2f} to {high:+.2f}"
    wins = "" if row["win_rate"] is None else f"{row['win_rate']:.0%}"
    who = (str(row["day"]), row["strategy"], row["timeframe"])
    return (*who, str(row["window_days"]), str(row["trades"]), wins, _r(row["expectancy"]), interval)


def _say_no_edge(console: Console) -> None:
    from goldsignal_pipeline.report.words import NO_EDGE

    console.print(NO_EDGE, style="dim")


def _r(value: Decimal | None) -> str:
    return "" if value is None else f"{value:+.2f}"
