"""The shared parts of all module kinds: hooks, site inputs, and encoder shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict
from torch import Tensor, nn

Reads = Literal["input", "output", "attn_in", "ffn_in", "attn_normed", "ffn_normed", "ids", "here"]
EMBEDDINGS, EMBEDDED, STATES = "embeddings", "embedded", "states"
BELOW = -1


Place = tuple[int, str, int]
CapturedInput = tuple[int, Literal["attn_in", "ffn_in"]]
_RESIDUAL: dict[str, Literal["attn_in", "ffn_in"]] = {
    "attn_normed": "attn_in",
    "ffn_normed": "ffn_in",
}


@dataclass(frozen=True)
class SiteInputs:
    """The tensors that a module may read at a site, ``(batch, tokens, features)`` each.

    Attributes:
        layer: The site's layer.
        input: The linear's input; at the embeddings, the output.
        output: The linear's output, with the additions of earlier modules.
        inputs: Inputs of attentions and FFNs that the hook wants, by layer and name.
        mask: 1 where a token is real, ``(batch, tokens)``.
        norm: The base's norm of the output plus the sub-layer's input, where it has one.
        ids: At the table of word embeddings, the token ids ``(batch, tokens)``. They may go beyond
            the vocabulary's size where another module has vectors for new ids.
    """

    layer: int
    input: Tensor
    output: Tensor
    inputs: Mapping[CapturedInput, Tensor] = field(default_factory=dict)
    mask: Tensor | None = None
    norm: nn.Module | None = None
    ids: Tensor | None = None

    def read(self, reads: Reads) -> Any:
        """Return the input of a hook with these ``reads``."""
        if reads == "attn_in" or reads == "ffn_in":
            return self.inputs[self.layer, reads]
        if reads in _RESIDUAL:
            assert self.norm is not None
            return self.norm(self.output + self.inputs[self.layer, _RESIDUAL[reads]])
        return self if reads == "here" else getattr(self, reads)

    def of(self, rows: slice | Tensor) -> SiteInputs:
        """Select some rows of all tensors."""
        inputs = {key: states[rows] for key, states in self.inputs.items()}
        mask = None if self.mask is None else self.mask[rows]
        ids = None if self.ids is None else self.ids[rows]
        return SiteInputs(
            self.layer, self.input[rows], self.output[rows], inputs, mask, self.norm, ids
        )

    def after(self, added: Tensor) -> SiteInputs:
        """Return the same inputs with a tensor added to the output."""
        return replace(self, output=self.output + added)


@dataclass(frozen=True)
class AdapterHook:
    """One small network whose output is added to the output of one site.

    A site is one of four places. The first is a linear of a layer. The second is the table of word
    embeddings (layer `BELOW`, site `EMBEDDINGS`); the output is ``(batch, tokens, width)`` before
    positions and norm. The third is the embedding block's output, which the base sends to its first
    layer (layer `BELOW`, site `EMBEDDED`). The fourth is the states after the last layer and the
    final norm (the last layer, site `STATES`).

    Attributes:
        layer: Index of the encoder layer, from 0; `BELOW` for the embeddings.
        site: Name of the linear site, such as ``q`` or ``ffn_out``, or `EMBEDDINGS`, `EMBEDDED`,
            `STATES`.
        point: Index of the linear in a site with several (a gated FFN has two ``ffn_in``).
        reads: The input of ``fn``: the linear's ``input``, its ``output``, or the input of
            the layer's attention (``attn_in``) or FFN (``ffn_in``), or the base's norm of the
            linear's output plus such an input (``attn_normed``, ``ffn_normed``), all ``(batch,
            tokens, features)``; or all of them (``here``, a `SiteInputs`). At the embeddings, the
            input is ``output`` or ``ids``: token ids ``(batch, tokens)``. These ids may go beyond
            the vocabulary's size. The vector of such an id is the output of ``fn`` alone.
        fn: The network; returns ``(batch, tokens, features of the site)``. The network may have a
            method ``forward_add(x, y)`` that returns ``y + fn(x)`` more cheaply. This method is
            used where the module acts on every row.
        wants: For ``here``, the inputs of attentions and FFNs that ``fn`` reads, by layer and
            name. They belong to this layer or lower layers.
        by_row: Whether ``fn`` differs from row to row, as under a router.
        own_texts: Whether the hook acts only on texts that the module's own vocabulary reads.
    """

    layer: int
    site: str
    point: int
    reads: Reads
    fn: nn.Module
    wants: tuple[CapturedInput, ...] = ()
    by_row: bool = False
    own_texts: bool = False

    @property
    def place(self) -> Place:
        """The layer, site and point of the hook."""
        return self.layer, self.site, self.point

    @property
    def remembered(self) -> tuple[CapturedInput, ...]:
        """The inputs of attentions and FFNs that must be captured for the hook."""
        if self.reads == "attn_in" or self.reads == "ffn_in":
            return ((self.layer, self.reads),)
        if self.reads in _RESIDUAL:
            return ((self.layer, _RESIDUAL[self.reads]),)
        return self.wants


@dataclass(frozen=True)
class ModelShape:
    """The shapes of an encoder that a module must fit.

    Attributes:
        depth: Number of layers.
        width: Features of a hidden state.
        sizes: ``(in features, out features)`` by ``(layer, site, point)``.
        vocabulary: Number of rows of the table of word embeddings.
        norms: The sites whose output, plus their sub-layer's input, goes through a norm.
    """

    depth: int
    width: int
    sizes: Mapping[tuple[int, str, int], tuple[int, int]]
    vocabulary: int = 0
    norms: frozenset[str] = frozenset()

    def points(self, layer: int, site: str) -> list[int]:
        """List the points of a site, in order; empty where the encoder has none."""
        return [p for (at, name, p) in self.sizes if at == layer and name == site]


def _check_span(value: Any) -> Any:
    if value != "all" and not (0 <= value[0] < value[1] or value[1] < 0 <= value[0]):
        raise ValueError("must be 'all' or [start, stop) with 0 <= start < stop, or stop < 0")
    return value


LayerSpan = Annotated[Literal["all"] | tuple[int, int], AfterValidator(_check_span)]


class ModuleOptions(BaseModel):
    """Options of every module kind.

    Attributes:
        layers: ``all``, or ``[start, stop)``: the layers that the module is in. A negative stop
            counts from the end: ``[0, -1]`` leaves the last layer out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    layers: LayerSpan = "all"

    def span(self, depth: int) -> range:
        """Return the layers as a range, checked against the encoder's depth.

        Raises:
            ValueError: If the span is outside the encoder.
        """
        if self.layers == "all":
            return range(depth)
        start, stop = self.layers
        stop = depth + stop if stop < 0 else stop
        if not start < stop <= depth:
            raise ValueError(f"layers [{start}, {stop}) leave an encoder of {depth} layers")
        return range(start, stop)


def hooks_of(module: nn.Module) -> list[AdapterHook]:
    """Return the hooks of a module."""
    return module.hooks()  # type: ignore[operator, no-any-return]


def watch(module: nn.Module) -> None:
    """Signal the start of a training step to a module with losses of its own."""
    begin = getattr(module, "watch", None)
    if begin:
        begin()


def penalties(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's own losses since `watch`, by name; most modules have none."""
    own = getattr(module, "penalties", None)
    return dict(own()) if own else {}


def uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> nn.Parameter:
    """Draw a parameter from ``U(-bound, bound)``, in fp32, with only the given generator."""
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
