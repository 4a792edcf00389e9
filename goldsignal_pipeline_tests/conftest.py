"""What every test shares: recorded data when it lies beside the project, which files begin, the count of the fault matrix."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytest_plugins = ("goldsignal_pipeline_tests.postgres", "goldsignal_pipeline_tests.graph")

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = PROJECT_ROOT.parent / "shared" / "data"
DEAREST_FIRST = (
    "docs/test_commands.py",
    "automation/test_live_daemon.py",
    "automation/test_graph_days.py",
    "cli/test_up.py",
    "cli/prove/test_crash.py",
    "cli/prove/test_backfill.py",
    "automation/test_simulated_day.py",
    "cli/test_backfill.py",
    "cli/test_going_live.py",
)
"""Files that take more than half a minute: two workers end together only when none of these begins last."""

_faults: Counter[str] = Counter()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded candles; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("recorded candles are not beside this checkout (../shared/data)")
    return SHARED_DATA


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the dearest files. Skip what needs recorded data where there is none, with a reason that is counted."""
    order = {PROJECT_ROOT / "goldsignal_pipeline_tests" / name: place for place, name in enumerate(DEAREST_FIRST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
    if SHARED_DATA.is_dir():
        return
    absent = pytest.mark.skip(reason="recorded candles are not beside this checkout (../shared/data)")
    for item in items:
        if item.get_closest_marker("recorded"):
            item.add_marker(absent)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Carry the fault area of a test in its report, so that the count survives parallel workers."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.passed:
        report.user_properties.extend(("fault", mark.args[0]) for mark in item.iter_markers("fault"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the faults that passed."""
    if report.when == "call" and report.passed:
        _faults.update(str(area) for name, area in report.user_properties if name == "fault")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many faults of each area the suite survived."""
    if _faults:
        counted = ", ".join(f"{area} {count}" for area, count in sorted(_faults.items()))
        terminalreporter.write_line(f"Fault matrix, tests passed: {counted}")
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped if report.longrepr)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"Skipped {count}: {reason}")
