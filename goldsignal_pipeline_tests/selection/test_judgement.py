"""Evidence, ranking and size against hand computations."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsignal_pipeline.selection.evidence import Evidence, is_eligible, judge
from goldsignal_pipeline.selection.ranking import composite_scores, shrunk_expectancy
from goldsignal_pipeline.selection.risk import direction_skew, size_of


@pytest.mark.parametrize(
    ("expectancy", "error", "evidence"),
    [
        (-0.12817, 0.1, Evidence.HARMFUL),
        (-0.64080, 0.5, Evidence.HARMFUL),  # exactly at the bound
        (0.64080, 0.5, Evidence.UNPROVEN),
        (-0.12815, 0.1, Evidence.UNPROVEN),
        (0.12815, 0.1, Evidence.UNPROVEN),
        (0.12817, 0.1, Evidence.PROVEN),
        (0.5, math.nan, Evidence.UNPROVEN),
        (math.nan, math.nan, Evidence.UNPROVEN),
        (-0.01, 0.0, Evidence.HARMFUL),
    ],
)
def test_evidence_is_the_side_of_zero_that_the_90_percent_bound_reaches(expectancy, error, evidence) -> None:
    assert judge(expectancy=expectancy, error=error) is evidence


@pytest.mark.parametrize(
    ("evidence", "trades", "minimum", "expected"),
    [
        (Evidence.UNPROVEN, 30, Evidence.UNPROVEN, True),
        (Evidence.UNPROVEN, 29, Evidence.UNPROVEN, False),
        (Evidence.HARMFUL, 300, Evidence.HARMFUL, False),
        (Evidence.UNPROVEN, 300, Evidence.PROVEN, False),
        (Evidence.PROVEN, 300, Evidence.PROVEN, True),
    ],
)
def test_a_strategy_is_eligible_with_30_trades_unless_harmful_or_below_what_the_user_asks(
    evidence, trades, minimum, expected
) -> None:
    assert is_eligible(evidence=evidence, trades=trades, min_evidence=minimum) is expected


def test_a_mean_of_few_trades_ranks_behind_a_smaller_mean_of_many() -> None:
    few, many = shrunk_expectancy(np.array([0.3, 0.2]), trades=np.array([10, 200]))
    assert (few, many) == (pytest.approx(0.05), pytest.approx(0.16))


def candidates(**columns: list[float]) -> pd.DataFrame:
    base = {"win_rate": [0.4, 0.6], "profit_factor": [1.0, 9.0], "sharpe": [0.0, 1.0], "expectancy": [0.0, 0.1]}
    return pd.DataFrame(base | {"max_drawdown_r": [10.0, 5.0], "trades": [100, 100]} | columns)


def test_the_composite_is_0_for_the_worst_and_1_for_the_best_in_everything() -> None:
    assert composite_scores(candidates()).tolist() == pytest.approx([0.0, 1.0])


def test_the_composite_caps_the_profit_factor_halves_equal_values_and_puts_undefined_ones_last() -> None:
    # Capped at 5 both profit factors are equal, 0.25 x 0.5 each; of the Sharpes one is undefined, the other alone: 0.15 x 0.5.
    scores = composite_scores(candidates(profit_factor=[6.0, 9.0], sharpe=[math.nan, 1.0]))
    assert scores.tolist() == pytest.approx([0.125, 0.30 + 0.125 + 0.075 + 0.15 + 0.15])
    assert composite_scores(candidates().iloc[:1]).tolist() == pytest.approx([0.5])


def test_live_results_enter_the_composite_at_0_3_from_20_outcomes_on() -> None:
    tested = candidates(win_rate=[0.4, 0.5]).assign(profit_factor=1.0, sharpe=0.0, expectancy=0.0, max_drawdown_r=1.0)
    third = pd.concat([tested, tested.iloc[:1].assign(win_rate=0.6)], ignore_index=True)
    live = third.assign(win_rate=[1.0, 1.0, 0.6], trades=[20, 19, 20])
    # Win rates become 0.7 x 0.4 + 0.3 = 0.58, 0.5 (too few outcomes) and 0.6: scaled 0.8, 0 and 1; the rest is equal, 0.7 x 0.5.
    assert composite_scores(third, live=live).tolist() == pytest.approx([0.30 * 0.8 + 0.35, 0.35, 0.65])


@given(account=st.integers(100, 10_000_000), risk=st.integers(1, 20_000), ratio=st.integers(1, 40))
def test_a_size_never_risks_more_than_it_may_and_one_ounce_more_would(account, risk, ratio) -> None:
    size = size_of(account_usd=Decimal(account), planned_risk_ticks=risk, atr=float(ratio), median_atr=10.0)
    allowed = Fraction(account, 100) * min(Fraction(1), Fraction(10, ratio))
    assert Fraction(size.risk_usd) <= allowed < Fraction(size.risk_usd) + Fraction(risk, 100)
    assert (size.lots * 100, size.is_tradable) == (size.ounces, size.lots >= Decimal("0.02"))


def test_a_size_just_at_a_step_is_not_lost_to_a_float() -> None:
    # 1 % of 290 is 2.90; at 1.45 USD/oz that is exactly 2 ounces (in floats 0.01 * 290 / 1.45 is below 2 in some orders).
    size = size_of(account_usd=Decimal(290), planned_risk_ticks=145, atr=math.nan, median_atr=math.nan)
    assert (size.ounces, size.lots, size.risk_usd) == (2, Decimal("0.02"), Decimal("2.90"))
    assert not size_of(account_usd=Decimal(289), planned_risk_ticks=145, atr=1.0, median_atr=1.0).is_tradable


def test_direction_skew_is_the_larger_share_of_the_last_20_signals() -> None:
    assert direction_skew(["BUY"] * 30 + ["SELL"] * 4 + ["BUY"] * 16) == 0.8
    assert math.isnan(direction_skew(["BUY"] * 19))
