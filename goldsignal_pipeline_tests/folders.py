"""Temporary folders that every account may enter, as root's PostgreSQL account must (pytest's own are closed)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_folder(prefix: str = "goldsignal ") -> Iterator[Path]:
    """A new folder with mode 0755, removed afterwards; its name holds a space unless another prefix is given."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
