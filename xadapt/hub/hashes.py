"""Hashes of a published folder: of its files, its tensors and its manifest's content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import xxhash
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt
from torch import Tensor

CHUNK = 2**20
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileHash(BaseModel):
    """One file of the folder: its size in bytes, and two hashes of its bytes.

    ``xxh3_128`` is quick and compared on every load. ``sha256`` is the hash that the Hub shows.
    """

    model_config = STRICT
    bytes: NonNegativeInt
    sha256: Sha256
    xxh3_128: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Integrity(BaseModel):
    """Hashes of all published content; `xadapt.hub.integrity` makes and checks them.

    Attributes:
        manifest: Hash of the content of ``xadapt.json`` without this field.
        files: Hash of every other file, by its path in the folder.
        tensors: By file, the hash of every tensor that xadapt reads. The hash covers name, dtype,
            shape and bytes.
    """

    model_config = STRICT
    manifest: Sha256
    files: dict[str, FileHash]
    tensors: dict[str, dict[str, Sha256]]


def file_hash(path: Path) -> FileHash:
    """Compute both hashes of a file."""
    sha, quick, size = hashlib.sha256(), xxhash.xxh3_128(), 0
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK):
            sha.update(piece)
            quick.update(piece)
            size += len(piece)
    return FileHash(bytes=size, sha256=sha.hexdigest(), xxh3_128=quick.hexdigest())


def is_file(path: Path, hashed: FileHash, raw: bytes | None = None) -> bool:
    """Whether a file has the expected size and the expected quick hash.

    Args:
        path: The file.
        hashed: The expected size and hashes.
        raw: The bytes of the file, if they are read already. The file is then not read again.

    Raises:
        OSError: If the file can't be read.
    """
    if raw is not None:
        return len(raw) == hashed.bytes and xxhash.xxh3_128_hexdigest(raw) == hashed.xxh3_128
    if path.stat().st_size != hashed.bytes:
        return False
    quick, piece = xxhash.xxh3_128(), bytearray(min(CHUNK, hashed.bytes + 1))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(piece):
            quick.update(memoryview(piece)[:count])
    return quick.hexdigest() == hashed.xxh3_128


def tensor_hashes(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Compute the SHA-256 of each tensor: of name, dtype and shape as JSON, and of the bytes."""
    return {name: _tensor_hash(name, tensor) for name, tensor in sorted(tensors.items())}


def content_hash(value: Any) -> str:
    """Compute the SHA-256 of JSON content, independent of its format.

    Keys are sorted, and 1.0 is the same as 1.

    Raises:
        ValueError: If the value is not JSON.
    """
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _tensor_hash(name: str, tensor: Tensor) -> str:
    said = json.dumps([name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)])
    digest = hashlib.sha256(said.encode("ascii"))
    digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
