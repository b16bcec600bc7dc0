"""The order of the data: a pure function of seed and step, so the order is never saved."""

from __future__ import annotations

import random
from collections.abc import Sequence

POOL = 64


def epoch_batches(lengths: Sequence[int], size: int, seed: str) -> list[list[int]]:
    """Make the batches of one epoch: shuffle, group records of like length, shuffle the batches.

    Args:
        lengths: Length of each record, in tokens or characters.
        size: Number of records in a batch; one batch of the epoch may be smaller.
        seed: Name of the epoch; the same name gives the same batches.

    Returns:
        Positions of the records, each exactly once.
    """
    rng = random.Random(seed)
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches = []
    for start in range(0, len(order), size * POOL):
        pool = sorted(order[start : start + size * POOL], key=lambda i: lengths[i])
        batches += [pool[i : i + size] for i in range(0, len(pool), size)]
    rng.shuffle(batches)
    return batches


class BatchPlan:
    """The plan of which records each step trains on, for one source of records.

    Args:
        lengths: Length of each record.
        size: Number of records in a batch.
        seed: Seed of the order.
    """

    def __init__(self, lengths: Sequence[int], size: int, seed: str) -> None:
        self.lengths, self.size, self.seed = lengths, size, seed
        self.per_epoch = -(-len(lengths) // size)
        self._epoch: tuple[int, list[list[int]]] = (-1, [])

    def batch(self, step: int) -> list[int]:
        """Return the positions of the records of a step, counted from 0.

        Epochs follow one another.
        """
        epoch, at = divmod(step, self.per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = epoch, epoch_batches(self.lengths, self.size, f"{self.seed}:{epoch}")
        return self._epoch[1][at]
