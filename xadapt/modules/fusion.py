"""Fusion: attention over the outputs of several modules, separate for each token and site."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from xadapt.modules.hooks import (
    BELOW,
    AdapterHook,
    ModelShape,
    ModuleOptions,
    Place,
    uniform,
)


class FusionOptions(ModuleOptions):
    """Options of a fusion.

    Attributes:
        experts: Number of modules that the fusion attends to.
        sites: The sites that these modules act on.
        width: Number of features of queries and keys. ``null`` takes the number of the site, as
            in the paper.
        value: Whether the weighted sum goes through a value matrix.
        temperature: Divisor of the scores.
        penalty: Factor on the squared distance of the value matrices to the identity.
    """

    experts: PositiveInt = 2
    sites: tuple[str, ...] = Field(("ffn_out",), min_length=1)
    width: PositiveInt | None = None
    value: bool = True
    temperature: PositiveFloat = 1.0
    penalty: NonNegativeFloat = 0.01

    @model_validator(mode="after")
    def _names_sites_once(self) -> Self:
        if len(set(self.sites)) < len(self.sites):
            raise ValueError("a site is named twice in sites")
        return self


class Fusion(nn.Module):
    """``y + V sum_i s_i d_i`` with ``s = softmax_i(Q y . K d_i)``; module i adds ``d_i``.

    In a new fusion all weights are equal and ``V`` is the identity. So a new fusion is the mean of
    the modules.

    Source: AdapterFusion, Pfeiffer et al. 2021, https://arxiv.org/abs/2005.00247, section 3.3.
    In the paper, keys and values are adapter outputs that include the state. Here, keys and values
    are only the added part. In the keys, the state is the same for all modules and cancels in the
    softmax. In the values, without the state, the frozen state passes unchanged. The penalty is in
    the authors' code.

    Args:
        options: Modules, sites, widths.
        model_shape: Shapes of the encoder.
        seed: Seed of the keys' first values.

    Raises:
        ValueError: If a site is unknown to the encoder, or the layers are outside the encoder.
    """

    kind: ClassVar[str] = "fusion"
    leads: ClassVar[str] = "fuse"
    Options: ClassVar[type[FusionOptions]] = FusionOptions

    def __init__(self, options: FusionOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        generator = torch.Generator().manual_seed(seed)
        query, key, value = {}, {}, {}
        for name, size in _sizes(options, model_shape).items():
            inner = options.width or size
            query[name] = nn.Parameter(torch.zeros(inner, size))
            key[name] = uniform((inner, size), size**-0.5, generator)
            if options.value:
                value[name] = nn.Parameter(torch.eye(size))
        self.query, self.key = nn.ParameterDict(query), nn.ParameterDict(key)
        self.value = nn.ParameterDict(value)

    @property
    def experts(self) -> int:
        """The number of modules that the fusion attends to."""
        return self.options.experts

    def hooks(self) -> list[AdapterHook]:
        """Return no hooks: a fusion acts through the modules that it attends to."""
        return []

    def refuses(self, place: Place) -> str | None:
        """Return the reason why modules that act at a site can't be fused, or ``None``."""
        if _name(place) in self.query:
            return None
        if place[0] == BELOW:
            return (
                "a fusion has no weights for the embeddings, where an invertible map acts; fuse "
                "modules without such a map"
            )
        return (
            f"the fusion has no weights for {place[1]} of layer {place[0] + 1}; it was made for "
            f"{', '.join(self.options.sites)}"
        )

    def added(self, place: Place, state: Tensor, deltas: Tensor) -> Tensor:
        """Compute the sum that the fusion adds to a site's output.

        Args:
            place: The site.
            state: The site's output, ``(batch, tokens, features)``.
            deltas: The output of each module, ``(batch, tokens, experts, features)``; zeros for a
                module that does not act here.

        Raises:
            ValueError: If modules act at a site that this fusion was not made for.
        """
        summed = (self.weights(place, state, deltas).unsqueeze(-1) * deltas.float()).sum(-2)
        return F.linear(summed, self.value[_name(place)]) if self.options.value else summed

    def weights(self, place: Place, state: Tensor, deltas: Tensor) -> Tensor:
        """Compute the weight of each module, ``(batch, tokens, experts)``.

        The weights of each token sum to one. Args and errors are as for `added`.
        """
        name = _name(place)
        reason = self.refuses(place)
        if reason:
            raise ValueError(reason)
        query = F.linear(state.float(), self.query[name])
        key = F.linear(deltas.float(), self.key[name])
        scores = (key @ query.unsqueeze(-1)).squeeze(-1) / self.options.temperature
        return scores.softmax(-1)

    def penalties(self) -> dict[str, Tensor]:
        """Compute the squared distance of the value matrices to the identity, times its factor."""
        if not self.options.penalty or not len(self.value):
            return {}
        apart = [
            (value - torch.eye(len(value), device=value.device)).square().sum()
            for value in self.value.values()
        ]
        return {"values": self.options.penalty * torch.stack(apart).sum()}


def _name(place: Place) -> str:
    return "-".join(map(str, place))


def _sizes(options: FusionOptions, model_shape: ModelShape) -> dict[str, int]:
    """Return the number of features of each site's output, by name."""
    span = options.span(model_shape.depth)
    known = {site for _, site, _ in model_shape.sizes}
    for site in options.sites:
        if site not in known:
            raise ValueError(f"the encoder has no site {site!r}; it has {', '.join(sorted(known))}")
    return {
        _name((layer, site, point)): model_shape.sizes[layer, site, point][1]
        for layer in span
        for site in options.sites
        for point in model_shape.points(layer, site)
    }


Part = Fusion
Options = FusionOptions
