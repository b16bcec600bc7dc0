"""Families of encoder-decoder models: where their layers and linear sites are, as rows of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

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
    """

    layers: Mapping[str, str]
    inside: Mapping[str, tuple[str, ...]]

    def sites(self, model: nn.Module, name: str) -> list[str]:
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
        part = "decoder" if name.startswith("cross") else name.partition(".")[0]
        known = dict(model.named_modules())
        above = self.layers[part]
        count = len(known[above])  # type: ignore[arg-type]
        paths = [f"{above}.{n}.{path}" for n in range(count) for path in self.inside[name]]
        return [path for path in paths if path in known]


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
