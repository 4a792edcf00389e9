"""Closed trades: the same numbers as the frame for people, exactly, and nothing of what is not known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.candles import instants_of, timestamps_of
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import KEY, TRADE_DTYPES, UNDEFINED, TradeTable, scored, trade_table
from goldsignal_pipeline.simulation.scored_trades import SCORED_TRADE_COLUMNS, check_scored_trades
from goldsignal_pipeline.simulation.trades import Candidates, resolve, trades_frame
from goldsignal_pipeline_tests.simulation.markets import CALENDAR, random_candidates, rough_bars

few = settings(max_examples=10, deadline=None)
seeds = st.integers(0, 10**6)
MONEY = ("gross", "swap", "cost", "net", "worst", "best")


def market(seed: int, *, timeframe: Timeframe = Timeframe.M15) -> tuple[BaseBars, pd.DataFrame]:
    """Rough bars and setups of three timeframes on them, each a trade of its own; the last ones are still open."""
    bars = rough_bars(timeframe, seed=seed)
    made = random_candidates(bars, seed=seed + 1, count=300)
    rng = np.random.default_rng(seed)
    return bars, pd.DataFrame(
        {
            "strategy": rng.choice(np.array(["one", "two"], dtype=object), 300),
            "timeframe": rng.choice(np.array(["M15", "H1", "H4"], dtype=object), 300),
            "direction": np.where(made.direction == 1, "BUY", "SELL"),
            "timestamp": timestamps_of(made.confirmed_at - np.arange(1, 301) * np.timedelta64(1, "s")),
            "confirmed_at": timestamps_of(made.confirmed_at),
            "reference": made.reference,
            "stop": made.stop,
            "take_profit_1": made.target_one,
            "take_profit_2": made.target_two,
        }
    )


def cases(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table and the frame for people of one market."""
    bars, setups = market(seed)
    return trade_table(setups, bars, calendar=CALENDAR).frame, trades_frame(
        resolve(Candidates.of_setups(setups), bars, calendar=CALENDAR), bars
    )


@few
@given(seed=seeds)
def test_every_column_is_that_of_the_frame_for_people_to_the_last_bit(seed) -> None:
    table, people = cases(seed)
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == TRADE_DTYPES
    missed, entered = (people["result"] == "missed").to_numpy(), people["entry_at"].notna().to_numpy()
    filled = (people["resolved_at"].notna() & ~missed).to_numpy()
    assert filled.any()
    assert missed.any()
    assert not filled[~missed].all()
    for name in ("result", "missed_because", "deadline", "resolved_at", "entry_at", "resolution_minutes", "coarse_entry"):
        pd.testing.assert_series_equal(table[name], people[name], check_dtype=False, check_exact=True)
    assert (table["ambiguous"] == (people["ambiguous"] & ~missed)).all()
    for name, own, where in (
        ("quote", "entry_quote", entered),
        ("entry_fill", "entry_fill", entered),
        ("risk", "risk", entered),
        ("favourable", "favourable", filled),
        ("adverse", "adverse", filled),
    ):
        np.testing.assert_array_equal(table[own].to_numpy()[where] / 100, people[name].to_numpy()[where])
        assert (table.loc[~where, own] == 0).all()
    for leg in ("first", "second"):
        left = (people[f"{leg}_exit"] != "").to_numpy() & ~missed
        assert (table[f"{leg}_exit"].to_numpy()[~missed] == people[f"{leg}_exit"].to_numpy()[~missed]).all()
        np.testing.assert_array_equal(table[f"{leg}_exit_at"][left].to_numpy(), people[f"{leg}_exit_at"][left].to_numpy())
        np.testing.assert_array_equal(table[f"{leg}_fill"].to_numpy()[left] / 100, people[f"{leg}_fill"].to_numpy()[left])
        assert (table.loc[~left, f"{leg}_exit"] == "").all()
        assert (table.loc[~left, f"{leg}_fill"] == 0).all()
        assert table.loc[~left, f"{leg}_exit_at"].isna().all()
    for name in MONEY:
        np.testing.assert_array_equal(table[name].to_numpy()[filled] / 10_000, people[name].to_numpy()[filled])
        assert (table.loc[~filled, name] == UNDEFINED).all()
    for name in ("gross_r", "cost_r", "net_r", "worst_r", "best_r", "counterfactual_r"):
        np.testing.assert_array_equal(table[name].to_numpy(), people[name].to_numpy())
    assert (table["bars_held"].to_numpy()[filled] == people["bars_held"][filled].to_numpy(dtype=np.int64)).all()
    assert (table.loc[~filled, ["bars_held", "hold_minutes"]] == 0).all(axis=None)


