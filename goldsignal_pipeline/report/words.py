"""Sentences that every result is shown with."""

from __future__ import annotations

from typing import Final

NO_EDGE: Final = "No strategy has a demonstrated edge: what any of them earned is within what chance and a rising market explain."
