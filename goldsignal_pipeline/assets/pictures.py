"""Small pictures for metadata: PNG, inline, under 20 kB each, because every one becomes a row of Dagster's event log."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES: Final = (5.2, 1.9)
_FRAME: Final = (0.10, 0.13, 0.88, 0.76)
_GOLD: Final = "#b8860b"
_COLORS: Final = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")
_LEVEL_COLORS: Final = {"stop": "#d62728", "TP1": "#2ca02c", "TP2": "#2ca02c"}
_MARKED_DAYS: Final = (1, 5, 10, 15, 20, 25)


def price_chart(candles: pd.DataFrame, *, title: str) -> str:
    """Markdown with a line of closes in USD/oz over time and the range of each bar behind it.

    `candles`: `timestamp` and prices in ticks, ascending; an empty frame gives a sentence instead of a picture.
    """
    if candles.empty:
        return "No candles in this month."
    figure, axes = _canvas(title)
    _draw_prices(axes, candles)
    _label_days(axes)
    return _markdown(figure, title)


def equity_chart(closed: pd.DataFrame, *, title: str) -> str:
    """Markdown with the cumulated net R of each strategy over the instants at which results became known.

    `closed`: `strategy`, `resolved_at` and `net_r`, ascending; an empty frame gives a sentence instead of a picture.
    """
    if closed.empty:
        return "No result became known in this month."
    figure, axes = _canvas(title)
    for color, (strategy, own) in zip(_COLORS, closed.groupby("strategy"), strict=False):
        times = own["resolved_at"].dt.tz_localize(None).to_numpy()
        axes.step(times, own["net_r"].cumsum().to_numpy(), where="post", linewidth=1, label=str(strategy), color=color)
    axes.axhline(0, color="#888888", linewidth=0.5)
    axes.set_ylabel("net R", fontsize=7)
    axes.legend(fontsize=5, frameon=False, loc="upper left")
    _label_days(axes)
    return _markdown(figure, title)


def trade_chart(candles: pd.DataFrame, *, levels: Mapping[str, float], title: str) -> str:
    """Markdown with the candles around a signal and its levels in USD/oz, by name; a sentence where there are no candles."""
    if candles.empty:
        return "No candles around this signal."
    figure, axes = _canvas(title)
    _draw_prices(axes, candles)
    for name, level in levels.items():
        axes.axhline(level, color=_LEVEL_COLORS.get(name, "#444444"), linewidth=0.8, linestyle="--")
        axes.annotate(name, (0.005, level), xycoords=("axes fraction", "data"), fontsize=5, va="bottom")
    axes.tick_params(axis="x", labelrotation=0)
    return _markdown(figure, title)


def _canvas(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    # A fixed frame: letting matplotlib arrange it, or place the title itself, draws everything twice.
    figure = Figure(figsize=_INCHES, dpi=80)
    axes = figure.add_axes(_FRAME)
    axes.set_title(title, fontsize=8, y=1.0, pad=4)
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.2)
    return figure, axes


def _draw_prices(axes: Axes, candles: pd.DataFrame) -> None:
    times = candles["timestamp"].dt.tz_localize(None).to_numpy()
    usd = candles[["high", "low", "close"]] / 100
    axes.fill_between(times, usd["low"].to_numpy(), usd["high"].to_numpy(), color=_GOLD, alpha=0.25, linewidth=0)
    axes.plot(times, usd["close"].to_numpy(), color=_GOLD, linewidth=1)
    axes.set_ylabel("USD/oz", fontsize=7)


def _label_days(axes: Axes) -> None:
    from matplotlib import dates

    axes.xaxis.set_major_locator(dates.DayLocator(bymonthday=_MARKED_DAYS))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(dates.DateFormatter("%d %b"))  # type: ignore[no-untyped-call]


def _markdown(figure: Figure, title: str) -> str:
    return f"![{title}](data:image/png;base64,{base64.b64encode(_small_png(figure)).decode()})"


def _small_png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = bytes(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    drawn = Image.frombytes("RGBA", canvas.get_width_height(), pixels).convert("RGB")
    small = BytesIO()
    # Sixteen colours are enough for one line and its axes, and a fifth of the bytes.
    drawn.quantize(colors=16, method=Image.Quantize.FASTOCTREE).save(small, format="png")
    return small.getvalue()
