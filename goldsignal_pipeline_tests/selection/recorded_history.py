"""The recorded H1 files from candles to decisions, each computed once, and digests of what follows from them.

`python -m goldsignal_pipeline_tests.selection.recorded_history` writes `recorded_digests.json` anew. A digest changes only when a
rule does, and then with a sentence in the commit that says why.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import bars_of, instants_of, resample
from goldsignal_pipeline.market.digests import frame_digest
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.selection.history import Conditions, History, Record, run_history
from goldsignal_pipeline.selection.month_fold import Terms
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import KEY
from goldsignal_pipeline_tests.conftest import SHARED_DATA
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, recorded
from goldsignal_pipeline_tests.strategies.records import ALL

FILES: Final = ("mt5-ejtraderlabs", "oanda-lean-bid")
DIGESTS: Final = Path(__file__).with_name("recorded_digests.json")
TERMS: Final = Terms(datetime(1970, 1, 1, tzinfo=UTC), GatePolicy(account_usd=Decimal(100_000)))


@cache
def recorded_record(folder: Path, name: str) -> Record:
    """The H1 bars of a file that the calendar expects, with H4 made from them, bid, with the spread of each session."""
    rows = recorded(folder, Timeframe.H1, name)
    h1 = rows[CALENDAR.is_expected(instants_of(rows["timestamp"]), timeframe=Timeframe.H1)].reset_index(drop=True)
    bars = BaseBars.of(bars_of(h1), timeframe=Timeframe.H1, side=Side.BID, spreads=SpreadTable())
    start = h1["timestamp"].iloc[0].to_pydatetime()
    return Record({Timeframe.H1: h1, Timeframe.H4: resample(h1, target=Timeframe.H4)}, bars, Timeframe.H1, start)


def months_of(record: Record) -> list[str]:
    """Every month that the record touches."""
    opens = instants_of(record.candles[Timeframe.H1]["timestamp"]).astype("datetime64[M]")
    return np.arange(opens[0], opens[-1] + np.timedelta64(1, "M")).astype(str).tolist()


@cache
def recorded_history(folder: Path, name: str) -> History:
    """A file from candles to decisions, by the four strategies and plain terms."""
    record = recorded_record(folder, name)
    return run_history(record, ALL, months=months_of(record), conditions=Conditions((TERMS,)), calendar=CALENDAR)


def trading_days(record: Record, *, first_month: str) -> int:
    """How many trading days with open hours begin between the start of a month and the end of the record."""
    start = datetime.fromisoformat(f"{first_month}-01").replace(tzinfo=UTC)
    end = record.candles[Timeframe.H1]["timestamp"].iloc[-1].to_pydatetime() + timedelta(hours=1)
    return len(CALENDAR.expected_opens(timeframe=Timeframe.D1, start=start, end=end))


def digests(history: History) -> dict[str, str]:
    """Digests of setups, closed trades, results and decisions; floats as they are kept, in steps of 0.0001."""
    decisions = pd.DataFrame(
        [
            {
                "strategy": one.key.strategy,
                "timeframe": one.key.timeframe,
                "direction": one.key.direction.value,
                "timestamp": one.key.timestamp,
                "at": one.at,
                "reasons": " ".join(one.reasons),
                "ounces": one.size.ounces,
                "risk_cents": int(one.size.risk_usd * 100),
                "evidence": one.standing.evidence.value if one.standing else "",
                "rank": one.rank or 0,
                "score": one.standing.rank_score if one.standing else np.nan,
            }
            for one in history.folded.decisions
        ]
    )
    key, day = list(KEY), ["strategy", "timeframe", "day", "window_days"]
    return {
        "setups": frame_digest(whole(history.evaluation.setups), key=key),
        "conditions": frame_digest(whole(history.evaluation.conditions), key=[*key, "position"]),
        "trades": frame_digest(whole(history.trades.closed()), key=key),
        "results": frame_digest(whole(history.results), key=day),
        "decisions": frame_digest(whole(decisions), key=key),
    }


def whole(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose floats are whole steps of 0.0001, the least int64 where there is none."""
    floats = frame.select_dtypes("float64")
    steps = np.where(floats.isna(), np.iinfo(np.int64).min, np.rint(floats.fillna(0.0) * 10_000)).astype(np.int64)
    return frame.assign(**dict(zip(floats.columns, steps.T, strict=True)))


def main() -> None:
    """Write the digests of what the code makes of the recorded files now."""
    found = {name: digests(recorded_history(SHARED_DATA, name)) for name in FILES}
    DIGESTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
