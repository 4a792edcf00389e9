"""The vendor row of the fault matrix over real sockets: a typed error, or good rows delivered and bad ones with reasons."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from pydantic import SecretStr

from goldsignal_pipeline.errors import ProviderError
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import (
    AuthenticationError,
    DayLimitError,
    FetchWindow,
    MinuteLimitError,
    PlanError,
    UnexpectedAnswerError,
    VendorUnavailableError,
)
from goldsignal_pipeline.providers.retrying import ATTEMPTS
from goldsignal_pipeline.providers.twelvedata import TwelveDataProvider, pages
from goldsignal_pipeline_tests.providers.support import (
    KEY,
    LIVE,
    NOW,
    QUICK,
    MemoryCreditBudget,
    VirtualClock,
    desk,
    labels,
    reasons,
    walk,
)
from goldsignal_pipeline_tests.vendor_faults import Fault
from goldsignal_pipeline_tests.vendor_server import LONGEST_HANG_SECONDS, deaf_address

CLOSED = [f"{9 + minute // 60:02d}:{minute % 60:02d}" for minute in range(5, 60, 5)]
"""The closed bars of `LIVE`: 09:05 to 09:55."""
NOT_CLOSED = {"10:00": "forming", "10:05": "forming"}

PERMANENT = [
    (Fault.KEY_REFUSED, AuthenticationError, "GOLDSIGNAL_TWELVEDATA_API_KEY"),
    (Fault.FORBIDDEN, PlanError, "plan"),
    (Fault.PLAN_GATE, PlanError, "goldsignal import"),
    (Fault.DAY_LIMIT, DayLimitError, "1316 API credits"),
    (Fault.RENAMED_FIELD, UnexpectedAnswerError, "no field close; they have c, datetime"),
    (Fault.OTHER_SYMBOL, UnexpectedAnswerError, "symbol XAG/USD, expected 'XAU/USD'"),
    (Fault.SYDNEY_LABELS, UnexpectedAnswerError, "another time zone than the UTC"),
]
OUTAGES = {
    Fault.ERROR_500: "Internal server error",
    Fault.ERROR_502: "HTTP 502",
    Fault.ERROR_503: "HTTP 503",
    Fault.WEB_PAGE: "no JSON but a web page",
    Fault.TRUNCATED_JSON: "no JSON but a broken or truncated text",
    Fault.ERROR_INSIDE_200: "went wrong on our side",
    Fault.SILENCE: "fell silent for 0.2 s",
    Fault.TRICKLE: "did not complete its answer within 0.35 s",
    Fault.TRICKLED_HEADERS: "did not complete its answer within 0.35 s",
    Fault.RESET: "broke off its answer (ReadError)",
    Fault.BROKEN_BODY: "broke off its answer (RemoteProtocolError)",
}
SPOILED = [
    (Fault.HIGH_BELOW_LOW, "price_order"),
    (Fault.ZERO_PRICE, "not_positive"),
    (Fault.NEGATIVE_PRICE, "not_positive"),
    (Fault.NOT_A_NUMBER, "not_a_number"),
    (Fault.HUGE_PRICE, "out_of_range"),
    (Fault.CONFLICTING_DUPLICATE, "conflicting_duplicate"),
]


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("http_status_tells", [True, False], ids=["http status", "inside a 200"])
@pytest.mark.parametrize(("fault", "kind", "words"), PERMANENT, ids=str)
def test_a_permanent_fault_is_one_call_and_one_typed_error(fault, kind, words, http_status_tells):
    with desk(http_status_tells=http_status_tells) as at:
        at.server.schedule(fault, calls=99)
        with pytest.raises(kind) as caught:
            at.fetch()
        assert words in str(caught.value)
        assert caught.value.fix
        assert len(at.server.calls) == 1
        assert at.clock.slept_seconds == []


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("fault", OUTAGES, ids=str)
def test_an_outage_is_tried_again_with_a_credit_for_every_attempt_and_then_named(fault):
    with desk(timeouts=QUICK) as at:
        at.server.schedule(fault, calls=99)
        begun = time.monotonic()
        with pytest.raises(VendorUnavailableError, match=f"Tried {ATTEMPTS} times") as caught:
            at.fetch()
        assert OUTAGES[fault] in caught.value.what
        assert time.monotonic() - begun < LONGEST_HANG_SECONDS
        assert len(at.server.calls) == at.budget.granted == ATTEMPTS
        assert len(at.clock.slept_seconds) == ATTEMPTS - 1
        assert all(later > sooner for sooner, later in zip(at.clock.slept_seconds, at.clock.slept_seconds[1:], strict=False))


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("fault", OUTAGES, ids=str)
def test_after_a_short_outage_the_same_rows_arrive(fault):
    with desk(timeouts=QUICK) as at:
        expected = at.judge().rows
        at.server.schedule(fault)
        pd.testing.assert_frame_equal(at.judge().rows, expected)


@pytest.mark.fault("vendor")
def test_a_vendor_that_accepts_no_connection_is_an_outage():
    clock, budget = VirtualClock(NOW), MemoryCreditBudget()
    with deaf_address() as address:
        provider = TwelveDataProvider(
            api_key=SecretStr(KEY), base_url=address, budget=budget, clock=clock, sleep=clock.sleep, timeouts=QUICK
        )
        with pytest.raises(VendorUnavailableError, match=r"accepted no connection within 0\.15 s"):
            list(provider.fetch(LIVE))
    assert budget.granted == ATTEMPTS


@pytest.mark.fault("vendor")
def test_a_used_up_minute_is_reported_to_the_budget_and_waited_out():
    with desk() as at:
        at.server.schedule(Fault.MINUTE_LIMIT)
        assert labels(at.judge().rows) == [*CLOSED, "10:00"]
        assert at.budget.reported == ["minute"]
        assert len(at.server.calls) == 2
        first, second = (call.at for call in at.server.calls)
        assert (first.minute, second.minute) == (6, 7)
        assert 30 < sum(at.clock.slept_seconds) < 35


@pytest.mark.fault("vendor")
def test_a_minute_that_another_program_uses_up_is_waited_out_without_counting_against_ours():
    with desk() as at:
        at.server.spend(credits=8)
        assert at.fetch()
        assert [call.status for call in at.server.calls] == [429, 200]


@pytest.mark.fault("vendor")
def test_minutes_that_stay_used_up_end_in_a_typed_error():
    with desk() as at:
        at.server.schedule(Fault.MINUTE_LIMIT, calls=99)
        with pytest.raises(MinuteLimitError, match=f"Tried {ATTEMPTS} times"):
            at.fetch()
        assert len({call.at.replace(second=0, microsecond=0) for call in at.server.calls}) == ATTEMPTS


@pytest.mark.fault("vendor")
def test_a_used_up_day_stops_every_later_call_before_it_is_made():
    with desk() as at:
        at.server.schedule(Fault.DAY_LIMIT)
        for _ in range(3):
            with pytest.raises(DayLimitError):
                at.fetch()
        assert at.budget.reported == ["day"]
        assert len(at.server.calls) == 1


@pytest.mark.fault("vendor")
def test_our_own_budget_is_never_overdrawn_by_a_long_fetch():
    window = FetchWindow(timeframe=Timeframe.M5, start=datetime(2024, 4, 2, tzinfo=UTC), end=NOW)
    with desk(budget=MemoryCreditBudget(per_minute=2), credits_per_minute=2) as at:
        at.server.schedule(Fault.ERROR_502, calls=2)
        assert sum(len(each.rows) for each in at.fetch(window)) > 14_000
        assert not at.server.is_overdrawn
        assert [call.status for call in at.server.candle_calls] == [200] * (2 + at.provider.calls_needed(window))


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("http_status_tells", [True, False], ids=["http 400", "inside a 200"])
def test_mistake_13_an_empty_weekend_answer_is_an_empty_market_and_no_failure(http_status_tells):
    with desk(
        now=datetime(2024, 5, 19, 12, tzinfo=UTC), market={"fill_closed_hours": False}, http_status_tells=http_status_tells
    ) as at:
        saturday = FetchWindow(
            timeframe=Timeframe.M5, start=datetime(2024, 5, 18, tzinfo=UTC), end=datetime(2024, 5, 19, tzinfo=UTC)
        )
        assert at.fetch(saturday) == []
        assert len(at.server.calls) == 1


@pytest.mark.fault("vendor")
def test_an_empty_answer_in_market_hours_is_no_failure_either():
    with desk() as at:
        at.server.schedule(Fault.EMPTY_WINDOW)
        assert at.fetch() == []


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("fault", [Fault.UNSORTED, Fault.DUPLICATES], ids=str)
def test_the_order_and_repetition_of_rows_change_nothing(fault):
    with desk() as at:
        expected = at.judge()
        at.server.schedule(fault)
        judged = at.judge()
        pd.testing.assert_frame_equal(judged.rows, expected.rows)
        assert reasons(judged) == reasons(expected) == NOT_CLOSED


@pytest.mark.fault("vendor")
def test_mistake_2_a_forming_bar_is_never_an_observation():
    with desk() as at:
        judged = at.judge()
        assert labels(judged.rows) == CLOSED
        assert reasons(judged) == NOT_CLOSED


@pytest.mark.fault("vendor")
def test_the_minute_after_a_bars_end_still_changes_it_and_the_grace_outlasts_that():
    window = FetchWindow(timeframe=Timeframe.M5, start=NOW.replace(minute=0, second=0), end=NOW.replace(hour=11))
    final = round(walk().set_index("timestamp").loc[pd.Timestamp("2024-05-22 10:00Z"), "close"] * 100)
    with desk(now=datetime(2024, 5, 22, 10, 5, 10, tzinfo=UTC)) as at:
        early = at.judge(window)
        assert (labels(early.rows), reasons(early)) == ([], NOT_CLOSED)
        shown = at.fetch(window)[0].rows.set_index("timestamp")["close"].iloc[-1]
        assert shown != final
        at.clock.now = datetime(2024, 5, 22, 10, 7, tzinfo=UTC)
        judged = at.judge(window)
        assert labels(judged.rows) == ["10:00"]
        assert judged.rows["close"].tolist() == [final]


@pytest.mark.fault("vendor")
def test_a_bar_of_the_future_is_quarantined_and_the_others_are_kept():
    with desk() as at:
        at.server.schedule(Fault.FUTURE_BAR)
        judged = at.judge()
        assert labels(judged.rows) == CLOSED
        assert reasons(judged) == {"10:10": "future", **NOT_CLOSED}


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.M15, Timeframe.H1])
@pytest.mark.parametrize("days", [1, 30])
def test_sydney_labels_are_refused_for_any_window_of_the_past(timeframe, days):
    start = datetime(2024, 4, 10, tzinfo=UTC)
    with desk() as at:
        at.server.schedule(Fault.SYDNEY_LABELS, calls=9)
        with pytest.raises(UnexpectedAnswerError, match="another time zone"):
            at.fetch(FetchWindow(timeframe=timeframe, start=start, end=start + timedelta(days=days)))


@pytest.mark.fault("vendor")
@pytest.mark.parametrize(("fault", "reason"), SPOILED, ids=str)
def test_one_spoiled_row_is_quarantined_with_its_reason_and_the_others_are_kept(fault, reason):
    with desk() as at:
        at.server.schedule(fault)
        judged = at.judge()
        assert labels(judged.rows) == CLOSED[:-1]
        assert reasons(judged) == {"09:55": reason, **NOT_CLOSED}
        assert all(judged.rejected["payload"].str.len() > 10)


@pytest.mark.fault("vendor")
def test_one_to_eight_decimals_all_land_on_the_tick_that_is_meant():
    with desk() as at:
        at.server.schedule(Fault.MANY_DECIMALS)
        ticks = at.judge().rows["close"].to_numpy() / 100
    exact = walk().set_index("timestamp").loc[LIVE.start : LIVE.start + timedelta(minutes=50), "close"]
    # Rows cut to one decimal by the vendor are off by up to 0.05, all others by up to half a tick.
    coarse = [index for index in range(11) if (12 - index) % 8 == 0]
    for index, (delivered, meant) in enumerate(zip(ticks, exact, strict=True)):
        assert abs(delivered - meant) <= (0.0501 if index in coarse else 0.00501)


@pytest.mark.fault("vendor")
def test_another_symbols_prices_under_golds_name_are_quarantined():
    with desk() as at:
        at.server.schedule(Fault.OTHER_PRICES)
        judged = at.judge()
        assert judged.rows.empty
        assert [reasons(judged)[label] for label in CLOSED] == ["implausible_level"] * len(CLOSED)


@pytest.mark.fault("vendor")
def test_closed_hour_filler_with_a_weekend_move_of_80_usd_leaves_no_bar():
    window = FetchWindow(
        timeframe=Timeframe.M5, start=datetime(2024, 5, 17, 12, tzinfo=UTC), end=datetime(2024, 5, 20, 12, tzinfo=UTC)
    )
    with desk(now=NOW, market={"weekend_move_usd": 80.0}) as at:
        judged = at.judge(window)
        filler = at.fetch(window)[0].rows.set_index("timestamp").sort_index().loc["2024-05-17 21:00":"2024-05-19 21:55", "close"]
    assert filler.iloc[-1] - filler.iloc[0] > 7_000
    inside = walk().set_index("timestamp").loc[window.start : window.end - timedelta(minutes=5)]
    assert judged.rows["timestamp"].tolist() == inside.index.tolist()
    assert set(judged.rejected["reason"]) == {"weekend"}
    assert len(judged.rows) + len(judged.rejected) == 3 * 288


@pytest.mark.fault("vendor")
def test_a_revised_past_is_delivered_as_it_stands_now():
    with desk() as at:
        bar = datetime(2024, 5, 22, 9, 30, tzinfo=UTC)
        before = at.judge().rows.set_index("timestamp")
        at.server.market.revise(bar, shown_from=NOW + timedelta(minutes=1), close=2345.67, high=2399.99)
        pd.testing.assert_frame_equal(at.judge().rows.set_index("timestamp"), before)
        at.clock.sleep(60)
        after = at.judge().rows.set_index("timestamp")
        changed = after.loc[before.index][(after.loc[before.index, ["high", "close"]] != before[["high", "close"]]).any(axis=1)]
        assert changed.index.tolist() == [bar]
        assert changed[["high", "close"]].iloc[0].tolist() == [239_999, 234_567]


@pytest.mark.fault("vendor")
def test_the_vendor_loses_the_start_of_a_window_of_more_than_5000_rows_and_paging_keeps_it():
    window = FetchWindow(timeframe=Timeframe.M5, start=datetime(2024, 4, 3, tzinfo=UTC), end=datetime(2024, 5, 20, tzinfo=UTC))
    with desk() as at:
        _, cut = at.server.time_series(
            {"symbol": "XAU/USD", "interval": "5min", "timezone": "UTC", "start_date": "2024-04-03", "end_date": "2024-05-20"},
            now=NOW,
        )
        assert len(cut["values"]) == 5000
        assert cut["values"][-1]["datetime"] > "2024-05-02"
        rows = pd.concat([each.rows for each in at.fetch(window)])
        assert rows["timestamp"].is_unique
        assert sorted(rows["timestamp"]) == list(pd.date_range(window.start, window.end, freq="5min", inclusive="left"))
        assert len(at.server.calls) == at.provider.calls_needed(window) == len(pages(window, now=NOW)) == 3


@pytest.mark.fault("vendor")
@pytest.mark.parametrize("edges_are_inclusive", [True, False])
def test_an_answer_that_repetition_pushed_over_5000_rows_is_continued_until_no_bar_is_missing(edges_are_inclusive):
    window = FetchWindow(timeframe=Timeframe.M5, start=datetime(2024, 5, 1, tzinfo=UTC), end=datetime(2024, 5, 15, tzinfo=UTC))
    with desk(edges_are_inclusive=edges_are_inclusive) as at:
        at.server.schedule(Fault.DUPLICATES, calls=99)
        rows = pd.concat([each.rows for each in at.fetch(window)])
        assert set(rows["timestamp"]) == set(pd.date_range(window.start, window.end, freq="5min", inclusive="left"))
        assert len(at.server.calls) == 2


@pytest.mark.fault("vendor")
def test_every_error_of_the_vendor_is_of_the_one_tree():
    with desk() as at:
        for fault in (Fault.KEY_REFUSED, Fault.DAY_LIMIT):
            at.server.schedule(fault)
            with pytest.raises(ProviderError) as caught:
                at.fetch()
            assert caught.value.exit_code == 6
