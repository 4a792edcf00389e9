"""What can be wrong with a file as a whole; faults of single rows are rejected rows, never errors."""

from __future__ import annotations

from goldsignal_pipeline.errors import ProviderError


class FileFormatError(ProviderError):
    """The file is not one of the known candle files, or does not hold candles of gold in US dollars."""


class ZoneContradictionError(FileFormatError):
    """The file's rows cannot be in the zone that was claimed; `found` names the zones that fit."""

    def __init__(self, what: str, *, claimed: str, found: tuple[str, ...], done: str, fix: str) -> None:
        self.claimed = claimed
        self.found = found
        super().__init__(what, done=done, fix=fix)


class ZoneUndecidedError(FileFormatError):
    """The rows fit several zones that mean different instants; `candidates` names them, most likely first."""

    def __init__(self, what: str, *, candidates: tuple[str, ...], done: str, fix: str) -> None:
        self.candidates = candidates
        super().__init__(what, done=done, fix=fix)
