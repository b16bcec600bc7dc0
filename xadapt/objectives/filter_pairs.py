"""What the objectives of FILTER share: their options, their pairs and their teacher."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.objectives.contract import draws


def require_options(objective: Any) -> None:
    """Refuse options outside their range.

    Raises:
        ValueError: If an option is outside its range.
    """
    if objective.local < 0 or objective.fusion < 0:
        raise ValueError("local and fusion must not be negative")
    for name in ("itself", "distillation"):
        if not 0 <= getattr(objective, name) <= 1:
            raise ValueError(f"{name} must be in [0, 1]")
    if not objective.temperature > 0:
        raise ValueError("temperature must be above 0")


def require_translations(records: Sequence[Any]) -> None:
    """Refuse records of which none has a translation.

    Raises:
        UserError: If no record has one.
    """
    if not any(record.translation for record in records):
        raise UserError(
            f"none of the {len(records)} {records[0].unit} has a translation",
            where=records[0].origin,
            todo="Give a column with translations, or --translator and "
            "--set 'data.train.transforms.0.into=[de]'",
        )


def partners(records: Sequence[Any], rng: random.Random, itself: float) -> list[bool]:
    """Draw for each record whether it is paired with itself; without translation it always is."""
    return [
        not record.translation or own.random() < itself
        for record, own in zip(records, draws(rng, records), strict=True)
    ]


def require_teacher(
    companions: Mapping[str, nn.Module], name: str, heads: Head, local: int, fusion: int
) -> Head:
    """Return the teacher's head.

    Raises:
        UserError: If it has other labels, or the teacher was trained with other fused layers.
    """
    teacher = companions[name]
    assert isinstance(teacher, Head)
    if (teacher.task, teacher.labels) != (heads.task, heads.labels):
        raise UserError(
            f"the teacher {name!r} gives the labels {', '.join(teacher.labels[:6])} of "
            f"{teacher.task}, and the data have {', '.join(heads.labels[:6])}",
            todo="Name the module of a first run on the same data",
        )
    if teacher.fused != (local, local + fusion):
        raise UserError(
            f"the teacher {name!r} was trained with the fused layers {teacher.fused}, and this "
            f"run has {(local, local + fusion)}",
            todo="Set local and fusion as in the first run",
        )
    return teacher
