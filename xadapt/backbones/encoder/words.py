"""Tokenization of words, with the position of each word's first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError


@dataclass(frozen=True)
class Words:
    """A tokenized sentence of given words.

    Attributes:
        ids: Token ids with special tokens, cut to the base's length.
        first: For each word the position of its first token; ``None`` for a word that was cut off
            or that has no token.
        owners: For each token the position of its word; ``None`` for special tokens.
    """

    ids: tuple[int, ...]
    first: tuple[int | None, ...]
    owners: tuple[int | None, ...] = ()

    @property
    def known(self) -> list[int]:
        """The positions of the words that have a token."""
        return [word for word, at in enumerate(self.first) if at is not None]

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Each token of a word: its position among the tokens, and the position of its word."""
        return [(at, word) for at, word in enumerate(self.owners) if word is not None]


def tokenize_words(encoder: Encoder, sentences: Sequence[Sequence[str]]) -> list[Words]:
    """Tokenize sentences that are given as words.

    The base's prompt is not used, because it is for texts.

    Raises:
        UserError: If the base's tokenizer can't map tokens to words.
    """
    if not getattr(encoder.tokenizer, "is_fast", False):
        raise UserError(
            "the base's tokenizer can't say which word a token is of",
            todo="Use a base with a fast tokenizer (tokenizer.json)",
        )
    if not sentences:
        return []
    lower = encoder.pooling.lower
    rows = call_tokenizer(
        encoder.tokenizer,
        [[word.lower() if lower else word for word in words] for words in sentences],
        is_split_into_words=True,
        truncation=True,
        max_length=encoder.max_length,
        padding=False,
    )
    return [
        _words(rows["input_ids"][i], rows.word_ids(i), len(words))
        for i, words in enumerate(sentences)
    ]


def _words(ids: Sequence[int], owners: Sequence[int | None], length: int) -> Words:
    return Words(tuple(ids), _first(owners, length), tuple(owners))


def _first(owners: Sequence[int | None], length: int) -> tuple[int | None, ...]:
    first: list[int | None] = [None] * length
    for position in range(len(owners) - 1, -1, -1):
        owner = owners[position]
        if owner is not None:
            first[owner] = position
    return tuple(first)
