"""Several processes encode as one: each computes some of the forwards, and all get every result.

A forward is computed whole, by one process, from the rows it would have anyway. So on equal
hardware, with as many threads in each process, results are bitwise those of one process, whatever
is made of them. Only inside `sharing`: there every process must ask for the same, in one order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from xadapt.core.errors import UserError

T = TypeVar("T")


class Crew(Protocol):
    """Processes that work together, such as `xadapt.training.processes.Processes`."""

    rank: int
    world: int

    def from_main(self, make: Callable[[], T]) -> T:
        """What the first process makes, in every process."""

    def from_each(self, value: T) -> list[T]:
        """What each process gives, in every process, by rank."""

    def exchange(self, own: Tensor | None) -> list[Tensor | None]:
        """A tensor of each process, or none, in every process, by rank; without gradient."""


_crew: ContextVar[Crew | None] = ContextVar("crew", default=None)


@contextmanager
def sharing(crew: Crew) -> Iterator[None]:
    """Share the encoding inside the block, which every process must go through alike.

    Args:
        crew: The processes; one alone changes nothing.
    """
    token = _crew.set(crew if crew.world > 1 else None)
    try:
        yield
    finally:
        _crew.reset(token)


def forwards(
    ids: Sequence[Sequence[int]],
    chunks: Iterable[list[int]],
    compute: Callable[[list[int]], Tensor],
    device: torch.device,
) -> Iterator[tuple[list[int], Tensor]]:
    """What is computed of each chunk, in order; inside `sharing` each process computes its own.

    Args:
        ids: Token sequences.
        chunks: Positions of the sequences of each forward.
        compute: The forward of one chunk.
        device: Where results are given back.

    Yields:
        Each chunk and its result.

    Raises:
        UserError: The processes have different texts, as from files that differ.
    """
    crew = _crew.get()
    if crew is None:
        for chunk in chunks:
            yield chunk, compute(chunk)
        return
    _require_same(crew, ids)
    order = list(chunks)
    for start in range(0, len(order), crew.world):
        group = order[start : start + crew.world]
        own = compute(group[crew.rank]) if crew.rank < len(group) else None
        for chunk, found in zip(group, crew.exchange(own), strict=False):
            assert found is not None
            yield chunk, found.to(device)


def by_first(make: Callable[[], T]) -> T:
    """What the first process makes, such as what it finds on its disk; alone, what one makes."""
    crew = _crew.get()
    return make() if crew is None else crew.from_main(make)


def is_shared() -> bool:
    """Whether several processes share the encoding just now."""
    return _crew.get() is not None


def is_first() -> bool:
    """Whether this process is the one that writes."""
    crew = _crew.get()
    return crew is None or crew.rank == 0


def _require_same(crew: Crew, ids: Sequence[Sequence[int]]) -> None:
    digest: Any = hashlib.sha256()
    for row in ids:
        digest.update(repr(list(row)).encode())
    if len(set(crew.from_each(digest.hexdigest()))) > 1:
        raise UserError(
            "the processes have different texts to encode",
            todo="Give every machine the same data and the same base",
        )
