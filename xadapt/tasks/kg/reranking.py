"""Rerank candidates of mentions with a cross-encoder, which may also answer that none is right.

A pair is the mention in its context and the names of a candidate. Names and mentions may be in any
languages, and nothing in the pair names them, so that a module trained on some languages is used
for others. There are two kinds of modules. A head of ``candidate_ranking`` compares all candidates
of a mention, and "none" is one of them, as in the paper. A head of ``pair_classification`` with the
classes ``same`` and ``other`` gives each pair a probability of its own.

Source: Borchert et al. 2023, https://arxiv.org/abs/2310.11275, section 3 (re-ranking).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.readers.mentions import Mention

SAME, OTHER = "same", "other"
NAMES = 4
"""Most names of a candidate in a pair."""
Pair = tuple[str, str]


def pair_of(mention: Mention, names: Sequence[str]) -> Pair:
    """Return the two texts of a mention and a candidate.

    Args:
        mention: The mention; it stands in brackets if it has a context.
        names: The names of the candidate, the nearest first.
    """
    left = mention.text
    if mention.before or mention.after:
        left = " ".join(f"{mention.before} [{mention.text}] {mention.after}".split())
    return left, "; ".join(names[:NAMES])


def column_of_same(labels: Sequence[str]) -> int:
    """Return the position of the class ``same``.

    Raises:
        UserError: If the head has other classes.
    """
    if sorted(labels) != [OTHER, SAME]:
        raise UserError(
            f"this head has the classes {', '.join(labels)}",
            where="--reranker",
            todo="Train candidate_ranking on the lists of xadapt link --pairs FILE.jsonl",
        )
    return list(labels).index(SAME)


def reranked(
    scores: Sequence[float], probabilities: Sequence[float], weight: float
) -> NDArray[np.float64]:
    """Join the scores of candidates with their probabilities.

    Args:
        scores: The scores of the generator, cosines.
        probabilities: The probabilities of the cross-encoder.
        weight: The weight of the probabilities, from 0 to 1.

    Returns:
        ``(candidates,)``.
    """
    return (1 - weight) * np.asarray(scores, float) + weight * np.asarray(probabilities, float)


def training_pairs(
    mention: Mention, candidates: Sequence[tuple[str, Sequence[str]]]
) -> Iterator[tuple[str, str, str]]:
    """Yield pairs to train a cross-encoder on: text, text and class.

    Only candidates make pairs. A right concept that the candidates miss is left out: such pairs are
    spelt less alike than wrong candidates, and would teach that likeness speaks against a pair.

    Args:
        mention: The mention.
        candidates: Concepts with their names, the nearest name first.
    """
    for concept, names in candidates:
        yield (*pair_of(mention, names), SAME if concept in mention.concepts else OTHER)


def training_list(
    mention: Mention,
    candidates: Sequence[tuple[str, Sequence[str]]],
    scores: Sequence[float],
    concepts: Container[str],
) -> dict[str, Any] | None:
    """Return a mention with its candidates as a row of `candidate_lists`, to train a ranker on.

    Only the first right candidate stays. A mention whose right concept has a name that is not among
    the candidates is left out: the right answer for it is not "none".

    Args:
        mention: The mention with its right concepts.
        candidates: Concepts with their names, the nearest name first.
        scores: The score of each candidate.
        concepts: The concepts that have names.
    """
    places = [i for i, (concept, _) in enumerate(candidates) if concept in mention.concepts]
    known = [concept for concept in mention.concepts if concept in concepts]
    if not candidates or (not places and known):
        return None
    kept = [i for i in range(len(candidates)) if i not in places[1:]]
    texts = [pair_of(mention, candidates[i][1]) for i in kept]
    row: dict[str, Any] = {
        "text": texts[0][0],
        "candidates": [text for _, text in texts],
        "scores": [round(float(scores[i]), 6) for i in kept],
        "right": places[0] if places else None,
        "concept": candidates[places[0]][0] if places else mention.concepts[0],
    }
    return row | ({"lang": mention.lang} if mention.lang else {})
