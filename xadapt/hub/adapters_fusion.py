"""A fusion of bottlenecks as the AdapterFusion of the library adapters.

Both add to a site's output ``y`` the sum ``V sum_i s_i d_i`` with ``s = softmax_i(Q y . K d_i)``,
where module i adds ``d_i``: adapters with ``residual_before=False`` and ``query_before_ln=False``,
of sequential bottlenecks. ``Q`` is divided by xadapt's temperature. Narrow queries and keys are
filled up with zeros. The biases of adapters' queries and keys are zero.

Source: ``BertFusion`` and ``BottleneckLayer.compose_fuse`` of adapters 1.3.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.files import write_json
from xadapt.hub.configs import ADAPTERS_VERSION
from xadapt.hub.layouts import BOTTLENECK_AT, Place, split_layer
from xadapt.modules.bottleneck import Bottleneck
from xadapt.modules.fusion import Fusion

CONFIG, WEIGHTS = "adapter_fusion_config.json", "model_adapter_fusion.safetensors"
PICKLE = "pytorch_model_adapter_fusion.bin"


def refuses(fusion: nn.Module, parts: Mapping[str, nn.Module], depth: int) -> str | None:
    """Return the reason why adapters can't compute a fusion, or ``None``.

    Args:
        fusion: The fusion.
        parts: The modules that it attends to, by name.
        depth: Number of layers of the base.
    """
    if not isinstance(fusion, Fusion):
        return "this is no fusion"
    for name, part in parts.items():
        if not isinstance(part, Bottleneck):
            return f"it fuses bottlenecks only ({name!r} is a {part.kind})"
        if part.options.form == "parallel":
            return f"it fuses a parallel bottleneck without the sub-layer's output ({name!r})"
        if part.invertible is not None:
            return f"it has no fusion over invertible maps ({name!r})"
    own = [part.options for part in parts.values() if isinstance(part, Bottleneck)]
    if len({(one.after, tuple(one.span(depth))) for one in own}) > 1:
        return "it makes a fusion only where all modules act, and these act at different places"
    width = fusion.options.width
    if width is not None and any(width > len(value.T) for value in fusion.query.values()):
        return "its queries are not wider than the states"
    return None


def write_fusion(
    folder: Path, name: str, fusion: Fusion, at: Sequence[Place], encoder: Encoder, parts: list[str]
) -> None:
    """Write a fusion's folder, which ``load_adapter_fusion`` of adapters loads.

    Args:
        folder: The folder, which is made.
        name: Name of the fusion in adapters.
        fusion: The fusion.
        at: The places of the modules that it attends to.
        encoder: The base.
        parts: Names of these modules.
    """
    model: Any = encoder.model
    tensors: dict[str, Tensor] = {}
    for place in at:
        start, number, _ = split_layer(place.path)
        hung = BOTTLENECK_AT[model.config.model_type][place.site]
        begin = f"{model.base_model_prefix}.{start}.{number}.{hung}.adapter_fusion_layer.{name}"
        own = _tensors(fusion, f"{place.layer}-{place.site}-{place.point}")
        tensors |= {f"{begin}.{key}": value for key, value in own.items()}
    folder.mkdir()
    save_file(tensors, str(folder / WEIGHTS))
    packed = io.BytesIO()  # what adapters reads unless it is told otherwise
    torch.save(tensors, packed)
    (folder / PICKLE).write_bytes(packed.getvalue())
    write_json(folder / CONFIG, _config(name, fusion, model, parts))


def _tensors(fusion: Fusion, place: str) -> dict[str, Tensor]:
    """Return the tensors of one place by adapters' names."""
    query = fusion.query[place].detach().float().cpu() / fusion.options.temperature
    key = fusion.key[place].detach().float().cpu()
    width = query.shape[1]
    found = {
        "query.weight": _filled(query, width),
        "query.bias": torch.zeros(width),
        "key.weight": _filled(key, width),
        "key.bias": torch.zeros(width),
    }
    if fusion.options.value:
        found["value.weight"] = fusion.value[place].detach().float().cpu().contiguous()
    return found


def _filled(weight: Tensor, rows: int) -> Tensor:
    filled = weight.new_zeros(rows, weight.shape[1])
    filled[: len(weight)] = weight
    return filled


def _config(name: str, fusion: Fusion, model: Any, parts: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "adapter_names": parts,
        "config": {
            "key": True,
            "query": True,
            "value": fusion.options.value,
            "query_before_ln": False,
            "regularization": fusion.options.value,
            "residual_before": False,
            "temperature": False,
            "value_before_softmax": True,
            "value_initialized": fusion.options.value,
            "dropout_prob": None,
        },
        "model_type": model.config.model_type,
        "hidden_size": model.config.hidden_size,
        "version": ADAPTERS_VERSION,
    }
