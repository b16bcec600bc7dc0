"""Shared encoding by several processes: each computes some forwards, and all get every result.

One process computes a whole forward, from the same rows as without sharing. On equal hardware, with
as many threads in each process, results are therefore bitwise those of one process. Forwards are
shared only inside `sharing`: there every process must request the same forwards in the same order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor

from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.core.progress import ambient

T = TypeVar("T")


_context: ContextVar[DistributedContext | None] = ContextVar("context", default=None)


@contextmanager
def sharing(context: DistributedContext) -> Iterator[None]:
    """Share the encoding inside the block between processes; every process must run the block.

    Args:
        context: The processes; a single process changes nothing.
    """
    token = _context.set(context if context.world > 1 else None)
    try:
        yield
    finally:
        _context.reset(token)


def forwards(
    ids: Sequence[Sequence[int]],
    chunks: Iterable[list[int]],
    compute: Callable[[list[int]], Tensor],
    device: torch.device,
) -> Iterator[tuple[list[int], Tensor]]:
    """Compute each chunk, in order; inside `sharing` each process computes some of them.

    Inside `xadapt.core.progress.all_shown`, a bar counts the sequences.

    Args:
        ids: Token sequences.
        chunks: Positions of the sequences of each forward.
        compute: The forward of one chunk.
        device: The device of the results.

    Yields:
        Each chunk and its result.

    Raises:
        UserError: If the processes have different texts, for example from different files.
    """
    yield from ambient(_forwards(ids, chunks, compute, device), "encoding", len(ids))


def _forwards(
    ids: Sequence[Sequence[int]],
    chunks: Iterable[list[int]],
    compute: Callable[[list[int]], Tensor],
    device: torch.device,
) -> Iterator[tuple[list[int], Tensor]]:
    context = _context.get()
    if context is None:
        for chunk in chunks:
            yield chunk, compute(chunk)
        return
    _require_same(context, ids)
    order = list(chunks)
    for start in range(0, len(order), context.world):
        group = order[start : start + context.world]
        own = compute(group[context.rank]) if context.rank < len(group) else None
        for chunk, found in zip(group, context.exchange(own), strict=False):
            assert found is not None
            yield chunk, found.to(device)


def by_first(make: Callable[[], T]) -> T:
    """Compute a value in the first process for all processes, such as data read from its disk."""
    context = _context.get()
    return make() if context is None else context.from_main(make)


def is_shared() -> bool:
    """Whether several processes currently share the encoding."""
    return _context.get() is not None


def is_first() -> bool:
    """Whether this process is the one that writes."""
    context = _context.get()
    return context is None or context.rank == 0


def _require_same(context: DistributedContext, ids: Sequence[Sequence[int]]) -> None:
    digest: Any = hashlib.sha256()
    for row in ids:
        digest.update(repr(list(row)).encode())
    if len(set(context.from_each(digest.hexdigest()))) > 1:
        raise UserError(
            "the processes have different texts to encode",
            todo="Give every machine the same data and the same base",
        )
