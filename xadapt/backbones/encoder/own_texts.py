"""Texts whose rows have a vocabulary of their own: the tokenizer of each, and its token ids."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

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


def read_texts(
    encoder: Encoder, texts: Sequence[str], vocabularies: Sequence[MappedTokenizer | None]
) -> tuple[list[Encoder], list[list[int]]]:
    """Choose the encoder that tokenizes each text, and tokenize it as `Encoder.tokenize` does.

    A row whose language is known has its tokenizer by that (`MappedTokenizer.for_language`). Any
    other text is read by the vocabulary of its row if that spells it in fewer tokens than the base
    does, and else by the base. So English stays English in a row of a Hindi module. An unknown
    token counts as ten.

    Args:
        encoder: The base.
        texts: Any number of texts.
        vocabularies: The vocabulary of each row; ``None`` for the base's.
    """
    chosen: list[Encoder] = [encoder] * len(texts)
    rows: list[list[int] | None] = [None] * len(texts)
    for own in dict.fromkeys(one for one in vocabularies if one is not None):
        other = reading(encoder, own)
        at = [i for i, one in enumerate(vocabularies) if one is own]
        if not own.by_text:
            for place in at:
                chosen[place] = other
            continue
        both = _whole(encoder, other, [texts[i] for i in at])
        for place, base, new in zip(at, *both, strict=True):
            better = _cost(new, own.unknown) < _cost(base, encoder.tokenizer.unk_token_id)
            one, row = (other, new) if better else (encoder, base)
            chosen[place], rows[place] = one, row if len(row) <= encoder.max_length else None
    left = [i for i, row in enumerate(rows) if row is None]
    for one, some in groups([chosen[i] for i in left]):
        at = [left[i] for i in some]
        for place, row in zip(at, one.tokenize([texts[i] for i in at]), strict=True):
            rows[place] = row
    return chosen, [row for row in rows if row is not None]


def tokenize_rows(
    encoder: Encoder, texts: Sequence[str], vocabularies: Sequence[MappedTokenizer | None]
) -> list[list[int]]:
    """Tokenize texts, each with the vocabulary of its row; see `read_texts`.

    Args:
        encoder: The base.
        texts: Any number of texts.
        vocabularies: As for `read_texts`.
    """
    return read_texts(encoder, texts, vocabularies)[1]


def groups(chosen: Sequence[Encoder]) -> list[tuple[Encoder, list[int]]]:
    """Group positions by their encoder, in the order of the first of each."""
    found: dict[int, tuple[Encoder, list[int]]] = {}
    for place, one in enumerate(chosen):
        found.setdefault(id(one), (one, []))[1].append(place)
    return list(found.values())


def _whole(encoder: Encoder, other: Encoder, texts: Sequence[str]) -> list[list[list[int]]]:
    """Tokenize texts with both tokenizers, uncut."""
    full = encoder.full_texts(texts)
    made = (
        call_tokenizer(one.tokenizer, full, truncation=False, padding=False, verbose=False)
        for one in (encoder, other)
    )
    return [[list(row) for row in one["input_ids"]] for one in made]


def _cost(row: Sequence[int], unknown: int | None) -> int:
    """Count tokens; an unknown one counts as ten."""
    return len(row) + (UNKNOWN_COSTS - 1) * sum(i == unknown for i in row)
