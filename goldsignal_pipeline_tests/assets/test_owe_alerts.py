from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from goldsignal_pipeline.alerts.messages import CAPTION_UNITS, Message, html, plain, utf16_units
from goldsignal_pipeline.assets import alert_facts
from goldsignal_pipeline.assets.keeping import Writing
from goldsignal_pipeline.assets.owe_alerts import owe_alerts
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage import alerts, operator_events
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.tables import METADATA
from goldsignal_pipeline_tests.alerts.telegram_html import visible
from goldsignal_pipeline_tests.sql.sample_rows import AT, HOUR, MINUTE, SAMPLES, SIGNAL

TABLES = {table.name: table for table in METADATA.sorted_tables}
CONFIRMED = AT + HOUR
KNOWN = CONFIRMED + 2 * MINUTE
LIVE = {"known_at": KNOWN}
SETTINGS = Settings(
    provider="twelvedata",
    twelvedata_api_key="made-up-key",  # type: ignore[arg-type]
    display_timezone="Europe/Zurich",
    account_currency="EUR",
    account_currency_rate=Decimal("1.25"),
    level_offset=Decimal("0.80"),
)


def writing(now: datetime) -> Writing:
    return Writing(("2026-03",), now, timedelta(minutes=2), "run")


def put(connection: Connection, table: str, **changed: Any) -> None:
    connection.execute(insert(TABLES[table]).values(**(SAMPLES[table] | changed)))


def event(connection: Connection, kind: str, *, at: datetime, known_at: datetime | None = None, **detail: Any) -> None:
    known = known_at or at + 2 * MINUTE
    values = {**SIGNAL, "kind": kind, "at": at, "known_at": known, "origin": "live", "detail": detail}
    connection.execute(insert(TABLES["signal_events"]).values(**values))


def publish(connection: Connection, **changed: Any) -> None:
    put(connection, "strategies")
    reasons = ["RSI 28 < 30 & falling", "EMA21 > EMA50 > EMA200", "body 1.4 ATR > 0.6 ATR"]
    signal = {**SIGNAL, **LIVE, "reasons": reasons, "size_ounces": Decimal("100.00"), "risk_usd": Decimal("1000.00")} | changed
    put(connection, "signals", **signal)


def owed(database: Database) -> dict[str, tuple[str, Message]]:
    """Kind and message of what is owed, in order, by natural key."""
    with database.transaction(read_only=True) as connection:
        rows = connection.execute(text("SELECT natural_key, kind, message::text FROM alerts ORDER BY id")).all()
    return {row[0]: (row[1], Message.from_json(row[2])) for row in rows}


def test_a_published_signal_is_owed_once_and_says_everything_in_its_first_line(database: Database) -> None:
    with database.transaction() as connection:
        publish(connection)
        result = SAMPLES["backtest_results"] | {"window_days": 365, "trades": 120}
        put(connection, "backtest_results", **result | {"expectancy": Decimal("0.02"), "expectancy_error": Decimal("0.05")})
        event(connection, "published", at=CONFIRMED, known_at=KNOWN)
    assert owe_alerts(database, SETTINGS, writing(KNOWN)) == {"published": 1}
    assert owe_alerts(database, SETTINGS, writing(KNOWN + MINUTE)).total() == 0
    [(key, (kind, message))] = owed(database).items()
    assert (key, kind) == ("signal|XAUUSD|H1|ema_momentum|BUY|2026-03-02T14:00|published", "published")
    assert message.headline == "XAUUSD BUY 4000.00, stop 3990.00, targets 4015.00 and 4030.00"
    told = visible(html(message, units=CAPTION_UNITS))
    for part in (
        "At your broker (+0.80): 4000.80, stop 3990.80, targets 4015.80 and 4030.80",
        "Size 100.00 oz = 0.10 lots; 1,000.00 USD (800.00 EUR) at risk",
        "R:R 1.50 and 3.00; 1 R = 10.00 USD/oz",
        "unless it is more than 2.50 away; valid until Thu 05 Mar 2026 16:00 Europe/Zurich",
        "• RSI 28 < 30 & falling",
        "• body 1.4 ATR > 0.6 ATR",
        "Evidence: unproven",
        "120 trades, +0.02 R each (95 %: -0.08 R to +0.12 R)",
        "Bar closed Mon 02 Mar 2026 16:00 Europe/Zurich, seen 16:02:00",
    ):
        assert part in told, part
    assert plain(message).splitlines()[-1].startswith("Signal ")
    assert utf16_units(plain(message)) < CAPTION_UNITS, "a signal with three reasons is whole below its picture"


