from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.alerts.messages import CAPTION_UNITS, TEXT_UNITS, Message, clipped, html, message_id, plain, utf16_units
from goldsignal_pipeline_tests.alerts.telegram_html import units, visible

NASTY = st.text(st.sampled_from("<>&\"'; abc/b\n\t\x00\x07\u200b\U0001f947\ud83e\u2028ä"), max_size=200)
ANY = NASTY | st.text(st.characters(), max_size=200)
LONG = st.builds(lambda text, times: text * times, ANY, st.sampled_from([1, 1, 40]))
MESSAGES = st.builds(Message, LONG, st.lists(LONG, max_size=6).map(tuple), LONG)
LIMITS = st.sampled_from([CAPTION_UNITS, TEXT_UNITS])


@pytest.mark.fault("alerts")
@settings(deadline=None, max_examples=150)
@given(message=MESSAGES, limit=LIMITS)
def test_whatever_a_message_holds_telegram_can_read_it_within_its_limit(message: Message, limit: int) -> None:
    seen = visible(html(message, units=limit))
    assert seen == plain(message, units=limit)
    assert 1 <= units(seen) <= limit
    assert seen == seen.strip()
    seen.encode()


@settings(deadline=None, max_examples=60)
@given(message=MESSAGES)
def test_a_message_comes_back_from_storage_as_it_was(message: Message) -> None:
    assert Message.from_json(message.to_json()) == message


@settings(deadline=None, max_examples=60)
@given(text=ANY, limit=st.integers(1, 80))
def test_a_clipped_text_begins_like_the_whole_and_says_that_it_was_cut(text: str, limit: int) -> None:
    text = text.encode("utf-16-le", "ignore").decode("utf-16-le")
    short = clipped(text, limit)
    assert utf16_units(text) == units(text)
    assert units(short) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@settings(deadline=None, max_examples=40)
@given(message=MESSAGES)
def test_headline_and_foot_survive_any_cut_when_they_are_short(message: Message) -> None:
    short = Message(message.headline[:200], message.body, message.foot[:100])
    lines = plain(short, units=CAPTION_UNITS).splitlines()
    assert lines[0] == short.headline.strip()
    assert not short.foot or lines[-1] == short.foot


@pytest.mark.fault("alerts")
def test_mistake_15_a_comparison_in_a_reason_is_no_markup() -> None:
    message = Message("BUY when RSI < 30 & close > EMA", ("RSI <30> & </b> &lt; <b>",), "id <1>")
    assert "RSI < 30" in visible(html(message))
    assert visible(html(message)).splitlines()[1] == "RSI <30> & </b> &lt; <b>"


def test_a_repeat_says_so_first_and_keeps_its_id() -> None:
    message = Message("BUY 4000.00", ("size",), f"message {message_id('signal:1')}")
    lines = plain(message.repeated).splitlines()
    assert lines[0] == "REPEAT? BUY 4000.00"
    assert "may be a repeat" in lines[1]
    assert lines[-1] == plain(message).splitlines()[-1]
    assert message_id("signal:1") != message_id("signal:2")


def test_emoji_count_twice_and_are_never_cut_in_half() -> None:
    assert clipped("\U0001f947" * 10, 8) == "\U0001f947" * 3 + "…"
