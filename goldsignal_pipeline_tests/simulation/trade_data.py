"""Generated lists of trades, and a from-scratch oracle of every metric in plain Python."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
from hypothesis import strategies as st

from goldsignal_pipeline.simulation.scored_trades import SCORED_TRADE_COLUMNS, empty_scored_trades

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2024, 3, 1, tzinfo=UTC)


def trade(entry: datetime, known: datetime, net_r: float, **other: object) -> dict[str, object]:
    """A row of the trades frame; its confirming bar is that of the hour before the entry."""
    row: dict[str, object] = {
        "strategy": "ema_momentum",
        "timeframe": "H1",
        "direction": "BUY",
        "timestamp": entry - timedelta(hours=1),
        "entry": entry,
        "resolved_at": known,
        "net_r": net_r,
        "gross_r": net_r + 0.08,
        "cost_r": 0.08,
        "hold_minutes": 60,
        "is_missed": False,
        "is_ambiguous": False,
    }
    return row | other


def frame_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a frame of the schema's dtypes."""
    if not rows:
        return empty_scored_trades()
    frame = pd.DataFrame(rows)[list(SCORED_TRADE_COLUMNS)]
    for name in ("timestamp", "entry", "resolved_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame


@st.composite
def trade_rows(draw: st.DrawFn, most: int = 40, days: int = 120) -> list[dict[str, object]]:
    """Trades known on quarter hours; results on a coarse grid, so that ties and zeros occur, also of entry and result."""
    rows: list[dict[str, object]] = []
    for number in range(draw(st.integers(0, most))):
        known = START + timedelta(minutes=15 * draw(st.integers(0, days * 96)))
        held = timedelta(minutes=15 * draw(st.integers(1, 400)))
        missed = draw(st.integers(0, 9)) == 0
        rows.append(
            trade(
                known - held,
                known,
                math.nan if missed else draw(st.integers(-60, 60)) / 20,
                direction=draw(st.sampled_from(["BUY", "SELL"])),
                timestamp=known - held - timedelta(minutes=15 * (number + 1)),
                hold_minutes=0 if missed else draw(st.integers(1, 4320)),
                is_missed=missed,
                is_ambiguous=not missed and draw(st.booleans()),
            )
        )
    unique = {(row["timestamp"], row["direction"]): row for row in rows}
    return list(unique.values())


def trading_day(instant: datetime) -> date:
    """The 17:00-to-17:00 New York day that holds the instant just before."""
    local = (instant - timedelta(microseconds=1)).astimezone(NEW_YORK)
    return local.date() + timedelta(days=local.hour >= 17)


def oracle(rows: list[dict[str, object]], day: datetime, window_days: int, trading_days: int) -> dict[str, float]:
    """Metrics of the window [day - window_days, day) by the definitions, one obvious step at a time."""
    inside = [row for row in rows if day - timedelta(days=window_days) <= row["resolved_at"] < day]
    closed = sorted(
        (r for r in inside if not r["is_missed"]), key=lambda r: (r["resolved_at"], r["entry"], r["direction"], r["timestamp"])
    )
    values = [row["net_r"] for row in closed]
    wins, losses = [v for v in values if v > 0], [v for v in values if v <= 0]
    undefined = "win_rate profit_factor expectancy expectancy_error median_r average_win_r average_loss_r sharpe sortino"
    result = dict.fromkeys(f"{undefined} max_drawdown_r calmar average_hold_hours".split(), math.nan)
    result |= {"trades": len(values), "wins": len(wins), "missed": len(inside) - len(closed)}
    result |= {"ambiguous": sum(r["is_ambiguous"] for r in closed), "longest_losing_run": 0}
    if not values:
        return result
    result["win_rate"] = len(wins) / len(values)
    if sum(losses) < 0:
        result["profit_factor"] = sum(wins) / -sum(losses)
    result["expectancy"] = mean = statistics.fmean(values)
    result["median_r"] = statistics.median(values)
    result["average_win_r"] = statistics.fmean(wins) if wins else math.nan
    result["average_loss_r"] = statistics.fmean(losses) if losses else math.nan
    result["average_hold_hours"] = statistics.fmean(r["hold_minutes"] for r in closed) / 60
    result["max_drawdown_r"], result["longest_losing_run"] = _falls(values)
    weeks: dict[tuple[int, int], list[float]] = {}
    daily: dict[date, float] = {}
    for row in closed:
        booked = trading_day(row["resolved_at"])
        weeks.setdefault(booked.isocalendar()[:2], []).append(row["net_r"] - mean)
        daily[booked] = daily.get(booked, 0.0) + row["net_r"]
    if len(weeks) > 1:
        squares = math.fsum(sum(residuals) ** 2 for residuals in weeks.values())
        result["expectancy_error"] = math.sqrt(len(weeks) / (len(weeks) - 1) * squares) / len(values)
    series = list(daily.values()) + [0.0] * (trading_days - len(daily))
    if result["max_drawdown_r"] > 0:
        result["calmar"] = statistics.fmean(series) * 252 / result["max_drawdown_r"]
    if trading_days >= 20 and statistics.stdev(series) > 1e-9:
        result["sharpe"] = statistics.fmean(series) / statistics.stdev(series) * math.sqrt(252)
        downside = math.sqrt(statistics.fmean(min(value, 0.0) ** 2 for value in series))
        if downside > 1e-9:
            result["sortino"] = statistics.fmean(series) / downside * math.sqrt(252)
    return result


def _falls(values: list[float]) -> tuple[float, int]:
    total = peak = deepest = 0.0
    run = longest = 0
    for value in values:
        total += value
        peak = max(peak, total)
        deepest = max(deepest, peak - total)
        run = run + 1 if value <= 0 else 0
        longest = max(longest, run)
    return deepest if deepest > 1e-9 else 0.0, longest
