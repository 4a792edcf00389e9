from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from goldsignal_pipeline.alerts.channels import Letter
from goldsignal_pipeline.alerts.messages import CAPTION_UNITS, message_id
from goldsignal_pipeline.alerts.sender import Sender
from goldsignal_pipeline.cli.prove.telegram_server import Reply, TelegramServer
from goldsignal_pipeline.storage import alerts
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.alerts.desk import CHAT, PATIENT, QUICK, START, TOKEN, Desk, Script
from goldsignal_pipeline_tests.alerts.telegram_html import units, visible

PARSE_ERROR = 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 9'
BLOCKED = "Forbidden: bot was blocked by the user"
GATEWAY_PAGE = Reply(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>")
PNG = b"\x89PNG made up"
MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(database: Database) -> Iterator[MakeDesk]:
    with ExitStack() as stack:

        def make(*replies: Reply | None, **options: Any) -> Desk:
            return Desk(database, stack.enter_context(TelegramServer(Script(replies))), options=options)

        yield make


def test_what_is_owed_is_sent_once_in_order_and_never_again(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.owe("one")
    desk.owe("two")
    desk.owe("one", headline="said otherwise")
    desk.rounds(5)
    assert [visible(text).splitlines()[0] for text in desk.texts] == ["about one", "about two"]
    assert desk.states() == ["sent", "sent"]
    assert {call.path.split("/")[1] for call in desk.server.calls} == {f"bot{TOKEN}"}
    assert desk.server.calls[0].fields["chat_id"] == CHAT


def test_one_chat_gets_one_message_a_second(make_desk: MakeDesk) -> None:
    desk = make_desk()
    for number in range(3):
        desk.owe(f"{number}")
    sent = [desk.round(after=0.4) for _ in range(7)]
    assert sum(sent) == 3
    begun = [row[0] for row in desk.rows("SELECT started_at FROM alert_attempts ORDER BY started_at")]
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in itertools.pairwise(begun))


@pytest.mark.fault("alerts")
def test_too_many_requests_are_waited_out_for_as_long_as_was_asked(make_desk: MakeDesk) -> None:
    desk = make_desk(Reply.told(429, "Too Many Requests: retry after 7", retry_after=7))
    desk.owe("one")
    desk.owe("two")
    desk.round()
    assert [desk.round(after=1.0) for _ in range(6)] == [0] * 6
    assert desk.round(after=1.0) == 1
    assert "REPEAT" not in desk.texts[0]
    desk.rounds(2)
    assert desk.states() == ["sent", "sent"]


@pytest.mark.fault("alerts")
def test_markup_that_telegram_cannot_read_goes_as_plain_text_at_once(make_desk: MakeDesk) -> None:
    desk = make_desk(Reply.told(400, PARSE_ERROR))
    desk.owe("one", headline="RSI < 30")
    desk.round()
    first, second = desk.server.calls
    assert first.fields["parse_mode"] == "HTML"
    assert "parse_mode" not in second.fields
    assert second.text.splitlines()[0] == "RSI < 30"
    assert desk.states() == ["sent"]


@pytest.mark.fault("alerts")
def test_a_blocked_bot_is_a_dead_letter_that_everyone_can_see(make_desk: MakeDesk) -> None:
    desk = make_desk(Reply.told(403, BLOCKED))
    desk.owe("one")
    desk.owe("two")
    desk.rounds(4)
    assert desk.states() == ["refused", "sent"]
    with desk.database.transaction(read_only=True) as connection:
        [dead] = alerts.newest(connection, limit=10, only_dead=True)
        [outbox] = alerts.outboxes(connection, since=START)
    assert (dead["natural_key"], dead["state"], dead["attempts"]) == ("one", "refused", 1)
    assert (outbox.refused, outbox.sent, outbox.owed, outbox.dead_since) == (1, 1, 0, 1)
    [event] = desk.rows("SELECT kind, severity, message FROM operator_events")
    assert tuple(event) == (
        "alert_refused",
        "warning",
        f"A message was not delivered through {desk.channel}: Telegram answered 403: {BLOCKED}",
    )
    with desk.database.transaction() as connection:
        assert alerts.retry_refused(connection, now=desk.now) == 1
    desk.round()
    assert desk.states() == ["sent", "sent"]


@pytest.mark.fault("alerts")
@pytest.mark.parametrize(
    "reply", [Reply.told(400, "Bad Request: chat not found"), Reply.told(401, "Unauthorized"), Reply.told(404, "Not Found")]
)
def test_what_can_never_succeed_is_not_tried_again(make_desk: MakeDesk, reply: Reply) -> None:
    desk = make_desk(reply)
    desk.owe("one")
    desk.rounds(3, after=600)
    assert desk.states() == ["refused"]
    assert len(desk.server.calls) == 1


@pytest.mark.fault("alerts")
def test_a_page_of_a_gateway_is_no_answer_and_the_repeat_says_so(make_desk: MakeDesk) -> None:
    desk = make_desk(GATEWAY_PAGE)
    desk.owe("one")
    desk.round()
    [error] = desk.rows("SELECT error FROM alert_deliveries")
    assert error[0] == "Telegram answered 502: an answer that is not JSON"
    desk.round(after=3)
    assert visible(desk.texts[0]).startswith("REPEAT? about one")
    assert desk.states() == ["sent"]


@pytest.mark.fault("alerts")
@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, accepts=True, seconds=0.5),
        Reply(None, accepts=True),
        Reply(200, accepts=True, trickles=True),
        Reply(200, b"<html>ok</html>", accepts=True),
    ],
    ids=["silence", "closed", "one byte at a time", "a page"],
)
def test_i17_an_answer_lost_after_the_acceptance_repeats_the_message_with_its_id(make_desk: MakeDesk, reply: Reply) -> None:
    desk = make_desk(reply)
    desk.owe("one")
    desk.sender.channels = [desk.telegram(QUICK)]
    desk.round()
    assert desk.states() == ["owed"]
    while not desk.server.accepted:
        time.sleep(0.01)
    desk.sender.channels = [desk.telegram(PATIENT)]
    desk.round(after=3)
    first, second = (visible(text) for text in desk.texts)
    assert first.splitlines()[0] == "about one"
    assert second.splitlines()[0] == "REPEAT? about one"
    assert first.splitlines()[-1] == second.splitlines()[-1] == f"message {message_id('one')}"
    assert [tuple(row) for row in desk.rows("SELECT result FROM alert_attempts ORDER BY number")] == [("unclear",), ("sent",)]


