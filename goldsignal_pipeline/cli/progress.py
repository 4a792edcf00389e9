"""Progress on standard error: a bar of bytes for files, a bar of months for runs; silent where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from goldsignal_pipeline.cli.output import Output, span_text

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.launch import RunReport

ByteProgress = Callable[[int, int], None]


@contextmanager
def file_progress(output: Output) -> Iterator[Callable[[str], ByteProgress]]:
    """Opens one bar per step of a file; the function it yields names the step and gives back what counts its bytes."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.notes, transient=True, disable=not output.notes.is_terminal) as bars:

        def begin(text: str) -> ByteProgress:
            task = bars.add_task(text, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield begin


@contextmanager
def runs_progress(output: Output, text: str, *, pieces: Sequence[tuple[str, str]]) -> Iterator[Callable[[RunReport], None]]:
    """One bar over all months of `pieces`; without a terminal one line per finished run."""
    from goldsignal_pipeline.assets.partitions import months_between

    total = sum(len(months_between(*piece)) for piece in pieces)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.notes, transient=True, disable=not output.notes.is_terminal) as bars:
        task = bars.add_task(f"{text} (months)", total=total)

        def advance(report: RunReport) -> None:
            bars.advance(task, len(months_between(report.first_month, report.last_month)))
            if not output.notes.is_terminal:
                state = "done" if report.succeeded else "failed"
                output.note(f"{report.first_month} to {report.last_month} {state} in {span_text(report.seconds)}", style="")

        yield advance
