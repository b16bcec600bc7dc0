"""Word alignment by an encoder: links between the words of two sentences from their states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.functional.word_alignment import (
    Link,
    Links,
    argmax_links,
    itermax_links,
    middle_layer,
    softmax_links,
    transport_links,
    word_links,
)

Method = Literal["argmax", "itermax", "softmax", "transport"]
Similarity = Literal["cosine", "dot"]
Units = Literal["pieces", "words"]
METHODS: tuple[Method, ...] = get_args(Method)
THRESHOLDS: dict[Method, float] = {"softmax": 0.1, "transport": 0.1}
"""The thresholds that are used where none is given, of the methods that have one."""


@dataclass(frozen=True)
class Aligning:
    """How links are made of states.

    Attributes:
        method: ``argmax``, ``itermax``, ``softmax`` or ``transport``, see
            `xadapt.functional.word_alignment`.
        layer: Number of layers before the states, from 0 (the embeddings); ``None`` means two
            thirds of the base's.
        threshold: The threshold of ``softmax`` and ``transport``; ``None`` means .1.
        similarity: ``cosine``, or ``dot`` as in awesome-align, for ``softmax``.
        temperature: ``softmax`` divides similarities by it; 1 with ``dot`` is awesome-align's.
        units: ``pieces`` links pieces, and words whose pieces are linked; ``words`` links words by
            the mean of the states of their pieces.

    Raises:
        ValueError: If a name is unknown, or a number is out of its range.
    """

    method: Method = "argmax"
    layer: int | None = None
    threshold: float | None = None
    similarity: Similarity = "cosine"
    temperature: float = 0.05
    units: Units = "pieces"

    def __post_init__(self) -> None:
        for name, kind in (("method", Method), ("similarity", Similarity), ("units", Units)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(
                    f"{name} is {' or '.join(get_args(kind))}, not {getattr(self, name)!r}"
                )
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")
        if self.threshold is not None and self.method not in THRESHOLDS:
            raise ValueError(f"{self.method} has no threshold; {' and '.join(THRESHOLDS)} have one")
        if self.threshold is not None and not 0 <= self.threshold < 1:
            raise ValueError("threshold must be at least 0 and below 1")
        if self.similarity == "dot" and self.method != "softmax":
            raise ValueError("similarity dot is for the method softmax")

    def at(self, depth: int) -> int:
        """Return the number of layers before the states, for a base of a depth.

        Raises:
            UserError: If the base has fewer layers.
        """
        layer = middle_layer(depth) if self.layer is None else self.layer
        if not 0 <= layer <= depth:
            raise UserError(f"the base has {depth} layers, so there is no layer {layer}",
                            where="layer", todo=f"Give 0 to {depth}")  # fmt: skip
        return layer

    def links(self, scores: NDArray[np.float32]) -> Links:
        """Link pieces by a matrix of similarities ``(n, m)``."""
        if self.method == "argmax":
            return argmax_links(scores)
        if self.method == "itermax":
            return itermax_links(scores)
        threshold = THRESHOLDS[self.method] if self.threshold is None else self.threshold
        if self.method == "transport":
            return transport_links(scores, threshold)
        return softmax_links(scores / self.temperature, threshold)


def aligning_of(given: Mapping[str, Any]) -> Aligning:
    """Build `Aligning` of the options that a user gives; ``None`` keeps a default.

    Raises:
        UserError: If an option is wrong.
    """
    try:
        return Aligning(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise UserError(str(error)) from None


@dataclass(frozen=True)
class SentenceStates:
    """The states of one sentence's pieces.

    Attributes:
        states: ``(pieces, width)``, fp32.
        words: The word of each piece.
    """

    states: NDArray[np.float32]
    words: list[int]

    @property
    def by_word(self) -> SentenceStates:
        """The mean state of each word that has a piece."""
        order, at = np.unique(np.asarray(self.words, dtype=int), return_inverse=True)
        sums = np.zeros((len(order), self.states.shape[1]), np.float32)
        np.add.at(sums, at, self.states)
        counts = np.bincount(at, minlength=len(order))[:, None]
        means = (sums / np.maximum(counts, 1)).astype(np.float32)
        return SentenceStates(means, order.tolist())


def sentence_states(
    encoder: Encoder,
    sentences: Sequence[Sequence[str]],
    layer: int,
    rows: Rows | None = None,
) -> list[SentenceStates]:
    """Compute the states of the pieces of sentences that are given as words.

    Args:
        encoder: The encoder.
        sentences: Each a sequence of words. Words beyond the base's length have no states.
        layer: Number of layers before the states.
        rows: As for `xadapt.backbones.encoder.encode.encode`.

    Raises:
        UserError: If the base's tokenizer can't map tokens to words.
    """
    made = tokenize_words(encoder, sentences)
    found: list[SentenceStates | None] = [None] * len(made)
    with torch.inference_mode():
        ids = [row.ids for row in made]
        for chunk, states in token_states(encoder, ids, stop=layer, rows=rows):
            values = states.float().cpu().numpy()
            for row, own in zip(chunk, values, strict=True):
                pieces = made[row].pieces
                at = np.array([place for place, _ in pieces], dtype=int)
                found[row] = SentenceStates(own[at], [word for _, word in pieces])
    return [one for one in found if one is not None]


def align_states(
    left: SentenceStates, right: SentenceStates, aligning: Aligning | None = None
) -> list[Link]:
    """Link the words of two sentences by their states: pairs of positions, sorted."""
    how = aligning or Aligning()
    if how.units == "words":
        left, right = left.by_word, right.by_word
    if not left.words or not right.words:
        return []
    return word_links(how.links(_similarities(left, right, how)), left.words, right.words)


def _similarities(
    left: SentenceStates, right: SentenceStates, how: Aligning
) -> NDArray[np.float32]:
    ours, theirs = torch.from_numpy(left.states), torch.from_numpy(right.states)
    if how.similarity == "cosine":
        ours, theirs = F.normalize(ours, dim=-1), F.normalize(theirs, dim=-1)
    return (ours @ theirs.T).numpy()


def align_words(
    encoder: Encoder,
    pairs: Sequence[tuple[Sequence[str], Sequence[str]]],
    aligning: Aligning | None = None,
    left_rows: Rows | None = None,
    right_rows: Rows | None = None,
) -> list[list[Link]]:
    """Link the words of each pair of sentences.

    Args:
        encoder: The encoder.
        pairs: Two sentences each, as words.
        aligning: How links are made; by default `Aligning` as it is.
        left_rows: The activation of the first sentences, as for
            `xadapt.backbones.encoder.encode.encode`; by default the bare base.
        right_rows: The activation of the second sentences.

    Raises:
        UserError: As for `sentence_states`, or if the base has no such layer.
    """
    how = aligning or Aligning()
    layer = how.at(encoder.depth)
    left = sentence_states(encoder, [one for one, _ in pairs], layer, left_rows)
    right = sentence_states(encoder, [other for _, other in pairs], layer, right_rows)
    return [align_states(*both, how) for both in zip(left, right, strict=True)]
