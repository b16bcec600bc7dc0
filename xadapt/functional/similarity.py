"""Similarity of vectors, by the names that sentence-transformers uses: higher is nearer.

Distances are negated. Source: ``sentence_transformers.util`` (``cos_sim``, ``dot_score``,
``euclidean_sim``, ``manhattan_sim`` and their pairwise forms).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from xadapt.core.errors import UserError

NAMES = ("cosine", "dot", "euclidean", "manhattan")


def similarity(a: Any, b: Any, name: str = "cosine") -> Tensor:
    """Compute the similarity of every vector of ``a`` with every vector of ``b``.

    Args:
        a: Vectors ``(n, dim)``, or one of shape ``(dim,)``: a tensor, an array or a list.
        b: Vectors ``(m, dim)``, or one of shape ``(dim,)``.
        name: ``cosine``, ``dot``, ``euclidean`` or ``manhattan``.

    Returns:
        Similarities ``(n, m)``, fp32, on the device of ``a``.

    Raises:
        UserError: If the name is unknown, or the vectors have different dimensions.
    """
    left, right = _both(a, b, name)
    if name == "cosine":
        left, right = functional.normalize(left, dim=-1), functional.normalize(right, dim=-1)
    if name in ("cosine", "dot"):
        return left @ right.T
    return -torch.cdist(left, right, p=2.0 if name == "euclidean" else 1.0)


def similarity_pairwise(a: Any, b: Any, name: str = "cosine") -> Tensor:
    """Compute the similarity of the vectors of ``a`` and ``b`` row by row.

    Args:
        a: Vectors ``(n, dim)``, or one of shape ``(dim,)``.
        b: Vectors ``(n, dim)``, or one of shape ``(dim,)``.
        name: As for `similarity`.

    Returns:
        Similarities ``(n,)``, fp32, on the device of ``a``.

    Raises:
        UserError: As for `similarity`, or if the numbers of rows differ.
    """
    left, right = _both(a, b, name)
    if len(left) != len(right):
        raise UserError(f"{len(left)} vectors and {len(right)}: pairs need one for each")
    if name == "cosine":
        left, right = functional.normalize(left, dim=-1), functional.normalize(right, dim=-1)
    if name in ("cosine", "dot"):
        return (left * right).sum(-1)
    order = 2 if name == "euclidean" else 1
    return -torch.linalg.vector_norm(left - right, ord=order, dim=-1)


def _both(a: Any, b: Any, name: str) -> tuple[Tensor, Tensor]:
    if name not in NAMES:
        raise UserError(f"there is no similarity {name!r}", todo=f"Use {', '.join(NAMES)}")
    left, right = _matrix(a), _matrix(b)
    if left.shape[1] != right.shape[1]:
        raise UserError(f"vectors of {left.shape[1]} and {right.shape[1]} numbers are compared")
    return left, right.to(left.device)


def _matrix(vectors: Any) -> Tensor:
    """Convert vectors to a tensor ``(n, dim)``, fp32."""
    if isinstance(vectors, Sequence) and vectors and isinstance(vectors[0], Tensor):
        vectors = torch.stack(list(vectors))
    try:
        found = vectors if isinstance(vectors, Tensor) else torch.from_numpy(np.asarray(vectors))
    except (TypeError, ValueError):
        raise UserError("these are no vectors", todo="Give what encode returns") from None
    if found.ndim not in (1, 2):
        raise UserError(
            f"vectors have the shape {tuple(found.shape)}, not (n, dim)",
            todo="Give what encode returns",
        )
    return found.float().reshape(1, -1) if found.ndim == 1 else found.float()
