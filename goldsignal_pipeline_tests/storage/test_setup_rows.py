from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.storage import setup_rows
from goldsignal_pipeline.strategies.setups import CONDITION_DTYPES, SETUP_DTYPES
from goldsignal_pipeline_tests.storage import graph_rows

KEY = ["strategy", "timeframe", "direction", "timestamp"]
WORDS = ("name", "required", "points", "measured", "comparison", "threshold", "unit", "passed")
numbers = st.floats(allow_infinity=False) | st.sampled_from([0.0, -0.0, 5e-324, 1e308, 0.1 + 0.2, 1.0])
condition_lists = st.lists(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
                "required": st.booleans(),
                "points": st.integers(0, 100),
                "measured": numbers,
                "comparison": st.sampled_from([">", ">=", "<", "<="]),
                "threshold": numbers,
                "unit": st.sampled_from(["ticks", "count", "share", "flag"]),
                "passed": st.booleans(),
            }
        ),
        max_size=4,
    ),
    min_size=1,
    max_size=6,
)


def frames_of(told: list[list[dict[str, Any]]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    setups = graph_rows.setups(len(told))
    counts = [len(one) for one in told]
    conditions = pd.DataFrame({name: setups[name].array.repeat(counts) for name in KEY})
    flat = [condition for one in told for condition in one]
    conditions["position"] = [place for count in counts for place in range(count)]
    for name in CONDITION_DTYPES:
        if name not in conditions:
            conditions[name] = pd.Series([condition[name] for condition in flat], dtype=CONDITION_DTYPES[name])
    return setups, conditions.astype(CONDITION_DTYPES)[list(CONDITION_DTYPES)]


def bits(values: pd.Series) -> bytes:
    """The bits of floats, every NaN the same."""
    floats = values.to_numpy(dtype=np.float64)
    return np.where(np.isnan(floats), np.nan, floats).tobytes()


@settings(max_examples=40, deadline=None)
@given(told=condition_lists)
def test_conditions_come_back_bit_for_bit_from_their_texts(told: list[list[dict[str, Any]]]) -> None:
    setups, conditions = frames_of(told)
    rows = setup_rows.to_rows(setups, conditions)
    back = setup_rows.conditions_of(rows)
    pd.testing.assert_frame_equal(back, conditions, check_exact=True)
    assert bits(back["measured"]) == bits(conditions["measured"])
    assert bits(back["threshold"]) == bits(conditions["threshold"])


@settings(max_examples=40, deadline=None)
@given(told=condition_lists)
def test_texts_are_what_json_itself_writes_without_spaces_and_with_null_for_what_is_not_available(
    told: list[list[dict[str, Any]]],
) -> None:
    setups, conditions = frames_of(told)
    expected = [
        json.dumps(
            [
                {name: None if condition[name] != condition[name] else condition[name] for name in WORDS}  # NaN alone differs
                for condition in one
            ],
            separators=(",", ":"),
        )
        for one in told
    ]
    assert setup_rows.to_rows(setups, conditions)["conditions"].tolist() == expected


@settings(max_examples=30, deadline=None)
@given(measured=st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=5))
def test_setups_come_back_bit_for_bit_from_their_rows(measured: list[tuple[float, ...]]) -> None:
    columns = dict(zip(setup_rows.MEASURES, map(list, zip(*measured, strict=True)), strict=True))
    setups = graph_rows.setups(len(measured)).assign(**columns)
    rows = setup_rows.to_rows(setups, graph_rows.conditions(setups))
    assert list(rows.columns) == list(setup_rows.ROW_COLUMNS)
    back = setup_rows.setups_of(rows)
    pd.testing.assert_frame_equal(back, setups, check_exact=True)
    for name in setup_rows.MEASURES:
        assert bits(back[name]) == bits(setups[name])
    assert [list(json.loads(one)) for one in rows["measures"]] == [list(setup_rows.MEASURES)] * len(rows)


def test_the_order_in_which_conditions_arrive_does_not_matter() -> None:
    setups = graph_rows.setups(20)
    conditions = graph_rows.conditions(setups)
    expected = setup_rows.to_rows(setups, conditions)
    shuffled = conditions.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(setup_rows.to_rows(setups, shuffled), expected)
    by_position = conditions.sort_values("position", kind="stable")
    pd.testing.assert_frame_equal(setup_rows.to_rows(setups, by_position), expected)
    reordered = setups.sample(frac=1, random_state=4)
    pd.testing.assert_frame_equal(setup_rows.to_rows(reordered, conditions), expected.loc[reordered.index])


def test_no_setups_give_no_rows_and_those_no_setups() -> None:
    setups = graph_rows.setups(0)
    rows = setup_rows.to_rows(setups, graph_rows.conditions(setups))
    assert len(rows) == 0
    assert setup_rows.setups_of(rows).dtypes.astype(str).to_dict() == SETUP_DTYPES
    assert setup_rows.conditions_of(rows).dtypes.astype(str).to_dict() == CONDITION_DTYPES


def test_a_condition_without_its_setup_is_refused() -> None:
    setups = graph_rows.setups(4)
    with pytest.raises(DataError, match="belong to no setup"):
        setup_rows.to_rows(setups.iloc[1:], graph_rows.conditions(setups))
    with pytest.raises(DataError, match="or to two"):
        setup_rows.to_rows(pd.concat([setups, setups.iloc[:1]]), graph_rows.conditions(setups))


@pytest.mark.parametrize("name", ["measured", "threshold"])
def test_an_infinite_value_is_refused_by_name(name: str) -> None:
    setups = graph_rows.setups(4)
    conditions = graph_rows.conditions(setups)
    conditions.loc[2, name] = -np.inf
    with pytest.raises(DataError, match=f"A value of {name} is infinite"):
        setup_rows.to_rows(setups, conditions)
