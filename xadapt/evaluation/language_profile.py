"""Numbers about vectors of several languages: drift, noise, language identity, similarity.

All functions take vectors ``(n, dim)`` of any length; they compare directions alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Vectors = NDArray[np.floating]


@dataclass(frozen=True)
class Similarities:
    """Mean cosines between sentences of two languages.

    Attributes:
        translations: Between a sentence and its translation.
        within: Between unrelated sentences of one language, the mean of both languages.
        across: Between unrelated sentences of the two languages.
    """

    translations: float
    within: float
    across: float

    @property
    def gap(self) -> float:
        """How much nearer unrelated sentences are in one language than across: 0 is no bias."""
        return self.within - self.across


@dataclass(frozen=True)
class Leakage:
    """How well a linear probe tells the language of held-out vectors.

    Attributes:
        accuracy: The mean over languages of the share of vectors that are told right.
        chance: The accuracy of a guess: one over the number of languages.
        recall: The share by language.
        trained: Number of vectors that the probe learnt from.
        tested: Number of held-out vectors.
    """

    accuracy: float
    chance: float
    recall: Mapping[str, float]
    trained: int
    tested: int


def cosines(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Compute all cosines ``(n, m)`` in double precision; a zero vector has cosine 0."""
    return _unit(left) @ _unit(right).T


def retrieved(texts: Vectors, pivots: Vectors) -> NDArray[np.float64]:
    """Tell for each pair whether each side is nearest to the other: 0, 0.5 or 1, ``(n,)``."""
    table, right = cosines(texts, pivots), np.arange(len(texts))
    there, back = (found == right for found in (table.argmax(1), table.argmax(0)))
    return (there.astype(np.float64) + back) / 2


def kept(own: Vectors, base: Vectors) -> float:
    """Compute the mean cosine between vectors and those of the frozen base: 1 if none moved."""
    return float((_unit(own) * _unit(base)).sum(1).mean())


def order_kept(own: Vectors, base: Vectors) -> float:
    """Compute how far the similarities among texts keep the order they have on the frozen base.

    It is Spearman's correlation between the cosines of all pairs of different texts, as in
    representational similarity analysis (Kriegeskorte et al. 2008,
    https://doi.org/10.3389/neuro.06.004.2008).
    """
    above = np.triu_indices(len(own), 1)
    both = (cosines(one, one)[above] for one in (own, base))
    return float(spearmanr(*both).statistic)


def own_language_first(texts: Vectors, pivots: Vectors) -> float:
    """Compute the share of sentences whose nearest sentence is of their own language.

    The pool holds all sentences of both languages but the sentence itself. Its translation is in
    the pool, so 0 is no bias. Both languages ask.

    Source: language bias in Roy et al. 2020 (LAReQA), https://arxiv.org/abs/2004.05484, section 4.
    """
    shares = []
    for own, other in ((texts, pivots), (pivots, texts)):
        within, across = cosines(own, own), cosines(own, other)
        np.fill_diagonal(within, -np.inf)
        shares.append((within.max(1) > across.max(1)).mean())
    return float(np.mean(shares))


def similarities(texts: Vectors, pivots: Vectors) -> Similarities:
    """Compute the mean cosines of translations, and of unrelated sentences within and across."""
    across = cosines(texts, pivots)
    within = [_off_diagonal(cosines(own, own)) for own in (texts, pivots)]
    return Similarities(
        float(np.diagonal(across).mean()), float(np.mean(within)), _off_diagonal(across)
    )


def leakage(
    vectors: Mapping[str, Vectors], held_out: Mapping[str, NDArray[np.bool_]]
) -> Leakage | None:
    """Train a linear probe that tells the language of a vector, and test it on held-out vectors.

    The probe is a logistic regression over features of mean 0 and deviation 1.

    Source: language identity in Libovický et al. 2020, https://arxiv.org/abs/2004.05160, section 3.

    Args:
        vectors: The vectors of each language.
        held_out: Which of them are tested, ``(n,)`` by language.

    Returns:
        The result, or ``None`` if a language has no vector to learn from or none to test.
    """
    names = list(vectors)
    if len(names) < 2 or any(part.all() or not part.any() for part in held_out.values()):
        return None
    rows = np.concatenate([_unit(vectors[name]) for name in names])
    labels = np.repeat(np.arange(len(names)), [len(vectors[name]) for name in names])
    test = np.concatenate([held_out[name] for name in names])
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    probe.fit(rows[~test], labels[~test])
    right = probe.predict(rows[test]) == labels[test]
    recall = {
        name: float(right[labels[test] == number].mean()) for number, name in enumerate(names)
    }
    accuracy = float(np.mean(list(recall.values())))
    return Leakage(accuracy, 1 / len(names), recall, int((~test).sum()), int(test.sum()))


def _unit(vectors: Vectors) -> NDArray[np.float64]:
    rows = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def _off_diagonal(table: NDArray[np.float64]) -> float:
    count = len(table)
    return float((table.sum() - np.trace(table)) / (count * (count - 1)))
