"""Vectors of the attributes of entities: which attributes they have, and with which values.

Names of attributes and their values are features, weighted by how rare they are among the entities
of both graphs. Values count without the name of their attribute, because two graphs often name one
attribute differently, and a year or a number of people is written alike in many languages. Features
are hashed into a fixed number of columns with signs, so that their number does not matter.

Sources: UMAEA, https://arxiv.org/abs/2307.16210 (which attributes, as a multi-hot vector);
Weinberger et al. 2009, https://arxiv.org/abs/0902.2206 (hashed features). Values are ours.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator

import numpy as np

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.tasks.kg.modalities import Modality, Vectors

DIM = 512


def attribute_vectors(left: KnowledgeGraph, right: KnowledgeGraph, dim: int = DIM) -> Modality:
    """Return the vectors of the attributes of two graphs; zero for an entity without one.

    Args:
        left: The left graph.
        right: The right graph.
        dim: Columns of the vectors.

    Raises:
        UserError: If neither graph has attributes.
    """
    if not left.attributes and not right.attributes:
        raise UserError(
            f"neither {left.name} nor {right.name} has attributes",
            where="--modalities",
            todo="Leave out attributes, or give graphs with an attributes.tsv",
        )
    counts = Counter(
        feature
        for graph in (left, right)
        for pairs in graph.attributes.values()
        for feature in set(features(pairs))
    )
    size = len(left.attributes) + len(right.attributes)
    sides = [_side(graph, counts, size, dim) for graph in (left, right)]
    return Modality.of(sides[0], sides[1])


def features(pairs: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Yield the names and the values of attributes, each marked as one or the other.

    A name is the last part of an address. Letters are lower case, and signs count as spaces.
    """
    for name, value in pairs:
        last = name.rstrip("/>#").rpartition("/")[2].rpartition("#")[2] or name
        yield f"name {_plain(last)}"
        plain = _plain(value)
        if plain:
            yield f"value {plain}"


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def _side(graph: KnowledgeGraph, counts: Counter[str], size: int, dim: int) -> Vectors:
    made = np.zeros((len(graph.entities), dim), dtype=np.float32)
    for entity, pairs in graph.attributes.items():
        row = made[graph.index[entity]]
        for feature in set(features(pairs)):
            digest = hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8)
            number = int.from_bytes(digest.digest(), "big")
            rare = float(np.log((1 + size) / (1 + counts[feature])) + 1)
            row[number // 2 % dim] += rare if number % 2 else -rare
    return made
