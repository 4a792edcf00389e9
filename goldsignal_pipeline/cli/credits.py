"""The vendor's credits as the shared budget counts them: what is left this minute and today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.cli.findings import Finding, note, ok
from goldsignal_pipeline.cli.plan import Budget

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

MINUTES_OF_DAY: Final = 1440


@dataclass(frozen=True, slots=True)
class CreditState:
    """Credits left and allowed; `refused` names the window (minute, day) that the vendor itself reported as used up."""

    vendor: str
    minute_left: int
    minute_allowed: int
    day_left: int
    day_allowed: int
    refused: str


def credit_state(database: Database, settings: Settings, *, now: datetime) -> CreditState:
    """What is left of the credits of the real feed."""
    from goldsignal_pipeline.providers.twelvedata import VENDOR
    from goldsignal_pipeline.storage.credits import PostgresCreditBudget

    per_minute, per_day = settings.twelvedata_credits_per_minute, settings.twelvedata_credits_per_day
    used = PostgresCreditBudget(database, per_minute=per_minute, per_day=per_day).used(vendor=VENDOR, now=now)
    return CreditState(
        vendor=VENDOR,
        minute_left=0 if used.minute_exhausted or used.day_exhausted else max(0, per_minute - used.in_minute),
        minute_allowed=per_minute,
        day_left=0 if used.day_exhausted else max(0, per_day - used.in_day),
        day_allowed=per_day,
        refused="day" if used.day_exhausted else "minute" if used.minute_exhausted else "",
    )


def finding(credits: CreditState) -> Finding:
    """Is anything left to call with?"""
    detail = (
        f"{credits.day_left} of {credits.day_allowed} left today (UTC), "
        f"{credits.minute_left} of {credits.minute_allowed} this minute"
    )
    if credits.refused:
        detail += f"; the vendor says the {credits.refused}'s are used up"
    if credits.day_left == 0:
        return note("credits", detail, fix="The feed goes on at 00:00 UTC; a larger plan has more credits.")
    return ok("credits", detail)


def budget(database: Database, settings: Settings, *, now: datetime) -> Budget:
    """The budget that a fetch of history may spend: the plan's, less what the live cycle needs in a day."""
    state = credit_state(database, settings, now=now)
    live = -(-MINUTES_OF_DAY // settings.base_timeframe.minutes)
    return Budget(
        per_minute=state.minute_allowed,
        per_day=state.day_allowed,
        used_today=state.day_allowed - state.day_left,
        reserved_per_day=min(live, state.day_allowed // 2),
    )
