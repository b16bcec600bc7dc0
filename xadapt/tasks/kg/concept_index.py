"""An index of names of concepts: scores of all concepts for mentions, by spelling and by vectors.

The score of a concept is that of its nearest name. Both generators are exact, in blocks of mentions
whose scores fit in memory. The ensemble adds both cosines with a weight (``mean``), or takes the
larger one as xMEN does (``max``).

Source: Borchert et al. 2023, https://arxiv.org/abs/2310.11275, section 3 (candidate generation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from xadapt.core.errors import UserError
from xadapt.data.readers.concept_names import ConceptNames
from xadapt.tasks.kg.scorers import unit

Ensemble = Literal["mean", "max"]
ENSEMBLES: tuple[Ensemble, ...] = get_args(Ensemble)
SPELLING, VECTORS, BOTH = "spelling", "vectors", "ensemble"
CELLS = 2**23
"""Scores of names in memory at a time."""
Encode = Callable[[Sequence[str], Sequence[str | None]], NDArray[np.float32]]
"""From texts and their languages to vectors ``(n, dim)``."""
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class ConceptIndex:
    """Names of concepts, ready to score mentions.

    Attributes:
        names: The names.
        vectorizer: The TF-IDF weights of character 2- to 4-grams, fitted on the names; ``None``
            leaves spelling out.
        grams: The names as sparse unit rows ``(names, grams)``.
        vectors: Unit vectors of the names ``(names, dim)``; ``None`` leaves vectors out.
        encode: The encoder of mentions.
        ensemble: How both are joined.
        weight: The weight of vectors in ``mean``, from 0 to 1.
    """

    names: ConceptNames
    vectorizer: TfidfVectorizer | None
    grams: Any
    vectors: NDArray[np.float32] | None
    encode: Encode | None
    ensemble: Ensemble = "mean"
    weight: float = 0.5

    @classmethod
    def of(
        cls,
        names: ConceptNames,
        vectors: NDArray[np.float32] | None = None,
        encode: Encode | None = None,
        *,
        spelling: bool = True,
        ensemble: Ensemble = "mean",
        weight: float = 0.5,
    ) -> ConceptIndex:
        """Make an index.

        Args:
            names: The names of concepts.
            vectors: Vectors of the names ``(names, dim)``, of any length.
            encode: The encoder that made them.
            spelling: Whether spelling is compared.
            ensemble: ``mean`` or ``max``.
            weight: The weight of vectors in ``mean``.

        Raises:
            UserError: If there is nothing to compare, no name has a character, or an option is out
                of range.
        """
        if ensemble not in ENSEMBLES:
            raise UserError(f"unknown ensemble {ensemble!r}", todo="Use mean or max")
        if not 0 <= weight <= 1:
            raise UserError(f"{weight} is not from 0 to 1", where="--weight")
        if vectors is None and not spelling:
            raise UserError("nothing is compared", todo="Add --base, or leave out --no-spelling")
        vectorizer = grams = None
        if spelling:
            vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
            try:
                grams = vectorizer.fit_transform(names.names).tocsr()
            except ValueError:
                raise UserError("the names hold no characters to compare") from None
        units = None if vectors is None else unit(vectors)
        return cls(names, vectorizer, grams, units, encode, ensemble, weight)

    @property
    def block(self) -> int:
        """Number of mentions at a time."""
        return max(1, CELLS // len(self.names.names))

    def systems(self) -> tuple[str, ...]:
        """Return the names of what is compared; the last one ranks the candidates."""
        found = [SPELLING] if self.vectorizer is not None else []
        found += [VECTORS] if self.vectors is not None else []
        return tuple(found if len(found) == 1 else [*found, BOTH])

    def scores(
        self, texts: Sequence[str], langs: Sequence[str | None]
    ) -> tuple[Mapping[str, Scores], Scores]:
        """Score all concepts for mentions.

        Args:
            texts: The texts of at most `block` mentions.
            langs: Their languages.

        Returns:
            By system, scores ``(mentions, concepts)``; and the scores of the last system by name,
            ``(mentions, names)``, for `nearest`.
        """
        by_name: dict[str, Scores] = {}
        if self.vectorizer is not None:
            own = self.vectorizer.transform(texts)
            by_name[SPELLING] = (own @ self.grams.T).toarray()
        if self.vectors is not None and self.encode is not None:
            by_name[VECTORS] = unit(self.encode(texts, langs)) @ self.vectors.T
        found = {name: self._by_concept(scores) for name, scores in by_name.items()}
        last = next(reversed(by_name.values()))
        if len(by_name) == 2:
            first, second = by_name[SPELLING], by_name[VECTORS]
            if self.ensemble == "max":
                found[BOTH] = np.maximum(found[SPELLING], found[VECTORS])
                last = np.maximum(first, second)
            else:
                low, high = np.float32(1 - self.weight), np.float32(self.weight)
                found[BOTH] = low * found[SPELLING] + high * found[VECTORS]
                last = low * first + high * second
        return found, last

    def _by_concept(self, by_name: Scores) -> Scores:
        """Return the highest score of the names of each concept, ``(mentions, concepts)``."""
        if len(self.names.concepts) == len(self.names.names):
            return by_name
        made: Scores = np.maximum.reduceat(by_name, self.names.starts, axis=1)
        return made

    def nearest(self, by_name: Scores, concept: int) -> str:
        """Return the first name of a concept with its highest score.

        Args:
            by_name: The scores of one mention, ``(names,)``.
            concept: The position of the concept.
        """
        own = self.names.at(concept)
        start = int(self.names.starts[concept])
        return own[int(by_name[start : start + len(own)].argmax())]


def realistic_ranks(scores: Scores, right: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return the rank of the best right concept of each mention, from 1.

    Equal scores count as their mean rank, and other right concepts are left out.

    Args:
        scores: ``(mentions, concepts)``.
        right: The right concepts of each mention; a mention without any has an infinite rank.

    Returns:
        ``(mentions,)``.
    """
    ranks = np.full(len(scores), np.inf)
    for row, own in enumerate(right):
        if not len(own):
            continue
        line = scores[row]
        best = line[list(own)].max()
        above = np.count_nonzero(line > best) - sum(line[i] > best for i in own)
        same = np.count_nonzero(line == best) - sum(line[i] == best for i in own)
        ranks[row] = 1 + above + same / 2
    return ranks
