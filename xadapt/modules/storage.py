"""A module's own file: safetensors with kind and options in the header, nothing else."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json
from xadapt.modules.hooks import ModelShape, ModuleOptions

MAX_FILE = 8 * 2**30
MAX_HEADER = 4 * 2**20
MAX_TENSORS = 20_000
"""A LoRA on every linear of 24 layers has 336 tensors."""

_MALFORMED = (KeyError, ValueError, AttributeError, TypeError, RuntimeError, SafetensorError)


def save_module(path: Path | str, module: nn.Module) -> None:
    """Write a module's tensors with its kind and options; the write is not atomic."""
    tensors = {k: v.cpu().contiguous() for k, v in stored(module).items()}
    # One key: safetensors writes several in random order, and equal modules have equal bytes.
    said = {"kind": str(module.kind), **options_of(module).model_dump(mode="json")}
    save_file(tensors, str(path), metadata={"options": json.dumps(said)})


def stored(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's tensors as its file holds them: in fp32, if the module names no other."""
    dtypes = getattr(module, "stored_dtypes", {})
    tensors = {k: v.detach() for k, v in module.state_dict().items()}
    return {k: v.to(dtypes[k]) if k in dtypes else v for k, v in tensors.items()}


def load_module(path: Path | str, model_shape: ModelShape) -> nn.Module:
    """Rebuild a module from its file for an encoder of the given shapes.

    Raises:
        UserError: If the file is unreadable, of an unknown kind, or does not fit the encoder.
    """
    return fitted(*module_in(read_tensors(path, "options")), model_shape, str(path))


def fitted(
    tensors: dict[str, Tensor], kind: str, options: dict, model_shape: ModelShape, where: str = ""
) -> nn.Module:
    """Build a module from the content of a file, for an encoder of the given shapes.

    Raises:
        UserError: If the kind is unknown, or the module does not fit the encoder.
    """
    return fit(lambda: build(kind, options, model_shape, where=where), tensors, where)


def fit(make: Callable[[], nn.Module], tensors: dict[str, Tensor], where: str = "") -> nn.Module:
    """Build a module with the values of a file.

    The module is first built without memory. So the sizes that the options ask for are compared
    with the sizes in the file before memory is allocated.

    Args:
        make: Function that builds the module.
        tensors: The tensors of the file; the module takes copies.
        where: The file's name, for error messages.

    Raises:
        UserError: If the module has other tensors, shapes or dtypes than the file, or a value is
            not finite.
    """
    try:
        with torch.device("meta"), _Budget(tensors):
            module = make()
    except (_BudgetError, RuntimeError, OverflowError, TypeError, MemoryError) as error:
        reason = str(error) if isinstance(error, _BudgetError) else "its sizes can't be"
        raise UserError(f"the module does not fit this base: {reason}", where=where) from None
    _require_same_shapes(module, tensors, where)
    other = getattr(module, "stored_dtypes", {})
    values = {n: v.float() if n in other else v.clone() for n, v in tensors.items()}
    module.load_state_dict(values, assign=True)
    if _has_unset(module):  # something that is computed when it is built and not in the file
        module = make()
        module.load_state_dict(values)
    return module


@dataclass(frozen=True)
class TensorFile:
    """The content of a safetensors file.

    Attributes:
        raw: The bytes of the file.
        tensors: The tensors by name.
        metadata: The metadata of the header.
        said: The JSON object under the requested key of the metadata.
    """

    raw: bytes
    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    said: dict[str, Any]


def read_tensors(path: Path | str, key: str | None) -> TensorFile:
    """Read a safetensors file of xadapt, without a check against an encoder.

    The format: 8 bytes, the little-endian length of a JSON header, the header, the data. The sizes
    are checked before a library takes memory for them.

    Args:
        path: The file.
        key: Key of the description, a JSON object, in the header's metadata; ``None`` for a file
            of another library, which has no such description.

    Raises:
        UserError: If the path is not such a file, or the file has more than `MAX_TENSORS` tensors
            or more than `MAX_HEADER` bytes of header.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise ValueError("it is too large")
        raw = path.read_bytes()
        header = _header(raw, str(path))
        metadata = header.pop("__metadata__", None)
        if key is None:
            return TensorFile(raw, load(raw), {}, {})
        return TensorFile(raw, load(raw), metadata, _said(metadata, key, str(path)))
    except (OSError, struct.error, *_MALFORMED) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        what = {"options": "module", "head": "task head"}.get(key or "", "file")
        raise UserError(f"this is no {what} of xadapt ({reason})", where=str(path)) from None


def module_in(file: TensorFile) -> tuple[dict[str, Tensor], str, dict[str, Any]]:
    """Read the tensors, the kind and the options from a module's file."""
    options = dict(file.said)
    kind = file.metadata.get("kind") or options.pop("kind", "")
    return file.tensors, str(kind), options


def build(
    kind: str, options: dict, model_shape: ModelShape, *, seed: int = 0, where: str = ""
) -> nn.Module:
    """Build a new module of a kind.

    Raises:
        UserError: If the kind is unknown, or the options are wrong or don't fit the encoder.
    """
    part = registry.load("modules", kind)
    try:
        return part(part.Options.model_validate(options), model_shape, seed)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise UserError(f"module option {at}: {first['msg']}", where=where) from None
    except ValueError as error:
        raise UserError(str(error), where=where) from None


def options_of(module: nn.Module) -> ModuleOptions:
    """Return the options that a module was built from."""
    options = module.options
    assert isinstance(options, ModuleOptions)
    return options


def parameter_count(module: nn.Module) -> int:
    """Count the trainable values."""
    return sum(p.numel() for p in module.parameters())


def _said(metadata: Any, key: str, where: str) -> dict[str, Any]:
    """Return the JSON object under a key of the metadata."""
    if not isinstance(metadata, dict) or not isinstance(metadata.get(key), str):
        raise ValueError(f"its {key} is missing")
    said = parse_json(metadata[key], where=where)
    if not isinstance(said, dict):
        raise ValueError(f"its {key} is no object")
    return said


def _header(raw: bytes, where: str) -> dict[str, Any]:
    length = struct.unpack("<Q", raw[:8])[0]
    if length > min(MAX_HEADER, len(raw) - 8):
        raise ValueError("sizes don't add up")
    count = raw.count(b'"data_offsets"', 8, 8 + length)  # before the time that parsing takes
    if count > MAX_TENSORS:
        raise ValueError(f"it holds {count} tensors, and {MAX_TENSORS} are allowed")
    header = parse_json(raw[8 : 8 + length], where=where)
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    count = len(header) - ("__metadata__" in header)
    if count > MAX_TENSORS:
        raise ValueError(f"it holds {count} tensors, and {MAX_TENSORS} are allowed")
    return header


def _finite(value: Tensor) -> bool:
    return not value.numel() or all(torch.isfinite(end) for end in value.aminmax())


_FILLS = (Tensor.uniform_, Tensor.normal_, Tensor.zero_)
"""What does nothing without memory, and takes its time there."""


class _BudgetError(Exception):
    """An error for a module that asks for more than its file holds."""


class _Budget(TorchFunctionMode):
    """A limit on the number of tensors, and of their values, that are made inside the block.

    The limit is a little more than twice the number in the file: a module may make a tensor and
    then replace the tensor by another.

    Args:
        tensors: The tensors of the file.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.count, self.values = len(tensors), sum(value.numel() for value in tensors.values())
        self.made = self.used = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _FILLS and args[0].is_meta:
            return args[0]
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not any(isinstance(a, Tensor) for a in args):
            self.made += 1
            self.used += result.numel()
            if self.made > 2 * self.count + 16 or self.used > 2 * self.values + 2**16:
                raise _BudgetError(
                    f"its options ask for more here than the {self.count} tensors of "
                    f"{self.values} values in the file"
                )
        return result


def _has_unset(module: nn.Module) -> bool:
    """Whether some tensor of a module has no memory yet."""
    own = [value for part in module.modules() for value in vars(part).values()]
    every = [*module.parameters(), *module.buffers(), *(v for v in own if isinstance(v, Tensor))]
    return any(value.is_meta for value in every)


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
    other = sorted(k for k, v in stored(module).items() if v.dtype != tensors[k].dtype)
    if other:
        raise UserError(
            f"tensor {other[0]!r} is {tensors[other[0]].dtype} in the file", where=where
        )
    if not all(map(_finite, tensors.values())):
        raise UserError("the module holds values that are not finite", where=where)
