"""Pieces of a page: everything that is given is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final


@dataclass(frozen=True, slots=True)
class Html:
    """Text that is HTML already."""

    text: str

    def __add__(self, other: Html) -> Html:
        return Html(self.text + other.text)


@dataclass(frozen=True, slots=True)
class Number:
    """A cell that is aligned to the right; `tone` colours it: good, bad or nothing."""

    text: str
    tone: str = ""


Cell = str | Number | Html
NOTHING: Final = Html("")


def text(value: object) -> Html:
    """Any value as text."""
    return Html(escape(str(value), quote=True))


def element(name: str, *content: Html | str, kind: str = "") -> Html:
    """An element; strings are escaped."""
    inner = "".join(part.text if isinstance(part, Html) else escape(part, quote=True) for part in content)
    attribute = f' class="{escape(kind, quote=True)}"' if kind else ""
    return Html(f"<{name}{attribute}>{inner}</{name}>")


def joined(parts: Iterable[Html]) -> Html:
    """The parts, one after another."""
    return Html("".join(part.text for part in parts))


def section(title: str, *content: Html) -> Html:
    """A part of the page with its heading."""
    return element("section", element("h2", title), *content)


def note(words: str) -> Html:
    """A paragraph that explains."""
    return element("p", words, kind="note")


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], *, empty: str) -> Html:
    """A table that scrolls on its own where it is too wide; a sentence instead where there are no rows."""
    cells = list(rows)
    if not cells:
        return note(empty)
    body = [element("tr", *map(_cell, row)) for row in cells]
    kinds = ["number" if isinstance(value, Number) else "" for value in cells[0]]
    head = element("tr", *(element("th", name, kind=kind) for name, kind in zip(headers, kinds, strict=True)))
    return element("div", element("table", element("thead", head), element("tbody", *body)), kind="wide")


def _cell(value: Cell) -> Html:
    if isinstance(value, Number):
        return element("td", value.text, kind=f"number {value.tone}".strip())
    return element("td", value)
