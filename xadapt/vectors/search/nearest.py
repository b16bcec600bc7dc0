"""Find the k nearest in large sets, exactly, in bounded memory, in one or both directions.

Both directions need one pass. A search can also use a faiss index, see
`xadapt.vectors.search.faiss_index`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.vectors.search.exact import InexactError, Neighbours, Pair
from xadapt.vectors.search.faiss_index import FaissIndex
from xadapt.vectors.search.sides import Side, Vectors
from xadapt.vectors.search.sweep import Options, sweep

PLAIN = Options()
Sweep = Callable[[Pair, int, bool, Options], tuple[Neighbours, Neighbours | None]]


def one_way(
    queries: Vectors,
    pool: Vectors,
    k: int,
    *,
    csls: int = 0,
    options: Options = PLAIN,
    index: str | None = None,
) -> Neighbours:
    """Find the ``k`` vectors of the pool nearest to each query.

    Args:
        queries: ``(n, dim)``, any float type and length; array, memmap or tensor.
        pool: ``(m, dim)``.
        k: Number of neighbours, at most ``m``.
        csls: Size of the CSLS neighbourhood. The mean cosines of both neighbourhoods are
            subtracted. 0 scores by cosine. CSLS needs an extra pass in both directions.
        options: See `Options`.
        index: Name of a faiss index. ``faiss`` is exact. ``faiss:IVF1024,Flat:nprobe=32`` and
            ``faiss:HNSW32`` are not exact. See `xadapt.vectors.search.faiss_index`.

    Raises:
        UserError: If the input is wrong, as in `both_ways`.
    """
    return search(pair_of(queries, pool), k, False, csls=csls, options=options, index=index)[0]


def both_ways(
    queries: Vectors,
    pool: Vectors,
    k: int,
    *,
    csls: int = 0,
    options: Options = PLAIN,
    index: str | None = None,
) -> tuple[Neighbours, Neighbours]:
    """Find the ``k`` of the pool nearest to each query and the reverse, from the same products.

    Args:
        queries: See `one_way`.
        pool: See `one_way`.
        k: Number of neighbours, at most the size of the other side.
        csls: See `one_way`.
        options: See `Options`.
        index: See `one_way`.

    Raises:
        UserError: If a set is empty or contains NaN or infinity, the widths differ, ``k`` is less
            than 1, ``csls`` is less than 0, the device's product is less exact than float32, there
            is no such index, or faiss is not installed.
    """
    pair = pair_of(queries, pool)
    forward, backward = search(pair, k, True, csls=csls, options=options, index=index)
    assert backward is not None
    return forward, backward


def pair_of(queries: Vectors, pool: Vectors) -> Pair:
    """Check two sets of vectors.

    Raises:
        UserError: If a set is empty or contains NaN or infinity, or the widths differ.
    """
    device = next((v.device for v in (queries, pool) if isinstance(v, Tensor)), None)
    left, right = Side.of(queries, "queries", device), Side.of(pool, "pool", device)
    if left.dim != right.dim:
        raise UserError(
            f"vectors of {left.dim} and {right.dim} numbers can't be compared",
            todo="Give two sets of vectors of one width",
        )
    return Pair(left, right)


def search(
    pair: Pair,
    k: int,
    both: bool,
    *,
    csls: int = 0,
    options: Options = PLAIN,
    index: str | None = None,
) -> tuple[Neighbours, Neighbours | None]:
    """Search as in `one_way` or `both_ways`, with sides that are already read."""
    if k < 1:
        raise UserError(f"k must be at least 1, not {k}")
    if csls < 0:
        raise UserError(f"csls must be at least 0, not {csls}")
    by = sweep if index is None else FaissIndex.parse(index).sweep
    try:
        return by(around(pair, csls, options, by) if csls else pair, k, both, options)
    except InexactError:
        if options.half:
            return search(pair, k, both, csls=csls, options=replace(options, half=False))
        raise UserError(
            "the product of this device is less exact than float32",
            todo='Set torch.set_float32_matmul_precision("highest")',
        ) from None


def around(pair: Pair, k: int, options: Options = PLAIN, by: Sweep = sweep) -> Pair:
    """Return the same sides with CSLS means, from a pass in both directions over the k nearest."""
    forward, backward = by(pair, k, True, options)
    assert backward is not None
    device = pair.asking.device
    means = [torch.from_numpy(found.scores.mean(axis=1) / 2) for found in (forward, backward)]
    return Pair(pair.asking, pair.asked, (means[0].to(device), means[1].to(device)))
