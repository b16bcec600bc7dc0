"""The maximum length of a text, and the padding token."""

from __future__ import annotations

from typing import Any

from xadapt.backbones.encoder.pooling import Pooling
from xadapt.backbones.families import Family

# Files of relative-position encoders may name no length at all, or write 1e30.
_DEFAULT_LENGTH, _SANE_LENGTH = 512, 1_000_000


def padding_id(config: Any, tokenizer: Any) -> int:
    """Return the token id of padding: the tokenizer's, else the configuration's, else 0."""
    for value in (tokenizer.pad_token_id, getattr(config, "pad_token_id", None)):
        if value is not None:
            return int(value)
    return 0


def max_length(config: Any, tokenizer: Any, family: Family, pooling: Pooling) -> int:
    """Return the maximum number of tokens of a text.

    The limit is the smallest of those of the base's files, its tokenizer and its position table. If
    none of them has a limit, the result is 512.
    """
    limits = [pooling.max_length, int(min(tokenizer.model_max_length, _SANE_LENGTH))]
    table = getattr(config, "max_position_embeddings", None)
    if table and not family.unbounded:
        padding = getattr(config, "pad_token_id", 0) or 0
        limits.append(int(table) - (padding + 1 if family.after_padding else 0))
    known = [limit for limit in limits if limit and limit < _SANE_LENGTH]
    return min(known, default=_DEFAULT_LENGTH)
