"""The teacher of a run: the vectors of another frozen model, turned into the space of the base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.encode import dimension
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.prompts import prefixed, side_prompts
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.core.progress import meter
from xadapt.objectives.contract import asks_for, teacher_rows
from xadapt.training.settings import Run
from xadapt.training.tasks import Task

FITTED = 10_000
"""Number of texts by which the map from the teacher's space to the base's is fitted."""


class Teacher:
    """Vectors of another frozen model in the space of the base, for the losses of a run.

    Args:
        encoder: The teacher.
        base: The frozen vectors of the base.
        cache: Folder of the teacher's vectors; ``None`` keeps them in memory.

    Attributes:
        frozen: The vectors of the teacher, as it computes them.
        map: The fitted map ``(teacher's dim, base's dim)``, after `prepare`.
    """

    def __init__(self, encoder: Encoder, base: FrozenVectors, cache: Path | None) -> None:
        self.frozen, self.base = FrozenVectors(encoder, cache), base
        self.map: Tensor | None = None

    def __call__(self, texts: Sequence[str], side: str = "") -> Tensor:
        """Return vectors ``(n, base's dim)`` of texts, in fp32 on the base's device, no gradient.

        Args:
            texts: Any number of texts.
            side: ``query`` or ``passage``, for the teacher's own prompt of the side, if any.
        """
        assert self.map is not None, "the map is fitted before the first step"
        vectors = self.frozen.fixed(self._rows(self.frozen.encoder, side, texts))
        return F.normalize(vectors.to(self.map.device), dim=-1) @ self.map

    def prepare(self, tasks: Sequence[Task], processes: DistributedContext, show: bool) -> None:
        """Encode all texts of the teacher, and fit the map on the first of them.

        Args:
            tasks: Objectives with their records.
            processes: The processes of the run; the first encodes for all.
            show: Whether progress is shown.
        """
        asked = list(dict.fromkeys(_asked(tasks)))
        wanted = [self._one(self.frozen.encoder, *row) for row in asked]
        some = asked[:FITTED]
        own = [self._one(self.base.encoder, *row) for row in some]
        missing = self.frozen.missing(wanted) + self.base.missing(own)
        with meter("encoding with the teacher", missing, show) as bar:
            if processes.main:
                self.frozen.add(wanted, bar.advance)
                self.base.add(own, bar.advance)
        processes.wait()
        self.frozen.add(wanted)
        self.frozen.seal()
        taught = self.frozen.get(wanted[: len(some)])
        student = self.base.get(own)
        self.map = orthogonal_map(taught.to(student.device), student)

    def _rows(self, encoder: Encoder, side: str, texts: Sequence[str]) -> list[str]:
        return prefixed(side_prompts(encoder.pooling), side, texts)

    def _one(self, encoder: Encoder, side: str, text: str) -> str:
        return self._rows(encoder, side, [text])[0]


def orthogonal_map(source: Tensor, target: Tensor) -> Tensor:
    """Fit the map with orthonormal rows or columns that turns one set of vectors into another.

    Both sets are scaled to length 1 first. Where the target is at least as wide as the source, the
    map keeps every cosine of the source.

    Source: Schönemann 1966, A generalized solution of the orthogonal Procrustes problem,
    Psychometrika 31, equation 1.10.

    Args:
        source: ``(n, source's dim)``.
        target: ``(n, target's dim)``, vectors of the same texts.

    Returns:
        The map ``(source's dim, target's dim)``, in fp32.
    """
    left, right = (F.normalize(one.double(), dim=-1) for one in (source, target))
    u, _, v = torch.linalg.svd(left.T @ right, full_matrices=False)
    return (u @ v).float()


def require_services(tasks: Sequence[Task], encoder: Encoder, run: Run) -> None:
    """Refuse a missing teacher, and a teacher, prompts or dimensions that no objective uses.

    Raises:
        UserError: If an objective needs a teacher and there is none, the recipe names one that no
            objective learns from, no objective takes the recipe's dimensions or prompts, or a
            number of dimensions is larger than a vector of the base.
    """
    learns = [task.name for task in tasks if asks_for(task.objective, "teacher_vectors")]
    if learns and run.teacher is None:
        raise UserError(
            f"{learns[0]} learns from another model, and the recipe names none",
            where="teacher",
            todo="Name it: --set teacher=ORG/NAME, or a folder",
        )
    if run.teacher is not None and not learns:
        raise UserError(
            "no objective learns from the teacher",
            where="teacher",
            todo="Add the objective teacher_distillation, or leave the teacher out",
        )
    whole = dimension(encoder)
    for size in run.dimensions:
        if size > whole:
            raise UserError(
                f"the vectors of this base have {whole} values, and {size} are asked for",
                where="dimensions",
                todo=f"Give numbers up to {whole}",
            )
    for option, given in (("dimensions", run.dimensions), ("prompts", run.config.get("prompts"))):
        if given and not any(asks_for(task.objective, option) for task in tasks):
            raise UserError(
                f"{', '.join(task.name for task in tasks)} makes no use of them",
                where=option,
                todo="Leave them out, or train with multiple_negatives_ranking",
            )


def _asked(tasks: Sequence[Task]) -> Iterator[tuple[str, str]]:
    """Yield the side and the text of everything that the teacher encodes, in order."""
    for task in tasks:
        for side, texts in teacher_rows(task.objective, task.records).items():
            yield from ((side, text) for text in texts)
