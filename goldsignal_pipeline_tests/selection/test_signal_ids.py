"""Ids of signals follow from every part of the key and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.signal_ids import ID_LENGTH, signal_id

KEY = SetupKey("liquidity_sweep", "H1", Direction.BUY, datetime(2024, 5, 3, 10, tzinfo=UTC))


def test_an_id_is_what_it_always_was() -> None:
    """Ids stand in messages and notes; computed here with sha256sum over the five lines."""
    assert signal_id(KEY, symbol="XAUUSD") == "1676f0c05c06"
    assert len(signal_id(KEY, symbol="XAUUSD")) == ID_LENGTH


def test_the_zone_in_which_an_instant_is_written_does_not_matter() -> None:
    local = replace(KEY, timestamp=KEY.timestamp.astimezone(ZoneInfo("Asia/Tokyo")))
    assert signal_id(local, symbol="XAUUSD") == signal_id(KEY, symbol="XAUUSD")


def test_every_part_of_the_key_counts() -> None:
    others = [
        replace(KEY, strategy="ema_momentum"),
        replace(KEY, timeframe="H4"),
        replace(KEY, direction=Direction.SELL),
        replace(KEY, timestamp=KEY.timestamp + timedelta(hours=1)),
    ]
    ids = {signal_id(key, symbol="XAUUSD") for key in (KEY, *others)} | {signal_id(KEY, symbol="XAUUSD-SIM")}
    assert len(ids) == 6
