"""The word embeddings of tokens, as modules at the table change them, without a layer."""

from __future__ import annotations

from torch import Tensor

from xadapt.backbones.frames import ActsInForward, forwarding
from xadapt.backbones.protocol import Backbone
from xadapt.injection.attachment import embedding_table


def word_embeddings(
    encoder: Backbone, tokens: Tensor, mask: Tensor, activation: ActsInForward | None = None
) -> Tensor:
    """Look up word embeddings, before positions and norm.

    Args:
        encoder: The frozen encoder.
        tokens: Token ids, ``(batch, tokens)``.
        mask: 1 where a token is real, ``(batch, tokens)``.
        activation: What acts; by default the bare base.

    Returns:
        ``(batch, tokens, width)``.

    Raises:
        UserError: If the activation was made for another base.
    """
    with forwarding(encoder.guard, activation, mask, 0):
        found: Tensor = embedding_table(encoder)(tokens)
    return found
