"""Rules of `alerts`: every live event has its message, a message answers one that exists, and nothing owed rests unnoticed."""

from typing import Final

from goldsignal_pipeline.checks.building import RowRule, row_check_of

RULES: Final = {
    "live_events_are_owed": RowRule(
        "Every event of a published signal has a message (I17).",
        breaking_rows="""
        SELECT event.symbol, event.strategy, event.direction, event.timestamp, event.kind, event.at
        FROM signal_events AS event
        WHERE event.origin = 'live' AND event.at >= :start AND event.at < :end AND NOT EXISTS (
            SELECT FROM alerts AS owed WHERE owed.kind = event.kind AND owed.symbol = event.symbol
              AND owed.at = event.known_at AND starts_with(owed.natural_key, concat_ws('|', 'signal', event.symbol,
                event.timeframe, event.strategy, event.direction,
                to_char(event.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI'))))
        """,
        is_blocking=False,
    ),
    "answers_have_their_question": RowRule(
        "The message that another answers is owed too.",
        breaking_rows="""
        SELECT answer.natural_key, answer.thread FROM alerts AS answer
        WHERE answer.at >= :start AND answer.at < :end AND answer.thread IS NOT NULL
          AND NOT EXISTS (SELECT FROM alerts AS signal WHERE signal.natural_key = answer.thread)
        """,
        is_blocking=False,
    ),
    "useful_messages_leave": RowRule(
        "No message waits longer than an hour to be sent.",
        breaking_rows="""
        SELECT owed.natural_key, delivery.channel, owed.owed_at, delivery.error
        FROM alert_deliveries AS delivery JOIN alerts AS owed ON owed.id = delivery.alert_id
        WHERE owed.at >= :start AND owed.at < :end AND delivery.state = 'owed'
          AND owed.owed_at < CAST(:now AS timestamptz) - INTERVAL '1 hour'
          AND NOT EXISTS (SELECT FROM alert_mutes AS mute WHERE mute.until > CAST(:now AS timestamptz) - INTERVAL '1 hour')
        """,
        is_blocking=False,
    ),
}

alerts_rules: Final = row_check_of("alerts", RULES)
