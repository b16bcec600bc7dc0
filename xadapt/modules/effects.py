"""What every module kind shares: where it acts, what it reads, and the shapes it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict
from torch import Tensor, nn

Reads = Literal["input", "output", "ffn_in", "ids", "here"]
EMBEDDINGS = "embeddings"
BELOW = -1


@dataclass(frozen=True)
class Here:
    """All a module may read at a site, ``(batch, tokens, features)`` each.

    Attributes:
        input: The linear's input; at the embeddings its output.
        output: The linear's output, with what earlier modules added.
        ffn_in: The input of the layer's FFN; only at sites of the FFN.
    """

    input: Tensor
    output: Tensor
    ffn_in: Tensor | None = None

    def read(self, reads: Reads, rows: slice | Tensor = slice(None)) -> Any:
        """What an effect with these ``reads`` is given of some rows."""
        if reads != "here":
            return getattr(self, reads)[rows]
        beside = None if self.ffn_in is None else self.ffn_in[rows]
        return Here(self.input[rows], self.output[rows], beside)

    def after(self, added: Tensor) -> Here:
        """The same once something was added to the output."""
        return replace(self, output=self.output + added)


@dataclass(frozen=True)
class Effect:
    """One small network whose output is added to the output of one site.

    A site is a linear of a layer, or the table of word embeddings (layer `BELOW`, site
    `EMBEDDINGS`), whose output is ``(batch, tokens, width)`` before positions and norm.

    Attributes:
        layer: Index of the encoder layer, from 0; `BELOW` for the embeddings.
        site: Name of the linear site, such as ``q`` or ``ffn_out``, or `EMBEDDINGS`.
        point: Which linear of the site, where it has several (a gated FFN has two ``ffn_in``).
        reads: What ``fn`` is given: the linear's ``input``, its ``output``, or the input of
            the layer's FFN (``ffn_in``), all ``(batch, tokens, features)``; or all of them
            (``here``, a `Here`). At the embeddings ``output``, or ``ids``: token ids
            ``(batch, tokens)``, among which ids from the vocabulary's size on, whose vector is
            what ``fn`` gives alone.
        fn: The network; returns ``(batch, tokens, features of the site)``. It may have a method
            ``onto(x, y)`` that gives ``y + fn(x)`` more cheaply; it is taken where the module
            acts on every row.
    """

    layer: int
    site: str
    point: int
    reads: Reads
    fn: nn.Module


@dataclass(frozen=True)
class Geometry:
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
    if value != "all" and not 0 <= value[0] < value[1]:
        raise ValueError("must be 'all' or [start, stop) with 0 <= start < stop")
    return value


LayerSpan = Annotated[Literal["all"] | tuple[int, int], AfterValidator(_check_span)]


class ModuleOptions(BaseModel):
    """Options every module kind has.

    Attributes:
        layers: ``all``, or ``[start, stop)``: the layers the module sits in.
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
        if stop > depth:
            raise ValueError(f"layers [{start}, {stop}) leave an encoder of {depth} layers")
        return range(start, stop)


def effects_of(module: nn.Module) -> list[Effect]:
    """All places where a module acts."""
    return module.effects()  # type: ignore[operator, no-any-return]


def uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> nn.Parameter:
    """A parameter drawn from ``U(-bound, bound)``, in fp32, from the given generator alone."""
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