def test_every_step_is_owed_and_answers_the_message_of_its_signal(database: Database) -> None:
    with database.transaction() as connection:
        publish(connection)
        event(connection, "published", at=CONFIRMED, known_at=KNOWN)
        event(connection, "filled", at=CONFIRMED + 5 * MINUTE, fill=4000.4)
        event(connection, "tp1_reached", at=CONFIRMED + HOUR)
        event(connection, "closed", at=CONFIRMED + 2 * HOUR, result="tp2_hit", net_r=2.1)
        event(connection, "corrected", at=CONFIRMED + 9 * HOUR, result="tp1_hit", net_r=0.7)
    owe_alerts(database, SETTINGS, writing(CONFIRMED + 10 * HOUR))
    found = owed(database)
    assert [kind for kind, _ in found.values()] == ["published", "filled", "tp1_reached", "closed", "corrected"]
    heads = [message.headline for _, message in found.values()]
    assert heads[1:] == [
        "XAUUSD BUY filled at 4000.40, stop 3990.00, targets 4015.00 and 4030.00",
        "XAUUSD BUY reached its first target 4015.00",
        "XAUUSD BUY both targets reached, +2.10 R",
        "XAUUSD BUY CORRECTED: first target reached, the rest closed at its entry, +0.70 R",
    ]
    last = list(found.values())[-1][1]
    assert "Told before: both targets reached, +2.10 R. Later candles say otherwise." in last.body
    with database.transaction(read_only=True) as connection:
        threads = connection.execute(text("SELECT DISTINCT thread FROM alerts WHERE kind <> 'published'")).scalars().all()
    assert threads == [next(iter(found))]


def test_an_outcome_says_what_it_made_in_money(database: Database) -> None:
    with database.transaction() as connection:
        publish(connection)
        event(connection, "closed", at=CONFIRMED + HOUR, result="sl_hit", net_r=-1.05)
        put(connection, "outcomes", net_usd=Decimal("-10.50"), **SIGNAL)
    owe_alerts(database, SETTINGS, writing(CONFIRMED + 2 * HOUR))
    [(_, message)] = owed(database).values()
    assert "Net -1,050.00 USD (-840.00 EUR) on 100.00 oz, costs included" in message.body


def test_a_missed_signal_says_why_nothing_was_bought(database: Database) -> None:
    with database.transaction() as connection:
        publish(connection)
        event(connection, "closed", at=CONFIRMED + HOUR, result="missed", because="too_far")
    owe_alerts(database, SETTINGS, writing(CONFIRMED + 2 * HOUR))
    [(_, message)] = owed(database).values()
    assert message.headline == "XAUUSD BUY missed, nobody could enter"
    assert "Nothing was bought or sold: the market opened too far from the reference." in message.body


def test_a_backfill_owes_nothing(database: Database) -> None:
    with database.transaction() as connection:
        publish(connection, origin="backfill", known_at=None)
        values = {**SIGNAL, "kind": "published", "at": CONFIRMED, "known_at": None, "origin": "backfill", "detail": {}}
        connection.execute(insert(TABLES["signal_events"]).values(**values))
        put(connection, "outcomes")
    assert owe_alerts(database, SETTINGS, writing(CONFIRMED + 2 * HOUR)).total() == 0


@pytest.mark.fault("alerts")
def test_i17_a_crash_between_a_cause_and_its_message_loses_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def owe(connection: Connection, one: alerts.Owed, **options: Any) -> bool:
        if one.kind == "filled":
            raise Killed
        return stored(connection, one, **options)

    with database.transaction() as connection:
        publish(connection)
        event(connection, "published", at=CONFIRMED, known_at=KNOWN)
        event(connection, "filled", at=CONFIRMED + 5 * MINUTE, fill=4000.4)
    stored = alerts.owe
    with monkeypatch.context() as patched:
        patched.setattr(alerts, "owe", owe)
        with pytest.raises(Killed):
            owe_alerts(database, SETTINGS, writing(KNOWN + 10 * MINUTE))
    assert owed(database) == {}
    assert owe_alerts(database, SETTINGS, writing(CONFIRMED + 12 * HOUR)) == {"published": 1, "filled": 1}


def tell(connection: Connection, key: str, *, at: datetime, **told: Any) -> None:
    failed = {"kind": "run_failed", "severity": "error", "message": f"Run {key} failed.", "cause": "candles: low > high <&>"}
    operator_events.append(connection, at=at, natural_key=key, run_id=None, **(failed | told))


