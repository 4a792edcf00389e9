"""Thirteen recorded years from candles to decisions: neither silent nor noisy, and the same as ever."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.docs.results_on_recorded_data import (
    PAGE,
    TITLES,
    lines,
    rate_sentence,
    signal_rows,
    trade_rows,
    verdict_rows,
)
from goldsignal_pipeline_tests.selection.recorded_history import (
    DIGESTS,
    FILES,
    digests,
    months_of,
    recorded_history,
    recorded_record,
    trading_days,
)
from goldsignal_pipeline_tests.strategies.records import NAMES

pytestmark = [pytest.mark.recorded, pytest.mark.parametrize("name", FILES)]


def test_mistake_17_the_gate_is_neither_silent_nor_noisy_from_the_13th_month_on(shared_data, name) -> None:
    record, decisions = recorded_record(shared_data, name), recorded_history(shared_data, name).folded.decisions
    months = months_of(record)
    accepted = Counter(f"{one.at:%Y-%m}" for one in decisions if one.is_accepted)
    warm = months[12:]
    assert [month for month in warm if not accepted[month]] == []
    rate = sum(accepted[month] for month in warm) / trading_days(record, first_month=warm[0])
    assert 0.3 <= rate <= 1.5


def test_every_strategy_gives_setups_and_signals_in_every_full_year(shared_data, name) -> None:
    history = recorded_history(shared_data, name)
    hours = recorded_record(shared_data, name).candles[Timeframe.H1]["timestamp"]
    years = range(hours.iloc[0].year + 1, hours.iloc[-1].year)
    assert len(years) >= 9
    made = Counter((one.key.strategy, one.at.year) for one in history.folded.decisions)
    assert min(made[strategy, year] for strategy in NAMES for year in years) >= 40
    given = Counter(one.at.year for one in history.folded.decisions if one.is_accepted)
    assert min(given[year] for year in years) >= 75


def test_the_page_of_results_shows_what_the_files_give_random_entries_aside(shared_data, name) -> None:
    page = PAGE.read_text(encoding="utf-8")
    histories = [recorded_history(shared_data, each) for each in FILES]
    history, record = histories[FILES.index(name)], recorded_record(shared_data, name)
    own = page.partition(f"## {TITLES[name]}")[2].partition("## ")[0]
    shown = [*lines(trade_rows(history, record, name=name)), *lines(signal_rows(history, record, name=name))]
    assert len(shown) == 2 * len(NAMES)
    assert [line for line in shown if line not in own] == []
    assert rate_sentence(history, record) in own
    assert [line for line in lines(verdict_rows(histories)) if line not in page] == []


def test_setups_trades_results_and_decisions_are_those_of_the_stored_digests(shared_data, name) -> None:
    expected = json.loads(DIGESTS.read_text(encoding="utf-8"))[name]
    assert digests(recorded_history(shared_data, name)) == expected