@few
@given(seed=seeds)
def test_metrics_read_r_of_whole_numbers_and_the_instant_at_which_each_result_was_known(seed) -> None:
    bars, setups = market(seed)
    closed = trade_table(setups, bars, calendar=CALENDAR).closed()
    read = scored(closed)
    check_scored_trades(read)
    assert list(read.columns) == list(SCORED_TRADE_COLUMNS)
    assert read["resolved_at"].is_monotonic_increasing
    people = trades_frame(resolve(Candidates.of_setups(setups), bars, calendar=CALENDAR), bars)
    known = people["resolved_at"].notna()
    expected = (
        pd.concat([setups[list(KEY)], people], axis=1)[known].set_index(list(KEY)).loc[pd.MultiIndex.from_frame(read[list(KEY)])]
    )
    assert len(read) == known.sum()
    for name, source in (("entry", "entry_at"), ("resolved_at", "resolved_at"), ("net_r", "net_r"), ("gross_r", "gross_r")):
        np.testing.assert_array_equal(read[name].to_numpy(), expected[source].to_numpy())
    np.testing.assert_array_equal(read["cost_r"].to_numpy(), expected["cost_r"].to_numpy())
    assert (read["is_missed"].to_numpy() == (expected["result"] == "missed").to_numpy()).all()
    # The exact quotient of the kept whole numbers, rounded once.
    filled = ~read["is_missed"].to_numpy()
    exact = [float(Fraction(net, 100 * risk)) for net, risk in zip(closed["net"][filled], closed["risk"][filled], strict=True)]
    assert read["net_r"][filled].tolist() == exact
    ends = expected["second_exit_at"].where(filled, expected["entry_at"])
    minutes = CALENDAR.open_minutes_between(instants_of(read["entry"]), instants_of(ends))
    assert (read["hold_minutes"].to_numpy() == minutes).all()


@few
@given(seed=seeds, share=st.floats(0.1, 0.9))
def test_what_is_closed_with_the_bars_of_a_day_is_the_same_later_i6(seed, share) -> None:
    bars, setups = market(seed)
    edge = bars.closes[int(share * len(bars))]
    early = trade_table(setups, bars.until(edge), calendar=CALENDAR).closed()
    late = trade_table(setups, bars, calendar=CALENDAR).closed()
    known = late[instants_of(late["resolved_at"]) <= edge].reset_index(drop=True)
    pd.testing.assert_frame_equal(early, known, check_exact=True)


def test_trades_resolved_before_are_tabled_like_those_of_setups() -> None:
    bars, setups = market(3)
    trades = resolve(Candidates.of_setups(setups), bars, calendar=CALENDAR)
    table = TradeTable.of(trades, bars, setups=setups, calendar=CALENDAR)
    pd.testing.assert_frame_equal(table.frame, trade_table(setups, bars, calendar=CALENDAR).frame)


def test_no_setups_make_an_empty_table_of_the_same_types() -> None:
    bars, setups = market(3)
    none = trade_table(setups.iloc[:0], bars, calendar=CALENDAR)
    assert {name: str(dtype) for name, dtype in none.frame.dtypes.items()} == TRADE_DTYPES
    assert len(scored(none.closed())) == 0
