"""The ``adapter_config.json`` of PEFT and of adapters: disjoint keys, so one file serves both."""

from __future__ import annotations

from collections import Counter
from typing import Any

from xadapt.backbones.task_class import TaskClass
from xadapt.hub.layouts import Place, any_layer, peft_pattern, peft_ranks
from xadapt.modules import bottleneck, lora
from xadapt.modules.hooks import ModuleOptions

# adapters keeps the arithmetic of modules it saved with a version below 1.1.0 alive by rewriting
# alpha; naming the version whose arithmetic this is keeps alpha / rank as it stands.
ADAPTERS_VERSION = "adapters.1.3.0"


def peft_config(
    options: lora.Options,
    at: list[Place],
    *,
    base: str | None,
    revision: str | None,
    task: TaskClass | None = None,
) -> dict[str, Any]:
    """Build the half of the file that PEFT reads.

    Args:
        options: The LoRA's options.
        at: The places of the LoRA.
        base: Hub id of the base, or ``None``.
        revision: Revision of the base.
        task: The class of transformers that the file is for; ``None`` for a plain encoder.
    """
    ranks = peft_ranks(at, options)
    (rank, alpha), _ = Counter(ranks.values()).most_common(1)[0]
    rank_pattern = {any_layer(p): r for p, (r, _) in ranks.items() if r != rank}
    alpha_pattern = {any_layer(p): a for p, (_, a) in ranks.items() if a != alpha}
    return {
        "peft_type": "LORA",
        "task_type": None if task is None else task.peft_type,
        "modules_to_save": (task.saved or None) if task is not None else None,
        "base_model_name_or_path": base,
        "revision": revision,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "target_modules": peft_pattern(ranks),
        "rank_pattern": rank_pattern,
        "alpha_pattern": alpha_pattern,
    }


def adapters_config(
    name: str, options: ModuleOptions, model: Any, *, base: str | None, layers: tuple[int, range]
) -> dict[str, Any]:
    """Build the half of the file that adapters reads.

    Args:
        name: The module's name.
        options: Options of a LoRA or bottleneck that adapters can hold.
        model: The base's transformers config.
        base: Hub id of the base, or ``None``.
        layers: Number of encoder layers, and the layers that the module is in.
    """
    depth, span = layers
    # adapters counts a decoder's layers on from the encoder's; the module leaves all of them out.
    behind = range(depth, depth + int(getattr(model, "num_decoder_layers", 0) or 0))
    leave_out = [n for n in range(depth) if n not in span] + list(behind)
    if isinstance(options, lora.Options):
        config = _lora(options)
    else:
        assert isinstance(options, bottleneck.Options)
        config = _bottleneck(options, int(model.hidden_size))
    return {
        "name": name,
        "config": config | {"leave_out": leave_out},
        "model_type": model.model_type,
        "model_class": model_class(model),
        "model_name": base or "",
        "hidden_size": model.hidden_size,
        "version": ADAPTERS_VERSION,
    }


def reduction_factor(width: int, narrow: int) -> float:
    """Find the factor for which adapters' ``int(width // factor)`` is the given narrow width."""
    factor = width / narrow
    return factor if int(width // factor) == narrow else width / (narrow + 0.5)


def _lora(options: lora.Options) -> dict[str, Any]:
    attention = [site for site in ("q", "k", "v") if site in options.sites]
    site = options.sites[0]
    return {
        "architecture": "lora",
        "selfattn_lora": bool(attention),
        "intermediate_lora": "ffn_in" in options.sites,
        "output_lora": "ffn_out" in options.sites,
        "attn_matrices": attention,
        "r": options.rank_of(site),
        "alpha": options.alpha_of(site),
        "dropout": 0.0,
        "composition_mode": "add",
        "init_weights": "lora",
        "init_weights_seed": None,
        "use_gating": False,
        "use_dora": False,
        "vera_b": None,
        "vera_d": None,
        "dtype": None,
    }


def _bottleneck(options: bottleneck.Options, width: int) -> dict[str, Any]:
    return {
        "mh_adapter": options.after in ("attention", "both"),
        "output_adapter": options.after in ("ffn", "both"),
        "reduction_factor": reduction_factor(width, options.width),
        "non_linearity": options.activation,
        "is_parallel": options.form == "parallel",
        "scaling": float(options.scaling),
        "original_ln_before": options.form == "pfeiffer",
        "original_ln_after": True,
        "residual_before_ln": True,
        "adapter_residual_before_ln": False,
        "ln_before": False,
        "ln_after": False,
        "init_weights": "bert",
        "init_weights_seed": None,
        "inv_adapter": options.invertible,
        "inv_adapter_reduction_factor": _invertible_factor(options, width),
        "cross_adapter": False,
        "dropout": 0.0,
        "use_gating": False,
        "phm_layer": False,
        "stochastic_depth": 0.0,
    }


def _invertible_factor(options: bottleneck.Options, width: int) -> float | None:
    if options.invertible is None:
        return None
    return reduction_factor(width // 2, options.invertible_width or width // 2 // 2)


def model_class(model: Any) -> str:
    """Return adapters' class for a base, by the base's transformers config."""
    names = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta", "t5": "T5",
             "mt5": "MT5", "distilbert": "DistilBert", "deberta-v2": "DebertaV2"}  # fmt: skip
    return f"{names[model.model_type]}AdapterModel"
