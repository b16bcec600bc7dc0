"""Systems under evaluation: two callables that turn texts into vectors, one for each side."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.evaluation import tfidf
from xadapt.vectors import matching

Side = Callable[[Sequence[str]], NDArray[np.float32]]
Direction = Literal["to_pivot", "from_pivot"]
DIRECTIONS: tuple[Direction, ...] = ("to_pivot", "from_pivot")


@dataclass(frozen=True)
class System:
    """One row of an evaluation.

    Attributes:
        language: Callable from texts of the language to ``(n, dim)`` vectors.
        pivot: Callable from texts of the pivot language to vectors. None means the same callable
            as ``language`` (the module is active on both sides).
    """

    language: Side
    pivot: Side | None = None


@dataclass
class Encoded:
    """The texts of both sides, encoded by each system; every callable runs once a side.

    Attributes:
        texts: Texts of the language. Equal texts are encoded once, so that they share a vector.
        pivots: Texts of the pivot language.
    """

    texts: Sequence[str]
    pivots: Sequence[str]
    _done: dict[tuple[Hashable, bool], NDArray[np.float32]] = field(default_factory=dict)

    def similarity(self, system: System) -> matching.Cosine:
        """Compute the cosines ``(texts, pivots)``.

        Raises:
            UserError: If vectors hold NaN, or are not one for each text, or the sides' widths
                differ.
        """
        return matching.cosine(self.language(system), self.pivot(system))

    def language(self, system: System) -> NDArray[np.float32]:
        """Return the vectors ``(texts, dim)`` of the language side."""
        return self._encode(system.language, False)

    def pivot(self, system: System) -> NDArray[np.float32]:
        """Return the vectors ``(pivots, dim)`` of the pivot side."""
        return self._encode(system.pivot or system.language, True)

    def _encode(self, side: Side, pivot: bool) -> NDArray[np.float32]:
        key = (side if isinstance(side, Hashable) else id(side), pivot)
        if key not in self._done:
            texts = self.pivots if pivot else self.texts
            distinct = {text: position for position, text in enumerate(dict.fromkeys(texts))}
            vectors = np.asarray(side(list(distinct)), dtype=np.float32)
            if vectors.ndim != 2 or len(vectors) != len(distinct):
                raise UserError(
                    f"{len(distinct)} texts gave vectors of shape {vectors.shape}",
                    todo="An encoder must return one vector for each text, (n, dim)",
                )
            self._done[key] = vectors[[distinct[text] for text in texts]]
        return self._done[key]


def similarities(
    encoded: Encoded, systems: Mapping[str, System], *, control: bool
) -> dict[str, matching.Similarity]:
    """Compute the scores of each system by name, and of the TF-IDF control last.

    Raises:
        UserError: If there is no system, or one has the name of the control.
    """
    if not systems and not control:
        raise UserError("there is no system to evaluate")
    if control and tfidf.NAME in systems:
        raise UserError(f"{tfidf.NAME!r} is the name of the control", todo="Name the system anew")
    scores: dict[str, matching.Similarity] = {}
    for name, system in systems.items():
        scores[name] = encoded.similarity(system)
    if control:
        scores[tfidf.NAME] = tfidf.similarity(encoded.texts, encoded.pivots)
    return scores


def pivot_kept(encoded: Encoded, system: System, base: System) -> float | None:
    """Compute the mean cosine between the pivot vectors of a system and those of the base.

    The result is 1 if the system leaves the pivot vectors as they are, and None if the two
    systems differ in width.
    """
    ours, theirs = encoded.pivot(system), encoded.pivot(base)
    if ours.shape != theirs.shape:
        return None
    both = torch.from_numpy(ours), torch.from_numpy(theirs)
    return float(torch.nn.functional.cosine_similarity(*both, dim=1).mean())
