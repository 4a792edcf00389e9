"""The session spread model against recorded bid and ask: the difference is bounded, and the page tells what is measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.settings import PROJECT_ROOT
from goldsignal_pipeline.simulation.kernel import NOT_YET, Exit, Result
from goldsignal_pipeline_tests.simulation.spread_figures import TwoSides, compared, hourly_setups, page_rows, resolved

PAGE = PROJECT_ROOT / "docs" / "explanation" / "spread-model.md"
pytestmark = pytest.mark.recorded


@pytest.fixture(scope="module")
def minutes(shared_data) -> TwoSides:
    return TwoSides.of(shared_data, Timeframe.M1)


@pytest.fixture(scope="module")
def hourly(shared_data, minutes) -> pd.DataFrame:
    hours, times = TwoSides.of(shared_data, Timeframe.H1).bid, minutes.bid["timestamp"]
    return hourly_setups(hours, start=times.iloc[0], end=times.iloc[-1] - pd.Timedelta(days=5))


def test_true_trades_enter_and_leave_at_recorded_quotes(minutes, hourly) -> None:
    """Asked of the two files themselves: where each side was at the entry, and which bar first touched the stop."""
    trades = resolved(hourly, minutes.true())
    stopped = (trades["first_exit"] == Exit.STOP) & (trades["result"] == Result.SL_HIT)
    assert stopped.sum() > 400
    bid, ask = (side[["open", "high", "low"]].to_numpy() for side in (minutes.bid, minutes.ask))
    for trade, setup in zip(trades[stopped], hourly[stopped].itertuples(), strict=True):
        held = slice(trade["entry_bar"], trade["second_bar"] + 1)
        if setup.direction == "BUY":
            assert trade["entry_fill"] == ask[trade["entry_bar"], 0] + 5
            touched = np.flatnonzero(bid[held, 2] <= setup.stop)
        else:
            assert trade["entry_fill"] == bid[trade["entry_bar"], 0] - 5
            touched = np.flatnonzero(ask[held, 1] >= setup.stop)
        assert touched.tolist() == [trade["second_bar"] - trade["entry_bar"]]


def test_the_model_is_kinder_than_recorded_quotes_to_sell_and_close_to_them_for_buy(minutes, hourly) -> None:
    trades = compared(hourly, minutes)
    means = trades.groupby("direction")["difference"].mean()
    assert abs(means["BUY"]) < 0.005
    assert 0 < means["SELL"] < 0.2
    assert (resolved(hourly, minutes.true())["resolved_at"] != NOT_YET).mean() > 0.9


def test_one_minute_in_which_the_ask_alone_rose_stopped_21_sells(minutes, hourly) -> None:
    at = int(np.flatnonzero(minutes.bid["timestamp"] == pd.Timestamp("2014-05-07T08:03Z"))[0])
    risen = (minutes.ask["high"] - minutes.bid["high"])[at] - minutes.spreads[at]
    model, true = (resolved(hourly, markets) for markets in (minutes.modelled(), minutes.true()))
    stopped = [(t["first_exit"] == Exit.STOP) & (t["second_bar"] == at) & (t["result"] != Result.MISSED) for t in (true, model)]
    assert risen == 158
    assert (stopped[0] & ~stopped[1]).sum() == 21


def test_the_page_tells_what_is_measured_and_the_difference_over_thirteen_years_is_bounded(shared_data) -> None:
    text = PAGE.read_text().splitlines()
    rows = page_rows(shared_data)
    absent = [(title, row) for title, found in rows.items() for row in found if row not in text]
    assert absent == []
    differences = {row.split(" | ")[0].strip("| "): float(row.split(" | ")[4]) for row in rows["strategies"] + rows["directions"]}
    assert abs(differences["BUY"]) < 0.015
    assert abs(differences["SELL"]) < 0.04
    assert all(abs(differences[name]) < 0.03 for name in differences if name not in {"BUY", "SELL"})
