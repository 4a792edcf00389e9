"""Small pictures for metadata: PNG, inline, under 20 kB each, because every one becomes a row of Dagster's event log."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_INCHES: Final = (5.2, 1.9)
_GOLD: Final = "#b8860b"


def price_chart(candles: pd.DataFrame, *, title: str) -> str:
    """Markdown with a line of closes in USD/oz over time and the range of each bar behind it.

    `candles`: `timestamp` and prices in ticks, ascending; an empty frame gives a sentence instead of a picture.
    """
    if candles.empty:
        return "No candles in this month."
    from matplotlib import dates
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=80, layout="constrained")
    axes = figure.add_subplot()
    times = candles["timestamp"].dt.tz_localize(None).to_numpy()
    usd = candles[["high", "low", "close"]] / 100
    axes.fill_between(times, usd["low"].to_numpy(), usd["high"].to_numpy(), color=_GOLD, alpha=0.25, linewidth=0)
    axes.plot(times, usd["close"].to_numpy(), color=_GOLD, linewidth=1)
    axes.set_title(title, fontsize=8)
    axes.set_ylabel("USD/oz", fontsize=7)
    axes.tick_params(labelsize=6)
    axes.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=8))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(dates.DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
    axes.grid(alpha=0.2)
    return f"![{title}](data:image/png;base64,{base64.b64encode(_small_png(figure)).decode()})"


def _small_png(figure: Figure) -> bytes:
    from PIL import Image

    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    # Sixteen colours are enough for one line and its axes, and a fifth of the bytes.
    Image.open(drawn).convert("RGB").quantize(colors=16).save(small, format="png", optimize=True)
    return small.getvalue()
