"""Shuffles of months: every month once, chunks of neighbours, the same for the same seed, other orders for others."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.assets.partitions import next_month
from goldsignal_pipeline.proofs.shuffling import LONGEST_CHUNK, shuffled


def months(count: int) -> list[str]:
    return [next_month("2019-11", steps=step) for step in range(count)]


@settings(deadline=None, max_examples=60)
@given(count=st.integers(1, 40), seed=st.integers(0, 10_000), workers=st.integers(1, 3))
def test_every_month_is_dealt_once_in_chunks_of_neighbours(count: int, seed: int, workers: int) -> None:
    dealt = shuffled(months(count), seed=seed, workers=workers)
    assert len(dealt) == workers
    chunks = [chunk for own in dealt for chunk in own]
    assert sorted(month for chunk in chunks for month in chunk) == months(count)
    for chunk in chunks:
        assert 1 <= len(chunk) <= LONGEST_CHUNK
        assert list(chunk) == [next_month(chunk[0], steps=step) for step in range(len(chunk))]
    assert dealt == shuffled(months(count), seed=seed, workers=workers)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_seeds_give_other_orders_and_other_cuts() -> None:
    ways = {str(shuffled(months(12), seed=seed, workers=2)) for seed in range(10)}
    assert len(ways) > 5
    firsts = {shuffled(months(12), seed=seed, workers=2)[0][0][0] for seed in range(30)}
    assert len(firsts) > 5
