"""`goldsignal prove bias`: that no strategy knows what it cannot know.

Runs on the simulated market unless candle files are given; needs no database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.exits import UNHEALTHY
from goldsignal_pipeline.cli.output import JsonOption, Output, table
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from goldsignal_pipeline.market.timeframes import Timeframe
    from goldsignal_pipeline.proofs.record import Record
    from goldsignal_pipeline.proofs.reports import BiasReport
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.strategies.base import Strategy


def commands(group: typer.Typer) -> None:
    """Register `bias`."""
    group.command()(bias)


def bias(
    *,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Name of one; every installed strategy when absent.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Candles to try on; the simulated market when absent.", exists=True, dir_okay=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try out whether a strategy looks ahead, remembers, or asks clock, chance or files."""
    from goldsignal_pipeline.strategies.registry import load_strategies

    settings = session.start()
    chosen = choose(load_strategies(), strategy)
    reports = list(_reports(chosen, None if file is None else _FileCandles(file, settings)))
    payload = {"passed": all(report.passed for report in reports), "strategies": [report.as_dict() for report in reports]}
    Output(as_json).emit(payload, render=lambda console: _render(console, reports))
    if not payload["passed"]:
        raise typer.Exit(UNHEALTHY)


def choose(installed: Mapping[str, Strategy], name: str | None) -> list[Strategy]:
    """The named strategy, or all of them; raises `UsageError` for a name that nobody registered."""
    if name is None:
        return list(installed.values())
    if name not in installed:
        near = get_close_matches(name, installed, n=1)
        suggestion = f"Did you mean {near[0]}?" if near else f"Installed are {', '.join(installed)}."
        raise UsageError(f"No strategy {name!r} is installed.", done="Nothing was proved.", fix=suggestion)
    return [installed[name]]


class _FileCandles:
    """The bars of a candle file that count, read once."""

    def __init__(self, path: Path, settings: Settings) -> None:
        from goldsignal_pipeline.market.hours import load_calendar
        from goldsignal_pipeline.market.observations import qualify
        from goldsignal_pipeline.providers.files import read_file

        calendar = load_calendar()
        reading = read_file(path, calendar=calendar)
        # A file with both sides is proved on its first.
        delivery, now = reading.deliveries[0], datetime.now(UTC)
        judged = qualify(delivery, calendar=calendar, now=now, grace=settings.grace, reference_close_ticks=None)
        self.timeframe: Timeframe = reading.timeframe
        self.bars: pd.DataFrame = judged.rows

    def record(self, strategy: Strategy, timeframe: Timeframe) -> Record:
        """The last months that are warm for a strategy."""
        from goldsignal_pipeline.proofs.record import record_of

        days = strategy.warm_up_days(timeframe)
        return record_of(self.bars, given=self.timeframe, timeframe=timeframe, warm_up_days=days)


def _reports(strategies: Sequence[Strategy], candles: _FileCandles | None) -> Iterator[BiasReport]:
    from goldsignal_pipeline.proofs.bias import prove_bias
    from goldsignal_pipeline.proofs.simulated import simulated_record

    for strategy in strategies:
        for timeframe in strategy.timeframes:
            record = simulated_record(strategy, timeframe=timeframe) if candles is None else candles.record(strategy, timeframe)
            yield prove_bias(strategy, record=record)


def _render(console: Console, reports: Sequence[BiasReport]) -> None:
    from goldsignal_pipeline.proofs.reports import MEANINGS

    rows = [_cells(report) for report in reports]
    console.print(table("strategy", "", "months", ("rows", "right"), ("evaluations", "right"), "result", rows=rows))
    found = [(report, bias) for report in reports for bias in report.biases]
    for report, bias in found:
        where = f"{bias.direction} {bias.bar:%Y-%m-%d %H:%M} UTC" if bias.bar else ""
        cells = [("expected", MEANINGS[bias.proof]), ("column", bias.column), ("first bar", where), ("found", bias.detail)]
        console.print()
        title = f"{report.strategy} {report.timeframe}: {bias.proof}"
        console.print(table("", "", rows=[cell for cell in cells if cell[1]], title=title, header=False))
    for report in reports:
        for trial in report.trials:
            if trial.note:
                console.print(f"{report.strategy} {report.timeframe}: {trial.proof} {trial.note}", style="dim")


def _cells(report: BiasReport) -> tuple[str | Text, ...]:
    result = Text("nothing differs", style="green")
    if not report.passed:
        result = Text(f"BIASED: {', '.join(bias.proof for bias in report.biases)}", style="bold red")
    months = f"{report.months[0]} to {report.months[-1]}"
    return report.strategy, report.timeframe.value, months, f"{report.rows:,}", f"{report.evaluations:,}", result
