"""Classification: texts whose class is right (accuracy), and the mean F1 of the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText
from xadapt.evaluation.comparison import Result, compare

MAJORITY = "most frequent class"
TASK = "classification"


def evaluate(
    texts: Sequence[LabelledText],
    systems: Mapping[str, Sequence[str]],
    *,
    base: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare the classes that systems give texts with what is right.

    The last row gives each text the most frequent class of these very texts. The details of a
    row are the F1 of each class that is right for some text.

    Args:
        texts: The texts with their classes.
        systems: By name, one class a text.
        base: The system the others are compared with.
        resamples: Of the bootstrap over texts.
        seed: Of the bootstrap.

    Raises:
        UserError: There are no texts, or a system's classes are not one a text.
    """
    if not texts:
        raise UserError("there are no texts to evaluate on")
    gold = [text.label for text in texts]
    every = {**systems, MAJORITY: [Counter(gold).most_common(1)[0][0]] * len(gold)}
    names = sorted(set(gold))
    right = _numbers(gold, names)
    said = {}
    for name, labels in every.items():
        if len(labels) != len(gold):
            raise UserError(f"{name} gives {len(labels)} classes for {len(gold)} texts")
        said[name] = _numbers(labels, names)
    classes = len(names)
    return compare(
        TASK,
        "texts",
        {name: dict.fromkeys(("accuracy", "macro f1"), (right, own)) for name, own in said.items()},
        {"accuracy": accuracy, "macro f1": lambda gold, said: f1s(gold, said, classes).mean(-1)},
        details={
            name: dict(zip(names, map(float, f1s(right[None], own[None], classes)[0]), strict=True))
            for name, own in said.items()
        },
        base=base,
        resamples=resamples,
        seed=seed,
    )


def accuracy(gold: NDArray[np.int64], said: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of equal numbers along the last axis."""
    share: NDArray[np.float64] = (gold == said).mean(-1)
    return share


def f1s(gold: NDArray[np.int64], said: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The F1 of each class, 0 where it is neither right nor said anywhere.

    Args:
        gold: Right classes as numbers, ``(samples, n)``.
        said: What a system says, -1 for a class that is right nowhere, ``(samples, n)``.
        classes: How many there are.

    Returns:
        ``(samples, classes)``.
    """
    found = np.zeros((len(gold), classes))
    for number in range(classes):
        ours, theirs = gold == number, said == number
        total = ours.sum(-1) + theirs.sum(-1)
        found[:, number] = 2 * (ours & theirs).sum(-1) / np.maximum(total, 1)
    return found


def _numbers(labels: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    number = {name: i for i, name in enumerate(names)}
    return np.array([number.get(label, -1) for label in labels], dtype=np.int64)
