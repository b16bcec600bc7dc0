"""Bases in 8 or 4 bits: bitsandbytes quantises the linears' weights; the rest is in a float dtype.

``int8`` has one scale per row (Dettmers et al. 2022, "LLM.int8()",
https://arxiv.org/abs/2208.07339, section 2.1). ``nf4`` has one scale per block of 64 values
(Dettmers et al. 2023, "QLoRA", https://arxiv.org/abs/2305.14314, section 3). Outliers of a batch
are not treated separately: a row's vector must not depend on the other rows of the batch.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from functools import cache
from typing import Any

import torch
from accelerate.hooks import remove_hook_from_submodules
from torch import nn

from xadapt.core.errors import UserError, missing_extra

NAMES = ("int8", "nf4")
# It warns of optional kernels when transformers imports it, and of every cast.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
_PLAIN = "Load the base with dtype float32 or bfloat16"


def options(name: str, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """Build the options with which a transformers class loads its linears in 8 or 4 bits.

    Args:
        name: ``int8`` or ``nf4``.
        dtype: The dtype of all other weights, of the states, and of the products of 4-bit weights.
        device: The device of the model, which can't be moved afterwards.

    Raises:
        UserError: If bitsandbytes is not installed, or can't run on the device.
    """
    _prove(name, device)
    from transformers import BitsAndBytesConfig

    bits: dict[str, Any] = {"load_in_8bit": True, "llm_int8_threshold": 0.0}
    if name == "nf4":
        bits = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
    return {"quantization_config": BitsAndBytesConfig(**bits), "device_map": {"": str(device)}}


def settle(model: nn.Module) -> str | None:
    """Make quantised linears compute the same with and without gradients.

    Without this change, the linears of a model in eval mode differ on a CPU. 8-bit linears also
    round the states to 8 bits. 4-bit linears repack their weights at the first forward without
    gradients, after which no forward can have gradients.

    Args:
        model: A model in eval mode, with or without quantised linears.

    Returns:
        The format of the linears, ``int8`` or ``nf4``; ``None`` for a plain model.
    """
    found = None
    for linear in filter(_quantized, model.modules()):
        found = getattr(linear.weight, "quant_type", "int8")
        if found == "int8":
            linear.training = True
        else:
            linear.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
    if found:
        # A slice of a model is a shallow copy; these hooks would run the whole model instead.
        remove_hook_from_submodules(model)
    return found


def _quantized(module: nn.Module) -> bool:
    ours = type(module).__module__.startswith("bitsandbytes.")
    return ours and isinstance(module, nn.Linear)


@cache
def _prove(name: str, device: torch.device) -> None:
    """Run a small linear forward and backward, so that an error comes before a model is loaded."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise missing_extra("bitsandbytes", "quantized")
    try:
        layers = importlib.import_module("bitsandbytes").nn
        if name == "nf4":
            linear = layers.Linear4bit(64, 64, compute_dtype=torch.float32, quant_type="nf4")
        else:
            linear = layers.Linear8bitLt(64, 64, has_fp16_weights=False, threshold=0.0)
        linear = linear.eval().requires_grad_(False).to(device)
        settle(linear)
        for wanted in (False, True):  # as it is used: first without gradients
            x = torch.ones(2, 64, device=device, requires_grad=wanted)
            out = linear(x)
        [grad] = torch.autograd.grad(out.sum(), x)
    except Exception as error:  # its kernels raise many errors on unsupported devices
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise UserError(
            f"bitsandbytes can't run {name} on {device} ({reason})", todo=_PLAIN
        ) from None
    if not (bool(out.isfinite().all()) and bool(grad.abs().sum() > 0)):
        raise UserError(f"bitsandbytes gives no gradients for {name} on {device}", todo=_PLAIN)
