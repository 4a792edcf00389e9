"""Whoever changes what an asset decides raises its version: the code behind each asset is held to a stored digest."""

from __future__ import annotations

import json

import pytest

from goldsignal_pipeline_tests.assets import deciding_code
from goldsignal_pipeline_tests.assets.deciding_code import COMPUTED_BY, PACKAGE, current, digest_of, modules_behind


@pytest.mark.parametrize("asset", COMPUTED_BY)
def test_deciding_code_changes_only_with_its_version(asset: str) -> None:
    stored = json.loads(deciding_code.STORED.read_text(encoding="utf-8"))
    assert current()[asset] == stored[asset], (
        f"the code behind {asset} changed: raise its version in assets/versions.py where rows may change, then run "
        "python -m goldsignal_pipeline_tests.assets.deciding_code"
    )


def test_the_code_behind_signals_holds_gate_kernel_and_strategies_and_no_storage() -> None:
    modules = {name.removeprefix(f"{PACKAGE}.") for name in modules_behind(f"{PACKAGE}.assets.decide")}
    assert {"selection.gate", "selection.month_fold", "simulation.kernel", "market.hours", "assets.decide_inputs"} <= modules
    assert not any(name.startswith(("storage", "cli", "automation")) for name in modules)
    assert "strategies.ema_momentum" not in modules, "strategies carry versions of their own"


def test_a_changed_line_changes_the_digest_and_a_comment_does_not(tmp_path, monkeypatch) -> None:
    folder = tmp_path / PACKAGE
    folder.mkdir()
    module = folder / "rule.py"
    monkeypatch.setattr(deciding_code, "ROOT", tmp_path)
    module.write_text('"""Says one thing."""\n\nLIMIT = 5  # losses\n', encoding="utf-8")
    before = digest_of([f"{PACKAGE}.rule"])
    module.write_text('"""Says another thing."""\nLIMIT = 5\n\n', encoding="utf-8")
    assert digest_of([f"{PACKAGE}.rule"]) == before
    module.write_text('"""Says one thing."""\n\nLIMIT = 6  # losses\n', encoding="utf-8")
    assert digest_of([f"{PACKAGE}.rule"]) != before


def test_writing_refuses_a_change_under_an_unchanged_version(tmp_path, monkeypatch) -> None:
    stored = tmp_path / "deciding_code.json"
    changed = {asset: one | {"digest": "of other code"} for asset, one in current().items()}
    stored.write_text(json.dumps(changed), encoding="utf-8")
    monkeypatch.setattr(deciding_code, "STORED", stored)
    assert deciding_code.main([]) == 1
    assert json.loads(stored.read_text(encoding="utf-8")) == changed
    assert deciding_code.main(["--decides-the-same"]) == 0
    assert json.loads(stored.read_text(encoding="utf-8")) == current()
