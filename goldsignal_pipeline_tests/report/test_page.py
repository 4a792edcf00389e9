"""The report as a page: everything escaped, nothing asked of the network, and figures that agree with a second count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.report import charts
from goldsignal_pipeline.report.facts import DataQuality, ReportFacts, Silence, Versions
from goldsignal_pipeline.report.page import POLICY, render
from goldsignal_pipeline.report.record import FEW_TRADES, curves, earned
from goldsignal_pipeline.report.words import NO_EDGE

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
HOSTILE = "<script>alert('1')</script>\"&"


class Reader(HTMLParser):
    """Elements, their attributes, and the text that a person sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.hidden += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def trade(hours: float, net_r: str, **more: Any) -> dict[str, Any]:
    row = {"strategy": "ema_momentum", "timeframe": "H1", "net_r": Decimal(net_r), "origin": "backfill"}
    return {**row, "resolved_at": START + timedelta(hours=hours), **more}


def signal(**more: Any) -> dict[str, Any]:
    prices = {name: Decimal("4000.10") for name in ("reference", "stop", "take_profit_1", "take_profit_2")}
    words = {"id": "0123456789ab", "strategy": "ema_momentum", "timeframe": "H1", "direction": "BUY", "evidence": "unproven"}
    told = {"status": "sl_hit", "net_r": Decimal("-1.02"), "origin": "live", "confirmed_at": START + timedelta(hours=5)}
    return {**prices, **words, **told, **more}


def facts(**more: Any) -> ReportFacts:
    base = ReportFacts(
        symbol="XAUUSD",
        start=START,
        end=END,
        made_at=END,
        zone=ZoneInfo("UTC"),
        signals=[signal()],
        signal_trades=[trade(5, "-1.02", origin="live")],
        simulated_trades=[trade(5, "-1.02"), trade(300, "1.5")],
        tested=[],
        lived=[],
        silence=Silence([("ema_momentum", "max_open", 3)], [("ema_momentum", "risk_too_large", 4)], []),
        quality=DataQuality(100, 3, [("vendor_hole", "M5", 3)], [], {"weekend": 600}),
        versions=Versions("0.1.0", "7", [], [], []),
    )
    return replace(base, **more)


def test_the_page_says_that_no_edge_is_demonstrated_and_asks_nobody_for_anything() -> None:
    page = Reader(render(facts()))
    assert NO_EDGE in page.text
    names = {name for name, _ in page.elements}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form", "base", "a"})
    for name, attributes in page.elements:
        assert not {key for key in attributes if key.startswith("on") or key in ("src", "href", "style", "srcset")}, name
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}) in page.elements
    assert "url(" not in render(facts())
    assert "@import" not in render(facts())
    assert "prefers-color-scheme: dark" in render(facts())
    assert "@media print" in render(facts())


def hostile_rows(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: HOSTILE if isinstance(value, str) else value for name, value in row.items()}


def test_whatever_a_text_holds_it_is_shown_and_never_run() -> None:
    evil = facts(
        symbol=HOSTILE,
        signals=[hostile_rows(signal())],
        signal_trades=[hostile_rows(trade(5, "-1"))],
        simulated_trades=[hostile_rows(trade(6, "1"))],
        silence=Silence([(HOSTILE, HOSTILE, 1)], [(HOSTILE, HOSTILE, 1)], [(HOSTILE, HOSTILE, 1, HOSTILE)]),
        quality=DataQuality(9, 1, [(HOSTILE, HOSTILE, 1)], [{"trading_day": HOSTILE, "missing_bars": 1, "expected_bars": 2}], {}),
        versions=Versions(
            HOSTILE,
            HOSTILE,
            [{"strategy": HOSTILE, "timeframe": HOSTILE, "version": HOSTILE, "parameters": HOSTILE}],
            [(START, HOSTILE, HOSTILE)],
            [
                {"asset": HOSTILE, "month": HOSTILE, "rows": 1, "code_version": HOSTILE, "complete": True}
                | {"digest": HOSTILE, "inputs_digest": HOSTILE}
            ],
        ),
    )
    page = Reader(render(evil))
    assert {name for name, _ in page.elements} == {name for name, _ in Reader(render(facts())).elements} | {"code"}
    assert page.text.count(HOSTILE) >= 20
    assert "<script" not in render(evil)


@given(st.lists(st.tuples(st.integers(0, 1400), st.decimals(-3, 6, places=4)), min_size=1, max_size=60))
@settings(deadline=None, max_examples=25)
def test_what_was_earned_agrees_with_a_second_count(given_trades: list[tuple[int, Decimal]]) -> None:
    rows = [trade(hours, str(net)) for hours, net in given_trades]
    told = earned(rows, key="k")
    values = [float(net) for _, net in given_trades]
    assert told.trades == len(values)
    assert told.wins == sum(value > 0 for value in values)
    assert told.net_r == pytest.approx(sum(values), abs=1e-6)
    assert told.mean_r == pytest.approx(fmean(values), abs=1e-6)
    if told.interval is not None:
        low, high = told.interval
        assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert told.trades >= FEW_TRADES or "too few" in told.reading
    (together, *_) = curves(rows)
    assert together.gained[-1] == pytest.approx(sum(values), abs=1e-6)


def test_an_interval_above_or_below_zero_is_said_only_with_enough_trades() -> None:
    winners = [trade(24 * day, "0.5") for day in range(FEW_TRADES)]
    assert earned(winners, key="k").reading == "above zero in this range"
    assert "too few" in earned(winners[1:], key="k").reading
    losers = [row | {"net_r": -row["net_r"]} for row in winners]
    assert earned(losers, key="k").reading == "below zero in this range"
    mixed = [row | {"net_r": Decimal(1 if day % 14 < 7 else -1)} for day, row in enumerate(winners)]
    assert earned(mixed, key="k").reading == "not distinguishable from zero"
    assert earned(winners[:1], key="k").interval is None


def test_every_p_value_stands_beside_the_number_of_trials() -> None:
    row = {"day": END.date(), "strategy": "ema_momentum", "timeframe": "H1", "trades": 64, "expectancy": Decimal("0.13")}
    tested = [row | {"interval_low": None, "interval_high": None, "p_value": Decimal("0.03"), "trials": 4}]
    text = Reader(render(facts(tested=tested))).text
    assert "0.030 4" in text
    assert "4 strategies and timeframes were tried" in text
    assert "in 19% of such tables" in text, "1 - 0.95 ** 4"


def test_an_empty_range_says_so_everywhere() -> None:
    empty = facts(
        signals=[],
        signal_trades=[],
        simulated_trades=[],
        silence=Silence([], [], []),
        quality=DataQuality(0, 0, [], [], {}),
    )
    text = Reader(render(empty)).text
    assert "No signal was given" in text
    assert "No bar is missing" in text


def test_a_curve_steps_through_every_result_and_stays_inside_its_picture() -> None:
    rows = [trade(hours, net) for hours, net in ((0, "-4"), (700, "9"), (1415, "-2"))]
    picture = charts.equity(curves(rows), start=START, end=END, title="t").text
    path = picture.split(' d="')[1].split('"')[0]
    heights = [float(part.split("H")[0]) for part in path.split("V")[1:]]
    assert len(heights) == 3
    assert heights[1] < heights[2] < heights[0], "up is more"
    assert all(0 <= height <= charts.HEIGHT for height in heights)


def test_a_simulated_market_is_called_so() -> None:
    assert "SIMULATED XAUUSD" in Reader(render(facts(symbol="XAUUSD-SIM"))).text
