"""The loss of a few examples under a composition, for tagged sentences and parallel text."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xadapt.backbones.cache.frozen_vectors import FrozenVectors, cache_folder
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.registry import load
from xadapt.data.loading.records import Source, limited, read_pairs
from xadapt.data.records import ParallelPair, Record, TaggedSentence
from xadapt.functional.tag_scheme import to_labels
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.shared_states import repeated_cache
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.tasks.tagging import READERS, Tagger, scores

EXAMPLES = 512
Loss = Callable[[Composition], float]


def open_examples(
    path: str,
    tag: str,
    base: str,
    composition: Composition,
    places: Mapping[str, str],
    dtype: str = "auto",
) -> tuple[list[Record], Loss]:
    """Read examples; return them and a function to their mean loss in nats under a composition.

    Args:
        path: Tagged sentences (``.conll`` or ``.conllu``), or else parallel text. Of more than
            512 examples, those with the smallest hashes are used.
        tag: Language of the examples.
        base: As for `AdaptedEncoder.load`.
        composition: Any composition of the modules; for tagged sentences a module has a head.
        places: The modules' folders by name.
        dtype: As for `AdaptedEncoder.load`.

    Raises:
        UserError: If the file is unusable, or does not fit the head.
    """
    ending = Path(path.removesuffix(".gz")).suffix.removeprefix(".")
    if ending in READERS.values():
        rows: list[TaggedSentence] = list(load("readers", ending)().read(path, tag))
        rows = limited(rows, EXAMPLES)
        named = [f"{name}={folder}" for name, folder in places.items()]
        tagger = Tagger.load(base, *named, compose=composition, dtype=dtype)
        return list(rows), cross_entropy(tagger, rows)
    pairs = limited(read_pairs(Source(path, tag)), EXAMPLES)
    if len(pairs) < 2:
        raise UserError("one pair alone ranks nothing", where=path, todo="Give two or more")
    adapted = AdaptedEncoder.open(base, composition, places, dtype=dtype)
    return list(pairs), ranking(adapted, pairs)


def ranking(adapted: AdaptedEncoder, pairs: Sequence[ParallelPair]) -> Loss:
    """Return the translation-ranking loss within the examples, in both directions.

    The bare base encodes the pivot side.
    """
    objective = TranslationRanking(negatives="batch", directions="both")
    memory = objective.prepare(pairs)
    keys: dict[str, Any] = objective.views(pairs, random.Random(0), memory)
    frozen = FrozenVectors(adapted.encoder, cache_folder())
    pivot = frozen.get([pair.pivot for pair in pairs]).cpu()
    texts = [pair.text for pair in pairs]
    cache = repeated_cache(adapted)

    def measure(composition: Composition) -> float:
        vectors = adapted.encode(
            texts, compositions=[composition] * len(texts), cache=cache, show_progress_bar=False
        )
        text = torch.from_numpy(vectors)
        values = objective.loss(text, pivot, keys["text_keys"], keys["rows"], memory).values
        return float(values.mean())

    return measure


def cross_entropy(tagger: Tagger, rows: Sequence[TaggedSentence]) -> Loss:
    """Return the mean cross-entropy over words; words beyond the base's length are left out."""
    number = {label: place for place, label in enumerate(tagger.head.labels)}
    words = [row.words for row in rows]
    try:
        wanted = [
            [number[label] for label in to_labels(len(row.words), row.spans, tagger.head.scheme)]
            for row in rows
        ]
    except (KeyError, ValueError) as error:
        raise UserError(
            f"the head can't give these labels ({error})",
            where=rows[0].origin,
            todo=f"It gives {', '.join(tagger.head.labels[:12])}",
        ) from None

    cache = repeated_cache(tagger.adapted)

    def measure(composition: Composition) -> float:
        acts = tagger.adapted.activations(len(rows), None, [composition] * len(rows), cache)
        logs = scores(tagger.adapted.encoder, tagger.head, words, acts)
        gold = np.concatenate([np.take_along_axis(own, np.array([want]).T, 1)[:, 0]
                               for own, want in zip(logs, wanted, strict=True)])  # fmt: skip
        return float(-gold[gold > -1e4].mean())

    return measure
