"""Comparison of a written folder in xadapt and in every importable library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.integrations import adapters, peft, plain, sentence_transformers, transformers_peft

BRIDGES = {b.NAME: b for b in (adapters, peft, transformers_peft, sentence_transformers)}


def callbacks(
    encoder: Encoder, module: nn.Module, base_path: str, texts: Sequence[str]
) -> dict[str, Callable[[Path], float]]:
    """Make a function for each library, from a folder to the largest difference from xadapt.

    sentence-transformers is compared by its vectors. So tokenizer, prompt and pooling are compared
    too. The other libraries are compared by hidden states at real tokens. The difference is
    absolute. Where the largest state is above 1, the difference is a share of that state, because
    rounding errors in fp32 grow with the values.

    Args:
        encoder: The base in float32 on the CPU.
        module: The module, on the CPU.
        base_path: Hub id or folder of the same base.
        texts: Texts to compare on, of different lengths.

    Raises:
        UserError: If the encoder is not in float32. Rounding in another dtype could hide a
            difference or cause a false one.
    """
    if encoder.precision != "float32" or encoder.device.type != "cpu":
        raise UserError(
            "loaders are compared in float32 on the CPU", todo="Load the base with dtype float32"
        )
    ids, mask = encoder.batch(encoder.tokenize(texts))
    own = own_states(encoder, module, ids, mask)

    def by_states(bridge: Any) -> Callable[[Path], float]:
        def compare(folder: Path) -> float:
            with plain.without_noise():
                theirs = bridge.states(folder, base_path, ids, mask)
            return difference(theirs * mask.unsqueeze(-1), own * mask.unsqueeze(-1))

        return compare

    def by_vectors(folder: Path) -> float:
        with plain.without_noise():
            theirs = sentence_transformers.vectors(folder, base_path, texts)
        return difference(theirs, encoder.pool(own, mask))

    found = {n: by_states(b) for n, b in BRIDGES.items() if b.available() is None}
    if sentence_transformers.NAME in found:
        found[sentence_transformers.NAME] = by_vectors
    return found


def difference(theirs: Tensor, ours: Tensor) -> float:
    """Return the largest difference; where the largest value is above 1, as a share of it."""
    return float((theirs - ours).abs().max() / ours.abs().max().clamp(min=1.0))


def own_states(encoder: Encoder, module: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """Compute the states of the base with a module, ``(batch, tokens, width)``, float32."""
    acts = Activation.of(ActiveAdapter(encoder, module))
    with torch.no_grad():
        hidden = encoder.embed(ids, mask, activation=acts)
        return encoder.run(hidden, mask, activation=acts).float()
