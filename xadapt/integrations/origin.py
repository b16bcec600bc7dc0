"""An imported module compared with the library that it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.integrations import adapters, peft, plain
from xadapt.integrations.plain import difference
from xadapt.integrations.verify import own_states

CONFIG = "adapter_config.json"


def compare_origin(
    library: str,
    settings: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    prefix: str,
    module: nn.Module,
    encoder: Encoder,
    texts: Sequence[str],
) -> float | str:
    """Compute the largest difference of hidden states between a library and an imported module.

    The library reads a copy that has safetensors alone, so it runs no pickle.

    Args:
        library: ``peft`` or ``adapters``.
        settings: The settings in ``adapter_config.json``.
        tensors: The tensors by that library's names.
        prefix: The path of the base inside the model that peft expects.
        module: The module of xadapt.
        encoder: The base in float32 on the CPU.
        texts: Texts to compare on.

    Returns:
        The difference, as for `xadapt.integrations.verify.callbacks`; or why there is none.
    """
    bridge = {"peft": peft, "adapters": adapters}[library]
    reason = bridge.available()
    if reason is not None:
        return reason
    ids, mask = encoder.batch(encoder.tokenize(texts))
    ours = own_states(encoder, module, ids, mask)
    states = _peft_states if library == "peft" else _adapters_states
    with TemporaryDirectory() as temporary, plain.without_noise():
        folder = Path(temporary)
        (folder / CONFIG).write_text(json.dumps(dict(settings)), encoding="utf-8")
        held = {name: value.contiguous() for name, value in tensors.items()}
        name = "adapter_model.safetensors" if library == "peft" else "adapter.safetensors"
        save_file(held, str(folder / name), metadata={"format": "pt"})
        theirs = states(folder, encoder.source.location, prefix, ids, mask)
    seen = mask.unsqueeze(-1)
    return difference(theirs * seen, ours * seen)


def _peft_states(folder: Path, base: str, prefix: str, ids: Tensor, mask: Tensor) -> Tensor:
    from peft import PeftModel

    model = plain.load(base)
    whole = _Inside(model, prefix) if prefix else model
    loaded: Any = PeftModel.from_pretrained(whole, str(folder)).eval()
    return plain.last_states(loaded, ids, mask)


def _adapters_states(folder: Path, base: str, prefix: str, ids: Tensor, mask: Tensor) -> Tensor:
    return adapters.states(folder, base, ids, mask, use_safetensors=True)


class _Inside(nn.Module):
    """A model at the path that it has inside a larger model, such as one with a task head."""

    is_gradient_checkpointing = False

    def __init__(self, model: Any, path: str) -> None:
        super().__init__()
        self.path, self.config = path, model.config
        self.add_module(path, model)

    def forward(self, **inputs: torch.Tensor) -> Any:
        return self.get_submodule(self.path)(**inputs)
