"""Outcomes and steps of signals as rows of their tables, made from trades of the kernel."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.assets.decision_rows import EVENT_DTYPES
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.frames import typed
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.selection.standings import kept
from goldsignal_pipeline.simulation.closed_trades import KEY, UNDEFINED
from goldsignal_pipeline.simulation.kernel import UNITS_PER_TICK
from goldsignal_pipeline.simulation.scored_trades import SCORED_TRADE_COLUMNS

MISSED: Final = "missed"
_FIRST_TARGET: Final = "target_one"
_ENDS: Final = ("closed", "corrected")
_EVENT_KEY: Final = [*KEY, "kind"]
_MONEY: Final = {"gross": "gross_usd", "cost": "cost_usd", "net": "net_usd"}
_PRICES: Final = {"entry_fill": "fill_price", "first_fill": "first_exit_price", "second_fill": "second_exit_price"}
_R: Final = ("gross_r", "cost_r", "net_r", "worst_r", "best_r", "counterfactual_r")


def outcome_rows(trades: pd.DataFrame) -> pd.DataFrame:
    """The closed ones of `trades` (`closed_trades.TRADE_DTYPES`) as rows of `outcomes`."""
    closed = trades[trades["resolved_at"].notna()].reset_index(drop=True)
    filled = (closed["result"] != MISSED).to_numpy()
    names = {timeframe.minutes: timeframe.value for timeframe in Timeframe}
    risk = closed["risk"].to_numpy(dtype=np.float64)
    rows = closed[[*KEY, "result", "resolved_at", "bars_held", "ambiguous", "first_exit_at", *_R]].assign(
        entered_at=closed["entry_at"].where(filled),
        entry_quote=np.where(filled, closed["entry_quote"], 0),
        resolution=closed["resolution_minutes"].map(names).astype("str"),
        favourable_r=np.where(filled, closed["favourable"].to_numpy() / risk, np.nan),
        adverse_r=np.where(filled, closed["adverse"].to_numpy() / risk, np.nan),
        **{name: closed[source] for source, name in _MONEY.items()},
    )
    return rows.assign(**{name: np.where(filled, closed[source], 0) for source, name in _PRICES.items()})


def trade_events(trades: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    """What happened to each signal so far (`decision_rows.EVENT_DTYPES`); `trades` are in the order of `signals`."""
    origins = signals["origin"].to_numpy()
    rows: list[dict[str, Any]] = []
    for origin, trade in zip(origins, trades.to_dict("records"), strict=True):
        if pd.isna(trade["entry_at"]):
            continue
        head = {name: trade[name] for name in KEY} | {"origin": origin}
        if trade["result"] == MISSED:
            detail = {"result": MISSED, "because": trade["missed_because"]}
            rows.append(head | {"kind": "closed", "at": trade["entry_known_at"], "detail": _json(detail)})
            continue
        rows.append(head | {"kind": "filled", "at": trade["entry_at"], "detail": _json({"fill": trade["entry_fill"] / 100})})
        if trade["first_exit"] == _FIRST_TARGET:
            rows.append(head | {"kind": "tp1_reached", "at": trade["first_exit_at"], "detail": "{}"})
        if not pd.isna(trade["resolved_at"]):
            detail = {"result": trade["result"], "net_r": float(kept(np.array([trade["net_r"]]))[0])}
            rows.append(head | {"kind": "closed", "at": trade["resolved_at"], "detail": _json(detail)})
    return typed(pd.DataFrame(rows, columns=list(EVENT_DTYPES)), EVENT_DTYPES)


def new_events(events: pd.DataFrame, *, told: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The events of a backfill as they are; of live signals those that nobody was told, known now.

    An end of a live signal that differs from the last one told becomes `corrected`.
    """
    is_live = (events["origin"] == "live").to_numpy()
    live = typed(events[is_live].assign(known_at=pd.Timestamp(now)), EVENT_DTYPES)
    before = told[told["origin"] == "live"]
    had = set(before[_EVENT_KEY].itertuples(index=False, name=None))
    is_told = np.array([row in had for row in live[_EVENT_KEY].itertuples(index=False, name=None)], dtype=bool)
    last = {tuple(row[name] for name in KEY): row["detail"] for row in before[before["kind"].isin(_ENDS)].to_dict("records")}
    again = live[is_told & (live["kind"] == "closed").to_numpy()]
    differs = [row["detail"] != last[tuple(row[name] for name in KEY)] for row in again.to_dict("records")]
    # A correction is dated by when it became known: the end itself may lie where it was told before.
    corrected = typed(again[np.array(differs, dtype=bool)].assign(kind="corrected", at=pd.Timestamp(now)), EVENT_DTYPES)
    return typed(pd.concat([events[~is_live], live[~is_told], corrected], ignore_index=True), EVENT_DTYPES)


def scored_outcomes(outcomes: pd.DataFrame, signals: pd.DataFrame, *, calendar: TradingCalendar) -> pd.DataFrame:
    """Outcomes as metrics read them (`SCORED_TRADE_COLUMNS`), R from whole numbers: net over the distance of fill and stop."""
    joined = outcomes.merge(signals[[*KEY, "stop"]], on=list(KEY), how="left", validate="1:1")
    is_missed = (joined["result"] == MISSED).to_numpy()
    risk = (joined["fill_price"] - joined["stop"]).abs().to_numpy(dtype=np.float64) * UNITS_PER_TICK

    def ratio(name: str) -> Any:
        money = joined[name].to_numpy()
        return np.divide(money, risk, out=np.full(len(joined), np.nan), where=~is_missed & (money != UNDEFINED))

    entry = joined["entered_at"].where(~is_missed, joined["resolved_at"])
    frame = joined.rename(columns={"ambiguous": "is_ambiguous"}).assign(
        entry=entry,
        is_missed=is_missed,
        hold_minutes=calendar.open_minutes_between(instants_of(entry), instants_of(joined["resolved_at"])),
        net_r=ratio("net_usd"),
        gross_r=ratio("gross_usd"),
        cost_r=ratio("cost_usd"),
    )
    return frame[list(SCORED_TRADE_COLUMNS)]


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))
