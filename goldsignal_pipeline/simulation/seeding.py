"""Seeding: chance from a key that names what is drawn for, so that equal inputs give equal bits on every machine.

Only the raw stream of a named bit generator is used, whose stability numpy guarantees.
"""

from __future__ import annotations

import hashlib

import numpy as np

from goldsignal_pipeline.simulation.records import Integers


def uniform(key: str, *, size: int, below: int) -> Integers:
    """`size` whole numbers in [0, below), seeded by `key`; the bias of the remainder is below 2^-40."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")
    raw = np.random.PCG64(seed).random_raw(size)
    return np.asarray((raw % np.uint64(below)).astype(np.int64))
