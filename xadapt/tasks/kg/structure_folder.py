"""Folders of structure: a manifest and one file of tensors, for alignment or for completion.

``structure.json`` holds the method, its options, and hashes of the entities, relations and facts in
their order, and of the links. ``structure.safetensors`` holds the tensors. Nothing is pickled.
Sizes and hashes are checked before anything is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, sha256_file, write_json
from xadapt.core.strict_parsing import parse_json
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.tasks.kg.two_graphs import digest_of

FILE = "structure.json"
TENSORS = "structure.safetensors"
MAX_BYTES = 4 * 2**20
Kind = Literal["alignment", "completion"]
Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class GraphFacts(_Strict):
    """A graph: its name and sizes, and a hash of its entities, relations and facts in order."""

    name: str = Field(max_length=300)
    entities: int = Field(ge=1, le=2**31 - 1)
    relations: int = Field(ge=0, le=2**31 - 1)
    facts: int = Field(ge=0, le=2**40)
    sha256: str = Sha256

    @classmethod
    def of(cls, graph: KnowledgeGraph) -> GraphFacts:
        """Describe a graph."""
        return cls(
            name=graph.name[:300],
            entities=len(graph.entities),
            relations=len(graph.relations),
            facts=len(graph.triples),
            sha256=digest_of(graph),
        )


class LinkFacts(_Strict):
    """The links that joined two graphs: their name, number and hash."""

    name: str = Field(max_length=300)
    count: int = Field(ge=1)
    sha256: str = Sha256


class StructureManifest(_Strict):
    """The content of ``structure.json``.

    Attributes:
        version: Version of the layout.
        kind: ``alignment`` of two graphs, or ``completion`` of one.
        method: ``propagation``, or the name of a model of PyKEEN.
        options: The options of the method.
        graphs: The left and the right graph, or the one graph.
        links: The links that joined two graphs.
        measured: What was measured while it was made, such as scores on held-out links.
        software: Versions of the packages that the tensors depend on.
        tensors: SHA-256 of the file of tensors.
    """

    version: Literal[1] = 1
    kind: Kind
    method: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")
    options: dict[str, Any] = {}
    graphs: list[GraphFacts] = Field(min_length=1, max_length=2)
    links: LinkFacts | None = None
    measured: dict[str, Any] = {}
    software: dict[str, str] = {}
    tensors: str = Sha256


def save_structure(
    folder: Path | str, tensors: Mapping[str, Tensor], *, replace: bool = False, **about: Any
) -> StructureManifest:
    """Write a folder of structure, whole or not at all.

    Args:
        folder: The folder; absent or empty, unless ``replace`` is true.
        tensors: The tensors by name.
        replace: Whether to replace an existing folder.
        about: The fields of `StructureManifest`, except ``tensors``.

    Raises:
        UserError: If the folder is not empty or can't be written.
    """
    with atomic_folder(folder, replace=replace) as temporary:
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(whole, temporary / TENSORS)
        manifest = StructureManifest(**about, tensors=sha256_file(temporary / TENSORS))
        write_json(temporary / FILE, manifest.model_dump(mode="json"))
    return manifest


def read_manifest(folder: Path | str, kind: Kind | None = None) -> StructureManifest:
    """Read the manifest of a folder of structure.

    Args:
        folder: The folder.
        kind: The kind that is needed.

    Raises:
        UserError: If this is no such folder, the manifest is malformed, or its kind is another.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise UserError(
            f"this is no folder of structure: it has no {FILE}",
            where=str(folder),
            todo="Make one with xadapt kg structure",
        )
    if path.stat().st_size > MAX_BYTES:
        raise UserError("this is no manifest of structure: it is too large", where=str(path))
    said = parse_json(path.read_bytes(), where=str(path))
    try:
        manifest = StructureManifest.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise UserError(
            f"this is no manifest of structure ({at}: {first['msg']})",
            where=str(path),
            todo="Make the folder again with xadapt kg structure",
        ) from None
    if kind is not None and manifest.kind != kind:
        need = "--left and --right" if kind == "alignment" else "--graph"
        raise UserError(
            f"this structure is for {manifest.kind}, not for {kind}",
            where=str(folder),
            todo=f"Make one with xadapt kg structure {need}",
        )
    return manifest


def read_tensors(folder: Path | str, manifest: StructureManifest) -> dict[str, Tensor]:
    """Read the tensors of a folder, after a check of their hash.

    Raises:
        UserError: If the file is absent, was changed, or is no file of tensors.
    """
    path = Path(folder) / TENSORS
    if not path.is_file() or sha256_file(path) != manifest.tensors:
        state = "was changed" if path.is_file() else "is missing"
        raise UserError(
            f"{TENSORS} {state}", where=str(folder), todo="Make the folder again, or fetch it again"
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"this is no file of tensors ({error})", where=str(path)) from None


def require_graphs(
    folder: Path | str, manifest: StructureManifest, *graphs: KnowledgeGraph
) -> None:
    """Refuse a graph that is not the one the structure was made of.

    Raises:
        UserError: If a graph has other entities, relations or facts, or another order of them.
    """
    for made, graph in zip(manifest.graphs, graphs, strict=True):
        if made.sha256 != digest_of(graph):
            raise UserError(
                f"this structure was made of another graph than {graph.name}: {made.name} with "
                f"{made.entities:,} entities and {made.facts:,} facts",
                where=str(folder),
                todo="Make it again with xadapt kg structure, or name that graph",
            )


def as_array(tensor: Tensor, shape: tuple[int, ...], name: str, folder: Path | str) -> np.ndarray:
    """Return a float32 tensor of a folder as an array of a shape; -1 stands for any size.

    Raises:
        UserError: If the tensor has another shape or type, or a value that is not finite.
    """
    fits = tensor.dtype == torch.float32 and len(tensor.shape) == len(shape)
    fits = fits and all(want in (-1, got) for want, got in zip(shape, tensor.shape, strict=True))
    if not fits or not bool(torch.isfinite(tensor).all()):
        raise UserError(
            f"the tensor {name!r} does not fit the manifest",
            where=str(folder),
            todo="Make the folder again with xadapt kg structure",
        )
    return tensor.numpy()
