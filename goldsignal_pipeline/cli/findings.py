"""What `doctor` and `status` find: one line each, with the fix where something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from rich.table import Table
from rich.text import Text

from goldsignal_pipeline.cli.exits import HEALTHY, UNHEALTHY
from goldsignal_pipeline.cli.output import table


class Level(StrEnum):
    """How good or bad a finding is; only a problem makes the exit code differ from 0."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


_MARKS: Final = {Level.OK: ("ok", "green"), Level.NOTE: ("note", "yellow"), Level.PROBLEM: ("PROBLEM", "bold red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was found, and what helps."""

    name: str
    level: Level
    detail: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """The finding as plain values."""
        return asdict(self)


def ok(name: str, detail: str) -> Finding:
    """A finding that nothing is wrong."""
    return Finding(name, Level.OK, detail)


def note(name: str, detail: str, *, fix: str = "") -> Finding:
    """A finding worth knowing that is no fault."""
    return Finding(name, Level.NOTE, detail, fix)


def problem(name: str, detail: str, *, fix: str) -> Finding:
    """A finding that something is wrong."""
    return Finding(name, Level.PROBLEM, detail, fix)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 when nothing is wrong, else the code of "not healthy"."""
    return UNHEALTHY if any(finding.level is Level.PROBLEM for finding in findings) else HEALTHY


def render(findings: Sequence[Finding], *, title: str) -> Table:
    """The findings as a table; fixes stand below what they mend."""
    rows = []
    for finding in findings:
        mark, style = _MARKS[finding.level]
        detail = Text(finding.detail)
        if finding.fix:
            detail.append(f"\n-> {finding.fix}", style="bold")
        rows.append((Text(finding.name, no_wrap=True), Text(mark, style=style, no_wrap=True), detail))
    return table("", "", "", rows=rows, title=title, header=False)
