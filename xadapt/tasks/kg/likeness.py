"""Likeness of entities of two graphs: by vectors, by spelling, and weighted sums of both.

A weighted sum of cosines is the cosine of longer vectors: unit vectors, each times the root of its
weight, side by side. So a sum of vectors alone is searched exactly in bounded memory, a million
entities a side. Spelling has sparse vectors, so that a sum with it is computed block by block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.evaluation import tfidf
from xadapt.tasks.kg.floors import bare_name
from xadapt.vectors import matching
from xadapt.vectors.matching import Similarity
from xadapt.vectors.search.sides import spans

Positions = NDArray[np.int64]
BLOCK = 2**14


class Likeness(Protocol):
    """One view of two sets of entities."""

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of left and of right entities."""

    def similarity(self) -> Similarity:
        """Return the scores ``(left, right)``, at most 1."""

    def chosen(self, left: Positions, right: Positions) -> Likeness:
        """Return the same view of some of the entities, in the given order."""


@dataclass(frozen=True)
class ByVectors:
    """Cosine of vectors ``(left, dim)`` and ``(right, dim)``; they may lie on disk."""

    left: NDArray[np.floating]
    right: NDArray[np.floating]

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of left and of right entities."""
        return len(self.left), len(self.right)

    def similarity(self) -> Similarity:
        """Return the cosines."""
        return matching.cosine(self.left, self.right)

    def chosen(self, left: Positions, right: Positions) -> ByVectors:
        """Return the vectors of some of the entities."""
        return ByVectors(self.left[left], self.right[right])


@dataclass(frozen=True)
class BySpelling:
    """TF-IDF cosine of character 2- to 4-grams of names, see `xadapt.evaluation.tfidf`."""

    left: csr_matrix
    right: csr_matrix

    @classmethod
    def of(cls, left: Sequence[str], right: Sequence[str]) -> BySpelling:
        """Make the view of names; an empty name is like nothing.

        Raises:
            UserError: If a side is empty, or no name has a character.
        """
        plain = tfidf.similarity(
            [bare_name(name) for name in left], [bare_name(name) for name in right]
        )
        return cls(plain.queries, plain.pool)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of left and of right entities."""
        return self.left.shape[0], self.right.shape[0]

    def similarity(self) -> Similarity:
        """Return the cosines; only requested rows are ever dense."""
        return tfidf.SparseCosine(self.left, self.right)

    def chosen(self, left: Positions, right: Positions) -> BySpelling:
        """Return the names of some of the entities."""
        return BySpelling(self.left[left], self.right[right])


@dataclass(frozen=True)
class Sum:
    """A weighted sum of similarities.

    Attributes:
        parts: The similarities, of one shape.
        weights: The weight of each.
    """

    parts: tuple[Similarity, ...]
    weights: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """The number of queries and the size of the pool."""
        return self.parts[0].shape

    def rows(self, start: int, stop: int) -> Tensor:
        """Compute scores ``(stop - start, pool)``, float32."""
        total = self.parts[0].rows(start, stop) * self.weights[0]
        for part, weight in zip(self.parts[1:], self.weights[1:], strict=True):
            total.add_(part.rows(start, stop), alpha=weight)
        return total

    def swapped(self) -> Sum:
        """Return the same scores with queries and pool swapped."""
        return Sum(tuple(part.swapped() for part in self.parts), self.weights)


@dataclass(frozen=True)
class Mixed:
    """A weighted sum of views.

    Attributes:
        views: The views by name, of one shape.
        weights: The weight of each by name; views without a weight, or with 0, are left out. They
            are divided by their sum.
    """

    views: Mapping[str, Likeness]
    weights: Mapping[str, float]

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of left and of right entities."""
        return next(iter(self.views.values())).shape

    @cached_property
    def _used(self) -> dict[str, float]:
        used = {name: self.weights[name] for name in self.views if self.weights.get(name)}
        if not used:
            raise UserError("all weights are 0", where="--weights", todo="Give one above 0")
        total = sum(used.values())
        return {name: weight / total for name, weight in used.items()}

    def vectors(self) -> ByVectors | None:
        """Return vectors whose cosine is the sum; ``None`` if a view has no vectors."""
        found = [self.views[name] for name in self._used]
        own = [view for view in found if isinstance(view, ByVectors)]
        if len(own) < len(found):
            return None
        if len(own) == 1:
            return own[0]
        weights = list(self._used.values())
        return ByVectors(
            side_by_side([view.left for view in own], weights, 0),
            side_by_side([view.right for view in own], weights, 1),
        )

    def similarity(self) -> Similarity:
        """Return the weighted sum of the views."""
        views = [self.views[name].similarity() for name in self._used]
        return Sum(tuple(views), tuple(self._used.values()))

    def chosen(self, left: Positions, right: Positions) -> Mixed:
        """Return the views of some of the entities."""
        used = {name: self.views[name].chosen(left, right) for name in self._used}
        return Mixed(used, self.weights)


def side_by_side(
    several: Sequence[NDArray[np.floating]], weights: Sequence[float], side: int
) -> NDArray[np.float32]:
    """Return unit vectors whose dot products are the weighted sum of the cosines of the given ones.

    A zero vector of one view adds nothing to the sum, and leaves the row shorter than 1. A further
    column, one for each of both sides, holds what is missing. The search divides by the length of a
    row, which would make the rest of such a row count more.

    Args:
        several: Vectors ``(n, any)``, as many of each kind.
        weights: The weight of each kind; their sum is 1.
        side: 0 for the left side, 1 for the right one.
    """
    width = sum(vectors.shape[1] for vectors in several)
    made = np.zeros((len(several[0]), width + 2), dtype=np.float32)
    for start, stop in spans(len(made), BLOCK):
        column = 0
        missing = np.zeros(stop - start)
        for vectors, weight in zip(several, weights, strict=True):
            part = np.asarray(vectors[start:stop], dtype=np.float32)
            length = np.linalg.norm(part, axis=1, keepdims=True)
            missing += np.where(length[:, 0] > 0, 0, weight)
            scaled = part / np.where(length > 0, length, 1) * np.float32(weight**0.5)
            made[start:stop, column : column + part.shape[1]] = scaled
            column += part.shape[1]
        made[start:stop, width + side] = missing**0.5
    return made
