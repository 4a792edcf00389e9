"""The code that decides what each asset holds, as digests: whoever changes it raises the asset's version, or says why not.

1. `modules_behind` follows the imports of an asset's compute module within the package, down to the pure core.
2. `digest_of` is SHA-256 over their sources without comments, docstrings and blank lines.
3. `python -m goldsignal_pipeline_tests.assets.deciding_code` writes `deciding_code.json`. It refuses a change under an unchanged
   version unless `--decides-the-same` is given, which belongs with a sentence in the commit.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import sys
import tokenize
from functools import cache
from pathlib import Path

from goldsignal_pipeline.assets import versions
from goldsignal_pipeline.assets.lineage import LINEAGE

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "goldsignal_pipeline"
STORED = Path(__file__).with_name("deciding_code.json")
COMPUTED_BY = {
    "candles": "derive",
    "setups": "find_setups",
    "backtest_trades": "trade_setups",
    "backtest_results": "score_trades",
    "signals": "decide",
    "outcomes": "resolve_signals",
    "strategy_performance": "measure_performance",
}
# How rows are stored, locked and told decides nothing about what they say.
DECIDES_NOTHING = ("storage", "errors", "settings", "assets.partitions", "assets.versions", "assets.lineage", "assets.keeping")


def current() -> dict[str, dict[str, str]]:
    """The version and the digest of each asset, as the code stands."""
    stated = {"candles": versions.CANDLES_VERSION} | {asset: lineage.version for asset, lineage in LINEAGE.items()}
    return {
        asset: {"version": stated[asset], "digest": digest_of(modules_behind(f"{PACKAGE}.assets.{module}"))}
        for asset, module in COMPUTED_BY.items()
    }


def modules_behind(start: str) -> list[str]:
    """The modules of ours that `start` imports, directly or not, itself included, by name."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in found or name.removeprefix(f"{PACKAGE}.").startswith(DECIDES_NOTHING) or _path(name) is None:
            continue
        found.add(name)
        waiting += _imports(_source(name))
    return sorted(found)


def digest_of(modules: list[str]) -> str:
    """A digest of the sources of modules, whatever is said in them besides code."""
    sha = hashlib.sha256()
    for name in modules:
        sha.update(name.encode() + b"\x00" + _bare(_source(name)).encode())
    return sha.hexdigest()


def _path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _source(module: str) -> str:
    path = _path(module)
    assert path is not None
    return path.read_text(encoding="utf-8")


@cache
def _imports(source: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@cache
def _bare(source: str) -> str:
    """The source without comments, docstrings and blank lines; the same on every Python."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for row in range(node.lineno - 1, (node.end_lineno or node.lineno)):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def main(arguments: list[str]) -> int:
    """Write the digests; returns 1 when a decision changed under an unchanged version."""
    before = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    now = current()
    silent = [
        asset
        for asset, one in now.items()
        if asset in before and before[asset]["digest"] != one["digest"] and before[asset]["version"] == one["version"]
    ]
    if silent and "--decides-the-same" not in arguments:
        print(f"The code behind {', '.join(silent)} changed: raise the version in assets/versions.py, or say --decides-the-same.")
        return 1
    STORED.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
