"""The notebook runs from top to bottom in a real kernel, on the simulated market and on a file, and is kept without outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from goldsignal_pipeline.cli.candles import write_csv
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.docs.pages import DOCS
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, utc, walk

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def run(notebook: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Execute every cell in a kernel that keeps nothing outside `folder`; returns all outputs."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures_and_tables(outputs: list[dict[str, Any]]) -> tuple[int, int]:
    kinds = [set(output.get("data", {})) for output in outputs]
    return sum("image/png" in kind for kind in kinds), sum("text/html" in kind for kind in kinds)


def test_the_notebook_runs_and_shows_setups_trades_figures_and_pictures(tmp_path, monkeypatch) -> None:
    (path,) = NOTEBOOKS
    outputs = run(read(path), tmp_path, monkeypatch)
    assert pictures_and_tables(outputs) == (2, 5)
    printed = "".join(output.get("text", "") for output in outputs)
    assert re.search(r"'setup': \d{2,}", printed)
    assert re.search(r"'sl_hit': \d{2,}", printed)
    assert not [output for output in outputs if output.get("name") == "stderr"]


def test_a_record_of_ones_own_is_read_from_what_the_command_line_writes(tmp_path, capsys) -> None:
    opens = CALENDAR.expected_opens(timeframe=Timeframe.M5, start=utc(2023, 4, 3), end=utc(2023, 4, 5))
    made = walk(opens, seed=1)
    write_csv(made.assign(timeframe="M5", base_timeframe="M5", base_bars=1, source="one:bid", flag=""))
    file = tmp_path / "m5.csv"
    file.write_text(capsys.readouterr().out)
    code = [cell.source for cell in read(NOTEBOOKS[0]).cells if cell.cell_type == "code"]
    names: dict[str, Any] = {}
    for source in (code[0].replace("CSV = None", f"CSV = {str(file)!r}"), code[1]):
        exec(compile(source, "notebook", "exec"), names)
    pd.testing.assert_frame_equal(names["m5"], made, check_exact=True)


def test_notebooks_are_kept_without_outputs_and_their_links_lead_somewhere() -> None:
    for path in NOTEBOOKS:
        cells = read(path).cells
        code = [cell for cell in cells if cell.cell_type == "code"]
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
        links = [link for cell in cells if cell.cell_type == "markdown" for link in _LINK.findall(cell.source)]
        assert links
        assert [link for link in links if not (path.parent / link).is_file()] == []
