"""A mixture of LoRAs: several at every site, weighted by a router for each row or token."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from xadapt.modules.hooks import AdapterHook, ModelShape, ModuleOptions
from xadapt.modules.lora import LoRA, LoRAOptions
from xadapt.modules.mixing import routed
from xadapt.modules.router import Router, RouterOptions


class MixtureOptions(ModuleOptions):
    """Options of a mixture of LoRAs.

    Attributes:
        experts: Number of LoRAs.
        sites: The linear sites that the LoRAs act on.
        rank: Rank of each LoRA.
        alpha: Each update is scaled by ``alpha / rank``.
        scope: One router for each ``site``, each ``layer``, or the whole ``model``.
        features: The features that the router reads of the states: ``cls``, ``mean`` or each
            ``token``.
        temperature: Divisor of the router's scores.
        top_k: Number of experts that keep a weight. The others get exactly zero and do not run.
        entropy: Factor on the mean entropy of the weights, in nats, in training. A value above 0
            makes the weights sharper.
        balance: Factor on the load-balance loss. This loss is 1 where all experts are used
            equally, and ``experts`` where only one is used.
    """

    experts: PositiveInt = 4
    sites: tuple[str, ...] = Field(("v", "attn_out", "ffn_in", "ffn_out"), min_length=1)
    rank: PositiveInt = 4
    alpha: PositiveFloat = 8.0
    scope: Literal["site", "layer", "model"] = "site"
    features: Literal["cls", "mean", "token"] = "cls"
    temperature: PositiveFloat = 1.0
    top_k: PositiveInt | None = None
    entropy: NonNegativeFloat = 0.0
    balance: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        self.router()
        self.expert()
        return self

    def router(self) -> RouterOptions:
        """Return the options of the router."""
        names = RouterOptions.model_fields
        return RouterOptions(**{name: getattr(self, name) for name in names})

    def expert(self) -> LoRAOptions:
        """Return the options of each expert."""
        names = ("sites", "rank", "alpha", "layers")
        return LoRAOptions(**{name: getattr(self, name) for name in names})


class MixtureOfLoRAs(nn.Module):
    """``W x + sum_i g_i(u) (alpha / rank) B_i A_i x`` with ``g = softmax(W_r u / temperature)``.

    Experts are not bound to languages: their roles are learnt with the router.

    Source: MT4CrossOIE (2023), https://arxiv.org/abs/2308.06552, section 3.3, where ``scope`` is
    ``site`` and ``features`` ``cls``. The load-balance loss is that of Switch Transformers,
    https://arxiv.org/abs/2101.03961, equation 4.

    Args:
        options: Experts, sites, rank and router.
        model_shape: Shapes of the encoder.
        seed: Seed of the first values.

    Raises:
        ValueError: If a site is unknown to the encoder, or the layers are outside the encoder.
    """

    kind: ClassVar[str] = "mixture_of_loras"
    Options: ClassVar[type[MixtureOptions]] = MixtureOptions

    def __init__(self, options: MixtureOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        count = options.experts
        self.experts = nn.ModuleList(
            LoRA(options.expert(), model_shape, seed=seed * count + number)
            for number in range(count)
        )
        self.router = Router(options.router(), model_shape)

    def hooks(self) -> list[AdapterHook]:
        """Return one hook for each site, with the experts' weighted sum."""
        return routed([expert.hooks() for expert in self.experts], self.router)  # type: ignore[operator]

    def watch(self) -> None:
        """Keep the router's weights of all forwards until `penalties` is called."""
        self.router.watch()

    def penalties(self) -> dict[str, Tensor]:
        """Compute the router's losses on its weights since `watch`."""
        return self.router.penalties()


Part = MixtureOfLoRAs
Options = MixtureOptions
