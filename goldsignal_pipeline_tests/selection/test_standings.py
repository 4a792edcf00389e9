"""Standings: metrics as they are kept, and what results of a day say of each track."""

from __future__ import annotations

import math
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from goldsignal_pipeline.selection import standings
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.standings import kept
from goldsignal_pipeline.storage.kinds import METRIC_STEPS, ten_thousandths

metrics = (
    st.floats(-99_999, 99_999)
    | st.integers(-(10**9), 10**9).map(lambda n: n / 10_000)
    | st.integers(-(10**6), 10**6).map(lambda n: (2 * n + 1) / 20_000)
)


@given(value=metrics)
def test_a_kept_metric_is_the_decimal_rounded_half_even_as_the_float_that_a_numeric_gives_back(value) -> None:
    found = float(kept(np.array([value]))[0])
    rounded = Decimal(value).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
    # The product with 10,000 is rounded: a float within an ulp of a tie may go either way, and no other.
    distance = abs(abs(Fraction(value) * 10_000 % 1) - Fraction(1, 2))
    if distance > Fraction(math.ulp(value * 10_000)):
        assert found == float(rounded)
    assert abs(Fraction(found) - Fraction(value)) <= Fraction(1, 20_000) + Fraction(math.ulp(value))
    assert found == float(f"{found:.4f}")


@given(values=st.lists(metrics | st.just(math.nan), max_size=20))
def test_keeping_twice_is_keeping_once_and_storage_keeps_the_same(values) -> None:
    once = kept(np.array(values))
    np.testing.assert_array_equal(kept(once), once)
    assert np.isnan(once).tolist() == [math.isnan(value) for value in values]
    stored = ten_thousandths(pd.Series(values, dtype="float64"))
    defined = ~np.isnan(once)
    np.testing.assert_array_equal(stored[defined] / METRIC_STEPS, once[defined])
    np.testing.assert_array_equal(np.isnan(once), stored == np.iinfo(np.int64).min)


def row(day: int, strategy: str, trades: int, expectancy: float, error: float, *, window: int = 365) -> dict[str, object]:
    return {
        "day": np.datetime64(f"2024-06-{day:02}"),
        "strategy": strategy,
        "timeframe": "H1",
        "window_days": window,
        "trades": trades,
        "expectancy": expectancy,
        "expectancy_error": error,
    }


def test_the_evidence_window_of_each_day_becomes_the_standing_of_its_tracks_by_name() -> None:
    rows = [
        row(4, "zeta", 50, 0.30004, 0.1),
        row(4, "alpha", 150, -0.2, 0.1),
        row(4, "alpha", 3, 9.0, 0.1, window=30),
        row(5, "alpha", 0, math.nan, math.nan),
    ]
    found = standings.tested_by_day(pd.DataFrame(rows).astype({"day": "datetime64[s]"}))
    assert list(found) == [date(2024, 6, 4), date(2024, 6, 5)]
    alpha, zeta = found[date(2024, 6, 4)]
    assert (alpha.strategy, alpha.evidence, alpha.rank_score) == ("alpha", Evidence.HARMFUL, -0.2 * 150 / 200)
    assert (zeta.strategy, zeta.evidence, zeta.trades, zeta.expectancy) == ("zeta", Evidence.PROVEN, 50, 0.3)
    # The score is that of the kept mean: whoever reads it back computes the same.
    assert zeta.rank_score == 0.3 * 50 / 100
    (unknown,) = found[date(2024, 6, 5)]
    assert (unknown.evidence, unknown.trades, math.isnan(unknown.rank_score)) == (Evidence.UNPROVEN, 0, True)


def test_an_expectancy_that_is_kept_as_zero_with_no_error_is_harmful_whoever_judges() -> None:
    (one,) = standings.tested_by_day(pd.DataFrame([row(4, "alpha", 50, 0.00004, 0.00004)]))[date(2024, 6, 4)]
    assert (one.expectancy, one.error, one.evidence) == (0.0, 0.0, Evidence.HARMFUL)
