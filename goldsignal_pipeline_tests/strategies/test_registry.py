"""Strategies are found through the entry-point group, ours and those of any installed package."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError

from goldsignal_pipeline.strategies import registry
from goldsignal_pipeline.strategies.liquidity_sweep import LiquiditySweepParameters
from goldsignal_pipeline.strategies.registry import StrategyError, load_strategies
from goldsignal_pipeline_tests.conftest import PROJECT_ROOT
from goldsignal_pipeline_tests.strategies.records import NAMES

MODULE = '''
import numpy as np
from goldsignal_pipeline.strategies.base import Candidates, Condition, Parameters, Strategy, planned_risk


class Always(Strategy):
    """Every rising bar."""

    name = "always"
    version = "1"
    description = "Every rising bar."
    parameters = Parameters()

    def find(self, bars):
        at = np.arange(20, len(bars))
        stop = bars.close[at] - 2 * bars.atr[at]
        risk = planned_risk(bars, at=at, stop=stop)
        rises = Condition("rises", bars.body[at], ">", 0.0)
        return Candidates(at, at, stop, bars.close[at] + 2 * risk, bars.close[at] + 3 * risk, stop, (rises,))
'''
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "third-party-strategy"
version = "1"
[project.entry-points."goldsignal.strategies"]
always = "third_party_strategy:Always"
[tool.setuptools]
py-modules = ["third_party_strategy"]
"""
USE = """
from goldsignal_pipeline.strategies.registry import load_strategies
from goldsignal_pipeline_tests.strategies.records import run, walk_h1
found = run(walk_h1(1), months=["2019-12"], strategies=[load_strategies()["always"]]).setups
print(set(found["kind"]), set(found["strategy"]), set(found["direction"]), len(found) > 400)
"""


def test_the_four_strategies_are_declared_under_their_own_names():
    table = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["entry-points"][registry.ENTRY_POINT_GROUP]
    assert sorted(table) == sorted(NAMES)
    for name, value in table.items():
        module, _, attribute = value.partition(":")
        assert getattr(import_module(module), attribute)().name == name


def test_a_strategy_of_another_package_is_found_and_runs_once_it_is_installed(tmp_path: Path):
    source, target = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    (source / "third_party_strategy.py").write_text(MODULE)
    (source / "pyproject.toml").write_text(PROJECT)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(target), str(source)], check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(target), str(PROJECT_ROOT)])}
    used = subprocess.run([sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=False)
    assert used.returncode == 0, used.stderr
    assert used.stdout.strip().endswith("True")
    assert "'always'" in used.stdout
    assert "'setup'" in used.stdout


def _installed(folder: Path, monkeypatch: pytest.MonkeyPatch, entries: str, *, package: str = "broken") -> None:
    info = folder / f"{package}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINT_GROUP}]\n{entries}\n")
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ("gone = nowhere_to_be_found:Strategy", "cannot be loaded"),
        ("gone = collections:OrderedDict", "expected a Strategy, was OrderedDict"),
        ("other = goldsignal_pipeline.strategies.ema_momentum:EmaMomentum", "is named 'ema_momentum'"),
    ],
)
def test_an_entry_that_is_no_strategy_is_refused_by_name_and_package(tmp_path, monkeypatch, entries, why):
    _installed(tmp_path, monkeypatch, entries)
    with pytest.raises(StrategyError, match=why) as refusal:
        load_strategies()
    assert "of broken" in refusal.value.what
    assert "uninstall broken" in refusal.value.fix


def test_two_packages_cannot_register_one_name(tmp_path, monkeypatch):
    for package in ("first", "second"):
        entry = "ema_momentum = goldsignal_pipeline.strategies.ema_momentum:EmaMomentum"
        _installed(tmp_path, monkeypatch, entry, package=package)
    with pytest.raises(StrategyError, match="another package registers the same name"):
        load_strategies()


def test_parameters_are_frozen_and_unknown_names_are_refused():
    parameters = LiquiditySweepParameters(swing_order=4)
    with pytest.raises(ValidationError):
        parameters.swing_order = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        LiquiditySweepParameters(swing_ordr=4)  # type: ignore[call-arg]
