"""Linear maps of modalities, learnt from training links: entities that are the same come together.

Vectors of names, attributes or images of two graphs need not lie alike. A map ``W``, one for both
sides, begins as the identity and is learnt by a contrastive loss::

    ICL = -log  e^(z1_i z2_i / t) / (sum_j e^(z1_i z2_j / t) + sum_(j != i) e^(z1_i z1_j / t))

in both directions, with ``t = .1``. Development links say when to stop, and whether the identity
was better. A modality that was made from the training links themselves, such as structure, needs
none.

Source: UMAEA, https://arxiv.org/abs/2307.16210: the linear maps of attributes and images, and the
loss. Difference: the maps are learnt apart, and the uncertainty of a modality weighs its scores
(`xadapt.tasks.kg.fusion`) rather than its loss.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from xadapt.functional import metrics
from xadapt.tasks.kg.likeness import Positions
from xadapt.tasks.kg.modalities import Modality, Vectors
from xadapt.vectors import matching
from xadapt.vectors.search.sides import spans

TEMPERATURE, RATE, DECAY = 0.1, 1e-3, 1e-4
STEPS, EVERY, BATCH, LEAST, WIDEST = 64, 16, 512, 20, 2048
POOL = 4000
BLOCK = 2**14


def contrast(left: Tensor, right: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the contrastive loss of each pair, the mean of both directions.

    Args:
        left: Unit vectors ``(pairs, dim)``.
        right: Unit vectors of the same entities ``(pairs, dim)``.
        temperature: The temperature.

    Returns:
        ``(pairs,)``.
    """
    own = torch.eye(len(left), dtype=torch.bool, device=left.device)
    losses = []
    for a, b in ((left, right), (right, left)):
        within = (a @ a.T / temperature).masked_fill(own, -torch.inf)
        scores = torch.cat([a @ b.T / temperature, within], dim=1)
        target = torch.arange(len(a), device=a.device)
        losses.append(functional.cross_entropy(scores, target, reduction="none"))
    return (losses[0] + losses[1]) / 2


def learn_map(
    modality: Modality,
    train: Positions,
    dev: Positions,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> Modality:
    """Return the modality with its vectors mapped, or as it is if no map does better on dev links.

    Args:
        modality: The modality.
        train: Training links ``(n, 2)``; those with an entity that has no vector are left out.
        dev: Development links, which choose the number of steps.
        steps: Most steps.
        seed: Seed of the order of links and of the pool.
    """
    train, dev = (with_vectors(modality, links) for links in (train, dev))
    width = modality.left.shape[1]
    if min(len(train), len(dev)) < LEAST or width > WIDEST or not steps:
        return modality
    draw = np.random.default_rng(seed)
    pool = [np.unique(np.concatenate([dev[:, side], draw.integers(0, size, POOL)]))
            for side, size in enumerate(modality.shape)]  # fmt: skip
    left, right = (
        torch.from_numpy(own[train[:, side]])
        for side, own in enumerate((modality.left, modality.right))
    )
    weight = torch.eye(width, requires_grad=True)
    optimiser = torch.optim.Adam([weight], lr=RATE)
    best, kept = mrr(modality, dev, pool), None
    for step in range(1, steps + 1):
        rows = torch.from_numpy(draw.permutation(len(train))[:BATCH])
        a, b = (functional.normalize(own[rows] @ weight, dim=1) for own in (left, right))
        away = ((weight - torch.eye(width)) ** 2).sum()
        optimiser.zero_grad()
        (contrast(a, b).mean() + DECAY * away).backward()
        optimiser.step()
        if step % EVERY == 0 or step == steps:
            made = weight.detach().numpy().copy()
            score = mrr(modality, dev, pool, made)
            if score > best:
                best, kept = score, made
    return modality if kept is None else Modality(*(_mapped(own, kept) for own in
                                                    (modality.left, modality.right)))  # fmt: skip


def mrr(
    modality: Modality, links: Positions, pool: list[Positions], weight: Vectors | None = None
) -> float:
    """Return the MRR of links among some entities, the mean of both directions.

    Args:
        modality: The modality.
        links: Links ``(n, 2)``.
        pool: The left and the right entities that are looked through; those of links among them.
        weight: A map ``(dim, dim)``.
    """
    sides = (modality.left, modality.right)
    found = []
    for own, other in ((0, 1), (1, 0)):
        asked, held = sides[own][links[:, own]], sides[other][pool[other]]
        if weight is not None:
            asked, held = asked @ weight, held @ weight
        rank = metrics.ranks(matching.cosine(asked, held), links[:, other], pool[other])
        found.append(metrics.reciprocal(rank).mean())
    return float(np.mean(found))


def with_vectors(modality: Modality, links: Positions) -> Positions:
    """Return the links both of whose entities have a vector."""
    left, right = modality.has
    kept: Positions = links[left[links[:, 0]] & right[links[:, 1]]]
    return kept


def _mapped(vectors: Vectors, weight: Vectors) -> Vectors:
    made = np.zeros_like(vectors)
    for start, stop in spans(len(vectors), BLOCK):
        rows = vectors[start:stop] @ weight
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        made[start:stop] = rows / np.where(lengths > 0, lengths, 1)
    return made
