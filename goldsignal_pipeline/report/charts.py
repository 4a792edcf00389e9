"""Pictures of the report as inline SVG: no script, no font, no request; they follow the colours of the page and print sharp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from goldsignal_pipeline.report.html import Html, element, joined, text
from goldsignal_pipeline.report.record import Curve

WIDTH: Final = 860
HEIGHT: Final = 260
COLOURS: Final = 6
_LEFT: Final = 46
_BOTTOM: Final = 24
_TOP: Final = 10
_STEPS: Final = 4

_Across = Callable[[datetime], float]
_Up = Callable[[float], float]


def equity(curves: Sequence[Curve], *, start: datetime, end: datetime, title: str) -> Html:
    """Equity in R over the range, a stepped line per curve from zero, with a legend; a sentence without any trade."""
    if not curves:
        return element("p", f"{title}: no result became known in this range.", kind="note")
    values = [0.0, *(value for curve in curves for value in curve.gained)]
    low, high = min(values), max(values)
    margin = max(0.5, (high - low) * 0.05)
    low, high = low - margin, high + margin
    span = (end - start).total_seconds()

    def across(at: datetime) -> float:
        return _LEFT + (WIDTH - _LEFT - 8) * (at - start).total_seconds() / span

    def up(value: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low)

    lines = joined(_line(curve, number, across, up, end=end) for number, curve in enumerate(curves))
    grid = joined(_level(low + (high - low) * step / _STEPS, up) for step in range(_STEPS + 1))
    zero = f'<line class="zero" x1="{_LEFT}" x2="{WIDTH - 8}" y1="{up(0):.1f}" y2="{up(0):.1f}"/>'
    dates = joined(_date(start + (end - start) * step / _STEPS, across, step) for step in range(_STEPS + 1))
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title).text}">'
    picture = Html(f"{head}{grid.text}{zero}{dates.text}{lines.text}</svg>")
    return element("figure", element("figcaption", title), picture, _legend(curves))


def _line(curve: Curve, number: int, across: _Across, up: _Up, *, end: datetime) -> Html:
    path = [f"M{_LEFT} {up(0):.1f}"]
    for at, value in zip(curve.times, curve.gained, strict=True):
        path.append(f"H{across(at):.1f}V{up(value):.1f}")
    path.append(f"H{across(end):.1f}")
    return Html(f'<path class="line c{number % COLOURS}" d="{"".join(path)}"/>')


def _level(value: float, up: _Up) -> Html:
    at = up(value)
    return Html(
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - 8}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:+.1f}</text>'
    )


def _date(at: datetime, across: _Across, step: int) -> Html:
    anchor = {0: "start", _STEPS: "end"}.get(step, "middle")
    return Html(f'<text x="{across(at):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{at:%Y-%m-%d}</text>')


def _legend(curves: Sequence[Curve]) -> Html:
    named = [
        element(
            "li", Html(f'<i class="b{number % COLOURS}"></i>'), f"{curve.name} {curve.gained[-1]:+.2f} R, n {len(curve.gained)}"
        )
        for number, curve in enumerate(curves)
    ]
    return element("ul", *named, kind="legend")
