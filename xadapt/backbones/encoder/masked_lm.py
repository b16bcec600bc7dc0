"""The masked-language-model head of a base, loaded on demand and called on states.

The head is transformers' own ``...ForMaskedLM`` with a pass-through in place of the encoder. So
transformers' own code computes the logits from the states in each family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from xadapt.backbones import loading
from xadapt.backbones.bases import Base
from xadapt.backbones.encoder.slices import graft
from xadapt.backbones.families import Family
from xadapt.core.errors import UserError


def load(base: Base, family: Family, dtype: torch.dtype) -> nn.Module:
    """Load the ``...ForMaskedLM`` model of a base, frozen.

    Raises:
        UserError: If the base has no such head.
    """
    options = family.mlm_options if family.masked_lm and base.kind != "memory" else ()
    for option in options:
        config = loading.load_config(base)
        for name, value in option.items():
            setattr(config, name, value)
        model, missing = loading.load_model(base, "AutoModelForMaskedLM", config, dtype)
        if not missing:
            return model
    raise UserError(
        "the base has no masked-language-model head",
        where=base.spec,
        todo="Use a base that was published with one, or an objective that needs none",
    )


def head(
    model: nn.Module, before_vocabulary: Callable[[Tensor], Tensor] | None = None
) -> Callable[[Tensor], Tensor]:
    """Return the part of a ``...ForMaskedLM`` model after its encoder, as a function.

    Args:
        model: The model.
        before_vocabulary: A function that is applied to the states, ``(1, n, width)``, before they
            are compared with the vocabulary's vectors.

    Returns:
        A function from states ``(..., width)`` to logits ``(..., vocab)``. It raises a UserError if
        ``before_vocabulary`` is given and the head has no linear output layer.
    """
    prefix = str(model.base_model_prefix)
    part = graft(model, prefix, _States(model.get_submodule(prefix)))

    def logits(states: Tensor) -> Tensor:
        flat = states.reshape(1, -1, states.shape[-1])
        with _changed(model, before_vocabulary):
            out: Tensor = part(inputs_embeds=flat.to(next(model.parameters()).dtype))[0]
        return out.reshape(*states.shape[:-1], out.shape[-1])

    return logits


def before_decoder(model: Any) -> Callable[[Tensor], Tensor]:
    """Return the part of a ``...ForMaskedLM`` model between its encoder and its last linear.

    Args:
        model: The model.

    Returns:
        A function from states ``(..., width)`` to the states ``(..., features of a token's
        vector)`` that the head compares with the vectors of all tokens.

    Raises:
        UserError: If the head has no linear output layer.
    """
    last = model.get_output_embeddings()
    if not isinstance(last, nn.Linear):
        raise UserError(
            "this base's language-model head has no linear output layer, so it can't predict other "
            "tokens",
            todo="Train with an objective on whole texts, such as translation_ranking",
        )
    prefix = str(model.base_model_prefix)
    path = next(name for name, part in model.named_modules() if part is last)
    part = graft(model, prefix, _States(model.get_submodule(prefix)))
    part = graft(part, path, nn.Identity())

    def compute(states: Tensor) -> Tensor:
        flat = states.reshape(1, -1, states.shape[-1])
        out: Tensor = part(inputs_embeds=flat.to(next(model.parameters()).dtype))[0]
        return out.reshape(*states.shape[:-1], out.shape[-1])

    return compute


@contextmanager
def _changed(model: Any, change: Callable[[Tensor], Tensor] | None) -> Iterator[None]:
    if change is None:
        yield
        return
    vocabulary = model.get_output_embeddings()
    if not isinstance(vocabulary, nn.Linear):
        raise UserError(
            "this base's language-model head can't undo an invertible adapter",
            todo="Train the module without one",
        )
    hook = vocabulary.register_forward_pre_hook(lambda _, given: (change(given[0]), *given[1:]))
    try:
        yield
    finally:
        hook.remove()


class _States(nn.Module):
    """A pass-through in place of the encoder, with its embeddings, which some heads need."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.embeddings = encoder.get_submodule("embeddings")

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> BaseModelOutput:
        return BaseModelOutput(inputs_embeds)  # type: ignore[arg-type]
