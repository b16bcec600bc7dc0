"""The k nearest of large sets, exactly and in bounded memory, one way or both ways in one pass.

Or by an index of faiss, see `xadapt.vectors.search.faiss_index`.
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
    """The ``k`` of the pool nearest to each query.

    Args:
        queries: ``(n, dim)``, any float type and length; array, memmap or tensor.
        pool: ``(m, dim)``.
        k: How many; cut to ``m``.
        csls: Size of the neighbourhood whose mean cosine is taken off at both ends; 0 scores by
            cosine. CSLS needs a pass both ways before its own.
        options: See `Options`.
        index: Search by an index of faiss: ``faiss`` is exact, ``faiss:IVF1024,Flat:nprobe=32``
            or ``faiss:HNSW32`` are not. See `xadapt.vectors.search.faiss_index`.

    Raises:
        UserError: As `both_ways`.
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
    """The ``k`` of the pool nearest to each query and the reverse, from the same products.

    Args:
        queries: See `one_way`.
        pool: See `one_way`.
        k: How many; cut to the size of the side asked.
        csls: See `one_way`.
        options: See `Options`.
        index: See `one_way`.

    Raises:
        UserError: A set is empty or holds NaN or infinity, the widths differ, ``k`` is less than
            1, or the device's float32 product is less exact than float32; or there is no such
            index, or no faiss.
    """
    pair = pair_of(queries, pool)
    forward, backward = search(pair, k, True, csls=csls, options=options, index=index)
    assert backward is not None
    return forward, backward


def pair_of(queries: Vectors, pool: Vectors) -> Pair:
    """Two checked sets.

    Raises:
        UserError: A set is empty or holds NaN or infinity, or the widths differ.
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
    """`one_way` or `both_ways` of sides already read."""
    if k < 1 or csls < 0:
        raise UserError(f"k must be at least 1, not {k if k < 1 else csls}")
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
    """The same sides, scored by CSLS: a pass both ways finds each one's mean over k nearest."""
    forward, backward = by(pair, k, True, options)
    assert backward is not None
    device = pair.asking.device
    means = [torch.from_numpy(found.scores.mean(axis=1) / 2) for found in (forward, backward)]
    return Pair(pair.asking, pair.asked, (means[0].to(device), means[1].to(device)))
