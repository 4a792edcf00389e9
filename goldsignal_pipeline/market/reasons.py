"""Why a bar is absent and why a row was turned away: one vocabulary for files, feeds, checks and reports."""

from __future__ import annotations

from enum import StrEnum


class ClosedReason(StrEnum):
    """Why the market is closed at an instant."""

    WEEKEND = "weekend"
    DAILY_BREAK = "closed_hours"
    HOLIDAY = "holiday"
    EARLY_CLOSE = "early_close"


class RejectReason(StrEnum):
    """Why a delivered row is quarantined and not an observation."""

    UNREADABLE = "unreadable"
    NOT_A_NUMBER = "not_a_number"
    NOT_POSITIVE = "not_positive"
    OUT_OF_RANGE = "out_of_range"
    PRICE_ORDER = "price_order"
    IMPLAUSIBLE_LEVEL = "implausible_level"
    MISALIGNED = "misaligned"
    FORMING = "forming"
    FUTURE = "future"
    BEFORE_RECORD = "before_record"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    CONTRADICTED = "contradicted"
    WEEKEND = "weekend"
    DAILY_BREAK = "closed_hours"
    HOLIDAY = "holiday"
    EARLY_CLOSE = "early_close"


class MissingReason(StrEnum):
    """Why an expected bar has no candle."""

    NOT_FETCHED = "not_fetched"
    VENDOR_LATE = "vendor_late"
    VENDOR_HOLE = "vendor_hole"
    QUARANTINED = "quarantined"
