"""Small pictures for metadata: PNG, inline, under 20 kB each, because every one becomes a row of Dagster's event log."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_INCHES: Final = (5.2, 1.9)
_FRAME: Final = (0.10, 0.13, 0.88, 0.76)
_GOLD: Final = "#b8860b"
_MARKED_DAYS: Final = (1, 5, 10, 15, 20, 25)


def price_chart(candles: pd.DataFrame, *, title: str) -> str:
    """Markdown with a line of closes in USD/oz over time and the range of each bar behind it.

    `candles`: `timestamp` and prices in ticks, ascending; an empty frame gives a sentence instead of a picture.
    """
    if candles.empty:
        return "No candles in this month."
    from matplotlib import dates
    from matplotlib.figure import Figure

    # A fixed frame: letting matplotlib arrange it, or place the title itself, draws everything twice.
    figure = Figure(figsize=_INCHES, dpi=80)
    axes = figure.add_axes(_FRAME)
    times = candles["timestamp"].dt.tz_localize(None).to_numpy()
    usd = candles[["high", "low", "close"]] / 100
    axes.fill_between(times, usd["low"].to_numpy(), usd["high"].to_numpy(), color=_GOLD, alpha=0.25, linewidth=0)
    axes.plot(times, usd["close"].to_numpy(), color=_GOLD, linewidth=1)
    axes.set_title(title, fontsize=8, y=1.0, pad=4)
    axes.set_ylabel("USD/oz", fontsize=7)
    axes.tick_params(labelsize=6)
    axes.xaxis.set_major_locator(dates.DayLocator(bymonthday=_MARKED_DAYS))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(dates.DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
    axes.grid(alpha=0.2)
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
