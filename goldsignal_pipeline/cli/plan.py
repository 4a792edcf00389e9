"""What fetching history will take, before a single call is made: months, credits, minutes, and until when strategies stay silent.

`plan_fetch` is a pure function; `up` shows it before going live and `backfill` before it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import RenderableType

from goldsignal_pipeline.cli.output import local_text, span_text, table, utc_text

CHUNK_MONTHS: Final = 12
# 365 days of evidence, each on top of the 260 days that the H4 context reads (domain rules, sections 2 and 6).
DAYS_UNTIL_EVERY_STRATEGY_SPEAKS: Final = 365 + 260


@dataclass(frozen=True, slots=True)
class Budget:
    """The vendor's allowance: credits a minute and a UTC day, those used today, and those the live cycle keeps for itself."""

    per_minute: int
    per_day: int
    used_today: int = 0
    reserved_per_day: int = 0


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """Months to fetch (first and last as YYYY-MM), credits, the time they take, and when every strategy has its history."""

    first_month: str
    last_month: str
    months: int
    chunks: int
    credits: int
    minutes: int
    finished_at: datetime
    silent_until: datetime

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain values; times in UTC."""
        values = asdict(self)
        return values | {"finished_at": utc_text(self.finished_at), "silent_until": utc_text(self.silent_until)}


def plan_fetch(*, months: tuple[str, ...], credits_needed: int, budget: Budget | None, now: datetime) -> FetchPlan:
    """Plan the fetch of `months` (sorted YYYY-MM, at least one); without a budget the source is free.

    Credits are spent `per_minute` at a time; what exceeds today's rest waits for the next UTC midnight, when the vendor's
    day begins again. A share that the live cycle needs is left to it every day.
    """
    finished_at = now if budget is None else _finished(credits_needed, budget=budget, now=now)
    history_start = datetime.strptime(months[0], "%Y-%m").replace(tzinfo=UTC)
    return FetchPlan(
        first_month=months[0],
        last_month=months[-1],
        months=len(months),
        chunks=-(-len(months) // CHUNK_MONTHS),
        credits=credits_needed,
        minutes=-(-int((finished_at - now).total_seconds()) // 60),
        finished_at=finished_at,
        silent_until=max(finished_at, history_start + timedelta(days=DAYS_UNTIL_EVERY_STRATEGY_SPEAKS)),
    )


def _finished(credits_needed: int, *, budget: Budget, now: datetime) -> datetime:
    daily = max(1, budget.per_day - budget.reserved_per_day)
    left_today = max(0, daily - budget.used_today)
    moment = now
    while credits_needed > left_today:
        credits_needed -= left_today
        moment = (moment + timedelta(days=1)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        left_today = daily
    return moment + timedelta(minutes=-(-credits_needed // budget.per_minute))


def render_plan(
    plan: FetchPlan, *, zone: ZoneInfo, source: str, going_live: bool = False, pruned: Sequence[str] = ()
) -> RenderableType:
    """The plan as a small table; times in `zone`. `going_live` says from when on the strategies have their history.

    That date counts the months of the plan alone, so it is no news about a range added to a longer record. `pruned` are months
    of which retention deleted candles that the run will write again.
    """
    span = f"{plan.first_month} to {plan.last_month}" if plan.months > 1 else plan.first_month
    rows = [
        ("source", source),
        ("months", f"{plan.months} ({span}), in {plan.chunks} {'run' if plan.chunks == 1 else 'runs'}"),
        ("credits", f"{plan.credits:,}" if plan.credits else "none needed"),
        ("time for credits", span_text(plan.minutes * 60) if plan.minutes else "no waiting"),
    ]
    if pruned:
        rows.append(("deleted candles", f"of {len(pruned)} months are derived again, and kept until the next retention"))
    if going_live:
        rows.append(("silent until", f"{local_text(plan.silent_until, zone=zone)} (then every strategy has its history)"))
    return table("", "", rows=rows, title="plan", header=False)
