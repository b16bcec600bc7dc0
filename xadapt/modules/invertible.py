"""Invertible adapters: a map of the embeddings, undone before the language-model head."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from xadapt.modules.hooks import uniform

CLAMP = 5.0


class Coupling(nn.Module):
    """A coupling ``x -> y`` of two halves: the second half moves the first, then the reverse.

    Additive (NICE): ``y1 = x1 + F(x2)``, ``y2 = x2 + G(y1)``. Affine (Glow): with
    ``(s, t) = F(x2)``, ``y1 = e(s) x1 + t`` and likewise ``y2``; the factor
    ``e(s) = exp(c * 2 / pi * atan(s / c))`` stays between ``exp(-c)`` and ``exp(c)``, c = 5.

    Source: Pfeiffer et al. 2020 (MAD-X), https://arxiv.org/abs/2005.00052, section 3.3; NICE:
    Dinh et al. 2015, https://arxiv.org/abs/1410.8516; Glow: Kingma and Dhariwal 2018,
    https://arxiv.org/abs/1807.03039.

    Args:
        width: Features of a state.
        form: ``nice`` or ``glow``.
        middle: Number of features inside the networks F and G. Without a value, half of the number
            of their input features.
        activation: The non-linearity of F and G.
        generator: Source of the first values; a new map is the identity.
    """

    def __init__(
        self,
        width: int,
        form: Literal["nice", "glow"],
        middle: int | None,
        activation: Callable[[Tensor], Tensor],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.affine = form == "glow"
        self.halves = (width // 2, width - width // 2)
        first, second = self.halves
        self.F = _network(second, first * (1 + self.affine), middle, activation, generator)
        self.G = _network(first, second * (1 + self.affine), middle, activation, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the difference that the map adds to states ``(..., width)``."""
        whole = x.float()
        return (self.through(whole) - whole).to(x.dtype)

    def through(self, x: Tensor) -> Tensor:
        """Apply the map to states ``(..., width)``."""
        x1, x2 = x.split(self.halves, -1)
        y1 = self._moved(x1, self.F(x2))
        return torch.cat([y1, self._moved(x2, self.G(y1))], -1)

    def inverse(self, y: Tensor) -> Tensor:
        """Invert `through`: return the states ``(..., width)`` that map to ``y``."""
        y1, y2 = y.float().split(self.halves, -1)
        x2 = self._moved_back(y2, self.G(y1))
        return torch.cat([self._moved_back(y1, self.F(x2)), x2], -1).to(y.dtype)

    def _moved(self, x: Tensor, said: Tensor) -> Tensor:
        if not self.affine:
            return x + said
        scale, shift = said.chunk(2, -1)
        return _bounded(scale) * x + shift

    def _moved_back(self, y: Tensor, said: Tensor) -> Tensor:
        if not self.affine:
            return y - said
        scale, shift = said.chunk(2, -1)
        return (y - shift) / _bounded(scale)


def _network(
    inside: int,
    outside: int,
    middle: int | None,
    activation: Callable[[Tensor], Tensor],
    generator: torch.Generator,
) -> nn.Sequential:
    width = middle or inside // 2
    down, up = nn.Linear(inside, width), nn.Linear(width, outside)
    down.weight = uniform((width, inside), inside**-0.5, generator)
    for zero in (down.bias, up.weight, up.bias):
        nn.init.zeros_(zero)
    return nn.Sequential(down, _Activation(activation), up)


class _Activation(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _bounded(scale: Tensor) -> Tensor:
    return (CLAMP * 2 / math.pi * torch.atan(scale / CLAMP)).exp()
