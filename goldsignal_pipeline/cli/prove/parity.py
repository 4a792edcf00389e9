"""`goldsignal prove parity`: every stored row again through the backtest path, compared value by value.

With `--mutate` one tick of one candle is moved in memory first, and the proof must find that out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.exits import UNHEALTHY
from goldsignal_pipeline.cli.output import JsonOption, Output, table
from goldsignal_pipeline.cli.times import parse_month
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from goldsignal_pipeline.assets.recomputed import Known
    from goldsignal_pipeline.proofs.differences import RowDifference
    from goldsignal_pipeline.proofs.parity import ParityReport, Tick

SHOWN_MONTHS: Final = 6


def commands(group: typer.Typer) -> None:
    """Register `parity`."""
    group.command()(parity)


def parity(
    *,
    start: Annotated[str | None, typer.Option("--from", help="First month; that of the record when absent.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last month, inclusive; the running one when absent.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Symbol; that of the feed when absent.")] = None,
    mutate: Annotated[bool, typer.Option("--mutate", help="Move one tick of one candle first; must be found out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compute every stored setup, trade, result, verdict, signal and outcome again and compare."""
    from goldsignal_pipeline.assets.parity import prove_parity

    settings = session.start()
    chosen = symbol or session.default_symbol(settings)
    first, last = (None if month is None else parse_month(month) for month in (start, end))
    changed = _Mutation(first or "", last or "9999-12") if mutate else None
    with session.open_database(settings) as database:
        report = prove_parity(
            database,
            settings,
            symbol=chosen,
            now=datetime.now(UTC),
            first=first or "",
            last=last or "9999-12",
            change=changed,
        )
    tick = changed.tick if changed else None
    Output(as_json).emit(as_dict(report, tick=tick), render=lambda console: render(console, report, tick=tick))
    if not report.passed:
        raise typer.Exit(UNHEALTHY)


class _Mutation:
    """Moves the close of the bar that confirmed the latest setup in some months, and remembers what it moved."""

    def __init__(self, first: str, last: str) -> None:
        self._first, self._last = first, last
        self.tick: Tick | None = None

    def __call__(self, known: Known) -> Known:
        from goldsignal_pipeline.market.timeframes import Timeframe
        from goldsignal_pipeline.proofs.parity import changed_by_a_tick
        from goldsignal_pipeline.selection.history import evaluate_all
        from goldsignal_pipeline.strategies.registry import load_strategies

        strategies = list(load_strategies().values())
        months = [month for month in known.months if self._first <= month <= self._last]
        for start, own in known.record.unbroken.items():
            asked = [month for month in own if month in months]
            found = evaluate_all(strategies, candles=known.record.candles, months=asked, record_start=start).accepted()
            if len(found):
                # The next month reads bars of this one too; the middle one has rows around it.
                row = found.iloc[len(found) // 2]
                timeframe, opened = Timeframe(row["timeframe"]), row["timestamp"].to_pydatetime()
                record, self.tick = changed_by_a_tick(known.record, timeframe=timeframe, timestamp=opened)
                return replace(known, record=record)
        raise UsageError("No setup confirms in these months.", done="Nothing was changed or proved.", fix="Name other months.")


def as_dict(report: ParityReport, *, tick: Tick | None = None) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "passed": report.passed,
        "symbol": report.symbol,
        "months": [report.months[0], report.months[-1]] if report.months else [],
        "rows": report.rows,
        "tables": [
            {
                "table": one.table,
                "rows": one.rows,
                "differing": one.differing,
                "first": None if one.first is None else difference_text(one.first),
            }
            for one in report.tables
        ],
        "live_verdicts": report.live,
        "revised_since": list(report.revised),
        "behind": {asset: list(months) for asset, months in report.behind.items()},
        "incomplete": {asset: list(months) for asset, months in report.incomplete.items()},
        "mutated": None if tick is None else tick_text(tick),
    }


def render(console: Console, report: ParityReport, *, tick: Tick | None = None) -> None:
    """The report for people."""
    if tick is not None:
        console.print(f"In memory only: {tick_text(tick)}")
    rows = [
        (
            one.table,
            f"{one.rows:,}",
            Text("equal", style="green") if one.is_equal else Text(f"{one.differing:,} DIFFER", style="bold red"),
        )
        for one in report.tables
    ]
    console.print(table("table", ("rows", "right"), "against the backtest path", rows=rows))
    for one in report.differing:
        if one.first is not None:
            console.print(f"First difference of {one.table}: {difference_text(one.first)}", style="red")
    for asset, months in report.behind.items():
        told = (
            f"{asset} is behind its inputs in {_months_text(months)} and was not compared there: `goldsignal backfill --missing`."
        )
        console.print(told, style="red")
    for asset, months in report.incomplete.items():
        console.print(f"{asset} lacks earlier months in {_months_text(months)} and was not compared there.", style="yellow")
    if report.live:
        console.print(f"{report.live} live verdicts, judged again with the instants of their decisions.")
    if report.revised:
        told = f"{len(report.revised)} of them read bars that were revised since, and stand as they were given: "
        console.print(told + ", ".join(report.revised[:SHOWN_MONTHS]), style="yellow")
    span = f"{report.months[0]} to {report.months[-1]}" if report.months else "no month"
    differs = "NOT PROVED" if tick is None else "the moved tick was found out"
    console.print(f"{report.rows:,} rows of {report.symbol}, {span}: {'nothing differs' if report.passed else differs}.")


def difference_text(found: RowDifference) -> str:
    """A difference in one line."""
    from goldsignal_pipeline.assets.parity import shown
    from goldsignal_pipeline.proofs.differences import ROW, excerpts

    key = " ".join(shown(value, name, table=found.table) for name, value in found.key.items())
    if found.column == ROW:
        return f"{key}: {'is stored, but does not follow' if found.kept else 'follows, but is not stored'}"
    kept, computed = excerpts(*(shown(value, found.column, table=found.table) for value in (found.kept, found.computed)))
    return f"{key}: {found.column} is stored as {kept}, computed as {computed}"


def tick_text(tick: Tick) -> str:
    """What was moved."""
    before, after = (f"{price / 100:.2f}" for price in (tick.before, tick.after))
    candle = f"the {tick.timeframe} candle of {tick.timestamp:%Y-%m-%d %H:%M} UTC"
    return f"the {tick.column} of {candle} is {after} instead of {before}."


def _months_text(months: tuple[str, ...]) -> str:
    shown = ", ".join(months[:SHOWN_MONTHS])
    return shown if len(months) <= SHOWN_MONTHS else f"{shown} and {len(months) - SHOWN_MONTHS} more months"
