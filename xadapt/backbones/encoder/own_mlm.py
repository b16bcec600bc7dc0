"""Masked language modelling with the tokens of a vocabulary of a module's own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from torch import Tensor

from xadapt.backbones.encoder import masked_lm
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.mapped_tokenizer import MappedTokenizer

Change = Callable[[Tensor], Tensor]


class OwnHead:
    """The base's frozen head, whose last layer has a vocabulary's rows in place of its own.

    The rows that tokens enter with are those that they are predicted with, and there is no bias.
    Tokens of the base are not predicted.

    Source: tied embeddings, Press and Wolf 2017, https://arxiv.org/abs/1608.05859.

    Args:
        encoder: The base.
        rows: A function that gives the rows, ``(pieces, width)``, with their gradient.
        first: The id of the first row.
        before_vocabulary: As for `Encoder.mlm_head`.

    """

    def __init__(
        self,
        encoder: Encoder,
        rows: Callable[[], Tensor],
        first: int,
        before_vocabulary: Change | None = None,
    ) -> None:
        self.encoder = encoder
        self.rows, self.first, self.change = rows, first, before_vocabulary

    def __call__(self, states: Tensor) -> Tensor:
        """Compute logits ``(..., pieces)`` of states ``(..., width)``; the first is of `first`.

        Raises:
            UserError: If the base has no such head, or its head has no linear output layer.
        """
        self.encoder.mlm_head()  # which loads it
        found = masked_lm.before_decoder(self.encoder._masked_lm)(states)
        if self.change is not None:
            found = self.change(found[None])[0]
        return found.float() @ self.rows().float().T


class MaskedPieces:
    """What masking asks of a tokenizer, for rows of a vocabulary: special tokens are the base's.

    Args:
        base: The tokenizer of the base.
        own: The tokenizer of the vocabulary.

    Attributes:
        mask_token_id: The id of the mask token; ``None`` without one.
        all_special_ids: The ids of all special tokens.
    """

    def __init__(self, base: Any, own: MappedTokenizer) -> None:
        self.mask_token_id: int | None = base.mask_token_id
        self.all_special_ids: list[int] = list(base.all_special_ids)
        self._first, self._pieces = own.first, len(own.pieces)

    def draw(self, rng: random.Random) -> int:
        """Return the id of a random piece."""
        return self._first + rng.randrange(self._pieces)
