"""Bottleneck adapters: a narrow two-layer network, parallel to the sub-layers or after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from xadapt.modules.hooks import BELOW, EMBEDDED, AdapterHook, ModelShape, ModuleOptions, Reads
from xadapt.modules.invertible import Coupling
from xadapt.modules.narrow import ACTIVATIONS, AddNarrow

SITES = {"ffn": ("ffn_out",), "attention": ("attn_out",), "both": ("attn_out", "ffn_out")}
READS: dict[str, dict[str, Reads]] = {
    "sequential": {"attn_out": "output", "ffn_out": "output"},
    "parallel": {"attn_out": "attn_in", "ffn_out": "ffn_in"},
    "pfeiffer": {"attn_out": "attn_normed", "ffn_out": "ffn_normed"},
}
"""What each form reads, by site."""


class BottleneckOptions(ModuleOptions):
    """Options of a bottleneck module.

    Attributes:
        width: Number of features of the narrow middle.
        after: The sub-layers that the adapters follow: ``ffn``, ``attention`` or ``both``.
        form: ``sequential`` reads the sub-layer's own output (before residual and norm);
            ``parallel`` reads the sub-layer's input; ``pfeiffer`` reads the output after residual
            and norm, and adds to the output before them.
        activation: The non-linearity of the middle.
        scaling: Factor on the output.
        invertible: Also apply an invertible map, ``nice`` or ``glow``, to the embeddings. The map
            is undone before the base's language-model head compares with the embeddings.
        invertible_width: Number of features inside the map's networks. Without a value, half of
            the number of their input features.
    """

    width: PositiveInt = 64
    after: Literal["ffn", "attention", "both"] = "both"
    form: Literal["sequential", "parallel", "pfeiffer"] = "sequential"
    activation: Literal["relu", "gelu", "silu"] = "gelu"
    scaling: PositiveFloat = 1.0
    invertible: Literal["nice", "glow"] | None = None
    invertible_width: PositiveInt | None = None


class Narrow(nn.Module):
    """One adapter ``x -> scaling * up(act(down(x)))``; ``up`` starts at zero.

    Args:
        size: ``(in features, out features)``.
        options: Width, activation and scaling.
        generator: Source of the first values of ``down``.
    """

    def __init__(
        self, size: tuple[int, int], options: BottleneckOptions, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.scaling = options.scaling
        self.activation = options.activation
        self.down = nn.Linear(size[0], options.width)
        self.up = nn.Linear(options.width, size[1])
        with torch.no_grad():
            self.down.weight.normal_(std=0.02, generator=generator)
            for zero in (self.down.bias, self.up.weight, self.up.bias):
                zero.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, tokens, in)`` to ``(batch, tokens, out)`` in the dtype of ``x``."""
        narrow = F.linear(x, self.down.weight.to(x.dtype), self.down.bias.to(x.dtype))
        up, bias = self.up.weight * self.scaling, self.up.bias * self.scaling
        return F.linear(
            ACTIVATIONS[self.activation].value(narrow), up.to(x.dtype), bias.to(x.dtype)
        )

    def forward_add(self, x: Tensor, y: Tensor) -> Tensor:
        """Compute ``y + forward(x)`` more cheaply; ``x`` may be ``y``."""
        if x.dtype != y.dtype:  # T5 keeps the last linear of its FFN in fp32
            return y + self(x).to(y.dtype)
        first = (x, None) if x is y else (x, y)
        weights = self.down.weight, self.down.bias, self.up.weight, self.up.bias
        added: Tensor = AddNarrow.apply(*first, *weights, self.activation, self.scaling)
        return added


class Bottleneck(nn.Module):
    """Bottleneck adapters on any span of layers.

    ``after: both`` with ``form: sequential`` is the arrangement of Houlsby et al. 2019,
    https://arxiv.org/abs/1902.00751, section 2.1 (``double_seq_bn`` in `adapters`); ``parallel``
    is that of He et al. 2022, https://arxiv.org/abs/2110.04366, section 3.2.
    ``form: pfeiffer`` with ``after: ffn`` is that of Pfeiffer et al. 2021, https://arxiv.org/abs/2005.00247
    (``seq_bn`` in `adapters`). ``after: ffn`` with
    ``invertible: nice`` is the language adapter of MAD-X, Pfeiffer et al. 2020,
    https://arxiv.org/abs/2005.00052 (``seq_bn_inv`` in `adapters`).

    Args:
        options: Width, places, form, activation, scaling and layers.
        model_shape: Shapes of the encoder.
        seed: Seed of the first values.

    Raises:
        ValueError: If the layers are outside the encoder, or ``form`` is ``pfeiffer`` and the
            encoder has no norm behind its sub-layers.
    """

    kind: ClassVar[str] = "bottleneck"
    Options: ClassVar[type[BottleneckOptions]] = BottleneckOptions

    def __init__(self, options: BottleneckOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        if options.form == "pfeiffer" and not set(SITES[options.after]) <= model_shape.norms:
            raise ValueError(
                "form pfeiffer reads the states behind a norm, and this encoder has its norms "
                "before its sub-layers; use sequential or parallel"
            )
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleDict()
        for layer in options.span(model_shape.depth):
            places = nn.ModuleDict()
            for site in SITES[options.after]:
                out = model_shape.sizes[layer, site, 0][1]
                read = model_shape.width if options.form == "parallel" else out
                places[site] = Narrow((read, out), options, generator)
            self.layers[str(layer)] = places
        self.invertible: Coupling | None = None
        if options.invertible:
            self.invertible = Coupling(
                model_shape.width,
                options.invertible,
                options.invertible_width,
                ACTIVATIONS[options.activation].value,
                generator,
            )

    @property
    def before_vocabulary(self) -> Callable[[Tensor], Tensor] | None:
        """The inverse map to apply before the language-model head; ``None`` without a map."""
        return self.invertible.inverse if self.invertible else None

    def hooks(self) -> list[AdapterHook]:
        """Return one hook for each chosen sub-layer, and one at the embeddings for the map."""
        first = []
        if self.invertible:
            first = [AdapterHook(BELOW, EMBEDDED, 0, "output", self.invertible)]
        reads = READS[self.options.form]
        return first + [
            AdapterHook(int(layer), site, 0, reads[site], narrow)
            for layer, places in self.layers.items()
            for site, narrow in places.items()  # type: ignore[operator]
        ]


Part = Bottleneck
Options = BottleneckOptions
