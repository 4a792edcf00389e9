"""Shuffling: months cut into chunks of random lengths, in random order, dealt to workers; the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

LONGEST_CHUNK: Final = 12

Chunk = tuple[str, ...]


def shuffled(months: Sequence[str], *, seed: int, workers: int) -> list[list[Chunk]]:
    """For each worker its chunks in the order in which it computes them; together they are all `months` once."""
    chance = np.random.default_rng(seed)
    longest = min(LONGEST_CHUNK, max(1, len(months) // workers))
    chunks: list[Chunk] = []
    position = 0
    while position < len(months):
        length = int(chance.integers(1, longest + 1))
        chunks.append(tuple(months[position : position + length]))
        position += length
    order = chance.permutation(len(chunks))
    dealt: list[list[Chunk]] = [[] for _ in range(workers)]
    for number, chosen in enumerate(order):
        dealt[number % workers].append(chunks[int(chosen)])
    return dealt
