"""The chart and performance pages in a real browser, on a filled graph: load, pan, click, phone, as-of, keyboard, refusals.

Skipped where there is no Chromium. One browser and one server serve all tests; after each, no error was logged and no request
left the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from pydantic import SecretStr

from goldsignal_pipeline.api.app import create_app
from goldsignal_pipeline.assets.keep_news import keep_news
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import Told, settings_of
from goldsignal_pipeline_tests.api.serving import served
from goldsignal_pipeline_tests.browser import Page, browser_page, chromium
from goldsignal_pipeline_tests.graph import NOW, SYMBOL, fill_candles
from goldsignal_pipeline_tests.providers.calendar_server import event

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs Chromium")

LOADED = "!!document.querySelector('[data-loaded]')"
BARS = "Number(document.querySelector('#chart').dataset.bars)"
VIEW = "document.querySelector('#chart').view"
# Where the arrow of the last signal in view lies in the window.
ARROW = f"""(() => {{
    const view = {VIEW}, box = document.querySelector('#chart').getBoundingClientRect();
    const seen = view.trades.signals.map(signal => [signal, view.trades._arrow(signal)])
        .filter(([, at]) => at && at.x > 20 && at.x < box.width - 90 && at.y > 20 && at.y < box.height - 40);
    if (!seen.length) return null;
    const [signal, at] = seen[seen.length - 1];
    return [signal.id, box.x + at.x, box.y + at.y];
}})()"""
REVEAL = (
    f"(last => {VIEW}.reveal(Date.parse(last.timestamp) / 1000, Date.parse(last.timestamp) / 1000))({VIEW}.trades.signals.at(-1))"
)
EXPLAINED = "!!document.querySelector('dialog[open] .explanation table')"


@pytest.fixture(scope="module")
def address(filled_graph: Database) -> Iterator[str]:
    settings = settings_of(filled_graph, level_offset=Decimal("0.35"), display_timezone="Asia/Tokyo")
    with served(create_app(settings, clock=lambda: NOW, orchestrator=Told())) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browser_page() as page:
        page.watch()
        yield page


@pytest.fixture
def page(browser: Page, address: str) -> Iterator[Page]:
    """The chart on a wide screen, as somebody sees it who comes for the first time."""
    browser.size(1280, 800)
    browser.prefer("light")
    browser.forget(address)
    browser.open(f"{address}/")
    browser.until(LOADED)
    yield browser
    assert browser.complaints == []
    assert [asked for asked in browser.requests if not asked.startswith((address, "data:"))] == []


def api(address: str, path: str, **parameters: str | int) -> dict[str, object]:
    answer = httpx.get(f"{address}{path}", params=parameters, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_what_a_trader_asks_first_stands_there_without_a_click(page: Page, address: str) -> None:
    shown = page.value("document.body.innerText")
    assert SYMBOL in page.value("document.title")
    assert "simulated market" in shown
    assert "No strategy here has a demonstrated edge" in shown
    assert page.value(BARS) == 1500
    last = page.value("[...document.querySelectorAll('#last-outcomes .item')].map(item => item.innerText)")
    assert len(last) == 10
    outcomes = api(address, "/outcomes", symbol=SYMBOL, limit=10)
    newest = next(value for value in outcomes.values() if isinstance(value, list))[0]
    assert f"{abs(float(newest['net_r'])):.2f} R" in last[0]
    ended = datetime.fromisoformat(newest["resolved_at"]).astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{ended:%d %b, %H:%M}" in last[0]
    assert page.value("document.querySelector('#open-signals .body').innerText") != ""
    assert page.value("document.querySelector('#feed-pill').innerText") == "feed alive"
    assert page.value("document.querySelector('#feed .body').innerText") != ""


def test_panning_to_the_left_fetches_older_bars_and_their_signals(page: Page) -> None:
    before, signals = page.value(BARS), page.value(f"{VIEW}.trades.signals.length")
    first = page.value(f"{VIEW}.bars.first")
    page.value(f"{VIEW}.pan(-1300)")
    page.drag((200, 400), (700, 400))
    page.until(f"{BARS} > {before} && {VIEW}.trades.signals.length > {signals}")
    assert page.value(f"{VIEW}.bars.first") < first
    times = page.value(f"{VIEW}.bars.time")
    assert times == sorted(set(times))


def test_names_of_levels_do_not_lie_over_one_another_and_the_chosen_plan_has_all_of_its_own(page: Page) -> None:
    """Two plans with the same levels stand out: the one that is chosen, and its twin that is open."""
    page.value(
        f"(trades => {{ const last = trades.signals.at(-1); trades.signals.push({{ ...last, id: 'twin', status: 'active' }});"
        f" trades.chosen = last.id; }})({VIEW}.trades)"
    )
    page.value(REVEAL)
    page.value(f"{VIEW}.trades.refresh()")
    names = page.until(f"{VIEW}.trades.named.length ? {VIEW}.trades.named : null")
    assert sorted(name["text"].split()[0] for name in names) == ["TP1", "TP2", "entry", "stop"]
    assert all(later - earlier >= 16 for earlier, later in pairwise(sorted(name["y"] for name in names)))


def test_a_click_on_an_arrow_opens_the_explanation_of_its_signal(page: Page) -> None:
    identity, x, y = page.value(ARROW)
    page.click(x, y)
    page.until(EXPLAINED)
    told = page.value("document.querySelector('dialog').innerText")
    assert identity in told
    for part in (
        "Threshold",
        "Verdict of the gate",
        "evidence:",
        "No edge is demonstrated",
        "simulated market",
        "What became of it",
    ):
        assert part in told
    assert page.value(f"{VIEW}.trades.chosen") == identity


def test_a_phone_has_no_sideways_scroll_and_a_thumb_opens_the_explanation(page: Page, address: str) -> None:
    page.size(390, 844, phone=True)
    for path in ("/performance.html", "/"):
        page.open(address + path)
        page.until(f"location.pathname === '{path}' && {LOADED}")
        assert page.value("document.documentElement.scrollWidth") <= 390
    assert (
        page.value(
            "Math.min(...[...document.querySelectorAll('button')].filter(one => one.offsetParent).map(one => one.offsetHeight))"
        )
        >= 34
    )
    page.value(REVEAL)
    _, x, y = page.until(ARROW)
    page.tap(x, y)
    page.until(EXPLAINED)
    assert page.value("document.querySelector('dialog').getBoundingClientRect().width") == 390


def test_the_slider_shows_only_what_was_known_then(page: Page) -> None:
    chosen = page.value(f"{VIEW}.trades.signals.filter(signal => signal.ended_at).at(-1)")
    step = f"{VIEW}.bars.indexAtOrAfter(Date.parse({json.dumps(chosen['filled_at'])}) / 1000)"
    page.value(
        f"(() => {{ const s = document.querySelector('#as-of'); s.value = {step}; s.dispatchEvent(new Event('input')); }})()"
    )
    known = f"{VIEW}.trades.signals.at(-1)?.id === '{chosen['id']}' && {VIEW}.trades.signals.at(-1).status === 'active'"
    page.until(f"!!document.querySelector('[data-notice=as-of]') && {known}")
    then = page.value(f"{VIEW}.trades.signals.at(-1)")
    assert (then["status"], then["ended_at"], then["net_r"]) == ("active", None, None)
    assert page.value(BARS) < 1500
    name = json.dumps(chosen["strategy"].replace("_", " "))
    page.until(f"document.querySelector('#open-signals .body').innerText.includes({name})")
    page.value("document.querySelector('#as-of-now').click()")
    page.until(
        f"{BARS} === 1500 && !document.querySelector('[data-notice=as-of]') && {VIEW}.trades.signals.at(-1).status !== 'active'"
    )


def test_the_slider_says_from_when_bars_read_as_they_did_where_too_many_were_corrected_since(page: Page) -> None:
    told = json.dumps(json.dumps({"bars": [], "exact_from": "2026-03-02T00:00:00+00:00"}))
    page.value(
        "(ask => { window.fetch = (url, ...more) => String(url).includes('/page/corrections')"
        f" ? Promise.resolve(new Response({told}, {{ headers: {{ 'Content-Type': 'application/json' }} }}))"
        " : ask(url, ...more); })(window.fetch)"
    )
    page.value("document.querySelector('#as-of-back').click()")
    page.wait_for(["Shown as known at", "Bars before", "02 Mar", "read as today"])


def test_the_keyboard_reaches_signals_and_their_explanation(page: Page) -> None:
    page.value("document.querySelector('#chart').focus()")
    page.press("p")
    assert page.value(f"{VIEW}.trades.chosen === {VIEW}.trades.signals.at(-1).id")
    page.press("Enter")
    page.until(EXPLAINED)
    page.press("Escape")
    page.until("!document.querySelector('dialog').open && document.activeElement.id === 'chart'")


def test_colours_follow_the_system_until_the_switch_is_used(page: Page, address: str) -> None:
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.value(paper)
    page.prefer("dark")
    assert page.value(paper) != light
    page.value("document.querySelector('#theme').click()")
    assert page.value(paper) == light
    page.open(f"{address}/performance.html")
    page.until(f"location.pathname === '/performance.html' && {LOADED}")
    assert page.value(paper) == light


def test_another_bar_length_is_drawn_and_remembered(page: Page, address: str) -> None:
    page.value("[...document.querySelectorAll('#timeframes button')].find(one => one.innerText === 'H4').click()")
    page.until(f"document.querySelector('#chart').dataset.loaded === '{SYMBOL} H4'")
    steps = page.value(f"{VIEW}.bars.time.slice(-3)")
    assert {later - earlier for earlier, later in pairwise(steps)} == {4 * 3600}
    page.open(f"{address}/")
    page.until("document.querySelector('#timeframes [aria-pressed=true]')?.innerText === 'H4'")


def test_without_an_answer_the_page_says_so_and_recovers(page: Page) -> None:
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.call("Network.emulateNetworkConditions", offline=True, **conditions)
    page.value("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for(["GoldSignal does not answer"])
    page.call("Network.emulateNetworkConditions", offline=False, **conditions)
    page.value("document.dispatchEvent(new Event('visibilitychange'))")
    page.until("!document.body.innerText.includes('GoldSignal does not answer')")
    page.complaints[:] = [said for said in page.complaints if "ERR_INTERNET_DISCONNECTED" not in said]


def test_every_card_of_the_performance_page_is_filled(page: Page, address: str) -> None:
    page.open(f"{address}/performance.html")
    page.until(f"location.pathname === '/performance.html' && {LOADED}")
    page.until("document.querySelectorAll('#equity svg path.line').length > 4")
    page.until("!!document.querySelector('#fan svg .fan-inner')")
    shown = page.value("document.body.innerText")
    assert "demonstrated edge" in shown
    assert "simulated market" in shown
    cells = page.value(
        "[...document.querySelectorAll('#heat td')].map(cell => Number(cell.innerText.match(/(\\d+) trade/)?.[1] ?? 0))"
    )
    trades = api(address, "/page/breakdown", symbol=SYMBOL, kind="backtest")["trades"]
    assert sum(cells) == trades
    assert page.value("document.querySelectorAll('#rolling rect').length") > 0
    assert "setup" in page.value("document.querySelector('#silence').innerText")
    before = page.value("document.querySelector('#fan').innerText")
    page.value("document.querySelector('#kind button').click()")
    page.until(f"document.querySelector('#fan').innerText !== {json.dumps(before)}")


def test_pages_allow_nothing_from_elsewhere(address: str) -> None:
    for path in ("/", "/performance.html"):
        policy = httpx.get(address + path, trust_env=False).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


@contextmanager
def another(browser: Page, settings: Settings) -> Iterator[Page]:
    """The chart of another application, as somebody sees it who comes for the first time."""
    with served(create_app(settings, clock=lambda: NOW, orchestrator=Told())) as other:
        browser.forget(other)
        browser.size(1280, 800)
        browser.open(f"{other}/")
        yield browser
        browser.forget(other)


def test_events_that_keep_signals_back_are_lines_with_their_names_from_when_they_were_known(
    browser: Page, database: Database, tmp_path: Path
) -> None:
    fill_candles(database, ["2026-03"])
    saved, told = tmp_path / "calendar.json", datetime(2026, 3, 19, 6, tzinfo=UTC)
    saved.write_text(
        json.dumps([event("CPI m/m", "2026-03-19T12:30:00Z"), event("Trade Balance", "2026-03-19T14:00:00Z", impact="Low")])
    )
    keep_news(database, str(saved), now=told)
    with another(browser, settings_of(database)) as page:
        page.until(LOADED)
        page.value(
            "window.written = []; (write => { CanvasRenderingContext2D.prototype.fillText = function (text, x, ...more) {"
            " window.written.push([text, x]); return write.call(this, text, x, ...more); }; })"
            "(CanvasRenderingContext2D.prototype.fillText)"
        )
        page.value(f"{VIEW}.bands.refresh()")
        x = page.until("window.written.find(([text]) => text === 'USD CPI m/m')?.[1]")
        bars = [
            page.value(f"{VIEW}.chart.timeScale().timeToCoordinate(Date.UTC(2026, 2, 19, {hour}) / 1000)") for hour in (12, 13)
        ]
        assert x - 3 == pytest.approx(sum(bars) / 2, abs=1)  # half past, so half way between two bars of an hour
        assert "Trade Balance" not in " ".join(page.value("window.written.map(([text]) => text)"))
        step = f"{VIEW}.bars.indexAtOrAfter({told.timestamp()}) - 3"
        page.value(f"document.querySelector('#as-of').value = {step}")
        page.value("document.querySelector('#as-of').dispatchEvent(new Event('input'))")
        page.until(f"!!document.querySelector('[data-notice=as-of]') && {VIEW}.bands.news.length === 0")


def test_a_record_without_candles_says_so_and_why_nothing_can_be_given(browser: Page, database: Database) -> None:
    with another(browser, settings_of(database)) as page:
        page.wait_for([f"No candles of {SYMBOL} are held yet", "so no strategy can speak", "no feed yet", "No signal is open"])


def test_a_database_that_is_away_is_told_in_words(browser: Page, database: Database) -> None:
    away = SecretStr("postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    with another(browser, settings_of(database, database_url=away)) as page:
        page.wait_for(["The database does not answer", "goldsignal up", "no answer"])


def test_where_a_token_is_set_the_page_asks_for_it_once(browser: Page, filled_graph: Database) -> None:
    token = "0123456789abcdef"
    with another(browser, settings_of(filled_graph, api_token=SecretStr(token))) as page:
        page.wait_for(["Token of the API"])
        page.value(f"document.querySelector('#token').value = {json.dumps(token)}")
        page.value("document.querySelector('form button').click()")
        page.until(f"{LOADED} && {BARS} === 1500")
        assert "Token of the API" not in page.value("document.body.innerText")
