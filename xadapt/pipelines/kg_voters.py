"""Votes on candidates: by modules, which compare names, and a cross-encoder, which reads facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.kg_candidates import Candidates, Judging
from xadapt.tasks.kg.judging import EntityFacts, select_facts
from xadapt.tasks.kg.reranking import column_of_same
from xadapt.tasks.pair_classification import PairClassifier

Sides = tuple[EntityFacts, EntityFacts]
PAIR_FACTS = 4
"""Facts of an entity that a cross-encoder reads after its name."""


def votes_of_vectors(
    sides: Sides,
    given: Sequence[Candidates],
    how: Judging,
    base: str | AdaptedEncoder | None,
    places: Sequence[str],
    reranker: str | Path | None,
    dtype: str,
) -> dict[str, dict[str, int | None]]:
    """Return the vote of each module and of the cross-encoder, by entity.

    A vote is the place of a candidate; ``None`` stands for no vote.

    Args:
        sides: Facts of the left and of the right graph.
        given: The entities with their candidates.
        how: The options.
        base: The base.
        places: Folders of modules, or ``NAME=FOLDER``.
        reranker: Folder of the cross-encoder.
        dtype: Type of the base's weights.

    Raises:
        UserError: If a folder is no module of the base, or the cross-encoder has other classes.
    """
    found: dict[str, dict[str, int | None]] = {}
    for place in places:
        name = f"module {Path(place.partition('=')[0]).name}"
        folder = place.partition("=")[2] or place
        encoder = AdaptedEncoder.open(base, "voter", {"voter": folder}, dtype=dtype)  # type: ignore[arg-type]
        found[name if name not in found else f"{name} {len(found)}"] = _by_names(
            sides, given, encoder
        )
    if reranker is not None:
        classifier = PairClassifier.load(str(base), str(reranker), dtype=dtype)
        column = column_of_same(classifier.head.labels)
        found["cross-encoder"] = _by_pairs(
            sides, given, how, lambda p: classifier.scores(p)[:, column]
        )
    return found


def _by_names(
    sides: Sides, given: Sequence[Candidates], encoder: AdaptedEncoder
) -> dict[str, int | None]:
    """Let the cosine of names vote; an entity or a candidate without a name has none."""
    wanted = ([one.source for one in given], [t for one in given for t in one.targets])
    vectors: list[dict[str, NDArray[np.float32]]] = []
    for facts, entities in zip(sides, wanted, strict=True):
        named = {e: facts.name(e) for e in dict.fromkeys(entities) if facts.name(e)}
        made = encoder.encode(
            list(named.values()), language=facts.names.lang, show_progress_bar=False
        )
        vectors.append(dict(zip(named, _normal(made), strict=True)))
    found: dict[str, int | None] = {}
    for one in given:
        own = vectors[0].get(one.source)
        scores = [
            -np.inf if own is None or t not in vectors[1] else float(own @ vectors[1][t])
            for t in one.targets
        ]
        found[one.source] = _best(scores)
    return found


def _by_pairs(
    sides: Sides,
    given: Sequence[Candidates],
    how: Judging,
    same: Callable[[list[tuple[str, str]]], NDArray[np.float32]],
) -> dict[str, int | None]:
    """Let a cross-encoder vote, which reads the names and best facts of both entities."""
    found: dict[str, int | None] = {}
    for one in given:
        left, *others = pair_texts(*sides, one, how)
        found[one.source] = _best(same([(left, text) for text in others]).tolist())
    return found


def pair_texts(left: EntityFacts, right: EntityFacts, one: Candidates, how: Judging) -> list[str]:
    """Return the texts that a cross-encoder reads: of the entity, then of each candidate.

    Args:
        left: Facts of the left graph.
        right: Facts of the right graph.
        one: The entity and its candidates.
        how: The options.
    """
    sides = (left, *(right for _ in one.targets))
    entities = (one.source, *one.targets)
    facts = [
        [*side.attributes(entity), *side.relations(entity)]
        for side, entity in zip(sides, entities, strict=True)
    ]
    chosen = select_facts(facts, [side.counts for side in sides], PAIR_FACTS, how.identify)
    return [
        "; ".join(filter(None, (side.name(entity), *map(str, own))))
        for side, entity, own in zip(sides, entities, chosen, strict=True)
    ]


def _best(scores: Sequence[float]) -> int | None:
    """Return the only best candidate; ``None`` if several are equal or none has a score."""
    best = max(scores, default=-np.inf)
    places = [place for place, score in enumerate(scores) if score == best]
    return places[0] if len(places) == 1 and np.isfinite(best) else None


def _normal(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
