"""Running some layers of an encoder, with transformers' own forward on a shallow copy.

A slice of the layers ``start`` to ``stop - 1`` is a copy of the model without the other layers. Its
embeddings are replaced by a pass-through, and only the slice that ends at the last layer keeps the
final norm. So transformers' own code computes masks, rotary tables and relative positions. The copy
shares every layer with the model, and thus every parameter and every forward hook, also hooks that
are registered later.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from xadapt.backbones.encoder.packing import together
from xadapt.backbones.families import Family
from xadapt.core.errors import UserError


class Slices:
    """The slices of one encoder, each made at its first use.

    Args:
        model: The plain encoder.
        family: The names of its architecture.
    """

    def __init__(self, model: nn.Module, family: Family) -> None:
        self.model, self.family = model, family
        self.depth = len(model.get_submodule(family.layers))  # type: ignore[arg-type]
        self._made: dict[tuple[int, int], nn.Module] = {}
        self._entry: nn.Module | None = None

    def embed(self, tokens: Tensor, mask: Tensor, types: Tensor | None = None) -> Tensor:
        """Compute the states that enter layer 0.

        Args:
            tokens: Token ids, ``(batch, tokens)``.
            mask: 1 where a token is real, ``(batch, tokens)``.
            types: Segment ids, ``(batch, tokens)``, if the base has several.

        Returns:
            States ``(batch, tokens, width)``.
        """
        more = {} if types is None else {"token_type_ids": types}
        if self._entry is None:
            first = self.model.get_submodule(f"{self.family.layers}.0")
            self._entry = graft(self.model, self.family.layers, nn.ModuleList([_Door(first)]))
        try:
            self._entry(input_ids=tokens, attention_mask=mask, **more)
        except _Reached as reached:
            return reached.hidden
        raise RuntimeError("the encoder's forward never came to its first layer")

    def run(
        self, hidden: Tensor, mask: Tensor, start: int, stop: int, segment_ids: Tensor | None = None
    ) -> Tensor:
        """Run the layers ``start`` to ``stop - 1``; the final norm is part of the last layer.

        Args:
            hidden: States ``(batch, tokens, width)`` that enter layer ``start``.
            mask: 1 where a token is real, ``(batch, tokens)``.
            start: First layer to run.
            stop: One past the last layer to run.
            segment_ids: As for `Encoder.run`; only for families with ``packs``.

        Returns:
            States ``(batch, tokens, width)``.

        Raises:
            UserError: If the range is not inside the base's layers.
        """
        if not 0 <= start <= stop <= self.depth:
            raise UserError(f"layers {start} to {stop} are not within the base's {self.depth}")
        if start == stop:
            return hidden
        seen = mask if segment_ids is None else _seen(segment_ids, hidden.dtype)
        output: Tensor = self.part(start, stop)(inputs_embeds=hidden, attention_mask=seen)[0]
        return output

    def part(self, start: int, stop: int) -> nn.Module:
        """Return the model of the layers ``start`` to ``stop - 1``, made at its first use."""
        if (start, stop) not in self._made:
            self._made[start, stop] = self._make(start, stop)
        return self._made[start, stop]

    def _make(self, start: int, stop: int) -> nn.Module:
        family = self.family
        layers = list(self.model.get_submodule(family.layers).children())[start:stop]
        if start and family.carried[0]:
            layers[0] = self._carry(layers[0])
        copied = graft(self.model, family.layers, nn.ModuleList(layers))
        if family.embeddings:
            copied = graft(copied, family.embeddings, _PassThrough())
        if family.positions:
            copied = graft(copied, family.positions, _NoPositions())
        if family.final_norm and stop < self.depth:
            copied = graft(copied, family.final_norm, nn.Identity())
        if start and family.first_only:
            copied = graft(copied, family.first_only, None)
        return copied

    def _carry(self, layer: nn.Module) -> nn.Module:
        """Return a copy of a layer with the module that all layers share from layer 0.

        For T5, this is the relative position bias.
        """
        path, flag = self.family.carried
        shared = self.model.get_submodule(f"{self.family.layers}.0.{path}")
        copied = graft(layer, path, shared)
        setattr(copied.get_submodule(path.rpartition(".")[0]), flag, True)
        return copied


def _seen(segment_ids: Tensor, dtype: torch.dtype) -> Tensor:
    """Build the attention mask of packed rows for the installed major version of transformers."""
    same = together(segment_ids)
    if int(transformers.__version__.partition(".")[0]) < 5:
        return same
    hidden = torch.zeros_like(same, dtype=dtype).masked_fill(same == 0, torch.finfo(dtype).min)
    return hidden.unsqueeze(1)


class _Reached(Exception):  # noqa: N818 - it is a way out, not an error
    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


class _Door(nn.Module):
    """A module in place of layer 0 that returns its input states by an exception."""

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.attention_type = getattr(first, "attention_type", None)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        raise _Reached(args[0] if args else next(iter(kwargs.values())))


class _PassThrough(nn.Module):
    """A module in place of the embeddings that returns the given states."""

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        handed = kwargs.get("inputs_embeds")
        if handed is None:
            handed = next(a for a in args if isinstance(a, Tensor) and a.is_floating_point())
        return handed


class _NoPositions(nn.Module):
    """A module in place of the position embeddings that adds zero.

    The given states already contain their positions.
    """

    def forward(self, input_ids: Any, inputs_embeds: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return torch.zeros((), dtype=inputs_embeds.dtype, device=inputs_embeds.device)


def graft(module: nn.Module, path: str, new: nn.Module | None) -> nn.Module:
    """Copy a module shallowly, and replace one submodule of the copy; all else is shared.

    Args:
        module: The module to copy, which is not changed.
        path: Dotted path of a submodule.
        new: The new submodule; ``None`` to leave the submodule out.
    """
    copied = copy.copy(module)
    copied._modules = dict(module._modules)
    copied._compiled_call_impl = None  # it would go on calling the original
    name, _, rest = path.partition(".")
    child = copied._modules.get(name)
    copied._modules[name] = graft(child, rest, new) if rest and child is not None else new
    return copied
