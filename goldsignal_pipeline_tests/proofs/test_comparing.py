"""The first difference of two evaluations, against a search cell by cell."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.comparing import EXACT, Rows, Span, Tolerance, first_difference
from goldsignal_pipeline.strategies.setups import Evaluation
from goldsignal_pipeline_tests.strategies.records import ALL, run, walk_h1

KEY = ["timestamp", "strategy", "timeframe", "direction"]
ALWAYS = Span(np.datetime64("2019-01-01", "us"), np.datetime64("2021-01-01", "us"))
CHANGED = ("stop", "confidence", "atr", "session", "regime", "kind")


@cache
def evaluation() -> Evaluation:
    return run(walk_h1(3), months=["2019-12"], strategies=ALL[:2])


def changed(frame: pd.DataFrame, cells: list[tuple[int, str]]) -> pd.DataFrame:
    frame = frame.copy()
    for row, name in cells:
        value = frame[name].iloc[row % len(frame)]
        frame.loc[row % len(frame), name] = f"{value}?" if isinstance(value, str) else value + 1
    return frame


def difference(expected: Evaluation, found: Evaluation, span: Span = ALWAYS, tolerance: Tolerance = EXACT):
    one, other = (Rows.of(each, timeframe=Timeframe.H1) for each in (expected, found))
    return first_difference(one, other, span=span, tolerance=tolerance)


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from(CHANGED)), max_size=4), st.sets(st.integers(0, 500), max_size=3))
@settings(max_examples=60, deadline=None)
def test_the_first_changed_cell_or_missing_row_is_named(cells, dropped):
    whole = evaluation()
    other = changed(whole.setups, cells)
    absent = sorted(row % len(other) for row in dropped)
    expected = dict.fromkeys(absent, "row")
    for row, name in sorted((row % len(other), CHANGED.index(name)) for row, name in cells):
        columns = [column for column in whole.setups.columns if column not in KEY]
        current = expected.get(row)
        if current is None or (current != "row" and columns.index(CHANGED[name]) < columns.index(current)):
            expected[row] = CHANGED[name]
    found = difference(whole, Evaluation(other.drop(index=absent).reset_index(drop=True), whole.conditions, ()))
    if not expected:
        assert found is None
        return
    first = min(expected)
    row = whole.setups.iloc[first]
    assert found is not None
    assert pd.Timestamp(found.bar, tz="UTC") == row["timestamp"]
    assert found.direction == row["direction"]
    assert found.column == expected[first]


@pytest.mark.parametrize("name", ["measured", "threshold", "passed", "unit"])
def test_a_condition_is_named_with_its_column(name):
    whole = evaluation()
    conditions = whole.conditions.copy()
    row = 37
    conditions.loc[row, name] = {"passed": ~conditions.loc[row, "passed"], "unit": "other"}.get(name, 7.25)
    found = difference(whole, Evaluation(whole.setups, conditions, ()))
    assert found is not None
    assert found.column == f"conditions.{name}[{whole.conditions.loc[row, 'name']}]"


def test_only_what_was_known_within_the_span_is_compared():
    whole = evaluation()
    row = len(whole.setups) // 2
    other = Evaluation(changed(whole.setups, [(row, "stop")]), whole.conditions, ())
    confirmed = np.datetime64(whole.setups["confirmed_at"].iloc[row].tz_localize(None), "us")
    before = Span(ALWAYS.first, confirmed - np.timedelta64(1, "us"))
    after = Span(confirmed + np.timedelta64(1, "us"), ALWAYS.last)
    assert difference(whole, other, before) is difference(whole, other, after) is None
    assert difference(whole, other, Span(confirmed, confirmed)) is not None


def test_a_tolerance_is_for_floats_and_nothing_else():
    whole = evaluation()
    near = whole.setups.assign(atr=whole.setups["atr"] * (1 + 1e-9))
    assert difference(whole, Evaluation(near, whole.conditions, ())) is not None
    assert difference(whole, Evaluation(near, whole.conditions, ()), tolerance=Tolerance(relative=1e-6)) is None
    far = whole.setups.assign(stop=whole.setups["stop"] + 1)
    assert difference(whole, Evaluation(far, whole.conditions, ()), tolerance=Tolerance(relative=1.0, absolute=9.0)) is not None


def test_not_a_number_equals_itself_and_nothing_else():
    whole = evaluation()
    nothing = whole.setups.assign(atr_h1=np.nan)
    assert difference(Evaluation(nothing, whole.conditions, ()), Evaluation(nothing.copy(), whole.conditions, ())) is None
    found = difference(whole, Evaluation(nothing, whole.conditions, ()))
    assert found is not None
    assert found.column == "atr_h1"


def test_rows_of_several_strategies_are_told_apart():
    whole = evaluation()
    apart = Rows.of(whole, timeframe=Timeframe.H1).by_strategy([each.name for each in ALL[:2]], name="one")
    assert sum(len(rows.setups) for rows in apart.values()) == len(whole.setups)
    for name, rows in apart.items():
        own = run(walk_h1(3), months=["2019-12"], strategies=[each for each in ALL if each.name == name])
        assert set(rows.setups.columns["strategy"]) == {"one"}
        np.testing.assert_array_equal(rows.setups.columns["stop"], own.setups["stop"])
        np.testing.assert_array_equal(rows.conditions.columns["measured"], own.conditions["measured"])
