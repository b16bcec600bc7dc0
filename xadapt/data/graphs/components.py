"""Connected components of entities under links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def components(entities: Mapping[str, int], pairs: Iterable[tuple[str, str]]) -> NDArray[np.int32]:
    """Return the connected component of each entity under links, as a number, ``(entities,)``.

    Args:
        entities: The position of each entity.
        pairs: The links.

    Raises:
        KeyError: If a link has another entity.
    """
    ends = np.array([(entities[a], entities[b]) for a, b in pairs], dtype=np.int64).reshape(-1, 2)
    size = len(entities)
    edges = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), (size, size))
    found: NDArray[np.int32] = connected_components(edges, directed=False)[1]
    return found
