"""A router: it weighs trained modules for each text or token, from the states there."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from xadapt.modules.hooks import (
    BELOW,
    AdapterHook,
    CapturedInput,
    ModelShape,
    ModuleOptions,
    Place,
    SiteInputs,
)


class RouterOptions(ModuleOptions):
    """Options of a router.

    Attributes:
        experts: Number of experts.
        scope: One linear for each ``site`` (on the site's own input), for each ``layer`` (on the
            input of its attention), or for the whole ``model`` (on the input of the first
            layer's attention).
        features: The part of these states that the linear reads: the first token's state
            (``cls``), the ``mean`` over real tokens, or each ``token``'s state. With ``token``,
            each token has its own weights.
        sites: The sites that the experts act on, for ``scope: site``.
        temperature: Divisor of the scores.
        top_k: Number of experts that keep a weight in a row or token. The others get exactly zero.
        entropy: Factor on the mean entropy of the weights, in nats, in training. A value above 0
            makes the weights sharper.
        balance: Factor on the load-balance loss. This loss is 1 where all experts are used
            equally, and ``experts`` where only one is used.
    """

    experts: PositiveInt = 2
    scope: Literal["site", "layer", "model"] = "layer"
    features: Literal["cls", "mean", "token"] = "cls"
    sites: tuple[str, ...] = Field(("q", "k", "v", "ffn_in", "ffn_out"), min_length=1)
    temperature: PositiveFloat = 1.0
    top_k: PositiveInt | None = None
    entropy: NonNegativeFloat = 0.0
    balance: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _keeps_some(self) -> Self:
        if self.top_k is not None and self.top_k > self.experts:
            raise ValueError("top_k can't be more than experts")
        if len(set(self.sites)) < len(self.sites):
            raise ValueError("a site is named twice in sites")
        return self


class Router(nn.Module):
    """Softmax over linear scores of the states; a new router gives all experts equal weights.

    The router of MT4CrossOIE (2023), https://arxiv.org/abs/2308.06552, section 3.3, is ``scope:
    site, features: cls``. With ``top_k``, the kept softmax weights are scaled so that they sum
    to one.

    Args:
        options: Experts, scope, features, temperature and top k.
        model_shape: Shapes of the encoder.
        seed: Not used: the weights start at zero.

    Attributes:
        seen: The recorded weights of each call, ``(n, experts)``, with the name of their linear;
            ``None`` if nothing is recorded.

    Raises:
        ValueError: If a site is unknown to the encoder, or the layers are outside the encoder.
    """

    kind: ClassVar[str] = "router"
    leads: ClassVar[str] = "route"
    Options: ClassVar[type[RouterOptions]] = RouterOptions

    def __init__(self, options: RouterOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        sizes = _sizes(options, model_shape)
        self.scores = nn.ParameterDict(
            {key: nn.Parameter(torch.zeros(options.experts, size)) for key, size in sizes.items()}
        )
        self.seen: list[tuple[str, Tensor]] | None = None

    @property
    def experts(self) -> int:
        """The number of experts."""
        return self.options.experts

    def hooks(self) -> list[AdapterHook]:
        """Return no hooks: a router acts through its experts."""
        return []

    def wants(self, place: Place) -> tuple[CapturedInput, ...]:
        """Return the inputs of attentions that the router reads for the experts at a site."""
        if self.options.scope == "site":
            return ()
        return ((place[0] if self.options.scope == "layer" else 0, "attn_in"),)

    def refuses(self, place: Place) -> str | None:
        """Return the reason why experts that act at a site can't be weighted, or ``None``."""
        if place[0] == BELOW:
            return (
                "a router has no states to read at the embeddings, where an invertible map acts; "
                "route modules without such a map"
            )
        if self._key(place) in self.scores:
            return None
        return f"the router has no weights for {place[1]} of layer {place[0] + 1}"

    def gates(self, place: Place, here: SiteInputs) -> Tensor:
        """Compute the weights of the experts at a site.

        Args:
            place: The site.
            here: The inputs of the site.

        Returns:
            ``(batch, 1, experts)``, or ``(batch, tokens, experts)`` for ``features: token``. The
            weights of each row or token sum to one.

        Raises:
            ValueError: If experts act at a site that this router was not made for.
        """
        reason = self.refuses(place)
        if reason:
            raise ValueError(reason)
        key = self._key(place)
        wants = self.wants(place)
        states = here.inputs[wants[0]] if wants else here.input
        features = self._features(states.float(), here.mask)
        scores = F.linear(features, self.scores[key]) / self.options.temperature
        gates = _kept(scores.softmax(-1), self.options.top_k)
        if self.seen is not None:
            self.seen.append((key, _real(gates, here.mask)))
        return gates

    def watch(self) -> None:
        """Keep the weights of all forwards until `penalties` is called."""
        self.seen = [] if self.options.entropy or self.options.balance else None

    def penalties(self) -> dict[str, Tensor]:
        """Compute the losses on the weights since `watch`, times their factors.

        The weights are then discarded.

        Returns:
            ``entropy`` and ``balance``, scalars, where their factor is set and weights were kept.
        """
        seen, self.seen = self.seen, None
        if not seen:
            return {}
        names = dict.fromkeys(name for name, _ in seen)
        gates = [torch.cat([own for at, own in seen if at == name]) for name in names]
        found = {}
        if self.options.entropy:
            found["entropy"] = self.options.entropy * _mean([_entropy(own) for own in gates])
        if self.options.balance:
            found["balance"] = self.options.balance * _mean([_balance(own) for own in gates])
        return found

    def _key(self, place: Place) -> str:
        layer, site, point = place
        return {"site": f"{layer}-{site}-{point}", "layer": str(layer), "model": "all"}[
            self.options.scope
        ]

    def _features(self, states: Tensor, mask: Tensor | None) -> Tensor:
        if self.options.features == "token":
            return states
        if self.options.features == "cls":
            return states[:, :1]
        assert mask is not None
        keep = mask.unsqueeze(-1).to(states.dtype)
        return (states * keep).sum(1, keepdim=True) / keep.sum(1, keepdim=True).clamp(min=1)


def _sizes(options: RouterOptions, model_shape: ModelShape) -> dict[str, int]:
    """Return the number of features of each linear, by key."""
    span = options.span(model_shape.depth)
    if options.scope == "model":
        return {"all": model_shape.width}
    if options.scope == "layer":
        return {str(layer): model_shape.width for layer in span}
    known = {site for _, site, _ in model_shape.sizes}
    for site in options.sites:
        if site not in known:
            raise ValueError(f"the encoder has no site {site!r}; it has {', '.join(sorted(known))}")
    return {
        f"{layer}-{site}-{point}": model_shape.sizes[layer, site, point][0]
        for layer in span
        for site in options.sites
        for point in model_shape.points(layer, site)
    }


def _kept(gates: Tensor, top_k: int | None) -> Tensor:
    if top_k is None or top_k == gates.shape[-1]:
        return gates
    most, where = gates.topk(top_k, -1)
    return torch.zeros_like(gates).scatter(-1, where, most / most.sum(-1, keepdim=True))


def _real(gates: Tensor, mask: Tensor | None) -> Tensor:
    """Select the weights of rows, or of real tokens for weights by token: ``(n, experts)``."""
    if mask is None or gates.shape[1] == 1:
        return gates.flatten(0, 1)
    return gates[mask.bool()]


def _entropy(gates: Tensor) -> Tensor:
    return -(gates * gates.clamp(min=1e-12).log()).sum(-1).mean()


def _balance(gates: Tensor) -> Tensor:
    """Compute ``experts * sum_i f_i P_i``.

    ``f_i`` is the share of rows or tokens with the greatest weight on expert i. ``P_i`` is the mean
    weight of expert i.
    """
    experts = gates.shape[-1]
    first = torch.nn.functional.one_hot(gates.argmax(-1), experts).to(gates.dtype)
    return experts * (first.mean(0) * gates.mean(0)).sum()


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


Part = Router
Options = RouterOptions
