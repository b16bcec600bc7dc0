"""A module's own file: safetensors with kind and options in the header, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.modules.effects import Geometry, ModuleOptions


def save_module(path: Path | str, module: nn.Module) -> None:
    """Write a module's tensors (fp32) with its kind and options; not atomic by itself."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in module.state_dict().items()}
    # One key: safetensors writes several in random order, and equal modules have equal bytes.
    said = {"kind": str(module.kind), **options_of(module).model_dump(mode="json")}
    save_file(tensors, str(path), metadata={"options": json.dumps(said)})


def load_module(path: Path | str, geometry: Geometry) -> nn.Module:
    """Rebuild a module from its file for an encoder of the given shapes.

    Raises:
        UserError: The file is unreadable, of an unknown kind, or does not fit the encoder.
    """
    return fitted(*read_module(path), geometry, str(path))


def fitted(
    tensors: dict[str, Tensor], kind: str, options: dict, geometry: Geometry, where: str = ""
) -> nn.Module:
    """A module of what a file holds, for an encoder of the given shapes.

    Raises:
        UserError: The kind is unknown, or it does not fit the encoder.
    """
    module = build(kind, options, geometry, where=where)
    _require_same_shapes(module, tensors, where)
    module.load_state_dict(tensors)
    return module


def read_module(path: Path | str) -> tuple[dict[str, Tensor], str, dict]:
    """The tensors, the kind and the options in a module's file, unchecked against any encoder.

    Raises:
        UserError: The file is unreadable.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        options = json.loads(metadata["options"])
        kind = metadata.get("kind") or options.pop("kind")
        return tensors, str(kind), options
    except (SafetensorError, OSError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"this is no module of xadapt ({error})", where=str(path)) from None


def build(
    kind: str, options: dict, geometry: Geometry, *, seed: int = 0, where: str = ""
) -> nn.Module:
    """A new module of a kind.

    Raises:
        UserError: The kind is unknown, or its options are wrong or don't fit the encoder.
    """
    part = registry.load("modules", kind)
    try:
        return part(part.Options.model_validate(options), geometry, seed)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise UserError(f"module option {at}: {first['msg']}", where=where) from None
    except ValueError as error:
        raise UserError(str(error), where=where) from None


def options_of(module: nn.Module) -> ModuleOptions:
    """The options a module was built from."""
    options = module.options
    assert isinstance(options, ModuleOptions)
    return options


def parameter_count(module: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in module.parameters())


def _require_same_shapes(module: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    own = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    given = {k: tuple(v.shape) for k, v in tensors.items()}
    differ = sorted(k for k in own.keys() | given.keys() if own.get(k) != given.get(k))
    if differ:
        name = differ[0]
        raise UserError(
            f"the module does not fit this base: tensor {name!r} is "
            f"{given.get(name, 'absent')} in the file and {own.get(name, 'absent')} here",
            where=where,
            todo="Load it on the base it was trained on",
        )
    if not all(torch.isfinite(v).all() for v in tensors.values()):
        raise UserError("the module holds values that are not finite", where=where)