def test_errors_are_owed_once_in_six_hours_and_changes_of_health_each_time(database: Database) -> None:
    at = datetime(2026, 3, 3, 6, 5, tzinfo=UTC)
    with database.transaction() as connection:
        for minutes in (0, 5, 10, 400):
            tell(connection, f"run_failed:{minutes}", at=at + minutes * MINUTE)
        tell(connection, "caught_up:1", at=at, kind="caught_up", severity="info")
        tell(connection, "alert_refused:1", at=at, kind="alert_refused", severity="error")
        for state in ("watch", "degraded"):
            tell(
                connection,
                f"health:{state}",
                at=at,
                kind="health_changed",
                severity="warning",
                message=f"x is {state}.",
                cause=None,
            )
        tell(connection, "breaker:1", at=at, kind="breaker_tripped", severity="warning", message="It holds.", cause=None)
    assert owe_alerts(database, SETTINGS, writing(at + 500 * MINUTE)) == {"operator": 2, "health": 2, "breaker": 1}
    assert owe_alerts(database, SETTINGS, writing(at + 501 * MINUTE)).total() == 0
    told = visible(html(next(message for kind, message in owed(database).values() if kind == "operator")))
    assert told.startswith("ERROR: Run run_failed:0 failed.\ncandles: low > high <&>\n")


def go_live(connection: Connection, *, at: datetime) -> None:
    since = {"natural_key": "live_since:XAUUSD", "kind": "live_since", "symbol": "XAUUSD", "at": at, "recorded_at": at}
    connection.execute(insert(TABLES["gate_events"]).values(**since, detail={}))


def test_the_digest_of_a_day_is_owed_after_new_yorks_close_and_says_why_it_was_silent(database: Database) -> None:
    close = datetime(2026, 3, 2, 22, tzinfo=UTC)
    key = {**SIGNAL, "direction": "SELL"}
    with database.transaction() as connection:
        go_live(connection, at=AT - 24 * HOUR)
        put(connection, "gate_decisions", **key, is_accepted=False, reasons=["max_open", "confidence"], evidence=None, rank=None)
        tell(connection, "run_failed:1", at=AT)
    assert "digest" not in owe_alerts(database, SETTINGS, writing(close))
    assert owe_alerts(database, SETTINGS, writing(close + 2 * MINUTE))["digest"] == 1
    assert owe_alerts(database, SETTINGS, writing(close + 5 * MINUTE)).total() == 0
    [message] = [message for kind, message in owed(database).values() if kind == "digest"]
    assert message.headline == "XAUUSD Mon 02 Mar: no signal, 0 ended (+0.00 R), 0 open"
    assert "Turned away by the gate: two signals were open (1)" in message.body
    assert "1 error of the system; `goldsignal status` names them" in message.body


def test_a_day_without_any_candidate_says_that_none_came_near(database: Database) -> None:
    with database.transaction() as connection:
        go_live(connection, at=AT - 24 * HOUR)
    owe_alerts(database, SETTINGS, writing(datetime(2026, 3, 2, 22, 2, tzinfo=UTC)))
    [(_, message)] = owed(database).values()
    assert message.body == ("Why it was silent: no strategy found a setup, and none came near one.",)


def test_no_digest_for_days_without_market_before_the_start_or_long_gone() -> None:
    calendar = load_calendar()
    assert alert_facts.last_day(calendar, now=datetime(2026, 3, 8, 23, tzinfo=UTC)) is None, "the day before Sunday evening's"
    assert alert_facts.last_day(calendar, now=datetime(2026, 3, 7, 1, tzinfo=UTC)) == (
        date(2026, 3, 6),
        datetime(2026, 3, 5, 22, tzinfo=UTC),
        datetime(2026, 3, 6, 22, tzinfo=UTC),
    )


def test_a_blocked_day_is_told_once_and_only_of_a_live_symbol(database: Database) -> None:
    now = AT + 2 * HOUR
    with database.transaction() as connection:
        put(connection, "trading_day_parts", present_bars=100, missing_bars=100)
    assert owe_alerts(database, SETTINGS, writing(now)).total() == 0
    with database.transaction() as connection:
        go_live(connection, at=AT)
    assert owe_alerts(database, SETTINGS, writing(now)) == {"data_blocked": 1}
    assert owe_alerts(database, SETTINGS, writing(now + HOUR)).total() == 0
    [(_, message)] = owed(database).values()
    assert message.headline == "Attention: XAUUSD gives no signals on Mon 02 Mar, 100 of 276 bars are missing"
