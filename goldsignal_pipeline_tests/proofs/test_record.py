"""Records: which months are warm in some bars, and that a stretch holds all that an evaluation reads and no later bar."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of, resample
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.proofs.record import month_end, month_of, record_of
from goldsignal_pipeline.proofs.simulated import simulated_record
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline_tests.market.candle_data import utc
from goldsignal_pipeline_tests.strategies.records import ALL, walk_h1


def test_the_last_three_warm_months_are_proved():
    record = record_of(walk_h1(1), given=Timeframe.H1, timeframe=Timeframe.H1, warm_up_days=70)
    assert record.months == ("2019-12", "2020-01", "2020-02")
    assert record.start == datetime(2019, 1, 1, 0, tzinfo=UTC).replace(hour=walk_h1(1)["timestamp"].iloc[0].hour)
    short = walk_h1(1, start=utc(2019, 1, 1), end=utc(2019, 4, 15))
    assert record_of(short, given=Timeframe.H1, timeframe=Timeframe.H1, warm_up_days=70).months == ("2019-04",)


def test_bars_that_are_too_few_or_too_coarse_are_refused_in_words():
    few = walk_h1(1, start=utc(2019, 1, 1), end=utc(2019, 2, 15))
    with pytest.raises(DataError, match="no month in them begins 70 days later"):
        record_of(few, given=Timeframe.H1, timeframe=Timeframe.H1, warm_up_days=70)
    with pytest.raises(DataError, match="there are H1 bars, and the strategy runs on M15"):
        record_of(few, given=Timeframe.H1, timeframe=Timeframe.M15, warm_up_days=21)


@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H1, Timeframe.H4])
def test_a_record_holds_the_strategys_bars_and_its_context(timeframe):
    record = simulated_record(ALL[0], timeframe=timeframe)
    assert set(record.candles) == {timeframe, Timeframe.H1, Timeframe.H4}
    assert record.months == ("2024-09", "2024-10", "2024-11")
    for key, frame in record.candles.items():
        np.testing.assert_array_equal(record.closes[key], bar_close(instants_of(frame["timestamp"]), timeframe=key))
    if timeframe is not Timeframe.H4:
        h4 = resample(record.candles[Timeframe.H1], target=Timeframe.H4).drop(columns="base_bars")
        pd.testing.assert_frame_equal(h4, record.candles[Timeframe.H4][h4.columns])


def test_a_stretch_gives_the_rows_of_the_whole_and_holds_nothing_later_than_its_cut():
    record = simulated_record(ALL[1], timeframe=Timeframe.H1)
    cut = np.datetime64("2024-10-15T14:00", "us")
    for until, end in ((None, month_end("2024-10")), (cut, cut)):
        stretch = record.stretch(["2024-10"], until=until)
        whole, part = (
            evaluate(ALL, candles=candles, timeframe=Timeframe.H1, months=["2024-10"], record_start=record.start).setups
            for candles in (record.candles, stretch)
        )
        known = whole[whole["confirmed_at"] <= pd.Timestamp(end, tz="UTC")].reset_index(drop=True)
        pd.testing.assert_frame_equal(known, part[part["confirmed_at"] <= pd.Timestamp(end, tz="UTC")])
        assert all((bar_close(instants_of(f["timestamp"]), timeframe=key) <= end).all() for key, f in stretch.items())
        assert sum(map(len, stretch.values())) < sum(map(len, record.candles.values()))


def test_a_bar_belongs_to_the_month_in_which_it_closes():
    assert month_of(np.datetime64("2024-10-01T00:00", "us")) == "2024-10"
    assert month_of(np.datetime64("2024-09-30T23:59", "us")) == "2024-09"
    record = simulated_record(ALL[0], timeframe=Timeframe.H1)
    closes = record.bar_closes()
    assert {month_of(close) for close in closes} == set(record.months)