@pytest.mark.fault("alerts")
def test_mistake_19_a_message_is_not_lost_after_three_tries(make_desk: MakeDesk) -> None:
    desk = make_desk(*[Reply.told(503, "Service Unavailable")] * 12)
    desk.owe("one")
    while desk.states() != ["sent"]:
        desk.round(after=60)
        assert desk.now < START + timedelta(hours=2)
    assert len(desk.server.calls) == 13
    due = desk.rows("SELECT started_at FROM alert_attempts ORDER BY number")
    gaps = [(later[0] - earlier[0]).total_seconds() for earlier, later in itertools.pairwise(due)]
    assert gaps[0] == 60
    assert gaps[-1] >= 150, "each try waits longer than the one before, up to five minutes less the jitter"


@pytest.mark.fault("alerts")
def test_a_telegram_that_cannot_be_reached_is_tried_until_it_can(database: Database) -> None:
    with TelegramServer() as gone:
        pass
    desk = Desk(database, gone)
    desk.owe("one")
    desk.round()
    [row] = desk.rows("SELECT result, error FROM alert_attempts")
    assert tuple(row) == ("failed", "Telegram could not be reached (ConnectError).")
    with TelegramServer() as back:
        again = Desk(database, back, now=desk.now)
        again.round(after=5)
        assert "REPEAT" not in again.texts[0]


def test_what_is_of_no_use_any_more_lapses_and_is_told(make_desk: MakeDesk) -> None:
    desk = make_desk(*[Reply.told(503, "Service Unavailable")] * 50)
    desk.owe("one", useful=timedelta(minutes=3))
    desk.rounds(5, after=60)
    assert desk.states() == ["lapsed"]
    [error] = desk.rows("SELECT error FROM alert_deliveries")
    assert "503" in error[0]
    assert [row[0] for row in desk.rows("SELECT kind FROM operator_events")] == ["alert_lapsed"]


