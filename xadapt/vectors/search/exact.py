"""Compute exact scores of the candidates, and choose the k best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.report.display import Displayed
from xadapt.report.table import MOST_ROWS, Table
from xadapt.vectors.search.candidates import Candidates
from xadapt.vectors.search.sides import Side, spans

COLUMNS = 2048
PAIRS = 256
HARD_ROWS = 512


class _Best(NamedTuple):
    scores: NDArray[np.float64]
    """(queries, k)"""
    indices: NDArray[np.int64]
    """(queries, k), positions in the pool"""


class Neighbours(Displayed, _Best):
    """The best of the pool for each query, best first: a tuple ``(scores, indices)``.

    Attributes:
        scores: ``(queries, k)``.
        indices: ``(queries, k)``, positions in the pool.
    """

    __slots__ = ()

    @classmethod
    def of(cls, parts: list[tuple[Tensor, Tensor]]) -> Neighbours:
        """Concatenate scores and positions of consecutive queries."""
        scores = torch.cat([part[0] for part in parts]).double().cpu().numpy()
        return cls(scores, torch.cat([part[1] for part in parts]).cpu().numpy())

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON: one list for each query."""
        return {"scores": self.scores.tolist(), "indices": self.indices.tolist()}

    def _records(self) -> dict[str, Any]:
        count, k = self.indices.shape
        return {
            "query": np.repeat(np.arange(count), k),
            "rank": np.tile(np.arange(1, k + 1), count),
            "index": self.indices.ravel(),
            "score": self.scores.ravel(),
        }

    def _table(self) -> Table:
        count, k = self.indices.shape
        cells = (
            (str(query) if rank == 0 else "", rank + 1, index, float(self.scores[query, rank]))
            for query, row in enumerate(self.indices[: -(-MOST_ROWS // max(k, 1))].tolist())
            for rank, index in enumerate(row)
        )
        title = f"{count:,} queries, the {k} nearest of each"
        return Table(("query", "rank", "index", "score"), tuple(cells), title, total=count * k)

    def _draw(self, axes: Any) -> None:
        from xadapt.report.plots import draw_histogram

        draw_histogram(axes, self.scores[:, 0], "score of the nearest", "queries")


class InexactError(Exception):
    """A product with an error above the proven bound, so that candidates may be missing."""


@dataclass(frozen=True)
class Pair:
    """The two sides of a search, and the CSLS correction of their cosines.

    Attributes:
        asking: The query side, the rows.
        asked: The pool side, the columns.
        half_means: For CSLS, half the mean score of the neighbourhood of each row and column,
            ``(n,)`` and ``(m,)`` float64. The score is twice (the cosine minus both half means).
    """

    asking: Side
    asked: Side
    half_means: tuple[Tensor, Tensor] | None = None

    def held(self) -> Pair:
        """Return the same with all unit vectors in memory."""
        return Pair(self.asking.held(), self.asked.held(), self.half_means)

    def swapped(self) -> Pair:
        """Return the pair with the two sides swapped."""
        means = self.half_means
        return Pair(self.asked, self.asking, None if means is None else (means[1], means[0]))

    def rounded(self, dots: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Compute float32 scores from exact cosines of the given row and column positions."""
        if self.half_means is None:
            return dots.float()
        around = self.half_means[0][rows] + self.half_means[1][columns]
        return (2 * (dots - around)).float()


def settle(pair: Pair, first: int, found: Candidates) -> tuple[Tensor, Tensor]:
    """Find the k best of each row among its candidates.

    Args:
        pair: The sides.
        first: Position of the first row of ``found`` on the query side.
        found: Candidates after the last tile. With CSLS their scores are half CSLS scores.

    Returns:
        Scores ``(rows, k)`` float32 and positions, the first of equals first.

    Raises:
        InexactError: If the error of a tile's score is above the bound.
    """
    found.finish()
    parts = [
        _settle(pair, first + start, found, slice(start, stop))
        for start, stop in spans(len(found.scores), 2**14)
    ]
    scores, indices = torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])
    for part in torch.nonzero(found.hard)[:, 0].split(HARD_ROWS):
        scores[part], indices[part] = search_rows(pair, first + part, found.k)
    return scores, indices


def merge_best(best: list[tuple[Tensor, Tensor]], k: int) -> tuple[Tensor, Tensor]:
    """Return the k best of parts ``(rows, any)`` with positions that ascend from part to part."""
    scores = torch.cat([part[0] for part in best], dim=1)
    indices = torch.cat([part[1] for part in best], dim=1)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    return scores[:, :k], indices.gather(1, order[:, :k])


def top_rows(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k best of each row, the first of equals first.

    `torch.topk` does not define the choice among equals, so rows cut inside a tie are corrected.
    """
    scores, indices = rows.topk(min(k + 1, rows.shape[1]), dim=1)
    cut = torch.nonzero(scores[:, k - 1] == scores[:, -1])[:, 0]
    scores, indices = scores[:, :k], indices[:, :k].clone()
    if len(cut) and k < rows.shape[1]:
        chosen, last = rows[cut], scores[cut, -1:]
        above, equal = chosen > last, chosen == last
        room = k - above.sum(dim=1, keepdim=True)
        kept = above | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= room))
        indices[cut] = kept.nonzero()[:, 1].reshape(len(cut), k)
    indices = indices.sort(dim=1).values
    scores, order = rows.gather(1, indices).sort(dim=1, descending=True, stable=True)
    return scores, indices.gather(1, order)


def search_rows(pair: Pair, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the k best of some rows by exact products with the whole other side."""
    asking = pair.asking.at(rows).double()
    best: list[tuple[Tensor, Tensor]] = []
    for start, stop in spans(len(pair.asked), COLUMNS):
        columns = torch.arange(start, stop, device=rows.device)
        dots = asking @ pair.asked.units(start, stop).double().T
        scores = pair.rounded(dots, rows[:, None], columns)
        part, indices = top_rows(scores, min(k, stop - start))
        best = [merge_best([*best, (part, indices + start)], k)]
    return best[0]


def _settle(pair: Pair, first: int, found: Candidates, rows: slice) -> tuple[Tensor, Tensor]:
    inexact, indices = found.scores[rows], found.indices[rows].long()
    row, slot = torch.nonzero(torch.isfinite(inexact), as_tuple=True)
    columns = indices[row, slot]
    scores = cosines(pair, first + row, columns)
    scores = pair.rounded(scores, first + row, columns)
    seen = inexact[row, slot]
    half = scores if pair.half_means is None else scores / 2
    allowed = found.error[rows][row] + found.relative * seen.abs()
    if bool(((half - seen).abs() > allowed).any()):
        raise InexactError
    exact = torch.full_like(inexact, -torch.inf)
    exact[row, slot] = scores
    indices, order = indices.sort(dim=1)
    return merge_best([(exact.gather(1, order), indices)], found.k)


def cosines(pair: Pair, rows: Tensor, columns: Tensor) -> Tensor:
    """Compute exact cosines of pairs, read in the order of the pool, which may be on disk."""
    dots = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
    for part in columns.argsort().split(PAIRS):
        left, right = pair.asking.at(rows[part]), pair.asked.at(columns[part])
        dots[part] = torch.linalg.vecdot(left.double(), right.double())
    return dots
