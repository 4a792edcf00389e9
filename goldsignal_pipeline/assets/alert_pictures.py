"""The picture of a signal for a phone: bars around it, its levels as lines, the way to stop and targets shaded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from goldsignal_pipeline.assets import kept_candles
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.alerts import SEPARATOR

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from goldsignal_pipeline.storage.alerts import Claim
    from goldsignal_pipeline.storage.database import Database

DRAWN_KINDS: Final = frozenset({"published", "closed", "corrected"})
_BARS_BEFORE: Final = 60
_LONGEST: Final = timedelta(days=15)
_INCHES: Final = (8.0, 5.0)
_UP, _DOWN, _STOP, _TARGET, _ENTRY = "#2a9d8f", "#c1440e", "#d62728", "#2ca02c", "#333333"
_SIGNAL: Final = text("""
    SELECT symbol, timeframe, strategy, direction, confirmed_at, reference, stop, take_profit_1, take_profit_2 FROM signals
    WHERE symbol = :symbol AND timeframe = :timeframe AND strategy = :strategy AND direction = :direction
      AND timestamp = :timestamp
""")


def picture_of(database: Database, claimed: Claim, *, now: datetime) -> bytes | None:
    """PNG of the signal that a message is about; None for other messages and where there are no candles."""
    if claimed.kind not in DRAWN_KINDS:
        return None
    _, symbol, timeframe, strategy, direction, opened, *_ = claimed.natural_key.split(SEPARATOR)
    named = {"symbol": symbol, "timeframe": timeframe, "strategy": strategy, "direction": direction}
    stamp = datetime.fromisoformat(opened).replace(tzinfo=UTC)
    with database.transaction(read_only=True) as connection:
        signal = connection.execute(_SIGNAL, {**named, "timestamp": stamp}).mappings().one_or_none()
        if signal is None:
            return None
        length = Timeframe(timeframe)
        start = stamp - _BARS_BEFORE * length.length
        end = min(now, signal["confirmed_at"] + _LONGEST)
        bars = kept_candles.read(connection, symbol=symbol, timeframes=[length], start=start, end=end)[length]
    return None if bars.empty else signal_picture(bars, dict(signal))


def signal_picture(bars: pd.DataFrame, signal: dict[str, Any]) -> bytes:
    """PNG of bars (`timestamp` and prices in ticks, ascending) with the levels of a signal."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=100, layout="constrained")
    axes = figure.add_subplot()
    _draw_bars(axes, bars)
    _draw_levels(axes, bars, signal)
    simulated = " (simulated)" if signal["symbol"].endswith("-SIM") else ""
    axes.set_title(f"{signal['symbol']}{simulated} {signal['timeframe']} {signal['strategy']} {signal['direction']}", fontsize=11)
    axes.set_ylabel("USD/oz")
    axes.grid(alpha=0.2)
    drawn = BytesIO()
    FigureCanvasAgg(figure).print_png(drawn)  # type: ignore[no-untyped-call]
    return drawn.getvalue()


def _draw_bars(axes: Axes, bars: pd.DataFrame) -> None:
    # By number and not by time, so that weekends leave no hole.
    places = range(len(bars))
    usd = bars[["open", "high", "low", "close"]] / 100
    colors = [_UP if rises else _DOWN for rises in (usd["close"] >= usd["open"])]
    axes.vlines(places, usd["low"], usd["high"], color=colors, linewidth=0.8)
    axes.bar(places, (usd["close"] - usd["open"]).abs().clip(lower=0.01), bottom=usd[["open", "close"]].min(axis=1), color=colors)
    marked = list(places)[:: max(1, len(bars) // 6)]
    axes.set_xticks(marked, [f"{bars['timestamp'].iloc[place]:%d %b %H:%M}" for place in marked], fontsize=7)
    axes.set_xlabel("UTC", fontsize=7)


def _draw_levels(axes: Axes, bars: pd.DataFrame, signal: dict[str, Any]) -> None:
    entry, stop, one, two = (float(signal[name]) for name in ("reference", "stop", "take_profit_1", "take_profit_2"))
    begin = int((bars["timestamp"] < signal["confirmed_at"]).sum()) - 0.5
    right = max(len(bars), begin + _BARS_BEFORE // 3)
    axes.fill_between([begin, right], entry, stop, color=_STOP, alpha=0.12, linewidth=0)
    axes.fill_between([begin, right], entry, two, color=_TARGET, alpha=0.12, linewidth=0)
    for name, level, color in (("entry", entry, _ENTRY), ("stop", stop, _STOP), ("TP1", one, _TARGET), ("TP2", two, _TARGET)):
        axes.hlines(level, begin, right, color=color, linewidth=1.2)
        axes.annotate(f"{name} {level:.2f}", (right, level), fontsize=8, color=color, va="center")
    axes.set_xlim(-1, right + len(bars) * 0.2)
