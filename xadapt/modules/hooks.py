"""What every module kind shares: where it acts, what it reads, and the shapes it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict
from torch import Tensor, nn

Reads = Literal["input", "output", "attn_in", "ffn_in", "ids", "here"]
EMBEDDINGS, EMBEDDED = "embeddings", "embedded"
BELOW = -1


Place = tuple[int, str, int]
CapturedInput = tuple[int, Literal["attn_in", "ffn_in"]]


@dataclass(frozen=True)
class SiteInputs:
    """What a module may read at a site, ``(batch, tokens, features)`` each.

    Attributes:
        layer: The site's layer.
        input: The linear's input; at the embeddings its output.
        output: The linear's output, with what earlier modules added.
        inputs: Inputs of attentions and FFNs that the effect wants, by layer and name.
        mask: 1 where a token is real, ``(batch, tokens)``.
    """

    layer: int
    input: Tensor
    output: Tensor
    inputs: Mapping[CapturedInput, Tensor] = field(default_factory=dict)
    mask: Tensor | None = None

    def read(self, reads: Reads) -> Any:
        """What an effect with these ``reads`` is given."""
        if reads == "attn_in" or reads == "ffn_in":
            return self.inputs[self.layer, reads]
        return self if reads == "here" else getattr(self, reads)

    def of(self, rows: slice | Tensor) -> SiteInputs:
        """The same of some rows."""
        inputs = {key: states[rows] for key, states in self.inputs.items()}
        mask = None if self.mask is None else self.mask[rows]
        return SiteInputs(self.layer, self.input[rows], self.output[rows], inputs, mask)

    def after(self, added: Tensor) -> SiteInputs:
        """The same once something was added to the output."""
        return replace(self, output=self.output + added)


@dataclass(frozen=True)
class AdapterHook:
    """One small network whose output is added to the output of one site.

    A site is a linear of a layer; or the table of word embeddings (layer `BELOW`, site
    `EMBEDDINGS`), whose output is ``(batch, tokens, width)`` before positions and norm; or what
    the base makes of them and sends to its first layer (layer `BELOW`, site `EMBEDDED`).

    Attributes:
        layer: Index of the encoder layer, from 0; `BELOW` for the embeddings.
        site: Name of the linear site, such as ``q`` or ``ffn_out``, or `EMBEDDINGS`, `EMBEDDED`.
        point: Which linear of the site, where it has several (a gated FFN has two ``ffn_in``).
        reads: What ``fn`` is given: the linear's ``input``, its ``output``, or the input of
            the layer's attention (``attn_in``) or FFN (``ffn_in``), all ``(batch, tokens,
            features)``; or all of them (``here``, a `SiteInputs`). At the embeddings ``output``, or
            ``ids``: token ids ``(batch, tokens)``, among which ids from the vocabulary's size on,
            whose vector is what ``fn`` gives alone.
        fn: The network; returns ``(batch, tokens, features of the site)``. It may have a method
            ``onto(x, y)`` that gives ``y + fn(x)`` more cheaply; it is taken where the module
            acts on every row.
        wants: For ``here``, the inputs of attentions and FFNs that ``fn`` reads, by layer and
            name: of this layer or lower ones.
        by_row: Whether ``fn`` differs from row to row, as under a router.
    """

    layer: int
    site: str
    point: int
    reads: Reads
    fn: nn.Module
    wants: tuple[CapturedInput, ...] = ()
    by_row: bool = False

    @property
    def place(self) -> Place:
        """Layer, site and point."""
        return self.layer, self.site, self.point

    @property
    def remembered(self) -> tuple[CapturedInput, ...]:
        """The inputs of attentions and FFNs that must be at hand."""
        if self.reads == "attn_in" or self.reads == "ffn_in":
            return ((self.layer, self.reads),)
        return self.wants


@dataclass(frozen=True)
class ModelShape:
    """The shapes of an encoder that a module must fit.

    Attributes:
        depth: Number of layers.
        width: Features of a hidden state.
        sizes: ``(in features, out features)`` by ``(layer, site, point)``.
        vocabulary: Rows of the table of word embeddings.
    """

    depth: int
    width: int
    sizes: Mapping[tuple[int, str, int], tuple[int, int]]
    vocabulary: int = 0

    def points(self, layer: int, site: str) -> list[int]:
        """The points of a site, in order; empty where the encoder has none."""
        return [p for (at, name, p) in self.sizes if at == layer and name == site]


def _check_span(value: Any) -> Any:
    if value != "all" and not (0 <= value[0] < value[1] or value[1] < 0 <= value[0]):
        raise ValueError("must be 'all' or [start, stop) with 0 <= start < stop, or stop < 0")
    return value


LayerSpan = Annotated[Literal["all"] | tuple[int, int], AfterValidator(_check_span)]


class ModuleOptions(BaseModel):
    """Options every module kind has.

    Attributes:
        layers: ``all``, or ``[start, stop)``: the layers the module sits in. A negative stop
            counts from the end: ``[0, -1]`` leaves the last layer out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    layers: LayerSpan = "all"

    def span(self, depth: int) -> range:
        """The layers as a range, checked against the encoder's depth.

        Raises:
            ValueError: The span leaves the encoder.
        """
        if self.layers == "all":
            return range(depth)
        start, stop = self.layers
        stop = depth + stop if stop < 0 else stop
        if not start < stop <= depth:
            raise ValueError(f"layers [{start}, {stop}) leave an encoder of {depth} layers")
        return range(start, stop)


def hooks_of(module: nn.Module) -> list[AdapterHook]:
    """All places where a module acts."""
    return module.hooks()  # type: ignore[operator, no-any-return]


def watch(module: nn.Module) -> None:
    """Tell a module that has losses of its own that a step of training begins."""
    begin = getattr(module, "watch", None)
    if begin:
        begin()


def penalties(module: nn.Module) -> dict[str, Tensor]:
    """A module's own losses on what it did since `watch`, by name; most have none."""
    own = getattr(module, "penalties", None)
    return dict(own()) if own else {}


def uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> nn.Parameter:
    """A parameter drawn from ``U(-bound, bound)``, in fp32, from the given generator alone."""
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
