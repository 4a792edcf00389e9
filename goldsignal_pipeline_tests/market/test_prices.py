from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.prices import MAX_TICKS, Direction, round_stop, round_target, to_decimal, to_ticks
from goldsignal_pipeline.market.reasons import RejectReason

VENDOR_DECIMALS = st.builds(
    lambda digits, places: str(Decimal(digits).scaleb(-places)), st.integers(10**3, 10**13), st.integers(1, 8)
)
HALVES = st.integers(0, MAX_TICKS - 1).map(lambda tick: f"{tick // 100}.{tick % 100:02d}5")


def decimal_ticks(text: str, *, points_per_usd: int = 1) -> int:
    """The definition: the decimal as written, half-even on the grid."""
    usd = Decimal(text) / points_per_usd
    return int((usd * 100).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def judged(tick: int) -> tuple[int, str]:
    if tick <= 0:
        return 0, RejectReason.NOT_POSITIVE
    return (tick, "") if tick <= MAX_TICKS else (0, RejectReason.OUT_OF_RANGE)


@settings(deadline=None)
@given(st.lists(VENDOR_DECIMALS | HALVES, min_size=1, max_size=30))
def test_strings_round_half_even_on_the_decimal_as_written(texts: list[str]) -> None:
    """I1: every price on the tick grid, the nearest one."""
    ticks, reasons = to_ticks(pd.Series(texts, dtype="str"))
    assert list(zip(ticks.tolist(), reasons.tolist(), strict=True)) == [judged(decimal_ticks(text)) for text in texts]


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 2e8) | HALVES.map(float), min_size=1, max_size=30))
def test_floats_mean_their_shortest_decimal(values: list[float]) -> None:
    ticks, reasons = to_ticks(np.array(values))
    assert list(zip(ticks.tolist(), reasons.tolist(), strict=True)) == [judged(decimal_ticks(repr(value))) for value in values]


@settings(deadline=None)
@given(
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(1, 10**9), min_size=1, max_size=30),
    st.sampled_from([1, 8, 100, 1000]),
)
def test_integer_points_are_divided_exactly_and_never_overflow(points: list[int], points_per_usd: int) -> None:
    ticks, reasons = to_ticks(np.array(points, dtype=np.int64), points_per_usd=points_per_usd)
    expected = [judged(decimal_ticks(str(point), points_per_usd=points_per_usd)) for point in points]
    assert list(zip(ticks.tolist(), reasons.tolist(), strict=True)) == expected


@pytest.mark.parametrize("points_per_usd", [1, 100, 10**8])
@pytest.mark.parametrize("points", [2**64 - 1, 2**63 - 1, 2**62, 10**18 + 1, 5 * 10**17])
def test_no_integer_is_large_enough_to_wrap_into_a_price(points: int, points_per_usd: int) -> None:
    ticks, reasons = to_ticks(np.array([points], dtype=np.uint64), points_per_usd=points_per_usd)
    assert (ticks[0], reasons[0]) == judged(decimal_ticks(str(points), points_per_usd=points_per_usd))


@settings(deadline=None)
@given(st.lists(st.integers(10**5, 10**8), min_size=1, max_size=30), st.sampled_from([100, 1000]))
def test_points_written_as_decimals_equal_points_written_as_integers(points: list[int], points_per_usd: int) -> None:
    whole = to_ticks(np.array(points), points_per_usd=points_per_usd)[0]
    assert to_ticks(np.array([f"{point}.0" for point in points]), points_per_usd=points_per_usd)[0].tolist() == whole.tolist()
    assert to_ticks(np.array(points, dtype=float), points_per_usd=points_per_usd)[0].tolist() == whole.tolist()


@settings(deadline=None)
@given(st.integers(1, MAX_TICKS))
def test_a_tick_survives_its_decimal(tick: int) -> None:
    price = to_decimal(tick)
    assert price == Decimal(tick) / 100
    assert price.as_tuple().exponent == -2
    assert to_ticks(np.array([str(price)]))[0].tolist() == [tick]


@pytest.mark.fault("vendor")
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nan", RejectReason.NOT_A_NUMBER),
        ("", RejectReason.NOT_A_NUMBER),
        ("1,234.5", RejectReason.NOT_A_NUMBER),
        ("0x10", RejectReason.NOT_A_NUMBER),
        ("1_000", RejectReason.NOT_A_NUMBER),
        ("inf", RejectReason.NOT_A_NUMBER),
        (None, RejectReason.NOT_A_NUMBER),
        (True, RejectReason.NOT_A_NUMBER),
        ("0", RejectReason.NOT_POSITIVE),
        ("0.005", RejectReason.NOT_POSITIVE),
        ("-1924.10", RejectReason.NOT_POSITIVE),
        ("99999999.995", RejectReason.OUT_OF_RANGE),
        ("1e9", RejectReason.OUT_OF_RANGE),
        (1e9, RejectReason.OUT_OF_RANGE),
    ],
)
def test_what_is_no_price_says_why_and_leaves_its_neighbours_alone(value: object, reason: RejectReason) -> None:
    ticks, reasons = to_ticks(np.array(["1920.755", value, "2724.345"], dtype=object))
    assert reasons.tolist() == ["", reason.value, ""]
    assert ticks.tolist() == [192076, 0, 272434]


def test_the_largest_price_a_table_holds_is_accepted() -> None:
    assert to_ticks(np.array(["99999999.99", "99999999.994"]))[0].tolist() == [MAX_TICKS, MAX_TICKS]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_float_of_any_width_means_the_decimal_it_prints(dtype: type) -> None:
    assert to_ticks(np.array([2724.355], dtype=dtype))[0].tolist() == [272436]


def test_no_rows_are_no_ticks() -> None:
    ticks, reasons = to_ticks(pd.Series([], dtype="str"))
    assert (ticks.dtype, len(ticks), len(reasons)) == (np.dtype(np.int64), 0, 0)


@pytest.mark.parametrize("points_per_usd", [0, -100, 10**9])
def test_points_per_usd_are_those_of_one_to_eight_places(points_per_usd: int) -> None:
    with pytest.raises(ValueError, match="points_per_usd"):
        to_ticks(np.array([1]), points_per_usd=points_per_usd)


@settings(deadline=None)
@given(st.floats(1e4, 1e6), st.floats(1.0, 1e4))
def test_stops_and_targets_round_away_from_the_trade_and_mirror_each_other(reference: float, distance: float) -> None:
    """I14: what rounding does to a BUY it does to the mirrored SELL."""
    entry = round(reference)
    stop, target = entry - distance, entry + distance
    assert stop - 1 < round_stop(stop, direction=Direction.BUY) <= stop
    assert target + 1 > round_stop(target, direction=Direction.SELL) >= target
    assert round_stop(-stop, direction=Direction.SELL) == -round_stop(stop, direction=Direction.BUY)
    assert target + 1 > round_target(target, reference=entry, direction=Direction.BUY) >= target
    assert stop - 1 < round_target(stop, reference=entry, direction=Direction.SELL) <= stop


@pytest.mark.parametrize(
    ("direction", "wrong_side"), [(Direction.BUY, 99.0), (Direction.SELL, 101.0), (Direction.BUY, float("nan"))]
)
def test_a_target_on_the_wrong_side_is_refused(direction: Direction, wrong_side: float) -> None:
    with pytest.raises(ValueError, match="beyond 100"):
        round_target(wrong_side, reference=100, direction=direction)
