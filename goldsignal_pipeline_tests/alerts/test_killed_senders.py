from __future__ import annotations

import os

import pytest

from goldsignal_pipeline.cli.prove.alert_senders import kill_senders
from goldsignal_pipeline.storage.database import Database

KILLS = 1000 if os.environ.get("PROVE") else 20


@pytest.mark.fault("alerts")
@pytest.mark.fault("concurrency")
def test_i17_two_senders_killed_twenty_times_lose_nothing_and_every_repeat_says_so(database: Database) -> None:
    killed = kill_senders(database, kills=KILLS, seed=5)
    assert killed.lost == ()
    assert killed.unmarked == ()
    assert killed.cut_off > 0
    assert killed.copies == killed.owed + killed.repeats
