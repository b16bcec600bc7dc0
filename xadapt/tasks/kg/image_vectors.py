"""Vectors of images of entities from a file: one safetensors file, and its ids beside it.

``images.safetensors`` has one tensor ``vectors``, ``(rows, dim)``; ``images.txt`` beside it has the
id of each row on a line. Several rows of one entity count by their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.tasks.kg.modalities import Vectors

TENSOR = "vectors"
WIDEST = 2**14


def ids_file(path: str | Path) -> Path:
    """Return the file with the ids of a file of vectors."""
    return Path(path).with_suffix(".txt")


def read_image_vectors(path: str | Path) -> tuple[list[str], Vectors]:
    """Read vectors and their ids.

    Args:
        path: The safetensors file.

    Returns:
        The id of each row, and ``(rows, dim)``, float32.

    Raises:
        UserError: If a file is missing or faulty, or both have different numbers of rows.
    """
    if not Path(path).is_file():
        raise UserError("there is no such file of vectors", where=str(path))
    try:
        with safe_open(path, framework="pt") as file:
            if list(file.keys()) != [TENSOR]:
                raise UserError(f"this file has no single tensor {TENSOR!r}", where=str(path))
            shape = file.get_slice(TENSOR).get_shape()
            if len(shape) != 2 or not 0 < shape[1] <= WIDEST:
                raise UserError(
                    f"{TENSOR!r} has the shape {tuple(shape)}, not (rows, dim)", where=str(path)
                )
            ids = _ids(ids_file(path))
            if len(ids) != shape[0]:
                raise UserError(f"there are {len(ids):,} ids for {shape[0]:,} vectors",
                                where=str(ids_file(path)))  # fmt: skip
            tensor = file.get_tensor(TENSOR)
    except SafetensorError as error:
        raise UserError(f"this is no safetensors file ({error})", where=str(path)) from None
    if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
        raise UserError("the vectors are not finite numbers", where=str(path))
    return ids, tensor.float().numpy()


def vectors_of_graph(graph: KnowledgeGraph, ids: Sequence[str], vectors: Vectors) -> Vectors:
    """Return the vector of each entity of a graph; zero for none.

    Args:
        graph: The graph.
        ids: The id of each vector; ids that are no entity are left out.
        vectors: ``(rows, dim)``.
    """
    made = np.zeros((len(graph.entities), vectors.shape[1]), dtype=np.float32)
    rows = [(graph.index[one], row) for row, one in enumerate(ids) if one in graph.index]
    if rows:
        entity, row = np.array(rows).T
        length = np.linalg.norm(vectors[row], axis=1, keepdims=True)
        np.add.at(made, entity, vectors[row] / np.where(length > 0, length, 1))
    return made


def _ids(path: Path) -> list[str]:
    if not path.is_file():
        raise UserError(
            "there is no file of ids beside the vectors", where=str(path),
            todo="Write the id of each vector on a line of it",
        )  # fmt: skip
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError("the ids are not UTF-8", where=str(path)) from None
    return [line.strip() for line in text.splitlines()]
