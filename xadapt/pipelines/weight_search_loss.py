"""The loss of a few examples under a composition: tagged sentences, a graph, or parallel text."""

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
from xadapt.data.readers.graph_rows import named_rows
from xadapt.data.readers.graph_source import is_graph
from xadapt.data.readers.notes import LoggedNotes
from xadapt.data.records import ParallelPair, Record, TaggedSentence
from xadapt.functional.tag_scheme import to_labels
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.shared_states import repeated_cache
from xadapt.objectives.contract import EncodeView, call
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.tasks.tagging import READERS, Tagger, scores

EXAMPLES = 512
KNOWLEDGE = {"entity_label": "entity_names", "triple_phrase": "named_facts"}
"""The objectives of knowledge adapters by which a graph is an example, with their readers."""
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
        path: Tagged sentences (``.conll`` or ``.conllu``), a knowledge graph, or else parallel
            text. Of more than 512 examples, those with the smallest hashes are used; of a graph,
            as many names and as many facts.
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
    if is_graph(path):
        parts = read_knowledge(path, tag)
        known = AdaptedEncoder.open(base, composition, places, dtype=dtype)
        return [row for own in parts.values() for row in own], knowledge(known, parts)
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


def read_knowledge(source: str, tag: str) -> dict[str, list[Any]]:
    """Read the training names and facts of a graph, by the objective that learns from them.

    Args:
        source: The graph.
        tag: Language of the names and of the heads of facts.

    Raises:
        UserError: If the graph can't be read or lacks the language, or has neither two names with a
            partner nor two facts with names.
    """
    named_rows(source, LoggedNotes()).language(tag, source)
    found: dict[str, list[Any]] = {}
    for objective, reader in KNOWLEDGE.items():
        try:
            rows = limited(list(load("readers", reader)().read(source, tag)), EXAMPLES)
        except UserError:  # the graph is readable: it has no such records
            continue
        if len(rows) > 1:
            found[objective] = rows
    if not found:
        raise UserError(
            f"the graph has no two names in {tag} with other names, and no two facts with names",
            where=source,
        )
    return found


def knowledge(adapted: AdaptedEncoder, parts: Mapping[str, Sequence[Any]]) -> Loss:
    """Return the mean of the objectives' losses, each within its own examples.

    Names and phrases that answer a query too are no negatives, as in training. What an objective
    draws is drawn once. The composition acts on both sides.

    Args:
        adapted: The encoder with its modules.
        parts: Records by objective, of `KNOWLEDGE`.
    """
    made = []
    for name, rows in parts.items():
        objective = load("objectives", name)()
        memory = objective.prepare(rows) if hasattr(objective, "prepare") else None
        given = {"records": rows, "rng": random.Random(0), "memory": memory}
        made.append((objective, call(objective.views, given)))
    cache = repeated_cache(adapted)

    def encode(view: EncodeView, composition: Composition) -> torch.Tensor:
        texts = [str(text) for text in view.rows]
        vectors = adapted.encode(
            texts, compositions=[composition] * len(texts), cache=cache, show_progress_bar=False
        )
        return torch.from_numpy(vectors)

    def measure(composition: Composition) -> float:
        losses = []
        for objective, views in made:
            query, name = (encode(views[side], composition) for side in ("query", "name"))
            losses.append(float(objective.loss(query, name, views["asked"]).values.mean()))
        return float(np.mean(losses))

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
