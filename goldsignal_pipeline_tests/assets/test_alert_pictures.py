from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import insert

from goldsignal_pipeline.assets.alert_pictures import picture_of
from goldsignal_pipeline.storage.alerts import Claim
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.tables import METADATA
from goldsignal_pipeline_tests.sql.sample_rows import AT, HOUR, SAMPLES

TABLES = {table.name: table for table in METADATA.sorted_tables}
KEY = "signal|XAUUSD|H1|ema_momentum|BUY|2026-03-02T14:00|published"


def claim(kind: str, key: str = KEY) -> Claim:
    return Claim(1, "telegram-1", key, kind, "XAUUSD", AT, "{}", None, None, 1, False)


@pytest.fixture
def held(database: Database) -> Database:
    with database.transaction() as connection:
        for name in ("strategies", "signals"):
            connection.execute(insert(TABLES[name]).values(**SAMPLES[name]))
        bars = [SAMPLES["candles"] | {"timeframe": "H1", "timestamp": AT - number * HOUR} for number in range(40)]
        connection.execute(insert(TABLES["candles"]), bars)
    return database


def test_a_signal_has_a_picture_that_telegram_takes(held: Database) -> None:
    drawn = picture_of(held, claim("published"), now=AT + HOUR)
    assert drawn is not None
    with Image.open(BytesIO(drawn)) as picture:
        assert picture.format == "PNG"
        assert sum(picture.size) <= 10_000, "Telegram's limit for width and height together"
        colors = {color for _, color in picture.convert("RGB").getcolors(maxcolors=100_000) or []}
    for wanted in ((214, 39, 40), (44, 160, 44)):
        near = min(max(abs(one - other) for one, other in zip(color, wanted, strict=True)) for color in colors)
        assert near < 40, "stop and targets are drawn"
    assert len(drawn) < 100_000


def test_other_messages_and_signals_without_candles_have_none(held: Database) -> None:
    assert picture_of(held, claim("digest", "digest|XAUUSD|2026-03-02"), now=AT) is None
    assert picture_of(held, claim("published", KEY.replace("14:00", "15:00")), now=AT + HOUR) is None
    assert picture_of(held, claim("published"), now=AT - timedelta(days=30)) is None
