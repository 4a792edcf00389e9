"""A digest says whether two frames hold the same rows, and nothing else."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.digests import combine, frame_digest

KEY = ("timeframe", "timestamp")


def frame(closes: list[int], *, volume: float = 1.25, source: str | None = "vendor:bid") -> pd.DataFrame:
    count = len(closes)
    return pd.DataFrame(
        {
            "timeframe": ["M5"] * count,
            "timestamp": pd.date_range("2026-03-04", periods=count, freq="5min", tz="UTC").as_unit("us"),
            "close": pd.Series(closes, dtype="int64"),
            "volume": [volume] * count,
            "source": pd.Series([source] * count, dtype="str"),
        }
    )


@settings(max_examples=40, deadline=None)
@given(closes=st.lists(st.integers(1, 10**9), min_size=1, max_size=30), seed=st.integers(0, 2**31))
def test_the_order_of_rows_and_columns_never_matters(closes: list[int], seed: int) -> None:
    rows = frame(closes)
    shuffled = rows.sample(frac=1, random_state=seed)[rows.columns[::-1]]
    assert frame_digest(shuffled, key=KEY) == frame_digest(rows, key=KEY)


@settings(max_examples=40, deadline=None)
@given(closes=st.lists(st.integers(1, 10**9), min_size=1, max_size=30), data=st.data())
def test_one_tick_in_one_row_changes_it(closes: list[int], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(closes) - 1))
    changed = closes.copy()
    changed[position] += 1
    assert frame_digest(frame(changed), key=KEY) != frame_digest(frame(closes), key=KEY)


@pytest.mark.parametrize("other", [frame([100], volume=1.26), frame([100], source="vendor:ask"), frame([100, 100]), frame([])])
def test_a_volume_a_source_or_a_row_changes_it(other: pd.DataFrame) -> None:
    assert frame_digest(other, key=KEY) != frame_digest(frame([100]), key=KEY)


def test_the_resolution_of_timestamps_and_the_kind_of_missing_text_do_not_matter() -> None:
    rows = frame([100, 101], source=None)
    other = rows.assign(timestamp=rows["timestamp"].dt.as_unit("ns"), source=pd.Series([None, None], dtype=object))
    assert frame_digest(other, key=KEY) == frame_digest(rows, key=KEY)


def test_texts_cannot_run_into_each_other() -> None:
    one = pd.DataFrame({"k": [1, 2], "t": ["ab", "c"]})
    two = pd.DataFrame({"k": [1, 2], "t": ["a", "bc"]})
    assert frame_digest(one, key=["k"]) != frame_digest(two, key=["k"])


def test_a_known_frame_keeps_its_digest() -> None:
    # sha256 over b"close\0" + 100 as int64 little endian + b"k\0" + 1 as int64 little endian, computed with sha256sum.
    assert (
        frame_digest(pd.DataFrame({"k": [1], "close": [100]}), key=["k"])
        == "36be4808a64bfc4211ed828924859f237600b97dbc20d73365b263f619b0f67f"
    )


def test_combining_depends_on_order() -> None:
    assert combine(["a", "b"]) != combine(["b", "a"])
    assert combine(["a", "b"]) == combine(iter(["a", "b"]))
