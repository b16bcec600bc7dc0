"""The maximum length of a text, and the padding token."""

from __future__ import annotations

from typing import Any

from xadapt.backbones.encoder.pooling import Pooling
from xadapt.backbones.families import Family
from xadapt.core.errors import UserError

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


def require_rows(tokenizer: Any, rows: int, where: str) -> None:
    """Refuse a tokenizer with ids beyond the table of word embeddings.

    Args:
        tokenizer: The tokenizer.
        rows: Number of rows of the table.
        where: The base.

    Raises:
        UserError: If a token has an id without a row.
    """
    beyond = [(number, token) for token, number in tokenizer.get_vocab().items() if number >= rows]
    if beyond:
        number, token = min(beyond)
        raise UserError(
            f"the tokenizer has {len(beyond)} tokens without a row in the table of {rows:,} word "
            f"embeddings, such as {token!r} with id {number}",
            where=where,
            todo="Give the base its own tokenizer, or resize its table: "
            "model.resize_token_embeddings(len(tokenizer)), then save both",
        )
