"""Tensors of a pickled file, read without running any code of the file.

A pickle is a program, so such a file is read only where the user allows it, and then with three
limits. The archive must be one of torch 1.6 or later whose entries are not compressed, so that its
size bounds what it unpacks to. The program in it may name nothing but the few functions that build
a tensor. At last, torch's own restricted reader (``weights_only``) runs it, and the tensors must
be no larger than the bytes that they are made of.
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.modules.storage import MAX_FILE, MAX_TENSORS

MAX_PROGRAM = 16 * 2**20
"""Bytes of the pickled program in an archive."""

_STORAGES = {f"torch {kind}Storage" for kind in ("Float", "Half", "BFloat16", "Double", "Long")}
ALLOWED = _STORAGES | {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
}
"""What the program may name."""

_CODE = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"}


def read_pickled(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file that ``torch.save`` wrote.

    Raises:
        UserError: If the file is not such an archive, is too large, names anything beyond
            `ALLOWED`, or holds anything but a dictionary of tensors.
    """
    where = str(path)
    try:
        if path.stat().st_size > MAX_FILE:
            raise UserError(f"this file is larger than {MAX_FILE >> 30} GiB", where=where)
        _require_harmless(path)
        said = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        NotImplementedError,
        RecursionError,
        MemoryError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"this pickled file can't be read ({reason})", where=where) from None
    return _tensors(said, where)


def _require_harmless(path: Path) -> None:
    """Refuse an archive that unpacks to more than it holds, or names more than tensors need."""
    where = str(path)
    if not zipfile.is_zipfile(path):
        raise UserError(
            "this is no archive of torch 1.6 or later, and older pickles are not read",
            where=where,
            todo="Where you trust it, load it once with its own library and save it as safetensors",
        )
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise UserError("this archive is compressed, which torch never writes", where=where)
        programs = [entry for entry in entries if entry.filename.endswith(".pkl")]
        if len(programs) != 1 or programs[0].file_size > MAX_PROGRAM:
            raise UserError("this archive holds no single program of tensors", where=where)
        program = archive.read(programs[0])
    for operation, argument, _ in pickletools.genops(program):
        named = str(argument) if operation.name == "GLOBAL" else operation.name
        if operation.name in _CODE or (operation.name == "GLOBAL" and named not in ALLOWED):
            raise UserError(
                f"this file asks to run {named.replace(' ', '.')!r}: nothing of it was run",
                where=where,
                todo="Don't use it",
            )


def _tensors(said: object, where: str) -> dict[str, Tensor]:
    if not isinstance(said, dict) or len(said) > MAX_TENSORS:
        raise UserError("this file holds no dictionary of tensors", where=where)
    for name, value in said.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"the entry {str(name)[:60]!r} is no tensor", where=where)
        plain = value.layout is torch.strided and value.device.type == "cpu"
        if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise UserError(f"the tensor {name[:60]!r} is not stored as a whole", where=where)
    return {name: value.detach().clone() for name, value in said.items()}
