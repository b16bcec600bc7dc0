"""Vectors of one kind for the entities of two graphs, of which any entity may lack one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.tasks.kg.likeness import ByVectors, Positions
from xadapt.vectors.search.sides import spans

Vectors = NDArray[np.float32]
Present = NDArray[np.bool_]
BLOCK = 2**14


@dataclass(frozen=True)
class Modality:
    """Unit vectors of one kind, such as those of images.

    A row without a vector is zero, so that nothing that stood there acts.

    Attributes:
        left: ``(left entities, dim)``, of length 1 or 0.
        right: ``(right entities, dim)``.
    """

    left: Vectors
    right: Vectors

    @classmethod
    def of(
        cls,
        left: NDArray[np.floating],
        right: NDArray[np.floating],
        has: tuple[Present, Present] | None = None,
    ) -> Modality:
        """Make unit vectors of any vectors.

        Args:
            left: Vectors ``(left entities, dim)``.
            right: Vectors ``(right entities, dim)``.
            has: Whether each left and each right entity has a vector. Rows of others are not read.
                By default an entity has one unless its row is zero.

        Raises:
            UserError: If the widths differ, or a vector that is there has a number that is not
                finite.
        """
        if left.shape[1] != right.shape[1]:
            raise UserError(
                f"the vectors of one side have {left.shape[1]} numbers and those of the other "
                f"{right.shape[1]}"
            )
        sides = (left, right)
        given = (None, None) if has is None else has
        return cls(*(_unit(own, there) for own, there in zip(sides, given, strict=True)))

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of left and of right entities."""
        return len(self.left), len(self.right)

    @property
    def has(self) -> tuple[Present, Present]:
        """Whether each left and each right entity has a vector."""
        return np.asarray(self.left.any(axis=1)), np.asarray(self.right.any(axis=1))

    @property
    def view(self) -> ByVectors:
        """The modality alone, as a view of an alignment."""
        return ByVectors(self.left, self.right)

    def chosen(self, left: Positions, right: Positions) -> Modality:
        """Return the vectors of some of the entities."""
        return Modality(self.left[left], self.right[right])

    def without(self, left: Present, right: Present) -> Modality:
        """Return the modality with the vectors of some entities taken away.

        Args:
            left: Whether each left entity loses its vector.
            right: Whether each right entity does.
        """
        made = replace(self, left=self.left.copy(), right=self.right.copy())
        made.left[left], made.right[right] = 0, 0
        return made


def shares(modality: Modality) -> tuple[float, float]:
    """Return the shares of left and of right entities that have a vector."""
    left, right = (float(own.mean()) for own in modality.has)
    return left, right


def require_overlap(modalities: Sequence[Modality]) -> None:
    """Refuse modalities none of which has a vector on both sides.

    Raises:
        UserError: If all are missing.
    """
    if not any(left.any() and right.any() for left, right in (one.has for one in modalities)):
        raise UserError(
            "no modality has a vector on both sides, so that nothing can be compared",
            where="--modalities",
            todo="Check the names, facts, attributes and images of both graphs",
        )


def _unit(vectors: NDArray[np.floating], has: Present | None) -> Vectors:
    made = np.zeros(vectors.shape, dtype=np.float32)
    for start, stop in spans(len(vectors), BLOCK):
        own = np.arange(start, stop) if has is None else start + np.flatnonzero(has[start:stop])
        rows = np.asarray(vectors[own], dtype=np.float32)
        if not np.isfinite(rows).all():
            raise UserError("a vector has a number that is not finite")
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        made[own] = rows / np.where(lengths > 0, lengths, 1)
    return made
