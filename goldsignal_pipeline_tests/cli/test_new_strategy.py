"""`goldsignal new strategy`: what it writes can be installed, is found, proves itself, and overwrites nothing."""

from __future__ import annotations

import json
import keyword
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.new.strategy import FILES, LONGEST_NAME, check_name, write
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline_tests.conftest import PROJECT_ROOT

NAME = "quiet_open"


@pytest.fixture(autouse=True)
def _own_home(home: Path) -> None: ...


def run(*command: str, cwd: Path, path: tuple[Path, ...] = (PROJECT_ROOT,)) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_written_is_installed_found_proved_and_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(create_app(), ["new", "strategy", NAME, "--json"])
    assert result.exit_code == 0, result.output
    files = json.loads(result.stdout)["files"]
    assert sorted(files) == sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / NAME).iterdir())

    installed, source = tmp_path / "installed", tmp_path / NAME
    offline = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    run("-m", "pip", "install", *offline, "--target", str(installed), str(source), cwd=tmp_path)
    path = (installed, PROJECT_ROOT)
    proved = run("-m", "goldsignal_pipeline.cli", "prove", "bias", "--strategy", NAME, "--json", cwd=tmp_path, path=path)
    (report,) = json.loads(proved)["strategies"]
    assert report["passed"] is True
    assert report["rows"] > 50

    told = run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=source)
    assert "5 passed" in told
    run("-m", "ruff", "check", "--no-cache", ".", cwd=source)
    run("-m", "ruff", "format", "--no-cache", "--check", ".", cwd=source)


def test_its_tests_fail_when_the_strategy_looks_ahead(tmp_path: Path) -> None:
    write(NAME, folder=tmp_path / NAME)
    strategy = tmp_path / NAME / f"{NAME}_strategy.py"
    straight = strategy.read_text()
    leaky = straight.replace("rule.stop_atr * bars.atr[at]", "rule.stop_atr * bars.atr[np.minimum(at + 1, len(bars) - 1)]")
    assert leaky != straight
    strategy.write_text(leaky)
    environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_{NAME}_bias.py"]
    done = subprocess.run(command, cwd=tmp_path / NAME, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{NAME} H1, prefix: " in done.stdout


@pytest.mark.parametrize("existing", sorted(FILES.values()))
def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path: Path, existing: str) -> None:
    kept = tmp_path / existing.replace("${name}", NAME)
    kept.write_text("mine")
    result = CliRunner().invoke(create_app(), ["new", "strategy", NAME, "--folder", str(tmp_path)])
    assert result.exit_code == 2
    assert f"{kept.name} exists." in result.stderr.replace("\n", "")
    assert kept.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == [kept.name]


def test_a_folder_that_holds_other_things_may_hold_a_strategy_too_and_a_file_may_not(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert len(write(NAME, folder=tmp_path)) == len(FILES)
    with pytest.raises(UsageError, match=r"notes\.txt is a file"):
        write(NAME, folder=tmp_path / "notes.txt")


@pytest.mark.parametrize(
    "name",
    ["", "Quiet", "1st", "quiet-open", "quiet open", "_quiet", "quiet_", "a__b", "class", "../x", "é", "a" * (LONGEST_NAME + 1)],
)
def test_a_name_that_no_module_can_bear_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a strategy"):
        check_name(name)


def test_a_name_that_is_installed_is_refused() -> None:
    with pytest.raises(UsageError, match="'ema_momentum' is installed already"):
        check_name("ema_momentum")


@given(st.from_regex(r"[a-z][a-z0-9_]{0,45}", fullmatch=True))
def test_every_name_that_is_accepted_is_an_identifier_and_makes_a_class_of_its_own(name: str) -> None:
    try:
        check_name(name)
    except UsageError:
        return
    assert name.isidentifier()
    assert not keyword.iskeyword(name)
    class_name = "".join(word.title() for word in name.split("_"))
    assert class_name.isidentifier()
    assert class_name != "Strategy" or name == "strategy"
