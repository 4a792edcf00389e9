"""Ids of signals: a short name that follows from the natural key, the same on every machine and for ever."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import Final

from goldsignal_pipeline.selection.gate_inputs import SetupKey

ID_LENGTH: Final = 12
"""48 bits: among a hundred thousand signals two share an id with a chance of 1 in 50,000."""


def signal_id(key: SetupKey, *, symbol: str) -> str:
    """The id of the signal, or setup, of this key: twelve hexadecimal digits."""
    told = (symbol, key.timeframe, key.strategy, key.direction.value, key.timestamp.astimezone(UTC).isoformat())
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:ID_LENGTH]
