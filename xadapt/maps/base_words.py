"""Word vectors of a frozen base: mean states of a word's pieces, averaged over contexts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import Words, tokenize_words
from xadapt.core.errors import UserError
from xadapt.injection.attachment import embedding_table
from xadapt.maps.word_vectors import WordVectors

CONTEXTS = 20
EMBEDDINGS = "embeddings"
MOST_WORDS = 32
"""Longer contexts are cut around the word."""
AT_ONCE = 2048
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
SPECIAL = ("cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id", "pad_token_id")


@dataclass(frozen=True)
class Context:
    """A sentence as words, and the place of the word that is asked for."""

    words: tuple[str, ...]
    at: int


def words_of(line: str) -> list[str]:
    """Return the words of a line of text, without punctuation."""
    return WORD.findall(line)


def frequent_words(texts: Iterable[str], most: int) -> list[str]:
    """Return the most frequent words of a text, lower-cased, most frequent first."""
    counts = Counter(word.lower() for line in texts for word in words_of(line))
    return [word for word, _ in counts.most_common(most if most > 0 else None)]


def base_vectors(
    encoder: Encoder,
    words: Sequence[str],
    texts: Iterable[str] = (),
    *,
    layer: int | str | None = None,
    contexts: int = CONTEXTS,
) -> WordVectors:
    """Compute the vector of each word: the mean of its pieces' states, over its contexts.

    Special tokens take no part. A word that no text holds is read alone, one with spaces too, and
    the notes tell how many are. Case does not count when words are looked for in texts.

    Args:
        encoder: The frozen base.
        words: The words, all different.
        texts: Lines of running text.
        layer: States after this many layers, from 0 (what enters the first layer) to the depth;
            ``None`` for the last. ``embeddings``: the mean of the pieces' rows in the table of word
            embeddings, without any context.
        contexts: The most contexts of a word, the first ones in the text.

    Returns:
        ``(words, width)`` vectors. Words without any piece are left out and told.

    Raises:
        UserError: If there are no words, there is no such layer, or the base has no fast tokenizer.
    """
    if not words:
        raise UserError("there are no words")
    stop = _layer(encoder, layer)
    found = {} if layer == EMBEDDINGS else _contexts(words, texts, contexts)
    asked = [(word, context) for word, own in found.items() for context in own]
    order = {word: row for row, word in enumerate(words)}
    sums = _Sums(
        torch.zeros(len(words), encoder.width, dtype=torch.float64),
        torch.zeros(len(words), dtype=torch.float64),
    )
    table = layer == EMBEDDINGS
    sums.add(encoder, [(order[word], context) for word, context in asked], stop, table)
    alone = [word for word in words if not sums.counts[order[word]]]  # also where it was cut off
    sums.add(encoder, [(order[word], Context((word,), 0)) for word in alone], stop, table)
    return _kept(words, sums.vectors, sums.counts, 0 if table else len(alone))


@dataclass(frozen=True)
class _Sums:
    """Sums of the vectors of each word, ``(words, width)``, and their numbers, float64."""

    vectors: Tensor
    counts: Tensor

    def add(
        self, encoder: Encoder, asked: Sequence[tuple[int, Context]], stop: int, table: bool
    ) -> None:
        """Add the vector of each context to the row of its word."""
        for start in range(0, len(asked), AT_ONCE):
            part = asked[start : start + AT_ONCE]
            rows = tokenize_words(encoder, [context.words for _, context in part])
            spans = [
                _pieces(encoder, row, context) for row, (_, context) in zip(rows, part, strict=True)
            ]
            for number, vector in _means(encoder, rows, spans, stop, table):
                at = part[number][0]
                self.vectors[at] += vector
                self.counts[at] += 1


def _kept(words: Sequence[str], sums: Tensor, counts: Tensor, alone: int) -> WordVectors:
    there = counts > 0
    if not there.any():
        raise UserError("the base's tokenizer has no piece for any of these words")
    vectors = (sums[there] / counts[there, None]).float().numpy()
    notes = [f"{alone:,} words were in no context that could be read: read alone"] if alone else []
    lost = int((~there).sum())
    if lost:
        notes.append(f"{lost:,} words have no piece in the base's tokenizer: left out")
    kept = tuple(word for word, yes in zip(words, there.tolist(), strict=True) if yes)
    return WordVectors(kept, vectors, tuple(notes))


def _layer(encoder: Encoder, layer: int | str | None) -> int:
    if layer is None or layer == EMBEDDINGS:
        return encoder.depth
    if not isinstance(layer, int) or not 0 <= layer <= encoder.depth:
        raise UserError(
            f"there is no layer {layer!r}",
            where="layer",
            todo=f"Use 0 to {encoder.depth}, or {EMBEDDINGS}",
        )
    return layer


def _contexts(words: Sequence[str], texts: Iterable[str], most: int) -> dict[str, list[Context]]:
    wanted: dict[str, list[str]] = {}
    for word in words:
        wanted.setdefault(word.lower(), []).append(word)
    found: dict[str, list[Context]] = {}
    for line in texts:
        sentence = words_of(line)
        for at, form in enumerate(sentence):
            for word in wanted.get(form.lower(), ()):
                own = found.setdefault(word, [])
                if len(own) < most:
                    own.append(_cut(sentence, at))
    return found


def _cut(sentence: Sequence[str], at: int) -> Context:
    start = max(0, min(at - MOST_WORDS // 2, len(sentence) - MOST_WORDS))
    return Context(tuple(sentence[start : start + MOST_WORDS]), at - start)


def _pieces(encoder: Encoder, row: Words, context: Context) -> range:
    """Return the positions of the pieces of the asked word; empty if it was cut off."""
    first = row.first[context.at]
    if first is None:
        return range(0)
    following = [at for at in row.first[context.at + 1 :] if at is not None]
    if following:
        return range(first, min(following))
    special = {getattr(encoder.tokenizer, name, None) for name in SPECIAL}
    stop = len(row.ids)
    while stop > first + 1 and row.ids[stop - 1] in special:
        stop -= 1
    return range(first, stop)


def _means(
    encoder: Encoder, rows: Sequence[Words], spans: Sequence[range], stop: int, table: bool
) -> Iterator[tuple[int, Tensor]]:
    """Yield the number of each row that has pieces, with the mean of their vectors, float64."""
    if table:
        weights: Any = embedding_table(encoder).weight
        for number, (row, span) in enumerate(zip(rows, spans, strict=True)):
            if span:
                ids = torch.tensor([row.ids[at] for at in span], device=weights.device)
                yield number, weights[ids].double().mean(0).cpu()
        return
    with torch.inference_mode():
        for chunk, states in token_states(encoder, [row.ids for row in rows], stop=stop):
            for place, number in enumerate(chunk):
                if span := spans[number]:
                    piece = states[place, span.start : span.stop]
                    yield number, piece.double().mean(0).cpu().clone()
