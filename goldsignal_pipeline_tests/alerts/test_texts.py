from __future__ import annotations

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.alerts.messages import CAPTION_UNITS, html, plain
from goldsignal_pipeline.alerts.operating import REASONS, Day, digest_message, event_message
from goldsignal_pipeline.alerts.texts import EVIDENCE, RESULTS, Reader, listed, signal_message, step_message
from goldsignal_pipeline.selection.own_account import OwnAccount
from goldsignal_pipeline.storage.tables import words
from goldsignal_pipeline_tests.alerts.telegram_html import units, visible
from goldsignal_pipeline_tests.sql.sample_rows import AT, HOUR, SAMPLES

READER = Reader(ZoneInfo("UTC"), OwnAccount("USD", Decimal(1), Decimal(0)))
SIGNAL = SAMPLES["signals"] | {"known_at": AT + HOUR}
NASTY = st.text(st.sampled_from("<>&\"';/abé\U0001f947 \n"), max_size=60)


@pytest.mark.fault("alerts")
@settings(deadline=None, max_examples=60)
@given(words=st.lists(NASTY, min_size=9, max_size=9))
def test_markup_in_every_field_of_every_message_is_text(words: list[str]) -> None:
    symbol, strategy, timeframe, direction, own_id, message, *reasons = words
    signal = SIGNAL | {"symbol": symbol, "strategy": strategy, "timeframe": timeframe, "direction": direction, "reasons": reasons}
    ids = {"signal_id": own_id, "message_id": message, "reader": READER}
    closed = {"kind": "closed", "at": AT, "known_at": AT, "detail": {"result": "sl_hit", "net_r": -1.0}}
    failed = {"kind": strategy, "severity": "error", "message": symbol, "cause": "\n".join(reasons), "at": AT}
    day = Day(symbol, date(2026, 3, 2), given=[signal], open=[signal], turned_away=[(strategy, 1)], near_misses=reasons)
    for told in (
        signal_message(signal, record=None, **ids),
        step_message(closed, signal, outcome=None, before=None, **ids),
        event_message(failed, message_id=message, reader=READER),
        digest_message(day, message_id=message),
    ):
        seen = visible(html(told, units=CAPTION_UNITS))
        assert seen == plain(told, units=CAPTION_UNITS)
        assert units(seen) <= CAPTION_UNITS


def test_every_word_of_the_tables_has_its_words() -> None:
    assert set(RESULTS) == set(words.RESULTS)
    assert set(EVIDENCE) == set(words.EVIDENCE)
    assert set(REASONS) == {*words.GATE_REASONS, *words.REFUSALS}


def test_a_simulated_market_is_called_so_in_the_first_words() -> None:
    told = signal_message(SIGNAL | {"symbol": "XAUUSD-SIM"}, record=None, signal_id="a", message_id="b", reader=READER)
    assert told.headline.startswith("SIMULATED XAUUSD BUY 4000.00")
    assert "Record of ema_momentum on H1: none yet" in told.body


def test_a_long_list_ends_with_how_many_more_there_are() -> None:
    assert listed(["a", "b"], most=2) == "a, b"
    assert listed(["a", "b", "c", "d"], most=2) == "a, b and 2 more"
