"""The report as one page of HTML that asks nobody for anything: no script, no font, no picture from elsewhere.

`render` tells, in this order: what the range brought, what strategies earned in signals and in simulation, the equity, backtest
against signals, every signal with its fate, why there was silence, what the data lacked, and the versions and digests to argue
with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from typing import Any, Final

from goldsignal_pipeline.alerts.operating import REASONS
from goldsignal_pipeline.alerts.texts import RESULTS, market
from goldsignal_pipeline.report import charts
from goldsignal_pipeline.report.facts import DataQuality, ReportFacts, Row, Silence
from goldsignal_pipeline.report.html import Cell, Html, Number, element, joined, note, section, table
from goldsignal_pipeline.report.record import Earned, by_track, curves, earned
from goldsignal_pipeline.report.versions_part import versions_part
from goldsignal_pipeline.report.words import NO_EDGE

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_FATES: Final = {
    "tp2_hit": "both targets",
    "tp1_hit": "first target",
    "sl_hit": "stopped",
    "expired": "expired",
    "missed": "missed",
}
_HEAD: Final = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)


def render(facts: ReportFacts) -> str:
    """The page of these facts; the same facts give the same text."""
    title = f"GoldSignal report, {market(facts.symbol)}, {facts.start:%Y-%m-%d} to {facts.end:%Y-%m-%d}"
    style = resources.files("goldsignal_pipeline.report").joinpath("style.css").read_text(encoding="utf-8")
    body = joined(
        [
            element("h1", title),
            note(f"Made {_time(facts.made_at, facts)}. Times in {facts.zone.key}; the range ends before its last date. "
                 "R is what a trade risked; results are net of spread, slippage and swap."),
            element("p", NO_EDGE, kind="claim"),
            _brought(facts),
            _earned(facts),
            _equity(facts),
            _against(facts),
            _signals(facts),
            _silence(facts.silence),
            _quality(facts.quality),
            versions_part(facts),
        ]
    )  # fmt: skip
    return f"{_HEAD}{element('title', title).text}<style>{style}</style></head><body>{body.text}</body></html>\n"


def _brought(facts: ReportFacts) -> Html:
    results = Counter(row["status"] for row in facts.signals)
    live = sum(row["origin"] == "live" for row in facts.signals)
    told = [f"{len(facts.signals)} signals were given, {live} of them live and {len(facts.signals) - live} found afterwards."]
    told += [f"{count}: {RESULTS.get(name, 'still open')}." for name, count in sorted(results.items(), key=lambda one: -one[1])]
    total = _earned_of(facts.signal_trades, facts, "signals")
    told.append(f"{total.trades} results became known, {total.net_r:+.2f} R in all: {total.reading}.")
    return section("What the range brought", element("ul", *(element("li", line) for line in told)))


def _signals(facts: ReportFacts) -> Html:
    headers = ("bar closed", "id", "strategy", "", "price", "stop", "targets", "evidence", "fate", "net R", "found")
    rows = [
        (
            element("span", _time(row["confirmed_at"], facts), kind="time"),
            element("code", row["id"], kind="id"),
            f"{row['strategy']} {row['timeframe']}",
            row["direction"],
            Number(f"{row['reference']:.2f}"),
            Number(f"{row['stop']:.2f}"),
            Number(f"{row['take_profit_1']:.2f}, {row['take_profit_2']:.2f}"),
            row["evidence"],
            _FATES.get(row["status"], "open"),
            _r(row["net_r"]),
            "live" if row["origin"] == "live" else "afterwards",
        )
        for row in facts.signals
    ]
    return section("Every signal and its fate", table(headers, rows, empty="No signal was given; below is said why."))


def _earned(facts: ReportFacts) -> Html:
    headers = ("strategy", "n", "wins", "mean R", "95 % of the mean", "sum R", "what that says")
    parts = [
        note("The interval comes from drawing whole weeks again 2,000 times; trades of one week are not independent."),
        element("h3", "Signals"),
        table(headers, _earned_rows(facts.signal_trades, facts, "signals"), empty="No result of a signal became known."),
        element("h3", "Simulation of every setup, ungated"),
        table(headers, _earned_rows(facts.simulated_trades, facts, "simulation"), empty="No simulated trade ended."),
        element("h3", "Against random entries, 365 days"),
        table(
            ("as of", "strategy", "n", "mean R", "95 % of the mean", "p against chance", "trials"),
            [_tested_row(row) for row in facts.tested],
            empty="No p-value is known yet; it is computed for the last day of each month.",
        ),
        note(_trials(facts.tested)),
        element("h3", "Health of signals, 90 days"),
        table(
            ("as of", "strategy", "n", "mean R", "baseline R", "state"),
            [_lived_row(row) for row in facts.lived],
            empty="No signal has been followed yet.",
        ),
    ]
    return section("What strategies earned", *parts)


def _earned_rows(rows: Sequence[Row], facts: ReportFacts, what: str) -> list[Sequence[Cell]]:
    own = [
        (f"{strategy} {timeframe}", _earned_of(found, facts, f"{what} {strategy} {timeframe}"))
        for (strategy, timeframe), found in by_track(rows).items()
    ]
    shown = [_earned_row(name, one) for name, one in own]
    return [*shown, _earned_row("all together", _earned_of(rows, facts, what))] if shown else []


def _earned_row(name: str, one: Earned) -> Sequence[Cell]:
    wins = f"{one.wins} ({one.wins / one.trades:.0%})"
    return (name, Number(str(one.trades)), Number(wins), _r(one.mean_r), _interval(one.interval), _r(one.net_r), one.reading)


def _earned_of(rows: Sequence[Row], facts: ReportFacts, what: str) -> Earned:
    return earned(rows, key=f"report {facts.symbol} {what} {facts.start.isoformat()} {facts.end.isoformat()}")


def _tested_row(row: Row) -> Sequence[Cell]:
    interval = None if row["interval_low"] is None else (row["interval_low"], row["interval_high"])
    who = f"{row['strategy']} {row['timeframe']}"
    counts = (Number(str(row["trades"])), _r(row["expectancy"]), _interval(interval))
    return (str(row["day"]), who, *counts, Number(f"{row['p_value']:.3f}"), Number(str(row["trials"])))


def _trials(tested: Sequence[Row]) -> str:
    trials = max((row["trials"] for row in tested), default=0)
    if trials < 2:
        return "A p-value is the share of random entries that did as well."
    return (
        f"{trials} strategies and timeframes were tried. If none had an edge and they were independent, the best of {trials} "
        f"would still show p below 0.05 in {1 - 0.95**trials:.0%} of such tables."
    )


def _lived_row(row: Row) -> Sequence[Cell]:
    tone = {"healthy": "good", "degraded": "bad"}.get(row["state"], "")
    who = f"{row['strategy']} {row['timeframe']}"
    figures = (Number(str(row["trades"])), _r(row["expectancy"]), _r(row["baseline_expectancy"]))
    return (str(row["day"]), who, *figures, Number(row["state"], tone))


def _equity(facts: ReportFacts) -> Html:
    given = charts.equity(curves(facts.signal_trades), start=facts.start, end=facts.end, title="Signals, net R")
    tried = charts.equity(
        curves(facts.simulated_trades), start=facts.start, end=facts.end, title="Simulation of every setup, net R"
    )
    return section("Equity in R", given, tried)


def _against(facts: ReportFacts) -> Html:
    """Simulated trades of all setups beside signals by origin: the same kernel made all three."""
    live = [row for row in facts.signal_trades if row["origin"] == "live"]
    afterwards = [row for row in facts.signal_trades if row["origin"] != "live"]
    kinds = {"simulation": facts.simulated_trades, "signals found afterwards": afterwards, "live signals": live}
    by_kind = {name: by_track(rows) for name, rows in kinds.items()}
    rows: list[Sequence[Cell]] = []
    for track in sorted(set().union(*by_kind.values())):
        cells = [_short(_earned_of(found.get(track, ()), facts, f"{name} {' '.join(track)}")) for name, found in by_kind.items()]
        rows.append((" ".join(track), *cells))
    return section(
        "Backtest against live",
        note("Mean R and number of trades. A difference means something only where the intervals above do not meet."),
        table(("strategy", *kinds), rows, empty="Nothing ended in this range."),
    )


def _short(one: Earned) -> Cell:
    return Number("none" if one.mean_r is None else f"{one.mean_r:+.2f} (n {one.trades})")


def _silence(silence: Silence) -> Html:
    turned = [(strategy, REASONS.get(why, why), Number(f"{count:,}")) for strategy, why, count in silence.turned_away]
    refused = [(strategy, REASONS.get(why, why), Number(f"{count:,}")) for strategy, why, count in silence.refused]
    misses = [(who, what, Number(f"{count:,}"), nearest) for who, what, count, nearest in silence.near_misses]
    return section(
        "Why there was not more",
        element("h3", "Setups that the gate turned away, by the first rule"),
        table(("strategy", "because", "setups"), turned, empty="The gate turned nothing away."),
        element("h3", "Candidates that were no setup"),
        table(("strategy", "because", "candidates"), refused, empty="No candidate was refused."),
        element("h3", "Near misses: everything but the trigger"),
        table(("strategy", "trigger", "times", "nearest"), misses, empty="Nothing came near."),
    )


def _quality(quality: DataQuality) -> Html:
    share = f" ({quality.missing_bars / quality.expected_bars:.2%})" if quality.expected_bars else ""
    missing = [(why, timeframe, Number(f"{count:,}")) for why, timeframe, count in quality.missing_by_reason]
    blocked = [
        (str(row["trading_day"]), Number(f"{row['missing_bars']:,}"), Number(f"{row['expected_bars']:,}"))
        for row in quality.blocked_days
    ]
    closed = [(why, Number(f"{minutes / 60:,.1f}")) for why, minutes in sorted(quality.closed_minutes.items())]
    return section(
        "What the data lacked",
        note(f"{quality.missing_bars:,} of {quality.expected_bars:,} expected bars are missing{share}."),
        table(("reason", "bars of", "missing"), missing, empty="No bar is missing."),
        element("h3", "Trading days that are too incomplete to decide on"),
        table(("trading day", "missing", "expected"), blocked, empty="None was blocked."),
        element("h3", "Hours in which the market was closed"),
        table(("reason", "hours"), closed, empty="The market was never closed."),
    )


def _interval(interval: tuple[Any, Any] | None) -> Cell:
    return Number("unknown" if interval is None else f"{interval[0]:+.2f} to {interval[1]:+.2f}")


def _r(value: Any) -> Cell:
    if value is None:
        return Number("")
    return Number(f"{value:+.2f}", "good" if value > 0 else "bad" if value < 0 else "")


def _time(at: datetime, facts: ReportFacts) -> str:
    return f"{at.astimezone(facts.zone):%Y-%m-%d %H:%M}"
