"""What `doctor` looks at on this machine: Python, packages, disk, ports, time zones, the code location."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from goldsignal_pipeline.cli.findings import Finding, note, ok, problem
from goldsignal_pipeline.cli.output import size_text
from goldsignal_pipeline.storage import ports

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings

OLDEST_PYTHON: Final = (3, 11)
FIRST_UNTRIED_PYTHON: Final = (3, 14)
FULL_DISK_BYTES: Final = 1_000_000_000
SCARCE_DISK_BYTES: Final = 5_000_000_000
_REINSTALL: Final = "Run `make up`, which installs what requirements.lock names."

# Known answers, each beside a clock change: the US rule of 2007, London's, and a zone without any.
_OFFSETS: Final = (
    ("America/New_York", datetime(2007, 3, 11, 7, 0, tzinfo=UTC), -4.0),
    ("America/New_York", datetime(2026, 11, 1, 6, 0, tzinfo=UTC), -5.0),
    ("Europe/London", datetime(2026, 3, 29, 1, 0, tzinfo=UTC), 1.0),
    ("Asia/Tokyo", datetime(2026, 7, 1, 0, 0, tzinfo=UTC), 9.0),
)


def python_version(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Is this a Python that the project is tested with?"""
    shown = ".".join(map(str, version))
    if OLDEST_PYTHON <= version < FIRST_UNTRIED_PYTHON:
        return ok("python", shown)
    return problem("python", f"expected 3.11 to 3.13, was {shown}", fix="Install Python 3.11, remove .venv, run `make up`.")


def packages(lock: Path) -> Finding:
    """Are the packages that are installed the ones of the lock file?"""
    if not lock.is_file():
        return note("packages", "no requirements.lock beside the project; versions were not compared")
    wrong = [f"{name} {have or 'missing'} (lock: {wanted})" for name, wanted, have in _differences(lock)]
    if not wrong:
        return ok("packages", "as requirements.lock says")
    shown = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
    return problem("packages", shown, fix=_REINSTALL)


def disk_space(folder: Path) -> Finding:
    """Is there room for the database to grow?"""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{size_text(free)} free at {existing}"
    if free < FULL_DISK_BYTES:
        return problem("disk", detail, fix="Free at least 1 GB; a full disk stops the database.")
    return (
        note("disk", detail, fix="Ten years of M5 candles take about 1 GB.") if free < SCARCE_DISK_BYTES else ok("disk", detail)
    )


def time_zones() -> Finding:
    """Does the time zone database give known answers?"""
    for zone, instant, hours in _OFFSETS:
        try:
            offset = instant.astimezone(ZoneInfo(zone)).utcoffset()
        except ZoneInfoNotFoundError:
            return problem("time zones", f"{zone} is unknown", fix=_REINSTALL)
        if offset is None or offset.total_seconds() != hours * 3600:
            return problem(
                "time zones", f"{zone} at {instant:%Y-%m-%d %H:%M}Z: expected {hours:+} h, was {offset}", fix=_REINSTALL
            )
    return ok("time zones", "known clock changes are right")


def webserver_port(settings: Settings, *, serving: bool) -> Finding:
    """Is the port of Dagster's page ours or free?"""
    return _port("web port", settings.webserver_port, settings.webserver_host, serving=serving)


def api_port(settings: Settings, *, serving: bool) -> Finding:
    """Is the port of the API ours or free?"""
    return _port("api port", settings.api_port, settings.api_host, serving=serving)


def code_location() -> Finding:
    """Do the Dagster definitions load?"""
    try:
        from goldsignal_pipeline.definitions import definitions

        graph = definitions.resolve_asset_graph()
    except Exception as error:  # whatever a broken definition raises is the finding
        return problem(
            "code location",
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}",
            fix="Run `dagster definitions validate` in the project folder for the whole trace.",
        )
    return ok("code location", f"loads, {len(graph.get_all_asset_keys())} assets")


def _port(name: str, port: int, host: str, *, serving: bool) -> Finding:
    if serving:
        return ok(name, f"our page is served (wanted port {port})")
    if ports.is_free(port, host):
        return ok(name, f"{port} is free")
    return note(name, f"{port} is in use by another program", fix="`up` takes the next free one and says which.")


def _differences(lock: Path) -> Iterator[tuple[str, str, str]]:
    from packaging.requirements import Requirement

    for line in lock.read_text(encoding="utf-8").splitlines():
        text = line.removesuffix("\\").strip()
        if not text or text.startswith(("#", "--")):
            continue
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        wanted = str(requirement.specifier).removeprefix("==")
        try:
            have = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            have = ""
        if have != wanted:
            yield requirement.name, wanted, have