def test_a_channel_owes_of_the_past_only_what_is_still_of_use(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.owe("over", useful=timedelta(minutes=1))
    desk.owe("useful", useful=timedelta(days=1))
    desk.round(after=600)
    assert [row[0] for row in desk.rows("SELECT natural_key FROM alert_deliveries JOIN alerts ON id = alert_id")] == ["useful"]
    desk.owe("of a sender that slept", useful=timedelta(minutes=1))
    desk.round(after=600)
    assert desk.states() == ["sent", "lapsed"]


def test_a_muted_sender_keeps_what_is_owed_and_sends_it_afterwards(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.owe("one")
    with desk.database.transaction() as connection:
        alerts.mute(connection, at=desk.now, until=desk.now + timedelta(minutes=10))
    assert [desk.round(after=60) for _ in range(9)] == [0] * 9
    assert desk.round(after=60) == 1


def test_a_signal_that_is_sent_late_says_how_late(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.owe("one", kind="published")
    desk.round(after=42 * 60)
    assert visible(desk.texts[0]).splitlines()[1] == "SENT LATE: known 42 min before it could be sent."


def test_an_outcome_answers_the_message_of_its_signal(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.owe("other")
    desk.owe("signal", kind="published")
    desk.owe("outcome", thread="signal")
    desk.rounds(3)
    assert desk.server.calls[2].fields["reply_parameters"] == {"message_id": 2, "allow_sending_without_reply": True}
    assert "reply_parameters" not in desk.server.calls[1].fields


def test_a_picture_goes_with_a_caption_that_fits(make_desk: MakeDesk) -> None:
    desk = make_desk(draw=lambda claimed: PNG)
    desk.owe("one", body=("word " * 900,))
    desk.round()
    [call] = desk.server.calls
    assert (call.method, call.photo) == ("sendPhoto", PNG)
    assert units(visible(call.text)) <= CAPTION_UNITS
    assert visible(call.text).splitlines()[-1] == f"message {message_id('one')}"


@pytest.mark.fault("alerts")
def test_a_picture_that_is_refused_does_not_keep_its_message_back(make_desk: MakeDesk) -> None:
    desk = make_desk(Reply.told(400, "Bad Request: IMAGE_PROCESS_FAILED"), draw=lambda claimed: PNG)
    desk.owe("one")
    desk.round()
    assert [call.method for call in desk.server.calls] == ["sendPhoto", "sendMessage"]
    assert desk.states() == ["sent"]


def test_a_picture_that_cannot_be_drawn_does_not_either(make_desk: MakeDesk) -> None:
    def draw(_: object) -> bytes:
        raise ZeroDivisionError

    desk = make_desk(draw=draw)
    desk.owe("one")
    desk.round()
    assert [call.method for call in desk.server.calls] == ["sendMessage"]


@pytest.mark.fault("alerts")
def test_a_group_that_became_a_supergroup_is_followed(make_desk: MakeDesk) -> None:
    moved = Reply.told(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001234567890)
    desk = make_desk(moved)
    desk.owe("one")
    desk.owe("two")
    desk.rounds(2)
    assert [call.fields["chat_id"] for call in desk.server.calls] == [CHAT, "-1001234567890", "-1001234567890"]
    assert [row[0] for row in desk.rows("SELECT kind FROM operator_events")] == ["alert_chat_moved"]


@pytest.mark.fault("alerts")
def test_i18_the_token_is_in_no_log_line_error_row_or_representation(
    make_desk: MakeDesk, caplog: pytest.LogCaptureFixture
) -> None:
    desk = make_desk(Reply.told(404, f"Not Found: /bot{TOKEN}/sendMessage"), Reply(None), Reply.told(500, f"oops {TOKEN}"))
    for key in ("one", "two", "three"):
        desk.owe(key)
    with caplog.at_level(logging.DEBUG):
        desk.rounds(4, after=60)
    secret = TOKEN.split(":")[1]
    assert secret not in caplog.text
    assert secret not in str(desk.rows("SELECT error FROM alert_attempts"))
    assert secret not in str(desk.rows("SELECT message, cause FROM operator_events"))
    assert secret not in f"{desk.sender!r}"


@pytest.mark.fault("alerts")
@pytest.mark.fault("concurrency")
def test_i17_two_senders_at_once_send_every_message_once_and_keep_the_pace(database: Database) -> None:
    pace, count = timedelta(milliseconds=40), 12
    stop = threading.Event()
    with TelegramServer() as server:
        desk = Desk(database, server, now=datetime.now(UTC))
        for number in range(count):
            desk.owe(f"{number}")
        threads = []
        for seed in range(2):
            sender = Sender(database, [desk.telegram(PATIENT)], lambda: datetime.now(UTC), pace=pace, chance=random.Random(seed))
            threads.append(threading.Thread(target=sender.run, args=(stop,), kwargs={"poll": timedelta(milliseconds=3)}))
            threads[-1].start()
        for _ in range(1500):
            if desk.states() == ["sent"] * count:
                break
            stop.wait(0.02)
        stop.set()
        for thread in threads:
            thread.join()
    assert sorted(visible(text).splitlines()[0] for text in desk.texts) == sorted(f"about {number}" for number in range(count))
    begun = [row[0] for row in desk.rows("SELECT started_at FROM alert_attempts ORDER BY started_at")]
    assert all(later - earlier >= pace for earlier, later in itertools.pairwise(begun))


def test_a_channel_that_breaks_holds_up_no_other_message(database: Database) -> None:
    class Broken:
        name = "broken-1"

        def send(self, letter: Letter) -> Any:
            raise KeyError(letter.message.headline)

    with TelegramServer() as server:
        desk = Desk(database, server)
        desk.sender.channels = [Broken(), *desk.sender.channels]
        desk.owe("one")
        desk.round()
        assert len(desk.texts) == 1
        assert desk.rows("SELECT error FROM alert_deliveries WHERE channel = 'broken-1'")[0][0] == "the channel failed (KeyError)"


def test_a_long_message_without_a_picture_may_be_longer(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.owe("one", body=("<&> " * 1500,))
    desk.round()
    assert CAPTION_UNITS < units(visible(desk.texts[0])) <= 4096
