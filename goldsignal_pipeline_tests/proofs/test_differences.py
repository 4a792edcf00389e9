"""Comparing tables: equal frames are equal in any order, one changed value is found and named, rows on one side only are told."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.proofs.differences import ROW, Keyed, compare, excerpts

KEYED = Keyed("trades", ("name", "day"), "day")
COLUMNS = ("price", "text")

frames = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.integers(-5, 5), st.sampled_from(["", "x", "y"])),
    unique_by=lambda row: row[:2],
    max_size=25,
).map(lambda rows: pd.DataFrame(rows, columns=["name", "day", "price", "text"]).astype({"price": "int64", "day": "int64"}))


def shuffled(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=seed)


@settings(deadline=None, max_examples=60)
@given(frame=frames, seed=st.integers(0, 99))
def test_equal_rows_are_equal_in_any_order(frame: pd.DataFrame, seed: int) -> None:
    found = compare(KEYED, kept=frame, computed=shuffled(frame, seed), columns=COLUMNS)
    assert found.is_equal
    assert (found.rows, found.first) == (len(frame), None)


@settings(deadline=None, max_examples=80)
@given(frame=frames.filter(len), seed=st.integers(0, 99), data=st.data())
def test_changed_values_are_counted_and_the_earliest_row_is_named(frame: pd.DataFrame, seed: int, data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.integers(0, len(frame) - 1), min_size=1))
    column = data.draw(st.sampled_from(COLUMNS))
    changed = frame.copy()
    for row in chosen:
        changed.loc[row, column] = 99 if column == "price" else "changed"
    found = compare(KEYED, kept=frame, computed=shuffled(changed, seed), columns=COLUMNS)
    assert found.differing == len(chosen)
    assert found.first is not None
    assert found.first.column == column
    assert found.first.key["day"] == frame.loc[sorted(chosen), "day"].min()
    where = (frame["name"] == found.first.key["name"]) & (frame["day"] == found.first.key["day"])
    assert found.first.kept == frame.loc[where, column].item()
    assert found.first.computed == changed.loc[where, column].item()


@settings(deadline=None, max_examples=60)
@given(frame=frames.filter(len), data=st.data())
def test_rows_on_one_side_only_are_told(frame: pd.DataFrame, data: st.DataObject) -> None:
    dropped = data.draw(st.integers(0, len(frame) - 1))
    rest = frame.drop(index=dropped)
    lost, invented = (compare(KEYED, kept=one, computed=other, columns=COLUMNS) for one, other in ((rest, frame), (frame, rest)))
    for found, is_kept in ((lost, False), (invented, True)):
        assert found.rows == len(frame)
        assert found.differing == 1
        assert found.first is not None
        assert found.first.column == ROW
        assert (found.first.kept, found.first.computed) == (is_kept, not is_kept)
        assert found.first.key == {"name": frame.loc[dropped, "name"], "day": frame.loc[dropped, "day"]}


def test_nothing_on_either_side_is_equal() -> None:
    nothing = pd.DataFrame({"name": pd.Series(dtype="str"), "day": np.zeros(0, np.int64), "price": np.zeros(0, np.int64)})
    found = compare(KEYED, kept=nothing, computed=nothing, columns=["price"])
    assert (found.rows, found.differing, found.first) == (0, 0, None)


@settings(max_examples=60, deadline=None)
@given(same=st.text("ab", max_size=300), kept=st.text("ab", max_size=300), computed=st.text("ab", max_size=300))
def test_long_values_are_shown_where_they_begin_to_differ(same, kept, computed) -> None:
    kept, computed = f"{same}x{kept}", f"{same}y{computed}"
    shown = excerpts(kept, computed)
    assert all(len(part) <= 86 for part in shown)
    assert "x" in shown[0]
    assert "y" in shown[1]
    assert all(part.removeprefix("...").removesuffix("...") in whole for part, whole in zip(shown, (kept, computed), strict=True))
    if max(len(kept), len(computed)) <= 80:
        assert shown == (kept, computed)
