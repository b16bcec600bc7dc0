"""A mixture of LoRAs: several at every site, weighed by a router for each row or token."""

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
        experts: How many LoRAs.
        sites: The linear sites they act on.
        rank: Rank of each.
        alpha: Each update is scaled by ``alpha / rank``.
        scope: One router for each ``site``, each ``layer``, or the whole ``model``.
        features: What it reads of the states there: ``cls``, ``mean`` or each ``token``.
        temperature: Its scores are divided by it.
        top_k: Experts that keep a weight; the others get exactly zero and are not run.
        entropy: Factor on the mean entropy of the weights, in nats, in training: above 0 makes
            the router decide.
        balance: Factor on the load-balance loss, which is 1 where all experts are used alike and
            ``experts`` where one is used alone.
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
        """The options of its router."""
        names = RouterOptions.model_fields
        return RouterOptions(**{name: getattr(self, name) for name in names})

    def expert(self) -> LoRAOptions:
        """The options of each expert."""
        names = ("sites", "rank", "alpha", "layers")
        return LoRAOptions(**{name: getattr(self, name) for name in names})


class MixtureOfLoRAs(nn.Module):
    """``W x + sum_i g_i(u) (alpha / rank) B_i A_i x`` with ``g = softmax(W_r u / temperature)``.

    Experts are not bound to languages: what each is for is learnt with the router.

    Source: MT4CrossOIE (2023), https://arxiv.org/abs/2308.06552, section 3.3, where ``scope`` is
    ``site`` and ``features`` ``cls``. The load-balance loss is that of Switch Transformers,
    https://arxiv.org/abs/2101.03961, equation 4.

    Args:
        options: Experts, sites, rank and router.
        geometry: Shapes of the encoder.
        seed: Seed of the first values.

    Raises:
        ValueError: A site is unknown to the encoder, or the layers leave it.
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
        """One effect a site: the experts' weighted sum."""
        return routed([expert.hooks() for expert in self.experts], self.router)  # type: ignore[operator]

    def watch(self) -> None:
        """Keep the router's weights of all forwards until `penalties` is asked for."""
        self.router.watch()

    def penalties(self) -> dict[str, Tensor]:
        """The router's losses on its weights since `watch`."""
        return self.router.penalties()


Part = MixtureOfLoRAs
Options = MixtureOptions
