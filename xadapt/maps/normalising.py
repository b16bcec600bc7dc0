"""Normalisation of word vectors: unit length and centering, in a given order.

The means are those of the vectors that the map was fitted on, each side its own. They are saved
with the map, so that further vectors are shifted by the same means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.core.registry import unknown

ACTIONS = ("unit", "center", "centeremb", "none")
ALIASES = {"renorm": "unit"}
"""Names of MUSE for actions that VecMap names otherwise."""

VECMAP = ("unit", "center", "unit")


@dataclass(frozen=True)
class Normalisation:
    """Actions on vectors, in order, with the means of `center`.

    Attributes:
        actions: ``unit`` (length 1), ``center`` (subtract the mean vector) or ``centeremb``
            (subtract from each vector the mean of its values).
        means: One mean ``(dim,)`` for each ``center``, in order.
    """

    actions: tuple[str, ...]
    means: tuple[Tensor, ...] = ()

    @classmethod
    def fit(cls, vectors: Tensor, actions: Sequence[str]) -> tuple[Normalisation, Tensor]:
        """Compute the means of some vectors.

        Args:
            vectors: ``(n, dim)``, fp32; not changed.
            actions: The actions, as from `parse_actions`.

        Returns:
            The normalisation, and the normalised vectors ``(n, dim)``.
        """
        means: list[Tensor] = []
        for action in actions:
            if action == "center":
                means.append(vectors.double().mean(0).float())
            vectors = _acted(vectors, action, means[-1] if means else None)
        return cls(tuple(actions), tuple(means)), vectors

    def __call__(self, vectors: Tensor) -> Tensor:
        """Normalise vectors ``(n, dim)`` with the saved means."""
        means = iter(self.means)
        for action in self.actions:
            vectors = _acted(vectors, action, next(means) if action == "center" else None)
        return vectors


def parse_actions(given: str | Sequence[str]) -> tuple[str, ...]:
    """Read actions from text such as ``unit,center,unit``; ``none`` and empty text are no action.

    Raises:
        UserError: If an action is unknown.
    """
    parts = given.replace(",", " ").split() if isinstance(given, str) else list(given)
    names = [ALIASES.get(part, part) for part in parts]
    wrong = next((name for name in names if name not in ACTIONS), None)
    if wrong is not None:
        raise UserError(
            unknown("normalisation", str(wrong), (*ACTIONS, *ALIASES)), where="normalize"
        )
    return tuple(name for name in names if name != "none")


def unit(vectors: Tensor) -> Tensor:
    """Scale vectors to length 1; a vector of zeros stays."""
    lengths = vectors.norm(dim=1, keepdim=True)
    return vectors / torch.where(lengths > 0, lengths, 1.0)


def _acted(vectors: Tensor, action: str, mean: Tensor | None) -> Tensor:
    if action == "unit":
        return unit(vectors)
    if action == "centeremb":
        return vectors - vectors.mean(1, keepdim=True)
    assert mean is not None
    return vectors - mean
