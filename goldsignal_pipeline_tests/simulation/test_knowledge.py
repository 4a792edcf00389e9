"""What was counted as of a day is what is counted later: windows over trades resolved with the bars of that day only."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.candles import timestamps_of
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import TradeTable, scored
from goldsignal_pipeline.simulation.rolling import rolling_metrics
from goldsignal_pipeline.simulation.trades import Candidates, resolve
from goldsignal_pipeline_tests.simulation.markets import CALENDAR, random_candidates, rough_bars, take

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FIRST_DAY, LAST_DAY = np.datetime64("2024-10-29"), np.datetime64("2024-12-06")


def holed(seed: int) -> tuple[BaseBars, Candidates, pd.DataFrame]:
    """A market without its bars from 22:00 to 03:00 UTC, so that holds end in holes that hold the as-of instant."""
    bars = rough_bars(Timeframe.M15, seed=seed)
    hour = (bars.opens - bars.opens.astype("datetime64[D]")) // np.timedelta64(1, "h")
    kept = np.flatnonzero((hour >= 3) & (hour < 22))
    arrays = [getattr(bars, name)[kept] for name in BaseBars.__slots__ if name != "known_until"]
    made = random_candidates(BaseBars(*arrays, known_until=bars.known_until), seed=seed + 1, count=300)
    _, unique = np.unique(np.column_stack([made.confirmed_at.astype(np.int64), made.direction]), axis=0, return_index=True)
    made = take(made, unique)
    direction = np.where(made.direction == 1, "BUY", "SELL")
    setups = pd.DataFrame({"strategy": "one", "timeframe": "H1", "direction": direction})
    opened = timestamps_of(made.confirmed_at - np.timedelta64(60, "m"))
    return (
        BaseBars(*arrays, known_until=bars.known_until),
        made,
        setups.assign(timestamp=opened, confirmed_at=timestamps_of(made.confirmed_at)),
    )


def metrics(bars: BaseBars, made: Candidates, setups: pd.DataFrame, *, days: np.ndarray) -> pd.DataFrame:
    table = TradeTable.of(resolve(made, bars, calendar=CALENDAR), bars, setups=setups, calendar=CALENDAR)
    return rolling_metrics(scored(table.closed()), days=days, calendar=CALENDAR, record_start=LONG_AGO, windows_days=(7, 30))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), offset=st.integers(0, 37))
def test_metrics_as_of_a_day_equal_those_of_the_whole_record_bit_for_bit_missed_included_i5_i6_i8(seed, offset) -> None:
    bars, made, setups = holed(seed)
    day = FIRST_DAY + np.timedelta64(offset, "D")
    days = np.arange(FIRST_DAY, day + np.timedelta64(1, "D"))
    then = metrics(bars.until(day.astype("datetime64[us]")), made, setups, days=days)
    later = metrics(bars, made, setups, days=days)
    assert then["missed"].iloc[-1] > 0
    pd.testing.assert_frame_equal(then, later, check_exact=True)


def test_an_expiry_over_a_hole_and_a_missed_entry_count_from_the_day_on_which_they_were_known() -> None:
    """Both kinds occur in these markets; placed at their exit or entry they would change days that had been reported."""
    bars, made, setups = holed(5)
    trades = resolve(made, bars, calendar=CALENDAR)
    table = TradeTable.of(trades, bars, setups=setups, calendar=CALENDAR).frame
    closed = scored(table[table["resolved_at"].notna()])
    exits = bars.closes[trades["second_bar"][trades["resolved_at"] >= 0]]
    known = closed["resolved_at"].dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    over_midnight = known.astype("datetime64[D]") > exits.astype("datetime64[D]")
    assert over_midnight.sum() > 3
    assert (closed["hold_minutes"] <= (exits - closed["entry"].dt.tz_localize(None).to_numpy()) // np.timedelta64(1, "m")).all()
    entered = closed["entry"].dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    assert (known.astype("datetime64[D]") > entered)[closed["is_missed"].to_numpy()].sum() > 3
