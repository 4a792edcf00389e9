-- Each signal and where it stands: active, or the result of its newest closed or corrected event. The newest is the one that
-- became known last; what a backfill found has no such instant and comes before what a live run found.
CREATE VIEW goldsignal.signal_states AS
    SELECT signal.*, coalesce(ended.result, 'active') COLLATE "C" AS status, ended.at AS ended_at
    FROM goldsignal.signals AS signal
    LEFT JOIN LATERAL (
        SELECT event.detail ->> 'result' AS result, event.at
        FROM goldsignal.signal_events AS event
        WHERE event.symbol = signal.symbol
            AND event.timeframe = signal.timeframe
            AND event.strategy = signal.strategy
            AND event.direction = signal.direction
            AND event.timestamp = signal.timestamp
            AND event.kind IN ('closed', 'corrected')
        ORDER BY event.known_at DESC NULLS LAST, event.kind DESC, event.at DESC
        LIMIT 1
    ) AS ended ON true;

COMMENT ON VIEW goldsignal.signal_states IS
    'Each signal with its status, active or how it ended, which follows from its newest closed or corrected event.';
