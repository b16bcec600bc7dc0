"""Families of encoders: for each, the paths of its layers and linear sites in transformers.

A family is a row of names. The code that all rows share is written once, in ``slices.py`` and
``encoder.py``. Code outside this file does not depend on the family of an encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xadapt.core.errors import UserError

if TYPE_CHECKING:
    from torch import nn

SITES = ("q", "k", "v", "attn_out", "ffn_in", "ffn_out")


@dataclass(frozen=True)
class SitePoint:
    """One linear of one layer, or one slice of a fused linear, that a module can attach to.

    Attributes:
        path: Path of the linear inside the plain encoder, such as
            ``encoder.layer.0.attention.self.query``.
        module: The linear itself.
        start: The first output feature of the site.
        stop: One past the last output feature of the site. The range covers the whole linear unless
            the linear is fused.
        norm: The norm that the base applies to the sum of the site's output and the sub-layer's
            input; ``None`` if the base has none there.
    """

    path: str
    module: nn.Module
    start: int
    stop: int
    norm: nn.Module | None = None


@dataclass(frozen=True)
class Family:
    """A row of names: one architecture in transformers.

    Attributes:
        name: The name of the family in xadapt.
        model_types: The ``model_type`` values in its ``config.json``.
        layers: Path of the list of layers.
        sites: For each site, its possible paths inside a layer; the present ones count.
        norms: For each site whose output, plus the input of its sub-layer, goes through a norm: the
            path of this norm inside a layer.
        loader: Name of the transformers class that loads the plain encoder.
        pooler: Whether that class would add a pooler, which xadapt leaves out.
        inside: Path of the encoder inside the loaded model (encoder-decoders).
        embeddings: Path of the embedding module, which is skipped when states are the input.
        positions: Path of a module that adds positions to input states; xadapt disables it.
        final_norm: Path of the norm after the last layer.
        first_only: Path of a module that acts after layer 0 only.
        carried: Path inside layer 0 of the module that all layers share, and the name of the flag
            with which its parent marks that it has the module.
        fused: For each site that is a part of a linear: the number of the part, from 0, and the
            number of parts.
        masked_lm: Whether the family has masked-language-model heads.
        mlm_options: Configurations to try, in order, for such a head.
        after_padding: Whether positions start after the padding id, so that the position table
            serves that many fewer tokens.
        unbounded: Whether positions are relative, so that no table limits the length.
        packs: Whether the forward accepts an attention mask for each token.
    """

    name: str
    model_types: tuple[str, ...]
    layers: str
    sites: Mapping[str, tuple[str, ...]]
    norms: Mapping[str, str] = field(default_factory=dict)
    loader: str = "AutoModel"
    pooler: bool = False
    inside: str = ""
    embeddings: str = ""
    positions: str = ""
    final_norm: str = ""
    first_only: str = ""
    carried: tuple[str, str] = ("", "")
    fused: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    masked_lm: bool = True
    mlm_options: tuple[Mapping[str, object], ...] = ({},)
    after_padding: bool = False
    unbounded: bool = False
    packs: bool = False

    @property
    def site_names(self) -> tuple[str, ...]:
        """The names of all sites."""
        return SITES

    def auto_path(self, path: str) -> str:
        """Return the path of a site inside the ``AutoModel``, as other libraries name it."""
        return f"{self.inside}.{path}" if self.inside else path

    def block(self, model: nn.Module, layer: int) -> str:
        """Return the path of a layer."""
        return f"{self.layers}.{layer}"

    def depth(self, model: nn.Module) -> int:
        """Return the number of layers of a model."""
        return len(model.get_submodule(self.layers))  # type: ignore[arg-type]


def _sites(*paths: str | tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    rows = [(path,) if isinstance(path, str) else path for path in paths]
    return dict(zip(SITES, rows, strict=True))


def _bert_like(query: str, key: str, value: str) -> dict[str, tuple[str, ...]]:
    heads = (f"attention.self.{name}" for name in (query, key, value))
    return _sites(*heads, "attention.output.dense", "intermediate.dense", "output.dense")


_BERT = _bert_like("query", "key", "value")
_BERT_NORMS = {"attn_out": "attention.output.LayerNorm", "ffn_out": "output.LayerNorm"}
_T5_SITES = _sites(
    *(f"layer.0.SelfAttention.{name}" for name in "qkvo"),
    tuple(f"layer.1.DenseReluDense.{name}" for name in ("wi", "wi_0", "wi_1")),
    "layer.1.DenseReluDense.wo",
)
_T5_CARRIED = ("layer.0.SelfAttention.relative_attention_bias", "has_relative_attention_bias")


def _t5(name: str, model_type: str, loader: str) -> Family:
    return Family(
        name=name,
        model_types=(model_type,),
        layers="encoder.block",
        sites=_T5_SITES,
        loader=loader,
        final_norm="encoder.final_layer_norm",
        carried=_T5_CARRIED,
        masked_lm=False,
        unbounded=True,
    )


def _bert(name: str, model_type: str, after_padding: bool = False) -> Family:
    return Family(
        name=name,
        model_types=(model_type,),
        layers="encoder.layer",
        sites=_BERT,
        norms=_BERT_NORMS,
        pooler=True,
        embeddings="embeddings",
        after_padding=after_padding,
        packs=True,
    )


FAMILIES: tuple[Family, ...] = (
    _bert("BERT", "bert"),
    _bert("RoBERTa", "roberta", after_padding=True),
    _bert("XLM-R", "xlm-roberta", after_padding=True),
    Family(
        name="DeBERTa-v2",
        model_types=("deberta-v2",),
        layers="encoder.layer",
        sites=_bert_like("query_proj", "key_proj", "value_proj"),
        norms=_BERT_NORMS,
        embeddings="embeddings",
        first_only="encoder.conv",
        # The v3 checkpoints keep their head where transformers' "legacy" class doesn't look. The
        # other class multiplies by the embeddings itself; tying would overwrite its dense layer.
        mlm_options=({"legacy": True}, {"legacy": False, "tie_word_embeddings": False}),
    ),
    Family(
        name="DistilBERT",
        model_types=("distilbert",),
        layers="transformer.layer",
        sites=_sites(
            *(f"attention.{name}" for name in ("q_lin", "k_lin", "v_lin", "out_lin")),
            "ffn.lin1",
            "ffn.lin2",
        ),
        norms={"attn_out": "sa_layer_norm", "ffn_out": "output_layer_norm"},
        embeddings="embeddings",
    ),
    Family(
        name="ModernBERT",
        model_types=("modernbert",),
        layers="layers",
        sites=_sites("attn.Wqkv", "attn.Wqkv", "attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo"),
        embeddings="embeddings",
        final_norm="final_norm",
        fused={"q": (0, 3), "k": (1, 3), "v": (2, 3)},
    ),
    _t5("T5", "t5", "T5EncoderModel"),
    _t5("mT5", "mt5", "MT5EncoderModel"),
    Family(
        name="M2M100",
        model_types=("m2m_100",),
        layers="layers",
        sites=_sites(
            *(f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "out_proj")),
            "fc1",
            "fc2",
        ),
        inside="encoder",
        positions="embed_positions",
        final_norm="layer_norm",
        masked_lm=False,
    ),
)


def family_of(model_type: str, where: str = "") -> Family:
    """Return the family of a ``model_type``.

    Raises:
        UserError: If no family has this ``model_type``.
    """
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(family.name for family in FAMILIES)
    raise UserError(
        f"encoders of type {model_type!r} are not supported", where=where, todo=f"Known: {known}"
    )


def points(model: nn.Module, family: Family, layer: int, site: str) -> list[SitePoint]:
    """Return the linears of one site of one layer.

    There is one linear, or two for ``ffn_in`` of a gated FFN.

    Raises:
        UserError: If there is no such layer or site.
    """
    layers = model.get_submodule(family.layers)
    depth = len(layers)  # type: ignore[arg-type]
    if site not in SITES:
        raise UserError(f"unknown site {site!r}", todo=f"Known: {', '.join(SITES)}")
    if not 0 <= layer < depth:
        raise UserError(f"there is no layer {layer}: the base has {depth} (0 to {depth - 1})")
    part, parts = family.fused.get(site, (0, 1))
    found = []
    block = layers.get_submodule(str(layer))
    norm = block.get_submodule(family.norms[site]) if site in family.norms else None
    for name in family.sites[site]:
        owner, _, last = name.rpartition(".")
        module = getattr(block.get_submodule(owner) if owner else block, last, None)
        if module is None:
            continue
        # Libraries that wrap a linear keep its sizes; all of them have out_features.
        size = int(module.out_features) // parts
        path = f"{family.layers}.{layer}.{name}"
        found.append(SitePoint(path, module, part * size, (part + 1) * size, norm))
    return found
