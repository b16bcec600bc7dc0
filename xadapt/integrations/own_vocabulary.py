"""Comparison of a folder that has a module's vocabulary as its own tokenizer and table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.own_texts import reading
from xadapt.backbones.mapped_tokenizer import MappedTokenizer
from xadapt.backbones.own_tokenizer import BEGINS
from xadapt.integrations import adapters, plain, sentence_transformers
from xadapt.integrations.verify import difference, own_states

EMBEDDINGS = "embeddings"
PIECES = 400
"""The most pieces of a vocabulary in the texts of a comparison, 10 in each text."""


def texts_of(vocabulary: MappedTokenizer) -> list[str]:
    """Return texts of a vocabulary's own pieces, the last ones, which are the longest merges."""
    words = [piece.replace(BEGINS, " ").strip() for piece in vocabulary.pieces[-PIECES:]]
    return [" ".join(words[at : at + 10]) for at in range(0, len(words), 10)]


def comparisons(
    encoder: Encoder, module: nn.Module, vocabulary: MappedTokenizer, texts: Sequence[str]
) -> dict[str, Callable[[Path], float]]:
    """Make a function for each way out of xadapt, from a folder to the largest difference.

    Every text is read by the vocabulary, by xadapt and by the folder's own tokenizer.

    Args:
        encoder: The base in float32 on the CPU.
        module: The module with the vocabulary.
        vocabulary: Its tokenizer.
        texts: Texts to compare on, beside those of the vocabulary's own pieces.

    Returns:
        ``merged`` for a base with the vocabulary, by the states of transformers and the vectors of
        sentence-transformers where it is installed; ``adapters`` for an adapter setup.
    """
    every = [*texts, *texts_of(vocabulary)]

    @cache
    def ours() -> tuple[Tensor, Tensor, Tensor]:
        ids, mask = encoder.batch(reading(encoder, vocabulary).tokenize(every))
        return ids, mask, own_states(encoder, module, ids, mask)

    def states(model: nn.Module, tokenizer: Any) -> float:
        own = read(tokenizer)
        ids, mask, wanted = ours()
        if own.shape != ids.shape:
            return 1.0
        real = mask.unsqueeze(-1)
        return difference(plain.last_states(model, own, mask) * real, wanted * real)

    def read(tokenizer: Any) -> Tensor:
        full = encoder.full_texts(every)
        made = tokenizer(
            full,
            padding=True,
            truncation=True,
            max_length=encoder.max_length,
            return_tensors="pt",
        )
        found: Tensor = made["input_ids"]
        return found

    def merged(folder: Path) -> float:
        from transformers import AutoTokenizer

        with plain.without_noise():
            tokenizer = AutoTokenizer.from_pretrained(str(folder))
            found = states(plain.load(str(folder)), tokenizer)
            if sentence_transformers.available() is None:
                theirs = sentence_transformers.vectors(folder, str(folder), every)
                _, mask, wanted = ours()
                found = max(found, difference(theirs, encoder.pool(wanted, mask)))
        return found

    def by_adapters(folder: Path) -> float:
        with plain.without_noise():
            return states(
                *adapters.with_embeddings(folder, encoder.source.location, folder / EMBEDDINGS)
            )

    found: dict[str, Callable[[Path], float]] = {"merged": merged}
    if adapters.available() is None:
        found[adapters.NAME] = by_adapters
    return found
