"""Random walks on a graph: all walks of a block take a step together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

BLOCK = 2**15
Walks = NDArray[np.int32]


def random_walks(
    graph: csr_matrix,
    starts: NDArray[np.integer],
    length: int,
    seed: int = 0,
    *,
    workers: int = 1,
    block: int = BLOCK,
) -> Iterator[Walks]:
    """Yield uniform random walks, block by block.

    A walk goes to each neighbour with equal probability. A node without neighbours ends its walk;
    the rest of its row is -1. The walks depend on the seed and the block, not on the workers.

    Args:
        graph: The neighbours of each node as a sparse matrix ``(nodes, nodes)``; its values are
            not read.
        starts: The first node of each walk ``(walks,)``.
        length: Number of nodes of a walk.
        seed: Seed of the walks.
        workers: Threads.
        block: Walks at a time.

    Yields:
        Nodes ``(some, length)``, in the order of the starts.
    """
    pieces = [np.asarray(starts[i : i + block], np.int64) for i in range(0, len(starts), block)]
    seeds = np.random.SeedSequence(seed).spawn(len(pieces))
    ends, nodes = np.asarray(graph.indptr, np.int64), graph.indices

    def walk(number: int) -> Walks:
        draw = np.random.default_rng(seeds[number])
        here = pieces[number]
        found = np.full((len(here), length), -1, dtype=np.int32)
        alive = np.arange(len(here))
        for step in range(length):
            found[alive, step] = here
            if step + 1 == length:
                break
            first, degree = ends[here], ends[here + 1] - ends[here]
            goes = degree > 0
            alive, first, degree = alive[goes], first[goes], degree[goes]
            here = nodes[first + (draw.random(len(first)) * degree).astype(np.int64)].astype(
                np.int64
            )
        return found

    if workers == 1:
        yield from map(walk, range(len(pieces)))
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = iter(range(len(pieces)))
        running = [pool.submit(walk, i) for i in islice(waiting, workers)]
        while running:
            done = running.pop(0)
            running += [pool.submit(walk, i) for i in islice(waiting, 1)]
            yield done.result()
