"""Skip-gram vectors of the nodes of walks, by gensim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import missing_extra


class _Sentences:
    """Walks as lists of words; gensim reads them several times."""

    def __init__(self, walks: Callable[[], Iterable[NDArray[np.int32]]]) -> None:
        self._walks = walks

    def __iter__(self) -> Iterator[list[str]]:
        for block in self._walks():
            for row in block.tolist():
                yield [str(node) for node in row if node >= 0]


def node_vectors(
    walks: Callable[[], Iterable[NDArray[np.int32]]],
    nodes: int,
    *,
    dim: int = 100,
    window: int = 5,
    epochs: int = 3,
    rate: float = 0.05,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Learn a vector for each node, as skip-gram with negative sampling does for words.

    One thread trains, so that a seed gives the same vectors each time. No node is too rare.

    Args:
        walks: Gives the walks, blocks ``(some, length)`` of nodes with -1 after the end; called
            once more than there are epochs.
        nodes: Number of nodes.
        dim: Values of a vector.
        window: Nodes on each side that are predicted.
        epochs: Passes over the walks.
        rate: Learning rate at the beginning; it falls to almost 0.
        seed: Seed of the first vectors.

    Returns:
        ``(nodes, dim)``; zero for a node that is in no walk.

    Raises:
        UserError: If gensim is not installed.
    """
    try:
        from gensim.models import Word2Vec
    except ImportError:
        raise missing_extra("gensim", "match") from None
    model = Word2Vec(
        _Sentences(walks), vector_size=dim, window=window, sg=1, min_count=1, epochs=epochs,
        alpha=rate, seed=seed, workers=1,
    )  # fmt: skip
    found = np.zeros((nodes, dim), dtype=np.float32)
    for word, place in model.wv.key_to_index.items():
        found[int(word)] = model.wv.vectors[place]
    return found
