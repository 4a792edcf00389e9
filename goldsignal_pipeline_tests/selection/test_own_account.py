"""The user's own account: money in its currency, levels as the own broker quotes them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.selection.own_account import OwnAccount

prices = st.decimals(min_value=1, max_value=10_000, places=2)
rates = st.decimals(min_value=Decimal("0.001"), max_value=10, places=4)


@settings(deadline=None, max_examples=50)
@given(published=prices, other=prices, offset=st.decimals(min_value=-50, max_value=50, places=2))
def test_levels_move_together_so_that_risk_and_reward_stay_what_was_published(
    published: Decimal, other: Decimal, offset: Decimal
) -> None:
    own = OwnAccount("USD", Decimal(1), offset)
    assert own.level(published) - own.level(other) == published - other
    assert own.level(published) - published == offset


@settings(deadline=None, max_examples=50)
@given(usd=st.decimals(min_value=0, max_value=1_000_000, places=2), rate=rates)
def test_money_is_within_half_a_cent_of_the_exact_amount(usd: Decimal, rate: Decimal) -> None:
    shown = OwnAccount("CHF", rate, Decimal(0)).money(usd)
    assert abs(Fraction(shown) - Fraction(usd) / Fraction(rate)) <= Fraction(1, 200)
