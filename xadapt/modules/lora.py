"""LoRA: low-rank updates of the base's linear layers, ``y + (alpha / rank) B A x``."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from xadapt.modules.hooks import AdapterHook, ModelShape, ModuleOptions, uniform
from xadapt.modules.low_rank import AddLowRank


class LoRAOptions(ModuleOptions):
    """Options of a LoRA module.

    Attributes:
        sites: The linear sites that the module acts on.
        rank: Rank of each update.
        alpha: The update is scaled by ``alpha / rank``.
        rank_pattern: Other ranks for some sites.
        alpha_pattern: Other alphas for some sites.
    """

    sites: tuple[str, ...] = Field(("q", "k", "v", "ffn_in", "ffn_out"), min_length=1)
    rank: PositiveInt = 16
    alpha: PositiveFloat = 32.0
    rank_pattern: dict[str, PositiveInt] = Field(default_factory=dict)
    alpha_pattern: dict[str, PositiveFloat] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _patterns_name_sites(self) -> Self:
        if len(set(self.sites)) < len(self.sites):
            raise ValueError("a site is named twice in sites")
        for site in (*self.rank_pattern, *self.alpha_pattern):
            if site not in self.sites:
                raise ValueError(f"rank_pattern and alpha_pattern name {site!r}, sites does not")
        return self

    def rank_of(self, site: str) -> int:
        """Return the rank at a site."""
        return self.rank_pattern.get(site, self.rank)

    def alpha_of(self, site: str) -> float:
        """Return the alpha at a site."""
        return self.alpha_pattern.get(site, self.alpha)


class LowRank(nn.Module):
    """A low-rank update ``x -> scale * B A x``; ``B`` starts at zero.

    Args:
        size: ``(in features, out features)`` of the site.
        rank: Rows of ``A (rank, in)`` and columns of ``B (out, rank)``.
        scale: ``alpha / rank``.
        generator: Source of the first values of ``A``.
    """

    def __init__(
        self, size: tuple[int, int], rank: int, scale: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.scale = scale
        self.A = uniform((rank, size[0]), size[0] ** -0.5, generator)
        self.B = nn.Parameter(torch.zeros(size[1], rank))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, tokens, in)`` to ``(batch, tokens, out)`` in the dtype of ``x``."""
        return F.linear(F.linear(x, self.A.to(x.dtype)), (self.B * self.scale).to(x.dtype))

    def forward_add(self, x: Tensor, y: Tensor) -> Tensor:
        """Compute ``y + forward(x)`` more cheaply."""
        added: Tensor = AddLowRank.apply(x, y, self.A, self.B, self.scale)
        return added


class LoRA(nn.Module):
    """LoRA on any linear sites of any span of layers.

    Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models",
    https://arxiv.org/abs/2106.09685, section 4.1.

    Args:
        options: Sites, rank, alpha and layers.
        model_shape: Shapes of the encoder.
        seed: Seed of the first values.

    Raises:
        ValueError: If no layer has a site, or the layers are outside the base.
    """

    kind: ClassVar[str] = "lora"
    Options: ClassVar[type[LoRAOptions]] = LoRAOptions

    def __init__(self, options: LoRAOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleDict()
        span = options.span(model_shape.depth)
        _require_sites(options, model_shape, span)
        for layer in span:
            there = [site for site in options.sites if model_shape.points(layer, site)]
            if there:
                self.layers[str(layer)] = nn.ModuleDict(
                    {s: _points(options, model_shape, layer, s, generator) for s in there}
                )

    def hooks(self) -> list[AdapterHook]:
        """Return one hook for each linear of each site; each hook reads the linear's input."""
        return [
            AdapterHook(int(layer), site, int(point), "input", update)
            for layer, sites in self.layers.items()
            for site, points in sites.items()  # type: ignore[operator]
            for point, update in points.items()
        ]


def _require_sites(options: LoRAOptions, model_shape: ModelShape, span: range) -> None:
    """Refuse a site that no layer of the span has; the decoder's are not in the encoder."""
    for site in options.sites:
        if not any(model_shape.points(layer, site) for layer in span):
            known = sorted({name for (at, name, _) in model_shape.sizes if at in span})
            raise ValueError(f"the base has no site {site!r}; it has {', '.join(known)}")


def _points(
    options: LoRAOptions, model_shape: ModelShape, layer: int, site: str, generator: torch.Generator
) -> nn.ModuleDict:
    points = model_shape.points(layer, site)
    rank = options.rank_of(site)
    scale = options.alpha_of(site) / rank
    return nn.ModuleDict(
        {str(p): LowRank(model_shape.sizes[layer, site, p], rank, scale, generator) for p in points}
    )


Part = LoRA
Options = LoRAOptions
