"""What is said of a signal and of what became of it.

Facts come as mappings of the rows of `signals`, `signal_events`, `outcomes` and `backtest_results`; amounts are Decimals. Every
function returns a `Message` and is pure: the zone and the own account enter as `Reader`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from goldsignal_pipeline.alerts.messages import Message
from goldsignal_pipeline.selection.own_account import OwnAccount

Row = Mapping[str, Any]

NORMAL_95: Final = Decimal("1.96")
MISSED_SHARE: Final = Decimal("0.25")
"""The share of planned R by which the quote at entry may differ before a signal counts as missed."""
RESULTS: Final = {
    "tp2_hit": "both targets reached",
    "tp1_hit": "first target reached, the rest closed at its entry",
    "sl_hit": "stopped",
    "expired": "expired",
    "missed": "missed, nobody could enter",
}
MISSES: Final = {
    "beyond_stop": "the market opened beyond the stop",
    "beyond_target": "the market opened beyond the first target",
    "too_far": "the market opened too far from the reference",
}
EVIDENCE: Final = {
    "proven": "Evidence: proven (its last 365 days earned more than chance explains)",
    "unproven": "Evidence: unproven (what it earned may be luck)",
    "harmful": "Evidence: harmful (it lost more than chance explains)",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom is written: the zone of times, and the own account and broker."""

    zone: ZoneInfo
    account: OwnAccount

    def time(self, instant: datetime) -> str:
        """An instant to the minute, with its zone."""
        return f"{instant.astimezone(self.zone):%a %d %b %Y %H:%M} {self.zone.key}"

    def exact(self, instant: datetime) -> str:
        """An instant to the second."""
        return f"{instant.astimezone(self.zone):%H:%M:%S}"


def market(symbol: str) -> str:
    """A symbol as it is shown; a simulated market is called so first."""
    return f"SIMULATED {symbol.removesuffix('-SIM')}" if symbol.endswith("-SIM") else symbol


def levels(signal: Row, *, offset: Decimal = Decimal(0)) -> str:
    """Entry, stop and targets of a signal."""
    entry, stop, one, two = (price(signal[name] + offset) for name in ("reference", "stop", "take_profit_1", "take_profit_2"))
    return f"{entry}, stop {stop}, targets {one} and {two}"


def signal_message(signal: Row, *, record: Row | None, signal_id: str, message_id: str, reader: Reader) -> Message:
    """A signal that was just published; `record` is what its strategy had achieved in backtests by then."""
    away = (signal["planned_risk"] * MISSED_SHARE).quantize(Decimal("0.01"))
    second = abs(signal["take_profit_2"] - signal["reference"]) / signal["planned_risk"]
    body = [
        *_at_own_broker(signal, reader),
        f"Size {signal['size_ounces']:,.2f} oz = {signal['size_lots']:.2f} lots; {_money(signal['risk_usd'], reader)} at risk",
        f"R:R {signal['risk_reward']:.2f} and {second:.2f}; 1 R = {price(signal['planned_risk'])} USD/oz",
        f"Enter at the next open unless it is more than {price(away)} away; valid until {reader.time(signal['deadline'])}",
        *(f"• {reason}" for reason in signal["reasons"][:3]),
        EVIDENCE[signal["evidence"]],
        record_line(record, strategy=signal["strategy"], timeframe=signal["timeframe"]),
        f"Bar closed {reader.time(signal['confirmed_at'])}, seen {reader.exact(signal['known_at'])}",
    ]
    return Message(
        f"{market(signal['symbol'])} {signal['direction']} {levels(signal)}",
        tuple(body),
        f"Signal {signal_id} ({signal['strategy']} {signal['timeframe']}), message {message_id}",
    )


def record_line(record: Row | None, *, strategy: str, timeframe: str) -> str:
    """What a strategy had achieved in 365 days, with the interval in which its expectancy lies 95 times of 100."""
    if record is None or record["expectancy"] is None:
        return f"Record of {strategy} on {timeframe}: none yet"
    mean = record["expectancy"]
    line = f"Record of {strategy} on {timeframe}, 365 days of backtest: {record['trades']} trades, {_r(mean)} each"
    if record["expectancy_error"] is None:
        return line
    reach = NORMAL_95 * record["expectancy_error"]
    return f"{line} (95 %: {_r(mean - reach)} to {_r(mean + reach)})"


def step_message(
    event: Row, signal: Row, *, outcome: Row | None, before: Row | None, signal_id: str, message_id: str, reader: Reader
) -> Message:
    """What became of a signal; `before` is the end that was told earlier, for a correction."""
    what = f"{market(signal['symbol'])} {signal['direction']}"
    detail, kind = event["detail"], event["kind"]
    body: list[str] = []
    if kind == "filled":
        head = f"{what} filled at {price(Decimal(str(detail['fill'])))}, {levels(signal).split(', ', 1)[1]}"
        body = _at_own_broker(signal, reader)
    elif kind == "tp1_reached":
        head = f"{what} reached its first target {price(signal['take_profit_1'])}"
        body = ["Half is closed; the stop of the rest is its entry quote from the next bar on."]
    else:
        head = f"{what} {'CORRECTED: ' if kind == 'corrected' else ''}{end_words(detail)}"
        body = _end_lines(detail, outcome=outcome, signal=signal, before=before, reader=reader)
    body.append(f"Happened {reader.time(event['at'])}, seen {reader.time(event['known_at'])}")
    body.append(f"The signal was {levels(signal)}")
    foot = f"Signal {signal_id} ({signal['strategy']} {signal['timeframe']}), message {message_id}"
    return Message(head, tuple(body), foot)


def end_words(detail: Row) -> str:
    """How a signal ended, in words, with its net result."""
    words = RESULTS[detail["result"]]
    return words if detail.get("net_r") is None else f"{words}, {_r(Decimal(str(detail['net_r'])))}"


def _end_lines(detail: Row, *, outcome: Row | None, signal: Row, before: Row | None, reader: Reader) -> list[str]:
    lines = []
    if before is not None:
        lines.append(f"Told before: {end_words(before)}. Later candles say otherwise.")
    if detail.get("because"):
        lines.append(f"Nothing was bought or sold: {MISSES[detail['because']]}.")
    if outcome is not None and outcome["net_usd"] is not None:
        made = outcome["net_usd"] * signal["size_ounces"]
        lines.append(f"Net {_money(made, reader)} on {signal['size_ounces']:,.2f} oz, costs included")
        if outcome["ambiguous"]:
            lines.append(
                f"The bars do not tell the order of events: between {_r(outcome['worst_r'])} and {_r(outcome['best_r'])}"
            )
    return lines


def _at_own_broker(signal: Row, reader: Reader) -> list[str]:
    offset = reader.account.level_offset
    return [f"At your broker ({offset:+.2f}): {levels(signal, offset=offset)}"] if offset else []


def price(value: Decimal) -> str:
    """A price with its cents."""
    return f"{value:.2f}"


def _money(usd: Decimal, reader: Reader) -> str:
    own = "" if reader.account.currency == "USD" else f" ({reader.account.money(usd):,.2f} {reader.account.currency})"
    return f"{usd:,.2f} USD{own}"


def _r(value: Decimal) -> str:
    return f"{value:+.2f} R"


def listed(words: Sequence[str], *, most: int) -> str:
    """Words separated by commas, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
