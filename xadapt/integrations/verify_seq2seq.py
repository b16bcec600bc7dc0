"""Comparison of a written folder of an encoder-decoder in xadapt, in peft and in transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from xadapt.backbones.seq2seq.seq2seq import AUTO, Seq2Seq
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.integrations import peft, plain, transformers_peft
from xadapt.integrations.plain import difference

MERGED = "merged"
"""The name of the comparison with a model that has the module in its weights."""


def callbacks(
    seq2seq: Seq2Seq, module: nn.Module, base_path: str, texts: Sequence[str]
) -> dict[str, Callable[[Path], float]]:
    """Make a function for each library, from a folder to the largest difference from xadapt.

    Compared are the logits of a decoder that writes each text from itself; see
    `xadapt.integrations.verify.callbacks`.

    Args:
        seq2seq: The base in float32 on the CPU.
        module: The module, on the CPU.
        base_path: Hub id or folder of the same base.
        texts: Texts to compare on, of different lengths.

    Returns:
        The functions by library. ``merged`` is for a folder with the base and the module in its
        weights.
    """
    given = call_tokenizer(seq2seq.tokenizer, list(texts), padding=True, return_tensors="pt")
    inputs = {
        "input_ids": given["input_ids"],
        "attention_mask": given["attention_mask"],
        "decoder_input_ids": given["input_ids"],
    }
    own: list[Tensor] = []

    def ours() -> Tensor:
        if not own:
            with seq2seq.active(Activation.of(ActiveAdapter(seq2seq, module))):
                own.append(_logits(seq2seq.model, inputs))
        return own[0]

    def by(load: Callable[[str, Any], Any]) -> Callable[[Path], float]:
        def compare(folder: Path) -> float:
            with plain.without_noise():
                loader = getattr(transformers, AUTO)
                model = load(str(folder), loader.from_pretrained(base_path, dtype=torch.float32))
                theirs = _logits(model.eval(), inputs)
            return difference(theirs, ours())

        return compare

    def by_merged(folder: Path) -> float:
        with plain.without_noise():
            model = getattr(transformers, AUTO).from_pretrained(str(folder), dtype=torch.float32)
            return difference(_logits(model.eval(), inputs), ours())

    loaders = {peft: _by_peft, transformers_peft: _by_transformers}
    found = {one.NAME: by(load) for one, load in loaders.items() if one.available() is None}
    return {**found, MERGED: by_merged}


def _by_peft(folder: str, model: Any) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder)


def _by_transformers(folder: str, model: Any) -> Any:
    model.load_adapter(folder)
    return model


def _logits(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return the logits at real tokens, ``(tokens, vocabulary)``, float32."""
    with torch.no_grad():
        found: Tensor = model(**inputs, use_cache=False).logits.float()
    return found[inputs["attention_mask"].bool()]
