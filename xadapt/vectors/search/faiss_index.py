"""Search with a faiss index, exact or approximate, for pools too large for a full product.

An index is named by text: ``faiss`` is a flat index. ``faiss:IVF1024,Flat`` and ``faiss:HNSW32``
use faiss's factory strings (https://github.com/facebookresearch/faiss/wiki/The-index-factory).
``faiss:IVF1024,Flat:nprobe=32`` also sets the number of lists to search. faiss's default is one
list of an IVF, which misses many neighbours. The faiss index keeps the whole pool in memory.

As in `xadapt.vectors.search.sweep`, the index only nominates candidates, by inner products. The
candidates are then scored exactly. The products of a flat index have a proven error bound, so the
answer is exact, ties included. With other indexes the scores are exact, but the index chooses the
neighbours. If the index finds fewer than k for a row, the row is searched exactly.

For CSLS, half of a score is the cosine minus the two half means. The half mean of a query is the
same for the whole pool. So each pool vector is indexed with its half mean as one more number, and
a query has -1 in that place. The inner products are then in the order of CSLS. The means are over
the k nearest that an index of the plain vectors finds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.core.errors import UserError, missing_extra
from xadapt.vectors.search.exact import (
    HARD_ROWS,
    Neighbours,
    Pair,
    cosines,
    merge_best,
    search_rows,
)
from xadapt.vectors.search.sides import Side, spans
from xadapt.vectors.search.sweep import Options, error_bound

NAME = "faiss"
ROWS = 2**14
WHERE = re.compile(r"^Error in .* at \S+:\d+: (Error: '.*' failed: (?=\S))?")


@dataclass(frozen=True)
class FaissIndex:
    """The choice of a faiss index.

    Attributes:
        factory: A factory string of faiss.
        settings: Search parameters, such as ``nprobe=32``, separated by commas.
    """

    factory: str = "Flat"
    settings: str = ""

    @classmethod
    def parse(cls, text: str) -> FaissIndex:
        """Parse ``faiss``, ``faiss:FACTORY`` or ``faiss:FACTORY:SETTINGS``.

        Raises:
            UserError: If the text has another form.
        """
        name, *rest = text.split(":")
        if name != NAME or len(rest) > 2 or not all(rest):
            raise UserError(
                f"unknown index {text!r}",
                todo=f"Use {NAME}, or {NAME}:FACTORY such as {NAME}:IVF1024,Flat:nprobe=32",
            )
        return cls(*rest)

    def sweep(
        self, pair: Pair, k: int, both: bool, options: Options
    ) -> tuple[Neighbours, Neighbours | None]:
        """Find the k best of the pool for each query, and with ``both`` the reverse.

        Args:
            pair: The sides.
            k: Number of neighbours, at most the size of the other side.
            both: Whether to search the reverse direction too, with a second index.
            options: The memory limit is for everything except the index.

        Raises:
            UserError: If faiss is not installed or has no such index or setting, or the pool is
                too small to train an index.
        """
        try:
            faiss: Any = import_module(NAME)
        except ImportError:
            raise missing_extra(NAME, NAME) from None
        try:
            forward = _Search(faiss, self, pair, k, options).run()
            if not both:
                return forward, None
            return forward, _Search(faiss, self, pair.swapped(), k, options).run()
        except RuntimeError as error:
            if not str(error).startswith("Error in"):
                raise  # not an error of faiss
            raise UserError(
                f"faiss can't search by {str(self)!r}: {WHERE.sub('', str(error))}",
                todo="See The index factory in faiss's wiki, or search without an index",
            ) from None

    def made(self, faiss: Any, vectors: _Grown, memory: int) -> Any:
        """Build the index of the given vectors.

        Args:
            faiss: The package.
            vectors: The vectors of the pool.
            memory: Largest size of the training vectors in bytes.
        """
        count, dim = len(vectors.side), vectors.dim
        index = faiss.index_factory(dim, self.factory, faiss.METRIC_INNER_PRODUCT)
        if self.settings:
            faiss.ParameterSpace().set_index_parameters(index, self.settings)
        if not index.is_trained:
            step = -(-count // max(1, memory // (4 * dim)))
            index.train(vectors.at(torch.arange(0, count, step, device=vectors.side.device)))
        for start, stop in spans(count, ROWS):
            index.add(vectors.span(start, stop))
        return index

    def __str__(self) -> str:
        return ":".join(part for part in (NAME, self.factory, self.settings) if part)


@dataclass(frozen=True)
class _Grown:
    """Unit vectors for faiss, with one more number if half means are given."""

    side: Side
    more: Tensor | None = None

    @property
    def dim(self) -> int:
        return self.side.dim + (self.more is not None)

    def span(self, start: int, stop: int) -> NDArray[np.float32]:
        more = None if self.more is None else self.more[start:stop]
        return _joined(self.side.units(start, stop), more)

    def at(self, positions: Tensor) -> NDArray[np.float32]:
        return _joined(self.side.at(positions), None if self.more is None else self.more[positions])


class _Search:
    """A search of one side in an index of the other side."""

    def __init__(
        self, faiss: Any, wanted: FaissIndex, pair: Pair, k: int, options: Options
    ) -> None:
        self.pair, self.k, self.memory = pair, min(k, len(pair.asked)), options.memory
        self.room = min(len(pair.asked), 3 * self.k + 10)
        means = pair.half_means
        minus = None if means is None else torch.full_like(means[0], -1.0)
        self.asking = _Grown(pair.asking, minus)
        self.index = wanted.made(
            faiss, _Grown(pair.asked, None if means is None else means[1]), options.memory
        )
        self.exact = type(self.index) in (faiss.IndexFlat, faiss.IndexFlatIP)
        # An exact product has the same error as a tile; half means lie between -1 and 1.
        nothing = torch.zeros(1, device=pair.asking.device)
        bound = float(error_bound(nothing, nothing, self.asking.dim + 1))
        self.error = bound if means is None else 2 * bound

    def run(self) -> Neighbours:
        """Find the k best for each query."""
        size = max(1, min(ROWS, self.memory // (4 * self.asking.dim + 32 * self.room)))
        parts = []
        for start, stop in spans(len(self.pair.asking), size):
            near, found = self.index.search(self.asking.span(start, stop), self.room)
            parts.append(self._settle(start, near, torch.from_numpy(found)))
        return Neighbours.of(parts)

    def _settle(
        self, first: int, near: NDArray[np.float32], found: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return exact scores ``(rows, k)`` and positions of candidates ``(rows, room)``.

        A candidate of -1 is an empty place.
        """
        found = found.to(self.pair.asking.device).sort(dim=1).values
        row, slot = torch.nonzero(found >= 0, as_tuple=True)
        columns = found[row, slot]
        exact = torch.full(found.shape, -torch.inf, device=found.device)
        dots = cosines(self.pair, first + row, columns)
        exact[row, slot] = self.pair.rounded(dots, first + row, columns)
        scores, indices = merge_best([(exact, found)], self.k)
        hard = torch.isinf(scores[:, -1])
        if self.exact and self.room < len(self.pair.asked):
            hard |= scores[:, -1] <= self._unseen(first, near)
        for part in torch.nonzero(hard)[:, 0].split(HARD_ROWS) if hard.any() else ():
            scores[part], indices[part] = search_rows(self.pair, first + part, self.k)
        return scores, indices

    def _unseen(self, first: int, near: NDArray[np.float32]) -> Tensor:
        """Bound the score ``(rows,)`` of all vectors that a flat index did not nominate."""
        most = torch.from_numpy(near[:, -1]).to(self.pair.asking.device).double() + self.error
        if self.pair.half_means is not None:
            most = 2 * (most - self.pair.half_means[0][first : first + len(near)])
        return most.float()


def _joined(units: Tensor, more: Tensor | None) -> NDArray[np.float32]:
    if more is not None:
        units = torch.cat([units, more[:, None].float()], dim=1)
    return np.ascontiguousarray(units.cpu().numpy(), dtype=np.float32)
