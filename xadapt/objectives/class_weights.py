"""Weights of classes, for classes that are rare in the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from xadapt.core import registry
from xadapt.core.errors import UserError

ClassWeights = Literal["balanced"] | dict[str, float] | None


class Labels(tuple[str, ...]):
    """The labels of a head, in order.

    Attributes:
        weights: The weight of each label; ``None`` if all are equal.
    """

    weights: list[float] | None = None


def require_weights(weights: ClassWeights) -> None:
    """Refuse weights that are no positive numbers.

    Raises:
        ValueError: If a weight is zero, negative or not finite.
    """
    for label, weight in weights.items() if isinstance(weights, Mapping) else ():
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"the weight of class {label!r} must be a number above 0")


def weighted_classes(found: Sequence[str], weights: ClassWeights) -> Labels:
    """Return the classes of data with their weights.

    ``balanced`` is ``n / (classes * count)`` for each class, as in scikit-learn.

    Args:
        found: The class of each record.
        weights: The option. A class that is not named has the weight 1.

    Raises:
        UserError: If a weight is named for a class that the data don't have.
    """
    counts = Counter(found)
    labels = Labels(sorted(counts))
    if weights == "balanced":
        labels.weights = [len(found) / (len(labels) * counts[label]) for label in labels]
    elif weights is not None:
        labels.weights = named_weights(labels, weights)
    return labels


def named_weights(labels: Sequence[str], weights: Mapping[str, float]) -> list[float]:
    """Return the weight of each label, 1 where none is named.

    Raises:
        UserError: If a weight is named for an unknown label.
    """
    unknown = next((name for name in weights if name not in labels), None)
    if unknown is not None:
        raise UserError(registry.unknown("class", unknown, list(labels)), where="class_weights")
    return [float(weights.get(label, 1.0)) for label in labels]
