"""Frames are ordered and typed as pandas would, by other ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.candles import TIMESTAMP_DTYPE, instants_of
from goldsignal_pipeline.market.frames import order_of, ordered, typed

DTYPES = {"name": "str", "at": TIMESTAMP_DTYPE, "day": "datetime64[s]", "ticks": "int64", "share": "float64", "passed": "bool"}
ROW = st.tuples(
    st.sampled_from(["", "Z", "a", "ab", "Ä", "€", "\N{GRINNING FACE}", "\uffff"]),
    st.integers(-3, 3).map(lambda hours: pd.Timestamp(hours * 3600, unit="s", tz="UTC")),
    st.integers(-3, 3).map(lambda days: pd.Timestamp(days * 86400, unit="s")),
    st.integers(-3, 3),
    st.sampled_from([-0.5, 0.0, 2.5]),
    st.booleans(),
)
FRAMES = st.lists(ROW, max_size=12).map(lambda rows: pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES))
NAMES = st.lists(st.sampled_from(list(DTYPES)), min_size=1, max_size=4, unique=True)


@settings(deadline=None, max_examples=150)
@given(frame=FRAMES, names=NAMES)
def test_rows_are_in_the_order_of_a_stable_sort(frame: pd.DataFrame, names: list[str]) -> None:
    shuffled = frame.assign(number=np.arange(len(frame))).sample(frac=1, random_state=7)
    expected = shuffled.sort_values(names, kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(ordered(shuffled, names), expected)
    assert shuffled["number"].to_numpy()[order_of(shuffled, names)].tolist() == expected["number"].tolist()


@settings(deadline=None, max_examples=100)
@given(frame=FRAMES)
def test_columns_get_their_dtypes_from_whatever_holds_them(frame: pd.DataFrame) -> None:
    loose = frame.astype(object).assign(other=1).set_index(pd.Index(np.arange(len(frame)) + 5))
    pd.testing.assert_frame_equal(typed(loose, DTYPES), frame)
    pd.testing.assert_frame_equal(typed({name: frame[name].tolist() for name in DTYPES}, DTYPES), frame)
    pd.testing.assert_frame_equal(typed(frame, {"ticks": "int64", "name": "str"}), frame[["ticks", "name"]])


def test_what_no_whole_number_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="non-finite"):
        typed({"ticks": [1.0, np.nan]}, {"ticks": "int64"})


def test_a_typed_frame_is_not_changed_with_what_it_was_made_of() -> None:
    given_ticks = np.array([1, 2])
    made = typed({"ticks": given_ticks}, {"ticks": "int64"})
    given_ticks[0] = 9
    assert made["ticks"].tolist() == [1, 2]


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError, match="tz"):
        instants_of(pd.Series(pd.to_datetime(["2026-01-05 12:00"])))
    berlin = pd.Series(pd.to_datetime(["2026-01-05 12:00"])).dt.tz_localize("Europe/Berlin")
    assert instants_of(berlin).tolist() == [np.datetime64("2026-01-05T11:00", "us").item()]
