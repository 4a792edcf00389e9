"""Observations: which delivered rows count, and the one reason of each that does not."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.delivery import REJECTED_COLUMNS, ROW_COLUMNS, Delivery, empty_rejected, empty_rows
from goldsignal_pipeline.market.observations import Qualified, qualify
from goldsignal_pipeline.market.reasons import RejectReason
from goldsignal_pipeline.market.sources import Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, GRACE, MUCH_LATER, observed, recorded, utc, walk, walks

PRICES = ["open", "high", "low", "close"]
MONDAY = (utc(2025, 6, 2), utc(2025, 6, 2, 20))


def judged(
    rows: pd.DataFrame,
    timeframe: Timeframe = Timeframe.M5,
    *,
    now: datetime = MUCH_LATER,
    reference: int | None = None,
    unreadable: pd.DataFrame | None = None,
) -> Qualified:
    delivery = Delivery(
        source=Source.parse("vendor:mid"),
        timeframe=timeframe,
        rows=rows[list(ROW_COLUMNS)],
        rejected=empty_rejected() if unreadable is None else unreadable,
    )
    return qualify(delivery, calendar=CALENDAR, now=now, grace=GRACE, reference_close_ticks=reference)


def reasons(result: Qualified) -> dict[str, int]:
    return result.rejected["reason"].value_counts().to_dict()


def page(start: str, *, bars: int, step: str = "5min", **walking: int) -> pd.DataFrame:
    """Rows at every step of the clock, as a vendor that serves 24 hours on 7 days sends them."""
    opens = pd.date_range(start, periods=bars, freq=step).as_unit("us").to_numpy()
    return walk(opens, seed=5, **walking)


# --- what counts -------------------------------------------------------------------------------------------------------


@given(rows=walks(timeframe=Timeframe.M5), seed=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_good_rows_are_all_kept_sorted_and_unique_whatever_their_order(rows: pd.DataFrame, seed: int) -> None:
    result = judged(pd.concat([rows, rows]).sample(frac=1, random_state=seed))
    pd.testing.assert_frame_equal(result.rows, rows.sort_values("timestamp", ignore_index=True), check_dtype=True)
    assert result.folded == len(rows)
    assert len(result.rejected) == 0


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_i1_of_any_delivery_only_possible_prices_pass_and_no_row_is_lost(data: st.DataObject) -> None:
    rows = data.draw(walks(timeframe=Timeframe.M5, largest=60))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    prices = rows[PRICES].to_numpy().copy()
    hit = rng.random(prices.shape) < 0.1
    prices[hit] = rng.choice([0, -1, 1, 10_000_000_000, 150_000, 250_000], hit.sum())
    rows[PRICES] = prices
    result = judged(rows)
    kept = result.rows
    assert (kept["low"] <= kept[["open", "close"]].min(axis=1)).all()
    assert (kept[["open", "close"]].max(axis=1) <= kept["high"]).all()
    assert (kept[PRICES] > 0).all(axis=None)
    assert len(kept) + len(result.rejected) + result.folded == len(rows)
    assert set(result.rejected["reason"]) <= set(RejectReason)


@given(rows=walks(timeframe=Timeframe.H1, largest=80), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_verdict_does_not_depend_on_the_order_of_delivery(rows: pd.DataFrame, seed: int) -> None:
    noisy = pd.concat([rows, rows.assign(close=rows["high"]).iloc[::7], rows.assign(open=3, low=2).iloc[::11]])
    first = judged(noisy, Timeframe.H1)
    second = judged(noisy.sample(frac=1, random_state=seed), Timeframe.H1)
    pd.testing.assert_frame_equal(first.rows, second.rows)
    pd.testing.assert_frame_equal(first.rejected, second.rejected)


def test_an_empty_delivery_is_no_fault() -> None:
    """Known mistake 13: an empty weekend answer was treated as failure."""
    result = judged(empty_rows())
    assert (len(result.rows), len(result.rejected), result.folded) == (0, 0, 0)
    assert result.rows.dtypes.to_dict() == empty_rows().dtypes.to_dict()
    assert tuple(result.rejected.columns) == REJECTED_COLUMNS


@pytest.mark.fault("vendor")
def test_a_whole_weekend_of_filler_leaves_nothing_and_is_no_fault() -> None:
    """Known mistake 13."""
    result = judged(page("2026-02-06 22:00", bars=12 * 49))
    assert len(result.rows) == 0
    assert reasons(result) == {"weekend": 12 * 49}


# --- the clock ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault("vendor")
def test_a_forming_bar_is_never_stored() -> None:
    """Known mistake 2: the forming bar was stored and never corrected. A bar exists once open + length + grace <= now."""
    rows = page("2025-06-03 10:00", bars=4)
    closes = utc(2025, 6, 3, 10, 20)
    for late, kept in ((timedelta(0), 3), (GRACE - timedelta(microseconds=1), 3), (GRACE, 4)):
        assert len(judged(rows, now=closes + late).rows) == kept
    forming = judged(rows, now=closes)
    assert reasons(forming) == {"forming": 1}
    assert forming.rejected["timestamp"].tolist() == [pd.Timestamp(utc(2025, 6, 3, 10, 15))]


def test_dropping_the_last_row_would_be_wrong_because_it_may_be_closed() -> None:
    """Known mistake 2."""
    rows = page("2025-06-03 10:00", bars=4)
    assert len(judged(rows, now=utc(2025, 6, 3, 12)).rows) == 4


def test_h4_and_d1_bars_form_until_their_nominal_end_in_new_york() -> None:
    for timeframe, opens, ends in (
        (Timeframe.H4, utc(2025, 6, 2, 21), utc(2025, 6, 3, 1)),
        (Timeframe.D1, utc(2025, 6, 2, 21), utc(2025, 6, 3, 21)),
    ):
        row = walk(np.array([opens.replace(tzinfo=None)], "datetime64[us]"), seed=1)
        assert reasons(judged(row, timeframe, now=ends + GRACE - timedelta(seconds=1))) == {"forming": 1}
        assert len(judged(row, timeframe, now=ends + GRACE).rows) == 1


@pytest.mark.fault("vendor")
def test_a_bar_from_the_future_is_told_from_one_that_forms() -> None:
    rows = page("2025-06-03 10:00", bars=3)
    assert reasons(judged(rows, now=utc(2025, 6, 3, 10, 6))) == {"forming": 2, "future": 1}


def test_rows_before_the_record_begins_are_named() -> None:
    assert reasons(judged(page("2003-04-30 10:00", bars=1, step="1h"), Timeframe.H1)) == {"before_record": 1}
    assert len(judged(page("2003-05-01 00:00", bars=1, step="1h"), Timeframe.H1).rows) == 1


@pytest.mark.fault("vendor")
def test_a_weekend_that_moves_80_dollars_is_turned_away_by_the_clock_and_not_by_its_range() -> None:
    rows = page("2026-02-06 22:00", bars=12 * 49, start_ticks=495_900, step_ticks=900)
    assert rows["high"].max() - rows["low"].min() > 8_000
    assert len(judged(rows).rows) == 0


@pytest.mark.fault("vendor")
def test_every_closed_hour_has_its_own_reason() -> None:
    cases = {
        "weekend": "2025-06-07 12:00",
        "closed_hours": "2025-06-03 21:30",
        "holiday": "2026-04-03 12:00",
        "early_close": "2025-11-28 20:30",
    }
    for reason, instant in cases.items():
        assert reasons(judged(page(instant, bars=1))) == {reason: 1}, instant


def test_a_coarse_bar_counts_when_it_holds_one_open_minute() -> None:
    # 2025-07-04 trading ends at 13:00 New York, 17:00 UTC; the H4 bar of 13:00 to 17:00 UTC trades, the next does not.
    rows = page("2025-07-04 13:00", bars=2, step="4h")
    result = judged(rows, Timeframe.H4)
    assert result.rows["timestamp"].tolist() == [pd.Timestamp(utc(2025, 7, 4, 13))]
    assert reasons(result) == {"early_close": 1}
    assert len(judged(page("2025-06-03 21:00", bars=1, step="4h"), Timeframe.H4).rows) == 1
    assert reasons(judged(page("2025-06-03 21:00", bars=1, step="1h"), Timeframe.H1)) == {"closed_hours": 1}


@pytest.mark.fault("vendor")
def test_bars_off_the_grid_are_misaligned_also_days_cut_at_utc_midnight() -> None:
    assert reasons(judged(page("2025-06-03 10:01", bars=5))) == {"misaligned": 5}
    assert reasons(judged(page("2025-06-03 00:00", bars=3, step="1D"), Timeframe.D1)) == {"misaligned": 3}
    assert reasons(judged(page("2025-06-03 00:00", bars=3, step="4h"), Timeframe.H4)) == {"misaligned": 3}
    assert len(judged(page("2025-06-02 21:00", bars=3, step="1D"), Timeframe.D1).rows) == 3


def test_an_h4_stamp_inside_the_hour_that_new_york_skips_is_misaligned_and_no_crash() -> None:
    assert reasons(judged(page("2025-03-09 07:30", bars=1), Timeframe.H4)) == {"misaligned": 1}


@pytest.mark.fault("vendor")
def test_h1_rows_labelled_in_sydney_time_lose_the_hours_that_fall_into_the_weekend() -> None:
    true = observed(Timeframe.H1, utc(2025, 6, 2), utc(2025, 6, 7))
    result = judged(true.assign(timestamp=true["timestamp"] + pd.Timedelta("10h")), Timeframe.H1)
    assert result.rejected["reason"].isin(["weekend", "closed_hours"]).all()
    assert len(result.rejected) >= 10


# --- prices ------------------------------------------------------------------------------------------------------------


@pytest.mark.fault("vendor")
@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("low", 0, "not_positive"),
        ("close", -200_000, "not_positive"),
        ("high", 10_000_000_000, "out_of_range"),
        ("high", 100_000, "price_order"),
        ("low", 250_000, "price_order"),
        ("open", 900_000, "price_order"),
    ],
)
def test_an_impossible_price_is_turned_away_with_its_reason_and_its_neighbours_stay(column: str, value: int, reason: str) -> None:
    rows = observed(Timeframe.M5, *MONDAY)
    rows.loc[40, column] = value
    result = judged(rows)
    assert reasons(result) == {reason: 1}
    assert len(result.rows) == len(rows) - 1


def test_the_first_reason_that_applies_is_the_one_reason() -> None:
    row = page("2026-02-07 12:01", bars=1).assign(low=0, high=1)
    assert reasons(judged(row)) == {"not_positive": 1}
    assert reasons(judged(row, now=utc(2026, 2, 7, 12))) == {"future": 1}


def test_the_payload_shows_the_row_as_a_person_would_look_it_up() -> None:
    rows = page("2026-02-07 12:00", bars=1).assign(open=499_005, high=499_100, low=498_999, close=499_050, volume=np.nan)
    result = judged(rows)
    assert json.loads(result.rejected["payload"][0]) == {
        "timestamp": "2026-02-07T12:00:00.000000Z",
        "open": "4990.05",
        "high": "4991.00",
        "low": "4989.99",
        "close": "4990.50",
        "volume": None,
    }


def test_rows_the_provider_could_not_read_are_passed_on_first() -> None:
    unreadable = pd.DataFrame(
        {"timestamp": pd.Series([pd.NaT], dtype="datetime64[us, UTC]"), "reason": ["unreadable"], "payload": ["<html>"]}
    )
    result = judged(page("2026-02-07 12:00", bars=1), unreadable=unreadable)
    assert result.rejected["reason"].tolist() == ["unreadable", "weekend"]
    assert result.rejected["payload"][0] == "<html>"


def test_a_row_without_a_timestamp_is_unreadable() -> None:
    rows = page("2025-06-03 10:00", bars=2)
    rows.loc[1, "timestamp"] = pd.NaT
    assert reasons(judged(rows)) == {"unreadable": 1}


# --- duplicates --------------------------------------------------------------------------------------------------------


@pytest.mark.fault("vendor")
def test_identical_duplicates_fold_and_conflicting_ones_are_all_quarantined() -> None:
    rows = observed(Timeframe.M5, *MONDAY)
    other = rows.iloc[[7]].assign(close=rows["low"][7])
    result = judged(pd.concat([rows, rows.iloc[[3, 3]], rows.iloc[[7]], other]))
    assert result.folded == 2
    assert reasons(result) == {"conflicting_duplicate": 3}
    assert rows["timestamp"][7] not in set(result.rows["timestamp"])
    assert rows["timestamp"][3] in set(result.rows["timestamp"])


def test_a_duplicate_that_is_impossible_does_not_take_the_good_row_with_it() -> None:
    rows = observed(Timeframe.M5, *MONDAY)
    result = judged(pd.concat([rows, rows.iloc[[7]].assign(low=0)]))
    assert reasons(result) == {"not_positive": 1}
    assert len(result.rows) == len(rows)


# --- levels ------------------------------------------------------------------------------------------------------------


@pytest.mark.fault("vendor")
def test_a_whole_page_of_another_symbol_is_turned_away_by_the_reference() -> None:
    silver = observed(Timeframe.M5, *MONDAY, start_ticks=3_300, step_ticks=2)
    assert reasons(judged(silver, reference=330_000)) == {"implausible_level": len(silver)}
    bitcoin = observed(Timeframe.M5, *MONDAY, start_ticks=10_000_000)
    assert reasons(judged(bitcoin, reference=330_000)) == {"implausible_level": len(bitcoin)}


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("reference", [None, 201_000])
def test_a_page_of_another_symbol_between_good_ones_does_not_become_the_measure(reference: int | None) -> None:
    rows = observed(Timeframe.M5, utc(2025, 6, 2), utc(2025, 6, 6))
    middle = slice(100, 400)
    rows.loc[100:399, PRICES] = rows.loc[100:399, PRICES] // 60
    result = judged(rows, reference=reference)
    assert sorted(result.rejected["timestamp"]) == rows["timestamp"][middle].tolist()
    assert reasons(result) == {"implausible_level": 300}


@pytest.mark.parametrize("position", [0, 5, -1])
def test_one_strange_row_falls_alone_wherever_it_stands(position: int) -> None:
    rows = observed(Timeframe.M5, *MONDAY)
    at = rows.index[position]
    rows.loc[at, PRICES] = rows.loc[at, PRICES] * 3
    result = judged(rows)
    assert result.rejected["timestamp"].tolist() == [rows["timestamp"][at]]


def test_a_wild_close_does_not_speak_for_the_rows_after_it() -> None:
    rows = observed(Timeframe.M5, *MONDAY)
    rows.loc[20, ["high", "close"]] = 900_000
    assert judged(rows, reference=200_000).rejected["timestamp"].tolist() == [rows["timestamp"][20]]


def test_half_the_price_away_is_still_believed_and_a_tick_more_is_not() -> None:
    opens = np.array(["2025-06-03T10:00"], "datetime64[us]")
    for level, kept in ((300_000, 1), (300_001, 0), (100_000, 1), (99_999, 0)):
        row = walk(opens, seed=1).assign(open=level, high=level, low=level, close=level)
        assert len(judged(row, reference=200_000).rows) == kept, level


def test_a_market_that_doubles_over_a_long_hole_is_believed() -> None:
    before = observed(Timeframe.H1, utc(2019, 1, 7), utc(2019, 1, 12), start_ticks=128_000)
    after = observed(Timeframe.H1, utc(2026, 1, 5), utc(2026, 1, 10), start_ticks=450_000)
    result = judged(pd.concat([before, after]), Timeframe.H1, reference=128_500)
    assert len(result.rejected) == 0


# --- recorded ----------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_the_recorded_feed_leaves_no_bar_on_the_moving_weekend_nor_on_good_friday(shared_data: Path) -> None:
    rows = recorded(shared_data, Timeframe.M5, "twelvedata-24x7")
    weekend = rows[rows["timestamp"].between(utc(2026, 2, 6, 22), utc(2026, 2, 8, 23), inclusive="left")]
    friday = rows[rows["timestamp"].between(utc(2026, 4, 2, 21), utc(2026, 4, 5, 22), inclusive="left")]
    assert weekend["high"].max() - weekend["low"].min() > 8_000
    assert len(friday) > 800
    result = judged(rows)
    kept = set(result.rows["timestamp"])
    assert not kept & set(weekend["timestamp"])
    assert not kept & set(friday["timestamp"])
    assert len(kept) + len(result.rejected) == len(rows) == 37339
    assert set(reasons(result)) == {"weekend", "closed_hours", "holiday", "early_close"}
    assert pd.Timestamp(utc(2026, 2, 8, 23)) in kept


@pytest.mark.recorded
def test_the_recorded_utc_days_of_one_source_are_all_misaligned(shared_data: Path) -> None:
    rows = recorded(shared_data, Timeframe.D1, "oanda-lean-bid")
    assert reasons(judged(rows, Timeframe.D1)) == {"misaligned": 3949}


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("timeframe", "name"),
    [(Timeframe.M5, "mt5-budimanlai"), (Timeframe.H1, "mt5-ejtraderlabs"), (Timeframe.H1, "oanda-lean-bid")],
)
def test_no_recorded_row_is_called_impossible(shared_data: Path, timeframe: Timeframe, name: str) -> None:
    found = set(reasons(judged(recorded(shared_data, timeframe, name), timeframe)))
    assert found <= {"weekend", "closed_hours", "holiday", "early_close"}
