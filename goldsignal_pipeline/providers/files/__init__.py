"""Candle files of other programs and vendors: recognised, put on UTC and ticks, wrong claims refused.

`read_file` for files that fit into memory; `inspect_file` then `iter_deliveries` for any size. What a file cannot prove is
asked for (`ZoneUndecidedError`), and what contradicts it is refused (`ZoneContradictionError`). Futures in a file named
after spot gold (Yahoo's GC=F) cannot be seen: their hours and level are nearly those of spot.
"""

from goldsignal_pipeline.providers.files.errors import FileFormatError, ZoneContradictionError, ZoneUndecidedError
from goldsignal_pipeline.providers.files.plan import FilePlan, FileProgress, ZoneBasis, inspect_file
from goldsignal_pipeline.providers.files.reading import FileReading, iter_deliveries, read_file

__all__ = [
    "FileFormatError",
    "FilePlan",
    "FileProgress",
    "FileReading",
    "ZoneBasis",
    "ZoneContradictionError",
    "ZoneUndecidedError",
    "inspect_file",
    "iter_deliveries",
    "read_file",
]
