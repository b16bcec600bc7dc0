"""Comparing a written folder with what every importable library makes of it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.integrations import adapters, peft, sentence_transformers, transformers_peft

BRIDGES = {b.NAME: b for b in (adapters, peft, transformers_peft, sentence_transformers)}


def callbacks(
    encoder: Encoder, module: nn.Module, base_path: str, texts: Sequence[str]
) -> dict[str, Callable[[Path], float]]:
    """One function a library: from a folder to its largest difference from xadapt.

    sentence-transformers is compared by its vectors, so that tokenizer, prompt and pooling are
    compared too; the others by hidden states at real tokens. The difference is absolute, or, where
    the largest state is above 1, a share of that: rounding in fp32 grows with what is rounded.

    Args:
        encoder: The base in float32 on the CPU.
        module: The module, on the CPU.
        base_path: Hub id or folder the same base can be loaded from.
        texts: Texts to compare on, of different lengths.

    Raises:
        UserError: The encoder is not in float32, where rounding would hide or feign a difference.
    """
    if encoder.precision != "float32" or encoder.device.type != "cpu":
        raise UserError(
            "loaders are compared in float32 on the CPU", todo="Load the base with dtype float32"
        )
    ids, mask = encoder.batch(encoder.tokenize(texts))
    own = _own_states(encoder, module, ids, mask)

    def by_states(bridge: Any) -> Callable[[Path], float]:
        def compare(folder: Path) -> float:
            with _quiet():
                theirs = bridge.states(folder, base_path, ids, mask)
            return _difference(theirs * mask.unsqueeze(-1), own * mask.unsqueeze(-1))

        return compare

    def by_vectors(folder: Path) -> float:
        with _quiet():
            theirs = sentence_transformers.vectors(folder, base_path, texts)
        return _difference(theirs, encoder.pool(own, mask))

    found = {n: by_states(b) for n, b in BRIDGES.items() if b.available() is None}
    if sentence_transformers.NAME in found:
        found[sentence_transformers.NAME] = by_vectors
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings and bars of other libraries: what they say is about heads nobody asked for."""
    bars = transformers.utils.logging.is_progress_bar_enabled()
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        if bars:
            transformers.utils.logging.enable_progress_bar()


def _difference(theirs: Tensor, ours: Tensor) -> float:
    return float((theirs - ours).abs().max() / ours.abs().max().clamp(min=1.0))


def _own_states(encoder: Encoder, module: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    acts = Activation.of(ActiveAdapter(encoder, module))
    with torch.no_grad():
        hidden = encoder.embed(ids, mask, activation=acts)
        return encoder.run(hidden, mask, activation=acts).float()
