"""The contract of a method that maps one space of word vectors to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from xadapt.core.errors import UserError


@dataclass(frozen=True)
class LinearMaps:
    """The matrices of a method. Vectors are columns in formulas: a mapped vector is ``W x``.

    Attributes:
        source: ``W`` of the source side, ``(out, in)``, fp32: rows are mapped by ``X @ W.T``.
        target: The matrix of the target side; ``None`` if targets stay as they are.
    """

    source: Tensor
    target: Tensor | None = None

    def map_source(self, vectors: Tensor) -> Tensor:
        """Map normalised source vectors ``(n, in)`` to ``(n, out)``."""
        return vectors @ self.source.T

    def map_target(self, vectors: Tensor) -> Tensor:
        """Map normalised target vectors ``(n, in)`` to ``(n, out)``."""
        return vectors if self.target is None else vectors @ self.target.T


@dataclass(frozen=True)
class Spaces:
    """The input of a method.

    Attributes:
        source: Normalised source vectors ``(n, dim)``, fp32, most frequent words first.
        target: Normalised target vectors ``(m, dim)``.
        pairs: Rows of the dictionary, positions of source and target words, ``(p, 2)``.
        score: A function that scores maps on held-out words, higher is better; ``None`` if nothing
            is held out. A method with several steps keeps the step with the best score.
        report: Receives a line for each step.
    """

    source: Tensor
    target: Tensor
    pairs: Tensor
    score: Callable[[LinearMaps], float] | None = None
    report: Callable[[str], None] = lambda _: None

    def pair_vectors(self) -> tuple[Tensor, Tensor]:
        """Return the vectors of the dictionary's rows, ``(p, dim)`` each, float64."""
        at, to = self.pairs[:, 0], self.pairs[:, 1]
        return self.source[at].double(), self.target[to].double()


class MapMethod(Protocol):
    """A method: a frozen dataclass whose fields are its options."""

    def fit(self, spaces: Spaces) -> LinearMaps:
        """Compute the maps.

        Raises:
            UserError: If the dictionary is too small for the method, or a value is not finite.
        """


class BestStep:
    """The maps with the best held-out score so far; without a score, the latest maps.

    Args:
        spaces: The input of the method.
    """

    def __init__(self, spaces: Spaces) -> None:
        self._spaces = spaces
        self._best: tuple[float, LinearMaps] | None = None

    def offer(self, maps: LinearMaps, name: str) -> None:
        """Offer the maps of a step. Of equal scores the first one stays."""
        score = self._spaces.score
        if score is None:
            self._best = (0.0, maps)
            return
        value = score(maps)
        self._spaces.report(f"{name}: {value:.4f} on held-out words")
        if self._best is None or value > self._best[0]:
            self._best = (value, maps)

    @property
    def maps(self) -> LinearMaps:
        """The best maps."""
        assert self._best is not None
        return self._best[1]


def require_finite(value: Tensor, what: str) -> Tensor:
    """Return a tensor as fp32.

    Raises:
        UserError: If a value is not finite.
    """
    if not torch.isfinite(value).all():
        raise UserError(f"{what} holds values that are not finite", todo="Use a lower lr")
    return value.float()
