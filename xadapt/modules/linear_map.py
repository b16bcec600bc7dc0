"""A linear map of the last states: one matrix and one shift, after the encoder."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from xadapt.modules.hooks import STATES, AdapterHook, ModelShape, ModuleOptions, uniform


class LinearMapOptions(ModuleOptions):
    """Options of a linear map. It acts after the last layer: ``layers`` stays ``all``.

    Attributes:
        rank: Rank of W - I; ``null`` for a full matrix.
    """

    rank: PositiveInt | None = 64


class Affine(nn.Module):
    """The addition ``(W - I) x + b``, with ``W - I`` as one matrix or as ``up down``.

    Args:
        width: Features of a state.
        rank: As in `LinearMapOptions`.
        generator: Source of the first values of ``down``; ``up`` and the full matrix are zero.
    """

    def __init__(self, width: int, rank: int | None, generator: torch.Generator) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))
        if rank is None:
            self.update = nn.Parameter(torch.zeros(width, width))
        else:
            self.down = uniform((rank, width), width**-0.5, generator)
            self.up = nn.Parameter(torch.zeros(width, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Map states ``(..., width)`` to what is added to them, in their dtype."""
        bias = self.bias.to(x.dtype)
        if hasattr(self, "update"):
            return F.linear(x, self.update.to(x.dtype), bias)
        return F.linear(F.linear(x, self.down.to(x.dtype)), self.up.to(x.dtype), bias)


class LinearMap(nn.Module):
    """The map ``y = W x + b`` of every state after the last layer.

    The mean of states is mapped as each of them: for the poolings ``mean``, ``weightedmean``,
    ``cls`` and ``lasttoken``, the pooled vector is mapped by the same W and b, before the base's
    dense layers. ``xadapt map`` computes W and b in closed form from a dictionary; training by an
    objective starts at W = I and b = 0.

    Source: Schuster et al. 2019, "Cross-Lingual Alignment of Contextual Word Embeddings, with
    Applications to Zero-shot Dependency Parsing", https://arxiv.org/abs/1902.09492.

    Args:
        options: The rank.
        model_shape: Shapes of the encoder.
        seed: Seed of the first values.

    Raises:
        ValueError: If ``layers`` is not ``all``.
    """

    kind: ClassVar[str] = "linear_map"
    Options: ClassVar[type[LinearMapOptions]] = LinearMapOptions

    def __init__(self, options: LinearMapOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        if options.layers != "all":
            raise ValueError("a linear map acts after the last layer: leave layers at all")
        self.options = options
        self.last = model_shape.depth - 1
        generator = torch.Generator().manual_seed(seed)
        self.map = Affine(model_shape.width, options.rank, generator)

    def hooks(self) -> list[AdapterHook]:
        """Return the one hook, on the states after the last layer."""
        return [AdapterHook(self.last, STATES, 0, "output", self.map)]


def closed_form(
    w: Tensor, source_mean: Tensor, target_mean: Tensor, shape: ModelShape
) -> LinearMap:
    """Build the module ``y = W (x - source mean) + target mean``.

    Args:
        w: The matrix ``(width, width)``: a vector x is mapped to ``W x``.
        source_mean: The mean of the language that the module is for, ``(width,)``.
        target_mean: The mean of the other language.
        shape: Shapes of the encoder.
    """
    made = LinearMap(LinearMapOptions(rank=None), shape)
    whole, before, after = w.double(), source_mean.double(), target_mean.double()
    with torch.no_grad():
        made.map.update.copy_(whole - torch.eye(len(whole), dtype=torch.float64))
        made.map.bias.copy_(after - whole @ before)
    return made


Part = LinearMap
Options = LinearMapOptions
