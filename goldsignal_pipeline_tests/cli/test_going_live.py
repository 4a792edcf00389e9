"""Going live with the real command against a local vendor: the plan, the credits it really costs, and a refused key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline_tests.folders import open_folder
from goldsignal_pipeline_tests.vendor_market import VendorMarket
from goldsignal_pipeline_tests.vendor_server import KEY, VendorServer

MONTHS = 1


@pytest.fixture(scope="module")
def vendor() -> Iterator[VendorServer]:
    """The last 70 days of some market, served as Twelve Data would at this very moment."""
    later = datetime.now(UTC) + timedelta(hours=2)
    provider = SimulatedProvider(seed=3, calendar=load_calendar(), base_timeframe=Timeframe.M5, clock=lambda: later)
    window = FetchWindow(Timeframe.M5, later - timedelta(days=70), later)
    rows = pd.concat([delivery.rows for delivery in provider.fetch(window)], ignore_index=True)
    with VendorServer(VendorMarket.from_ticks(rows), clock=lambda: datetime.now(UTC)) as server:
        yield server


def up_once(vendor: VendorServer, home: str, *, key: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "GOLDSIGNAL_HOME": home,
        "GOLDSIGNAL_ENV_FILE": os.path.join(home, "absent.env"),
        "GOLDSIGNAL_TWELVEDATA_API_KEY": key,
        "GOLDSIGNAL_TWELVEDATA_BASE_URL": vendor.base_url,
        "GOLDSIGNAL_HISTORY_MONTHS": str(MONTHS),
    }
    command = [sys.executable, "-m", "goldsignal_pipeline.cli", "up", "--once", "--json"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.daemon
def test_going_live_tells_the_plan_costs_what_it_said_and_a_refused_key_is_told_and_kept_secret(vendor: VendorServer) -> None:
    with open_folder() as folder:
        live = up_once(vendor, str(folder / "home"), key=KEY)
        assert live.returncode == 0, live.stderr
        asked = len(vendor.candle_calls)
        assert "Fetching XAUUSD from twelvedata:mid" in live.stderr
        assert "silent until then" in live.stderr
        filled = json.loads(live.stdout)["filled"]
        assert filled["complete"]
        assert filled["candles"] > 5_000
        # One call per 4,998 five-minute slots, closed hours included, as the vendor bills them; the live cycle adds its own.
        assert 2 <= asked <= 6
        assert not vendor.is_overdrawn

        refused = up_once(vendor, str(folder / "other home"), key="another-key-4711")
        assert refused.returncode == 6, refused.stderr
        assert "key" in refused.stderr
        assert "another-key-4711" not in refused.stderr + refused.stdout
        logs = "".join(path.read_text(errors="replace") for path in folder.glob("*/logs/**/*") if path.is_file())
        assert "another-key-4711" not in logs
        assert KEY not in logs + live.stderr + live.stdout
