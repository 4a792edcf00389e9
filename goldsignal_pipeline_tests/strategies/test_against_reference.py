"""Every strategy agrees with a slow, obvious second implementation of its rules."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from goldsignal_pipeline.market.candles import resample
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import recorded, utc
from goldsignal_pipeline_tests.strategies import reference
from goldsignal_pipeline_tests.strategies.records import ALL, NAMES, run, walk_h1

COLUMNS = ["timestamp", "direction", "kind", "stop", "take_profit_1", "take_profit_2", "confidence"]
WARM_UP = {"liquidity_sweep": 21, "trend_continuation": 70, "breakout_expansion": 21, "ema_momentum": 70}


def _local(moment: datetime, zone: str, first: int, end: int) -> bool:
    return first <= moment.astimezone(ZoneInfo(zone)).hour < end


def _expected(h1: pd.DataFrame, name: str, month: datetime) -> pd.DataFrame:
    """Setups and refusals of one month by the reference, with H4 agreement by plain Python as well."""
    end = (month + timedelta(days=32)).replace(day=1)
    opens = [stamp.to_pydatetime() for stamp in h1["timestamp"]]
    hour = timedelta(hours=1)
    rows = [k for k, opened in enumerate(opens) if month - timedelta(days=WARM_UP[name]) <= opened and opened + hour < end]
    bars = [reference.Bar(*map(int, h1.loc[k, ["open", "high", "low", "close"]])) for k in rows]
    times = [opens[k] for k in rows]
    overlap = [_local(t, "Europe/London", 8, 17) and _local(t, "America/New_York", 8, 17) for t in times]
    h4 = resample(h1, target=Timeframe.H4)
    h4 = h4[h4["timestamp"] >= month - timedelta(days=260)]
    h4_closes = [int(close) for close in h4["close"]]
    h4_gap = [fast - slow for fast, slow in zip(reference.ema(h4_closes, 50), reference.ema(h4_closes, 200), strict=True)]
    h4_known = [(stamp + timedelta(hours=4)).to_pydatetime() for stamp in h4["timestamp"]]
    found = []
    for direction in ("BUY", "SELL"):
        side = reference.Side(buy=direction == "BUY")
        extra = [[_local(t, "Europe/London", 8, 9) for t in times]] if name == "breakout_expansion" else []
        for setup in getattr(reference, name)(bars, side, overlap, *extra):
            confirmed = times[setup.bar] + hour
            if confirmed < month:
                continue
            known = [gap for gap, at in zip(h4_gap, h4_known, strict=True) if at <= confirmed]
            agrees = bool(known) and side.gain(0, known[-1]) > 0
            levels = (0, 0, 0) if setup.refused else (setup.stop, setup.take_profit_1, setup.take_profit_2)
            kind = "refused" if setup.refused else "setup"
            found.append((times[setup.bar], direction, kind, *levels, 50 + setup.points + 5 * agrees))
    return pd.DataFrame(found, columns=COLUMNS).sort_values(COLUMNS[:2], ignore_index=True)


def _assert_agrees(h1: pd.DataFrame, name: str, months: list[str], record_start: datetime) -> int:
    strategy = ALL[NAMES.index(name)]
    total = 0
    for month in months:
        found = run(h1, months=[month], record_start=record_start, strategies=[strategy]).setups
        found = found[found["kind"] != "near_miss"][COLUMNS].reset_index(drop=True)
        expected = _expected(h1, name, datetime.fromisoformat(f"{month}-01T00:00:00+00:00"))
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
        total += int((expected["kind"] == "setup").sum())
    return total


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_finds_what_its_rules_say_bar_by_bar_on_a_walk(name):
    h1 = walk_h1(7)
    assert _assert_agrees(h1, name, ["2019-12", "2020-01"], utc(2019, 1, 1)) >= 8


@pytest.mark.recorded
@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_finds_what_its_rules_say_bar_by_bar_on_recorded_candles(shared_data, name):
    h1 = recorded(shared_data, Timeframe.H1, "mt5-ejtraderlabs")
    h1 = h1[(h1["timestamp"] >= utc(2015, 1, 1)) & (h1["timestamp"] < utc(2015, 12, 3))].reset_index(drop=True)
    assert _assert_agrees(h1, name, ["2015-10", "2015-11"], utc(2015, 1, 1)) >= 8
