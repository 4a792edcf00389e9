"""Indicators agree with pandas-ta-classic, whose own formulas are taken and not its bindings of TA-Lib."""

from __future__ import annotations

import numpy as np
import pytest

from goldsignal_pipeline.strategies import indicators
from goldsignal_pipeline_tests.strategies.records import walk_h1

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore:Timestamp.dayofyear")]  # said when it is imported


def test_ema_atr_rsi_and_band_width_agree_with_a_second_library():
    import pandas_ta_classic as second

    bars = walk_h1(6).iloc[:1500].astype(dict.fromkeys(("open", "high", "low", "close"), float))
    high, low, close = (bars[name] for name in ("high", "low", "close"))
    plain = (high.to_numpy(), low.to_numpy(), close.to_numpy())
    bands = second.bbands(close, length=20, std=2, ddof=0, talib=False)
    pairs = {
        "ema": (indicators.ema(plain[2], period=50), second.ema(close, length=50, talib=False)),
        "atr": (indicators.atr(*plain), second.atr(high, low, close, length=14, talib=False)),
        "rsi": (indicators.rsi(plain[2]), second.rsi(close, length=14, talib=False)),
        "width": (indicators.bollinger_width(plain[2]), bands.iloc[:, 2] - bands.iloc[:, 0]),
    }
    for name, (own, other) in pairs.items():
        np.testing.assert_allclose(own, np.asarray(other, dtype=float), rtol=1e-9, err_msg=name)
