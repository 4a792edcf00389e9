"""Code versions of the assets: raised by whoever changes what an asset decides."""

from __future__ import annotations

from typing import Final

RAW_CANDLES_VERSION: Final = "1"
CANDLES_VERSION: Final = "1"
