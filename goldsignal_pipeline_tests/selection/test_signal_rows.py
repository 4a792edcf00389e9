"""Signals as rows: one written out by hand, then what holds for all of a history."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.gate import Decision, GateReason
from goldsignal_pipeline.selection.gate_inputs import SetupKey, Standing
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.selection.month_fold import Terms
from goldsignal_pipeline.selection.risk import Size
from goldsignal_pipeline.selection.signal_rows import SIGNAL_DTYPES, Versions, reasons_of, signal_rows
from goldsignal_pipeline.storage.setup_rows import to_rows
from goldsignal_pipeline.strategies.setups import SETUP_DTYPES
from goldsignal_pipeline_tests.market.candle_data import CALENDAR
from goldsignal_pipeline_tests.selection.walk_data import TERMS, walk_history

OPEN, CLOSE = datetime(2024, 6, 4, 13, tzinfo=UTC), datetime(2024, 6, 4, 14, tzinfo=UTC)
KEY = SetupKey("liquidity_sweep", "H1", Direction.SELL, OPEN)


def canonical(conditions: list[dict]) -> str:
    return json.dumps(conditions, separators=(",", ":"))


def condition(name: str, measured: float | None, threshold: float, *, points: int | None = None, **other: object) -> dict:
    told = {"name": name, "required": points is None, "points": points or 0, "measured": measured, "comparison": ">"}
    return told | {"threshold": threshold, "unit": "ticks", "passed": True} | other


CONDITIONS = [
    condition("swings_swept", 3.0, 1.0, comparison=">=", unit="count"),
    condition("confirming_close", 12.0, 0.0),
    condition("long_wick", None, 99.5, points=10, passed=False),
    condition("strong_close", 0.9123, 0.7, comparison=">=", points=5, unit="share"),
    condition("overlap", 1.0, 1.0, comparison=">=", points=5, unit="flag"),
    condition("several_swings", 3.0, 2.0, comparison=">=", points=10, unit="count"),
    condition("risk_large_enough", 500.0, 123.4, comparison=">=", points=0),
]


def setup_frame() -> pd.DataFrame:
    row = {
        "strategy": KEY.strategy,
        "timeframe": "H1",
        "direction": "SELL",
        "timestamp": OPEN,
        "confirmed_at": CLOSE,
        "kind": "setup",
        "refusal": "",
        "reference": 230_000,
        "stop": 230_502,
        "take_profit_1": 229_247,
        "take_profit_2": 228_494,
        "planned_risk": 502,
        "invalidation_price": 230_400,
        "confidence": 70,
        "session": "overlap",
        "atr": 201.25,
        "atr_h1": 201.25,
        "median_atr_h1": np.nan,
        "volatility_percentile": np.nan,
        "regime": "",
        "strategy_version": "1",
    }
    return pd.DataFrame([row]).astype(SETUP_DTYPES).assign(conditions=canonical(CONDITIONS))


STANDING = Standing(CLOSE.replace(hour=0), KEY.strategy, "H1", Evidence.UNPROVEN, True, False, 0.012345)
ACCEPTED = Decision(KEY, CLOSE, (), Size(199, Decimal("1.99"), Decimal("998.98")), STANDING, 2)
ONE = (Terms(datetime(1970, 1, 1, tzinfo=UTC), GatePolicy(account_usd=Decimal("100000.00"))),)
VERSIONS = Versions("9", {KEY.strategy: "parameters"}, {KEY: "events"})


def made(decisions=(ACCEPTED,), **changed):
    arguments = {
        "setups": setup_frame(),
        "terms": ONE,
        "base": Timeframe.M5,
        "calendar": CALENDAR,
        "versions": VERSIONS,
        "composites": {KEY: 0.43215},
        "known_at": {},
    }
    return signal_rows(decisions, **(arguments | changed))


def test_a_row_written_out_by_hand() -> None:
    row = made().iloc[0].to_dict()
    # 14:00 + 120 s is 14:02, the next M5 bar opens 14:05; 72 market hours later, with an hour's break each day and a weekend:
    # Tuesday 14:05 to 17:00 New York (21:00 UTC) 6:55, Wednesday and Thursday 23 h each, Friday 19:05 h after Thursday's opening.
    assert row.pop("deadline") == pd.Timestamp("2024-06-07T17:05:00Z")
    assert row.pop("inputs_digest") == hashlib.sha256(READ.encode()).hexdigest()
    assert row.pop("known_at") is pd.NaT
    assert json.loads(row.pop("conditions")) == CONDITIONS
    assert row == {
        "strategy": "liquidity_sweep",
        "timeframe": "H1",
        "direction": "SELL",
        "timestamp": pd.Timestamp(OPEN),
        "confirmed_at": pd.Timestamp(CLOSE),
        "reference": 230_000,
        "stop": 230_502,
        "take_profit_1": 229_247,
        "take_profit_2": 228_494,
        "invalidation_price": 230_400,
        "planned_risk": 502,
        "risk_reward": 1.5,
        "confidence": 70,
        "evidence": "unproven",
        "rank": 2,
        "rank_score": 0.0123,
        "composite_score": 0.4322,
        "size_ounces": 19_900,
        "size_lots": 199,
        "risk_usd": 99_898,
        "session": "overlap",
        "regime": "",
        "reasons": "confirming close: 0.12 USD/oz, more than 0.00 USD/oz was needed\n"
        "several swings: 3, at least 2 was needed\n"
        "strong close: 0.91, at least 0.70 was needed",
        "origin": "backfill",
        "code_version": "9",
        "strategy_version": "1",
        "parameters_digest": "parameters",
        "calendar_version": CALENDAR.version,
        "events_digest": "events",
    }


READ = (
    '{"decided_at":null,"entry_open":"2024-06-04T14:05:00+00:00","setup":{"atr":201.25,"atr_h1":201.25,"conditions":'
    + json.dumps(canonical(CONDITIONS))
    + ',"confidence":70,"confirmed_at":"2024-06-04T14:00:00+00:00","direction":"SELL","invalidation_price":230400,'
    '"kind":"setup","median_atr_h1":null,"planned_risk":502,"reference":230000,"refusal":"","regime":"","session":"overlap",'
    '"stop":230502,"strategy":"liquidity_sweep","strategy_version":"1","take_profit_1":229247,"take_profit_2":228494,'
    '"timeframe":"H1","timestamp":"2024-06-04T13:00:00+00:00","volatility_percentile":null},'
    '"standing":{"at":"2024-06-04T00:00:00+00:00","evidence":"unproven","is_degraded":false,"is_eligible":true,'
    '"rank_score":0.012345,"strategy":"liquidity_sweep","timeframe":"H1"},'
    '"terms":{"min_evidence":"unproven","policy":{"account_usd":"100000","avoids_asia":false,"breaker_drawdown_r":20,'
    '"breaker_losses":5,"breaker_minutes":1440,"closing_minutes":300,"daily_loss_share":"0.02","duplicate_minutes":240,'
    '"maximum_open":2,"minimum_confidence":60,"news_minutes":30,"risk_share":"0.01"},"since":"1970-01-01T00:00:00+00:00"}}'
)


def test_a_live_row_says_when_it_was_decided() -> None:
    live_at = CLOSE.replace(minute=2)
    row = made(known_at={KEY: live_at}).iloc[0]
    assert (row["origin"], row["known_at"]) == ("live", pd.Timestamp(live_at))
    assert row["inputs_digest"] == hashlib.sha256(READ.replace("null", '"2024-06-04T14:02:00+00:00"', 1).encode()).hexdigest()


def test_the_terms_are_those_in_force_when_it_confirmed() -> None:
    later = Terms(CLOSE.replace(minute=30), GatePolicy(account_usd=Decimal(5_000)))
    assert made(terms=(*ONE, later)).equals(made())
    assert not made(terms=(*ONE, replace(later, since=CLOSE))).equals(made())


@pytest.mark.parametrize(
    "changed",
    [
        {"setups": setup_frame().assign(atr_h1=201.26)},
        {"setups": setup_frame().assign(conditions=canonical(CONDITIONS).replace("12.0", "12.5"))},
        {"terms": (replace(ONE[0], policy=replace(ONE[0].policy, maximum_open=3)),)},
        {"terms": (replace(ONE[0], min_evidence=Evidence.PROVEN),)},
        {"decisions": (replace(ACCEPTED, standing=replace(STANDING, rank_score=0.5)),)},
        {"base": Timeframe.M15},
    ],
)
def test_whatever_the_decision_read_changes_its_digest(changed) -> None:
    assert made(**changed)["inputs_digest"].iloc[0] != made()["inputs_digest"].iloc[0]


def test_what_it_did_not_read_leaves_the_digest_alone() -> None:
    other = made(composites={}, versions=Versions("10", {KEY.strategy: "?"}, {KEY: "!"}))
    assert other["inputs_digest"].iloc[0] == made()["inputs_digest"].iloc[0]
    assert np.isnan(other["composite_score"].iloc[0])


def test_who_was_turned_away_has_no_row_and_none_at_all_keep_their_types() -> None:
    turned_away = replace(ACCEPTED, reasons=(GateReason.LATE,))
    nothing = made((turned_away,))
    assert len(nothing) == 0
    assert {name: str(kind) for name, kind in nothing.dtypes.items()} == SIGNAL_DTYPES
    assert {name: str(kind) for name, kind in made().dtypes.items()} == SIGNAL_DTYPES


def test_a_decision_without_its_setup_is_refused() -> None:
    with pytest.raises(DataError, match="no setup"):
        made(setups=setup_frame().iloc[:0])


@given(
    names=st.lists(st.tuples(st.sampled_from([None, 0, 5, 10]), st.booleans()), min_size=1, max_size=9).filter(
        lambda them: any(points is None for points, _ in them)
    )
)
def test_the_trigger_comes_first_then_options_by_points_then_requirements(names) -> None:
    told = [condition(f"c{n}", 1.0, 0.0, points=points, passed=passed) for n, (points, passed) in enumerate(names)]
    words = [line.partition(":")[0] for line in reasons_of(canonical(told))]
    met = [n for n, (_, passed) in enumerate(names) if passed]
    trigger = max(n for n, (points, _) in enumerate(names) if points is None)
    optional = [n for wanted in (10, 5) for n in met if names[n][0] == wanted]
    required = [n for n in met if names[n][0] is None and n != trigger]
    free = [n for n in met if names[n][0] == 0]
    assert words == [f"c{n}" for n in [*[n for n in met if n == trigger], *optional, *required, *free][:3]]


def every_signal(decisions, setups):
    history = walk_history()
    versions = Versions("1", dict.fromkeys({d.key.strategy for d in decisions}, "p"), {d.key: "e" for d in decisions})
    assert len(history.folded.decisions) > 500
    return signal_rows(
        decisions,
        setups=setups,
        terms=TERMS,
        base=Timeframe.H1,
        calendar=CALENDAR,
        versions=versions,
        composites={},
        known_at={},
    )


def setups_with_text() -> pd.DataFrame:
    evaluation = walk_history().evaluation
    frame = evaluation.setups.assign(conditions=to_rows(evaluation.setups, evaluation.conditions)["conditions"])
    return frame[frame["kind"] == "setup"]


def test_every_signal_of_a_history_carries_its_levels_risk_and_the_deadline_of_its_trade() -> None:
    history = walk_history()
    rows = every_signal(history.folded.decisions, setups_with_text())
    assert len(rows) > 20
    trades = rows.merge(history.trades.frame, on=["strategy", "timeframe", "direction", "timestamp"], suffixes=("", "_traded"))
    # On a record without gaps the kernel enters where it was planned.
    assert (trades["deadline"] == trades["deadline_traded"]).all()
    assert len(trades) == len(rows)
    assert (rows["risk_usd"] * 100 == rows["size_ounces"] * rows["planned_risk"]).all()
    assert (rows["planned_risk"] == (rows["reference"] - rows["stop"]).abs()).all()
    assert rows["reasons"].str.count("\n").eq(2).all()
    assert rows["inputs_digest"].is_unique


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_setups_does_not_matter_and_rows_follow_the_decisions(seed) -> None:
    decisions = list(walk_history().folded.decisions)
    setups = setups_with_text()
    rows = every_signal(decisions, setups)
    np.random.default_rng(seed).shuffle(decisions)
    shuffled = every_signal(decisions, setups.sample(frac=1, random_state=seed))
    assert shuffled["timestamp"].tolist() == [pd.Timestamp(one.key.timestamp) for one in decisions if one.is_accepted]
    key = ["timestamp", "strategy", "direction"]
    pd.testing.assert_frame_equal(
        rows.sort_values(key, ignore_index=True), shuffled.sort_values(key, ignore_index=True), check_exact=True
    )
