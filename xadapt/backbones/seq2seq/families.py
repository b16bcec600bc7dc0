"""Families of encoder-decoder models: where their layers and linear sites are, as rows of names.

The layers are numbered through: first those of the encoder, then those of the decoder. So what lies
below the decoder's first layer is the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from xadapt.backbones.families import SITES, SitePoint
from xadapt.core.errors import UserError

PARTS = ("encoder", "decoder", "cross")
"""Self-attention and FFN of the encoder and of the decoder, and the decoder's cross-attention."""


@dataclass(frozen=True)
class Seq2SeqFamily:
    """The names of one family.

    Attributes:
        layers: Path of the list of layers, of ``encoder`` and ``decoder``.
        inside: Path of each site inside a layer, by ``part.site``; several candidates of which a
            model has all or some (a gated FFN has two ``ffn_in``).
        norms: Empty: modules read no norm of an encoder-decoder.
        embeddings: Empty: modules act on no embeddings of an encoder-decoder.
        final_norm: Empty, as ``norms``.
    """

    layers: Mapping[str, str]
    inside: Mapping[str, tuple[str, ...]]
    norms: Mapping[str, str] = field(default_factory=dict)
    embeddings: str = ""
    final_norm: str = ""

    @property
    def site_names(self) -> tuple[str, ...]:
        """The names of all sites.

        ``q``, ``k``, ``v``, ``attn_out``, ``ffn_in`` and ``ffn_out`` are those of every layer, with
        ``encoder_`` or ``decoder_`` before them those of one part. ``cross_q``, ``cross_k``,
        ``cross_v`` and ``cross_attn_out`` are the decoder's attention to the encoder.
        """
        return (*SITES, *(name.replace(".", "_") for name in self.inside))

    def depths(self, model: nn.Module) -> tuple[int, int]:
        """Return the number of layers of the encoder and of the decoder."""
        encoder, decoder = (
            len(model.get_submodule(self.layers[part]))  # type: ignore[arg-type]
            for part in ("encoder", "decoder")
        )
        return encoder, decoder

    def depth(self, model: nn.Module) -> int:
        """Return the number of layers of encoder and decoder together."""
        return sum(self.depths(model))

    def block(self, model: nn.Module, layer: int) -> str:
        """Return the path of a layer, numbered through."""
        part, number = self._place(model, layer)
        return f"{self.layers[part]}.{number}"

    def auto_path(self, path: str) -> str:
        """Return the path of a site inside the ``AutoModelForSeq2SeqLM``: the same."""
        return path

    def points(self, model: nn.Module, layer: int, site: str) -> list[SitePoint]:
        """Return the linears of one site of one layer; none if the layer's part has no such site.

        Args:
            model: The model.
            layer: The number of the layer, numbered through.
            site: One of `site_names`.

        Raises:
            UserError: If there is no such layer or site.
        """
        part, number = self._place(model, layer)
        if site not in self.site_names:
            raise UserError(f"unknown site {site!r}", todo=f"Known: {', '.join(self.site_names)}")
        own = f"{part}_{site}" if site in SITES else site
        if not own.startswith((part, "cross" if part == "decoder" else part)):
            return []
        above = f"{self.layers[part]}.{number}"
        found = []
        for inner in self.inside[own.replace("_", ".", 1)]:
            owner, _, last = inner.rpartition(".")
            block = model.get_submodule(f"{above}.{owner}" if owner else above)
            linear = getattr(block, last, None)
            if linear is not None:
                found.append(SitePoint(f"{above}.{inner}", linear, 0, int(linear.out_features)))
        return found

    def paths(self, model: nn.Module, name: str) -> list[str]:
        """Return the paths of the linears of one site in all layers, in order.

        Args:
            model: The model.
            name: ``part.site``, such as ``cross.q``.

        Raises:
            UserError: If the family has no such site.
        """
        if name not in self.inside:
            raise UserError(
                f"there is no site {name!r}",
                where="sites",
                todo=f"There are {', '.join(self.inside)}",
            )
        site = name.replace(".", "_", 1)
        layers = range(self.depth(model))
        return [point.path for layer in layers for point in self.points(model, layer, site)]

    def _place(self, model: nn.Module, layer: int) -> tuple[str, int]:
        """Return the part of a layer, and its number in the part."""
        encoder, decoder = self.depths(model)
        if not 0 <= layer < encoder + decoder:
            depth = encoder + decoder
            raise UserError(f"there is no layer {layer}: the base has {depth} (0 to {depth - 1})")
        return ("encoder", layer) if layer < encoder else ("decoder", layer - encoder)


def _t5() -> Seq2SeqFamily:
    inside: dict[str, tuple[str, ...]] = {}
    for part, attention, ffn in (
        ("encoder", "layer.0.SelfAttention", "layer.1.DenseReluDense"),
        ("decoder", "layer.0.SelfAttention", "layer.2.DenseReluDense"),
        ("cross", "layer.1.EncDecAttention", ""),
    ):
        inside |= _sites(part, attention, ("q", "k", "v", "o"))
        if ffn:
            inside[f"{part}.ffn_in"] = tuple(f"{ffn}.{name}" for name in ("wi", "wi_0", "wi_1"))
            inside[f"{part}.ffn_out"] = (f"{ffn}.wo",)
    return Seq2SeqFamily({"encoder": "encoder.block", "decoder": "decoder.block"}, inside)


def _bart() -> Seq2SeqFamily:
    inside: dict[str, tuple[str, ...]] = {}
    for part, attention in (
        ("encoder", "self_attn"),
        ("decoder", "self_attn"),
        ("cross", "encoder_attn"),
    ):
        inside |= _sites(part, attention, ("q_proj", "k_proj", "v_proj", "out_proj"))
        if part != "cross":
            inside |= {f"{part}.ffn_in": ("fc1",), f"{part}.ffn_out": ("fc2",)}
    layers = {"encoder": "model.encoder.layers", "decoder": "model.decoder.layers"}
    return Seq2SeqFamily(layers, inside)


def _sites(part: str, above: str, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    sites = ("q", "k", "v", "attn_out")
    return {f"{part}.{site}": (f"{above}.{name}",) for site, name in zip(sites, names, strict=True)}


FAMILIES: dict[str, Seq2SeqFamily] = {
    **dict.fromkeys(("t5", "mt5", "umt5"), _t5()),
    **dict.fromkeys(("bart", "mbart", "m2m_100", "marian"), _bart()),
}
"""By ``model_type`` of transformers. NLLB is ``m2m_100``, mT0 is ``mt5``, Flan-T5 is ``t5``."""


def family_of(model_type: str, where: str) -> Seq2SeqFamily:
    """Return the family of a model type.

    Raises:
        UserError: If it is none of `FAMILIES`.
    """
    if model_type not in FAMILIES:
        raise UserError(
            f"{model_type} is no encoder-decoder model",
            where=where,
            todo=f"Name a model of one of these types: {', '.join(FAMILIES)}",
        )
    return FAMILIES[model_type]
