"""Distillation: a side with the module learns the vectors of a frozen side or a teacher."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from xadapt.data.records import ParallelPair
from xadapt.functional.losses import cosine_distance, squared_distance
from xadapt.objectives.contract import EncodeView, Loss, TeacherView


@dataclass(frozen=True)
class Distillation:
    """Distance to the frozen encoder's vector of the pivot sentence.

    With ``side: text`` the translation learns the pivot's vector. With ``side: pivot`` the
    pivot itself keeps its own vector. So a module that is active on both sides does no harm.

    Source: Reimers and Gurevych 2020, https://arxiv.org/abs/2004.09813, equation 1.

    With a ``teacher``, the target vectors are those of the pivot through that module, which is one
    of the recipe's ``companions``.

    Attributes:
        side: The side that goes through the module: ``text`` or ``pivot``.
        distance: ``cosine`` (1 - cosine) or ``squared`` (mean squared difference).
        teacher: Name of a companion that acts on the pivot; empty for the frozen encoder alone.
    """

    side: Literal["text", "pivot"] = "text"
    distance: Literal["cosine", "squared"] = "cosine"
    teacher: str = ""

    consumes: ClassVar[type] = ParallelPair
    source: ClassVar[str] = "https://arxiv.org/abs/2004.09813"
    coupled: ClassVar[bool] = False

    def views(self, records: Sequence[ParallelPair], rng: random.Random) -> dict[str, Any]:
        """Build views of the student rows with the module, and of the pivots as targets.

        The pivots run without the module, or with the teacher.
        """
        pivots = [r.pivot for r in records]
        on_pivot = self.side == "pivot"
        student = pivots if on_pivot else [r.text for r in records]
        langs = [r.pivot_lang if on_pivot else r.lang for r in records]
        taught = (
            TeacherView(pivots, self.teacher) if self.teacher else EncodeView(pivots, module=False)
        )
        return {"student": EncodeView(student, langs=langs), "teacher": taught}

    def loss(self, student: Tensor, teacher: Tensor) -> Loss:
        """Compute distances of ``student (n, dim)`` to ``teacher (n, dim)``: ``(n,)``."""
        measure = cosine_distance if self.distance == "cosine" else squared_distance
        return Loss(measure(student, teacher))


Part = Distillation
