"""The files of another library's folder, which nobody vouches for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.heads.head import Head
from xadapt.hub.hashes import file_hash
from xadapt.hub.imports.pickled import read_pickled
from xadapt.hub.safe_paths import file_inside, has_file
from xadapt.modules.storage import read_tensors

CONFIG = "adapter_config.json"
MAX_CONFIG = 2**20
PICKLES = (".bin", ".pt", ".pth")


@dataclass(frozen=True)
class Imported:
    """What a folder of another library holds, as xadapt has it.

    Attributes:
        module: The module.
        library: The library whose format the folder has.
        version: The version that wrote it, if its files tell.
        name: The name of the adapter, if its files tell.
        base: The base that its files name.
        head: The task head, if it has one that xadapt has too.
        notes: One line for each part that was left out.
        settings: The settings by which its own library computes the same.
        tensors: The tensors by the names of that library.
        prefix: The path of the base inside the model that it was trained in; empty for the base
            itself.
    """

    module: nn.Module
    library: str
    version: str | None = None
    name: str | None = None
    base: str | None = None
    head: Head | None = None
    notes: list[str] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    prefix: str = ""


@dataclass
class Folder:
    """A folder to read from.

    Attributes:
        path: The folder.
        allow_pickle: Whether pickled files may be read.
        read: SHA-256 of each file that was read, by name.
    """

    path: Path
    allow_pickle: bool = False
    read: dict[str, str] = field(default_factory=dict)

    def settings(self, name: str = CONFIG) -> dict[str, Any]:
        """Read a JSON object.

        Raises:
            UserError: If there is no such file, or it is no JSON object.
        """
        file = file_inside(self.path, name)
        said = parse_json(read_bytes(file, MAX_CONFIG), where=str(file))
        if not isinstance(said, dict):
            raise UserError("these settings are no JSON object", where=str(file))
        self.read[name] = file_hash(file).sha256
        return said

    def tensors(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Read the first of some files that is there.

        Args:
            names: The names, safetensors before pickles.

        Returns:
            The tensors by name; empty if no such file is there.

        Raises:
            UserError: If the file is malformed, too large or pickled without leave, or a tensor
                holds no finite floating-point numbers.
        """
        found = next((name for name in names if has_file(self.path, name)), None)
        if found is None:
            return {}
        file = file_inside(self.path, found)
        if found.endswith(PICKLES) and not self.allow_pickle:
            raise UserError(
                "these tensors are pickled, not safetensors, and a pickle can hold a program",
                where=str(file),
                todo="--allow-pickle (allow_pickle=True) reads it by a reader that runs nothing",
            )
        tensors = read_pickled(file) if found.endswith(PICKLES) else _safe(file)
        for name, value in tensors.items():
            if not value.is_floating_point():
                raise UserError(f"the tensor {name!r} is of type {value.dtype}", where=str(file))
            if not torch.isfinite(value).all():
                raise UserError(f"the tensor {name!r} is not finite", where=str(file))
        self.read[found] = file_hash(file).sha256
        return tensors


def refuse_unknown(said: Mapping[str, Any], known: Sequence[str], where: str, library: str) -> None:
    """Refuse settings that xadapt does not know and that are switched on.

    A setting that is null, false or empty switches nothing on in any version of a library.

    Raises:
        UserError: If there is such a setting.
    """
    for key, value in said.items():
        if key not in known and value not in (None, False, "", [], {}):
            raise UserError(
                f"the setting {key!r} of {library} is not known to xadapt, so what it does would "
                "be lost",
                where=where,
            )


def require_shapes(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Refuse tensors that are missing, too many or of another shape.

    Raises:
        UserError: If a tensor differs.
    """
    missing = [name for name in wanted if name not in tensors]
    surplus = [name for name in tensors if name not in wanted]
    for names, what in ((missing, "is missing"), (surplus, "has no place in this base")):
        if names:
            more = f", and {len(names) - 1} more" if len(names) > 1 else ""
            raise UserError(f"the tensor {names[0]!r} {what}{more}", where=where)
    for name, shape in wanted.items():
        if tuple(tensors[name].shape) != shape:
            raise UserError(
                f"the tensor {name!r} is {tuple(tensors[name].shape)} in the file and {shape} in "
                "this base",
                where=where,
                todo="Name the base that it was trained on",
            )


def _safe(file: Path) -> dict[str, Tensor]:
    try:
        return read_tensors(file, None).tensors
    except UserError as error:
        what = error.what.replace("this is no file of xadapt", "this is no safetensors file")
        raise UserError(what, where=str(file)) from None
