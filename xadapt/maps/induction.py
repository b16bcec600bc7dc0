"""Induction of a dictionary from two aligned spaces by CSLS, and top neighbours by product."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.vectors.matching import mutual
from xadapt.vectors.search.exact import Neighbours, Pair
from xadapt.vectors.search.nearest import around, pair_of, search
from xadapt.vectors.search.sides import Side

BUILDS = ("S2T", "T2S", "S2T|T2S", "S2T&T2S")
"""MUSE's names: from source to target, from target to source, either, and both."""


@dataclass(frozen=True)
class Products:
    """Inner products of ``queries (n, dim)`` and ``pool (m, dim)``, as a `Similarity`."""

    queries: Tensor
    pool: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """The number of queries and the size of the pool."""
        return len(self.queries), len(self.pool)

    def rows(self, start: int, stop: int) -> Tensor:
        """Compute products ``(stop - start, pool)``."""
        return self.queries[start:stop] @ self.pool.T

    def swapped(self) -> Products:
        """Return the products with queries and pool swapped."""
        return Products(self.pool, self.queries)


def best_by_csls(
    mapped: Tensor, target: Tensor, first: int, k: int, both: bool = True
) -> tuple[Neighbours, Neighbours | None]:
    """Find the best target of each source word by CSLS, and the reverse.

    The neighbourhoods are over all words; only the first words of each side ask.

    Args:
        mapped: All mapped source vectors ``(n, dim)``.
        target: All target vectors ``(m, dim)``.
        first: Number of words of each side that ask; 0 or less means all.
        k: Size of the CSLS neighbourhood; 0 uses cosines alone.
        both: Whether target words ask too.
    """
    pair = pair_of(mapped, target)
    pair = around(pair, min(k, len(mapped), len(target))) if k else pair
    forward = search(_asking(pair, first), 1, False)[0]
    return forward, search(_asking(pair.swapped(), first), 1, False)[0] if both else None


def induced(
    mapped: Tensor,
    target: Tensor,
    *,
    max_rank: int = 10_000,
    csls: int = 10,
    build: str = "S2T&T2S",
) -> Tensor:
    """Induce a dictionary of mutual nearest neighbours by CSLS, as MUSE's ``build_dictionary``.

    Args:
        mapped: All mapped source vectors ``(n, dim)``, most frequent words first.
        target: All target vectors ``(m, dim)``.
        max_rank: Only pairs of the first words of both sides are kept; 0 keeps all. MUSE keeps one
            rank more.
        csls: Size of the neighbourhood.
        build: One of `BUILDS`.

    Returns:
        Pairs ``(p, 2)``, sorted by source word; there may be none.
    """
    forward, backward = best_by_csls(mapped, target, max_rank, csls, build != "S2T")
    if build == "S2T&T2S" and max_rank <= 0:
        assert backward is not None
        return torch.from_numpy(mutual(forward, backward))
    there = _pairs(forward)
    back = np.empty((0, 2), np.int64) if backward is None else _pairs(backward)[:, ::-1]
    if build in ("S2T", "T2S"):
        found = there if build == "S2T" else back
    else:
        found = _common(there, back) if build == "S2T&T2S" else np.concatenate([there, back])
    if max_rank > 0:
        found = found[found.max(axis=1) < max_rank] if len(found) else found
    return torch.from_numpy(np.unique(found, axis=0))


def _asking(pair: Pair, first: int) -> Pair:
    """Keep only the first rows of the asking side, with their CSLS means."""
    if first <= 0 or first >= len(pair.asking):
        return pair
    means = pair.half_means
    part = Side.of_units(pair.asking.units(0, first))
    return replace(
        pair, asking=part, half_means=None if means is None else (means[0][:first], means[1])
    )


def _pairs(found: Neighbours) -> NDArray[np.int64]:
    return np.stack([np.arange(len(found.indices)), found.indices[:, 0]], axis=1)


def _common(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    both = {tuple(row) for row in one.tolist()} & {tuple(row) for row in other.tolist()}
    return np.array(sorted(both), dtype=np.int64).reshape(-1, 2)
