"""The command line as a whole: errors become words and exit codes, results stay apart from notes, it starts fast."""

from __future__ import annotations

import inspect
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from goldsignal_pipeline import errors
from goldsignal_pipeline.cli import logs
from goldsignal_pipeline.cli.app import ErrorRenderingGroup, create_app
from goldsignal_pipeline.cli.exits import EXIT_CODES
from goldsignal_pipeline.cli.output import JsonOption, local_text, size_text, span_text, to_json, utc_text
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline_tests.docs.generate import leaves

SECRET = "s3cr3t-key-of-the-vendor"


@pytest.fixture(autouse=True)
def _own_home(home: Path) -> None: ...


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("goldsignal_pipeline")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before
    logging.captureWarnings(False)


def _app_that(action: Callable[[], None]) -> typer.Typer:
    app = typer.Typer(cls=ErrorRenderingGroup, pretty_exceptions_enable=False)

    @app.callback()
    def root() -> None: ...

    @app.command()
    def act(as_json: JsonOption = False) -> None:
        action()

    return app


def _raise(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def _error_classes() -> list[type[errors.GoldSignalError]]:
    from goldsignal_pipeline.providers import base

    return [
        value
        for module in (errors, base)
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, errors.GoldSignalError)
    ]


@pytest.mark.parametrize("kind", _error_classes(), ids=lambda kind: kind.__name__)
def test_every_typed_error_ends_with_its_documented_exit_code_and_without_a_trace(kind: type[errors.GoldSignalError]) -> None:
    result = CliRunner().invoke(_app_that(_raise(kind("It broke.", done="We stopped.", fix="Mend it."))), ["act"])
    assert result.exit_code == kind.exit_code
    assert result.exit_code in EXIT_CODES
    assert [line.split(maxsplit=1) for line in result.stderr.splitlines()] == [
        ["Error", "It broke."],
        ["Done", "We stopped."],
        ["Fix", "Mend it."],
    ]
    assert result.stdout == ""


def test_with_json_an_error_is_an_object_on_standard_output() -> None:
    result = CliRunner().invoke(_app_that(_raise(errors.DataError("It broke.", fix="Mend it."))), ["act", "--json"])
    assert json.loads(result.stdout) == {
        "error": {"kind": "DataError", "what": "It broke.", "done": "", "fix": "Mend it.", "exit_code": 3}
    }


def test_an_unforeseen_error_is_one_line_and_its_masked_trace_is_in_the_log(tmp_path: Path) -> None:
    fault = ValueError("cannot reach postgresql://me:hunter22@host/db\nsecond line")
    result = CliRunner().invoke(_app_that(_raise(fault)), ["act"])
    assert result.exit_code == 1
    assert "Unexpected ValueError: cannot reach" in result.stderr
    assert "Traceback" not in result.stderr
    trace = (tmp_path / "home" / "logs" / "cli.log").read_text()
    assert "Traceback" in trace
    assert "hunter22" not in trace + result.stderr  # I18


def test_an_option_that_does_not_exist_is_wrong_usage() -> None:
    assert CliRunner().invoke(create_app(), ["config", "--nonsense"]).exit_code == 2


def test_the_help_needs_neither_pandas_nor_a_database_nor_dagster() -> None:
    code = (
        "import sys\nfrom goldsignal_pipeline.cli.app import create_app\n"
        "try:\n    create_app()(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'pandas', 'numpy', 'sqlalchemy', 'dagster', 'psycopg', 'pydantic', 'loguru'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_knows_json_and_every_parameter_has_a_help() -> None:
    for name, command in leaves(typer.main.get_command(create_app())):
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options, name
        assert command.help, name
        assert all(parameter.help for parameter in command.params), name


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_not_an_error(unbuffered: str) -> None:
    command = f"{sys.executable} -m goldsignal_pipeline.cli config --json | true"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("_logging_restored")
def test_log_lines_go_to_standard_error_with_secrets_masked(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(twelvedata_api_key=SECRET, log_format="json"))  # type: ignore[arg-type]
    logger = logging.getLogger("goldsignal_pipeline.somewhere")
    logger.info("asked with %s", SECRET)
    try:
        _raise(ValueError(SECRET))()
    except ValueError:
        logger.exception("failed")
    logging.getLogger("a.library").info("chatter")
    logging.getLogger("py.warnings").warning("a library's own affair")
    captured = capsys.readouterr()
    lines = [json.loads(line)["record"] for line in captured.err.splitlines()]
    assert [line["level"]["name"] for line in lines] == ["INFO", "ERROR"]
    assert lines[0]["message"] == "asked with **********"
    assert lines[0]["extra"] == {"logger": "goldsignal_pipeline.somewhere"}
    assert "ValueError" in lines[1]["message"]
    assert SECRET not in captured.err + captured.out  # I18


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), st.integers(-12 * 60, 14 * 60))
def test_json_times_are_utc_and_read_back_to_the_same_instant(naive: datetime, offset_minutes: int) -> None:
    instant = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    assert utc_text(instant).endswith("Z")
    assert datetime.fromisoformat(utc_text(instant)) == instant


def test_shown_times_carry_their_zone() -> None:
    from zoneinfo import ZoneInfo

    instant = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    assert local_text(instant, zone=ZoneInfo("America/New_York")) == "2026-07-01 08:30 EDT"
    assert local_text(instant, zone=ZoneInfo("UTC")) == "2026-07-01 12:30 UTC"


def test_json_keeps_prices_as_they_are_and_refuses_what_json_cannot_hold() -> None:
    assert json.loads(to_json({"price": Decimal("2034.55")}), parse_float=str) == {"price": "2034.55"}
    with pytest.raises(ValueError, match="JSON"):
        to_json({"price": float("nan")})
    with pytest.raises(TypeError, match="expected a value JSON can hold"):
        to_json({"x": object()})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1.26, "1.3 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (127, "2 min 07 s"),
        (3599, "59 min"),
        (7500, "2 h 05 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_lengths_of_time_are_shown_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999 B"), (12_345, "12.3 kB"), (8_100_000, "8.1 MB"), (3_200_000_000, "3.2 GB")]
)
def test_sizes_are_shown_in_decimal_units(size: int, text: str) -> None:
    assert size_text(size) == text
