"""Texts whose rows have a vocabulary of their own: the tokenizer of each, and its token ids."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.mapped_tokenizer import MappedTokenizer
from xadapt.backbones.tokenizing import call_tokenizer

UNKNOWN_COSTS = 10
"""Tokens that an unknown token counts for, as it may stand for a whole word."""


def reading(encoder: Encoder, tokenizer: MappedTokenizer) -> Encoder:
    """Return an encoder around the same model that reads texts with another tokenizer."""
    other = copy(encoder)
    other.tokenizer, other._skip = tokenizer, None
    return other


def readers(
    encoder: Encoder, texts: Sequence[str], vocabularies: Sequence[MappedTokenizer | None]
) -> list[Encoder]:
    """Choose the encoder that tokenizes each text.

    A text is read by the vocabulary of its row if that spells it in fewer tokens than the base
    does, and else by the base. So English stays English in a row of a Hindi module. An unknown
    token counts as ten.

    Args:
        encoder: The base.
        texts: Any number of texts.
        vocabularies: The vocabulary of each row; ``None`` for the base's.
    """
    chosen = [encoder] * len(texts)
    for own in dict.fromkeys(one for one in vocabularies if one is not None):
        other = reading(encoder, own)
        at = [i for i, one in enumerate(vocabularies) if one is own]
        some = encoder.full_texts([texts[i] for i in at])
        both = zip(_costs(encoder.tokenizer, some), _costs(own, some), strict=True)
        for place, (base, new) in zip(at, both, strict=True):
            chosen[place] = other if new < base else encoder
    return chosen


def tokenize_rows(
    encoder: Encoder, texts: Sequence[str], vocabularies: Sequence[MappedTokenizer | None]
) -> list[list[int]]:
    """Tokenize texts as `Encoder.tokenize` does, each with the vocabulary of its row.

    Args:
        encoder: The base.
        texts: Any number of texts.
        vocabularies: As for `readers`.
    """
    rows: list[list[int]] = [[] for _ in texts]
    for one, at in groups(readers(encoder, texts, vocabularies)):
        for place, row in zip(at, one.tokenize([texts[i] for i in at]), strict=True):
            rows[place] = row
    return rows


def groups(chosen: Sequence[Encoder]) -> list[tuple[Encoder, list[int]]]:
    """Group positions by their encoder, in the order of the first of each."""
    found: dict[int, tuple[Encoder, list[int]]] = {}
    for place, one in enumerate(chosen):
        found.setdefault(id(one), (one, []))[1].append(place)
    return list(found.values())


def _costs(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Count the tokens of each text, uncut."""
    if not texts:
        return []
    own = isinstance(tokenizer, MappedTokenizer)
    unknown = tokenizer.unknown if own else tokenizer.unk_token_id
    rows = call_tokenizer(tokenizer, list(texts), truncation=False, padding=False, verbose=False)
    return [
        len(row) + (UNKNOWN_COSTS - 1) * sum(i == unknown for i in row) for row in rows["input_ids"]
    ]
