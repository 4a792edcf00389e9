"""The state of deciding as text, so that a month can begin where the one before it ended.

`state_text` is canonical: equal states give equal texts, and `parse_state` gives the state back. Instants are ISO in UTC, floats
are written so that they read back bit for bit.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, Final

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.degradation import DegradationState, Health
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_state import Breaker, GateState, OpenSignal
from goldsignal_pipeline.selection.month_fold import Judged, SelectionState

FORM: Final = 1


def state_text(state: SelectionState) -> str:
    """The canonical text of a state."""
    gate = state.gate
    content = {
        "form": FORM,
        "gate": {
            "through": _moment(gate.through),
            "open_signals": [[*_key(one.key), one.ounces, one.risk_micro_usd] for one in gate.open_signals],
            "last_accepted": {side.value: _moment(at) for side, at in sorted(gate.last_accepted.items())},
            "realised_day": gate.realised_day.isoformat() if gate.realised_day else None,
            "realised_micro_usd": gate.realised_micro_usd,
            "breaker": [
                gate.breaker.losses_in_a_row,
                gate.breaker.total_micro_r,
                gate.breaker.peak_micro_r,
                _moment(gate.breaker.holds_until),
            ],
            "paused": sorted(gate.paused, key=lambda name: name or ""),
            "news": sorted(_moment(at) or "" for at in gate.news),
        },
        "health": [[*track, *_health(one)] for track, one in sorted(state.health.items())],
        "judged": [
            [_moment(one.resolved_at), _moment(one.entry_at), *_key(one.key), one.net_r, one.is_shadow] for one in state.judged
        ],
        "followed": [[*_key(key), is_shadow] for key, is_shadow in sorted(state.followed.items())],
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def parse_state(text: str) -> SelectionState:
    """The state of a text; raises DataError when it was written in another form."""
    content = json.loads(text)
    if content.get("form") != FORM:
        raise DataError(
            f"expected a state of form {FORM}, was {content.get('form')}",
            done="nothing was decided",
            fix="run the months again from the first: goldsignal backfill --missing",
        )
    gate = content["gate"]
    losses, total, peak, until = gate["breaker"]
    return SelectionState(
        gate=GateState(
            through=_instant(gate["through"]),
            open_signals=tuple(OpenSignal(_parse_key(one[:4]), one[4], one[5]) for one in gate["open_signals"]),
            last_accepted={Direction(side): _known(at) for side, at in gate["last_accepted"].items()},
            realised_day=date.fromisoformat(gate["realised_day"]) if gate["realised_day"] else None,
            realised_micro_usd=gate["realised_micro_usd"],
            breaker=Breaker(losses, total, peak, _instant(until)),
            paused=frozenset(gate["paused"]),
            news=frozenset(_known(at) for at in gate["news"]),
        ),
        health={(one[0], one[1]): _parse_health(one[2:]) for one in content["health"]},
        judged=tuple(Judged(_known(one[0]), _known(one[1]), _parse_key(one[2:6]), one[6], one[7]) for one in content["judged"]),
        followed={_parse_key(one[:4]): one[4] for one in content["followed"]},
    )


def _key(key: SetupKey) -> list[str | None]:
    return [key.strategy, key.timeframe, key.direction.value, _moment(key.timestamp)]


def _parse_key(parts: list[str]) -> SetupKey:
    strategy, timeframe, direction, timestamp = parts
    return SetupKey(strategy, timeframe, Direction(direction), _known(timestamp))


def _health(state: DegradationState) -> list[Any]:
    days = [day.isoformat() if day else None for day in (state.since, state.through)]
    return [state.health.value, days[0], state.calm_days, state.outcomes, days[1]]


def _parse_health(parts: list[Any]) -> DegradationState:
    health, since, calm_days, outcomes, through = parts
    return DegradationState(
        health=Health(health),
        since=date.fromisoformat(since) if since else None,
        calm_days=calm_days,
        outcomes=outcomes,
        through=date.fromisoformat(through) if through else None,
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else _known(text)


def _known(text: str) -> datetime:
    return datetime.fromisoformat(text)
