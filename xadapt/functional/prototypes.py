"""Prototypes of classes: means of features, alignment over two languages, labels by distance."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def class_means(features: Tensor, classes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Compute the mean feature of each class.

    Args:
        features: ``(n, width)``.
        classes: The class of each row, ``(n,)``.
        count: Number of classes.

    Returns:
        Means ``(count, width)``, zeros for a class without a row, and the rows of each class,
        ``(count,)``.
    """
    chosen = F.one_hot(classes, count).to(features.dtype)
    sizes = chosen.sum(0)
    return chosen.T @ features / sizes.clamp(min=1).unsqueeze(1), sizes


def prototype_alignment(
    source: Tensor, target: Tensor, seen: tuple[Tensor, Tensor], temperature: float
) -> Tensor:
    """Compute the contrastive loss that draws the two prototypes of each class together.

    With ``s_k`` and ``t_k`` the prototypes of class ``k`` in two languages and ``sim`` the cosine
    divided by the temperature, the loss is the sum over classes of ``- log(e^sim(s_k, t_k) / (
    e^sim(s_k, t_k) + sum over j != k of (e^sim(s_k, t_j) + e^sim(s_k, s_j))))``. Each class counts
    once, however many words it has. Classes that one language lacks have no term; those of the
    other language are still negatives.

    Source: Ge et al. 2023 (ProKD), https://arxiv.org/abs/2301.08855, as reconstructed.

    Args:
        source: ``(classes, width)``.
        target: ``(classes, width)``.
        seen: Which classes each language has, twice ``(classes,)``.
        temperature: Cosines are divided by it.

    Returns:
        One number; 0 if no class is in both languages.
    """
    here, there = (flags > 0 for flags in seen)
    own, other = F.normalize(source, dim=-1), F.normalize(target, dim=-1)
    across = own @ other.T / temperature
    within = own @ own.T / temperature
    positive = across.diagonal()
    itself = torch.eye(len(own), dtype=torch.bool, device=own.device)
    scores = torch.cat(
        [
            across.masked_fill(~there, -torch.inf),
            within.masked_fill(itself | ~here, -torch.inf),
        ],
        dim=1,
    )
    both = here & there
    return (scores[both].logsumexp(1) - positive[both]).sum()


def prototype_weights(
    features: Tensor, prototypes: Tensor, seen: Tensor, temperature: float
) -> Tensor:
    """Compute how near each feature is to the prototype of each class, as probabilities.

    ``softmax over k of (- |h - c_k| / temperature)``, the distance being that of vectors scaled to
    unit length. A class without a prototype has the probability 0.

    Source: Zhang et al. 2021 (ProDA), https://arxiv.org/abs/2101.10979, section 3.2, which ProKD
    follows.

    Args:
        features: ``(n, width)``.
        prototypes: ``(classes, width)``.
        seen: Which classes have a prototype, ``(classes,)``; at least one.
        temperature: Distances are divided by it.

    Returns:
        ``(n, classes)``.
    """
    cosines = F.normalize(features, dim=-1) @ F.normalize(prototypes, dim=-1).T
    distances = (2 - 2 * cosines).clamp(min=0).sqrt()
    return (-distances / temperature).masked_fill(seen <= 0, -torch.inf).softmax(-1)
