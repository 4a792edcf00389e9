"""The composite of signals: how their strategy stood among all on the day of the decision, published beside the rank.

1. Tested metrics are those of the evidence window of that day, live ones those of real signals over the 90 days before it.
2. All strategies and timeframes with a tested result on the day are compared (`ranking.composite_scores`).

It decides nothing, and reads nothing that was not known at 00:00 UTC of the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.hours import Days, TradingCalendar
from goldsignal_pipeline.selection.evidence import EVIDENCE_WINDOW_DAYS
from goldsignal_pipeline.selection.gate import Decision
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.month_fold import Judged
from goldsignal_pipeline.selection.ranking import COMPOSITE_WEIGHTS, composite_scores
from goldsignal_pipeline.selection.standings import kept
from goldsignal_pipeline.simulation.rolling import rolling_metrics
from goldsignal_pipeline.simulation.scored_trades import empty_scored_trades

LIVE_WINDOW_DAYS: Final = 90
_KEY: Final = ["day", "strategy", "timeframe"]
_INPUTS: Final = list(COMPOSITE_WEIGHTS)


def composites(
    decisions: Iterable[Decision],
    *,
    results: pd.DataFrame,
    judged: Sequence[Judged],
    calendar: TradingCalendar,
    record_start: datetime,
) -> dict[SetupKey, float]:
    """The composite of every accepted decision, by key.

    `results` (`rolling.ROLLING_COLUMNS`) hold the evidence window of each day of a decision, `judged` the outcomes of signals and
    shadows from 90 days before the first day on; shadows are left out.
    """
    days = {decision.key: _day_of(decision) for decision in decisions if decision.is_accepted}
    if not days:
        return {}
    asked = np.unique(np.array(list(days.values()), dtype="datetime64[D]"))
    tested = _tested(results, days=asked)
    live = rolling_metrics(
        _outcomes(judged), days=asked, calendar=calendar, record_start=record_start, windows_days=(LIVE_WINDOW_DAYS,)
    )
    beside = tested[_KEY].merge(live[[*_KEY, "trades", *_INPUTS]].astype({"day": tested["day"].dtype}), on=_KEY, how="left")
    beside["trades"] = beside["trades"].fillna(0).astype(np.int64)
    beside[_INPUTS] = kept(beside[_INPUTS].to_numpy(dtype=np.float64))
    groups = np.unique(tested["day"].to_numpy(), return_inverse=True)[1]
    scores = composite_scores(tested, live=beside, groups=groups)
    told = zip(tested["day"].dt.date, tested["strategy"], tested["timeframe"], scores.tolist(), strict=True)
    by_track = {(day, strategy, timeframe): score for day, strategy, timeframe, score in told}
    return {key: by_track[day, key.strategy, key.timeframe] for key, day in days.items()}


def _day_of(decision: Decision) -> object:
    return decision.at.astimezone(UTC).date()


def _tested(results: pd.DataFrame, *, days: Days) -> pd.DataFrame:
    """The results of the evidence window of those days, as they are kept."""
    chosen = (results["window_days"] == EVIDENCE_WINDOW_DAYS) & np.isin(results["day"].to_numpy().astype("datetime64[D]"), days)
    rows = results.loc[chosen, [*_KEY, *_INPUTS]].reset_index(drop=True)
    rows["day"] = pd.to_datetime(rows["day"])
    rows[_INPUTS] = kept(rows[_INPUTS].to_numpy(dtype=np.float64))
    return rows


def _outcomes(judged: Sequence[Judged]) -> pd.DataFrame:
    """The outcomes of real signals as metrics read them; how long they were held and what they cost enters none of the inputs."""
    rows = [
        {
            "strategy": one.key.strategy,
            "timeframe": one.key.timeframe,
            "direction": one.key.direction.value,
            "timestamp": one.key.timestamp,
            "entry": one.entry_at,
            "resolved_at": one.resolved_at,
            "net_r": one.net_r,
            "gross_r": np.nan,
            "cost_r": np.nan,
            "hold_minutes": 0,
            "is_missed": False,
            "is_ambiguous": False,
        }
        for one in judged
        if not one.is_shadow
    ]
    nothing = empty_scored_trades()
    return pd.DataFrame(rows).astype(nothing.dtypes.to_dict()) if rows else nothing
