"""Losses as pure functions of representations: one value a row, unreduced, in fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(
    queries: Tensor,
    keys: Tensor,
    targets: Tensor,
    temperature: float,
    hidden: tuple[Tensor, Tensor] | None = None,
    unit_keys: bool = False,
) -> Tensor:
    """Compute the InfoNCE loss: cross-entropy of each query's own key among all keys.

    The score of a pair is its cosine similarity divided by the temperature.

    Source: van den Oord et al. 2018, https://arxiv.org/abs/1807.03748, equation 4. A
    temperature of .05 is the "scale 20" of sentence-transformers.

    Args:
        queries: ``(n, dim)``.
        keys: ``(m, dim)``. If they are bf16, the product is done in bf16 and the rest in fp32.
        targets: ``(n,)``, the row of the right key of each query.
        temperature: Unitless, positive.
        hidden: ``(rows, columns)`` of the scores to leave out: known positives other than the
            target. A target is never left out.
        unit_keys: Whether the keys already have unit length.

    Returns:
        ``(n,)`` losses, each at least 0.
    """
    keys = keys if unit_keys else F.normalize(keys, dim=-1)
    # Dividing the queries instead of the scores saves two passes over (n, m).
    sharp = F.normalize(queries.float(), dim=-1) / temperature
    scores = (sharp.to(keys.dtype) @ keys.T).float()
    if hidden is not None:
        rows, columns = hidden
        keep = columns != targets[rows]
        if keep.any():
            scores = scores.index_put((rows[keep], columns[keep]), scores.new_tensor(-torch.inf))
    return F.cross_entropy(scores, targets, reduction="none")


def soft_label_divergence(scores: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Compute ``T² KL(softmax(wanted / T) || softmax(scores / T))``, the sum over the labels.

    Source: Hinton et al. 2015, https://arxiv.org/abs/1503.02531, section 2. The factor T² keeps the
    size of the gradient when the temperature changes.

    Args:
        scores: Scores of the labels before the softmax, ``(n, labels)``.
        wanted: The teacher's scores, ``(n, labels)``.
        temperature: Unitless, positive.

    Returns:
        ``(n,)``, each at least 0 up to rounding. The mean over rows is PyTorch's ``batchmean``.
    """
    own = (scores.float() / temperature).log_softmax(-1)
    target = (wanted.float() / temperature).log_softmax(-1)
    return temperature**2 * F.kl_div(own, target, reduction="none", log_target=True).sum(-1)


def cosine_distance(left: Tensor, right: Tensor) -> Tensor:
    """Compute ``1 - cosine`` of each pair of rows of two ``(n, dim)`` tensors.

    The result is ``(n,)``, from 0 to 2 up to rounding.
    """
    return 1 - F.cosine_similarity(left.float(), right.float(), dim=-1)


def cosent(cosines: Tensor, scores: Tensor, temperature: float) -> Tensor:
    """Compute the CoSENT loss: pairs with a higher score have a higher cosine.

    The loss is ``log(1 + sum(exp((cosine_j - cosine_i) / temperature)))`` over all ``i, j`` where
    the score of pair i is higher than that of pair j.

    Source: Su 2022, https://kexue.fm/archives/8847, equation 6; ``CoSENTLoss`` of
    sentence-transformers.

    Args:
        cosines: ``(n,)``.
        scores: ``(n,)``, in any unit.
        temperature: Unitless, positive.

    Returns:
        A scalar, at least 0.
    """
    higher = scores[:, None] > scores[None, :]
    wrong = (cosines[None, :] - cosines[:, None]).float() / temperature
    return torch.cat([wrong.new_zeros(1), wrong[higher]]).logsumexp(0)


def over_dimensions(
    measure: Callable[..., Tensor], dimensions: Sequence[int], *vectors: Tensor
) -> Tensor:
    """Compute the mean of a loss over the first values of vectors, for each number of values.

    Source: Matryoshka Representation Learning, Kusupati et al. 2022,
    https://arxiv.org/abs/2205.13147, equation 1, with equal weights.

    Args:
        measure: A loss of vectors.
        dimensions: Numbers of values; without any, all values count once.
        vectors: Vectors ``(n, dim)``.
    """
    if not dimensions:
        return measure(*vectors)
    parts = [measure(*(one[..., :size] for one in vectors)) for size in dimensions]
    return torch.stack(parts).mean(0)


def squared_distance(left: Tensor, right: Tensor) -> Tensor:
    """Compute the mean squared difference over features of two ``(n, dim)`` tensors: ``(n,)``."""
    return (left.float() - right.float()).square().mean(-1)


def token_cross_entropy(
    logits: Tensor, labels: Tensor, record: Tensor, n: int
) -> tuple[Tensor, Tensor]:
    """Compute the mean cross-entropy over each record's tokens, and the number of its tokens.

    Args:
        logits: ``(tokens, vocab)``, the scored positions of all records.
        labels: ``(tokens,)``.
        record: ``(tokens,)``, the record that each position belongs to.
        n: Number of records.

    Returns:
        ``(values, counts)``, both ``(n,)``. A record without a position has value 0 and count 0.
        The mean of the values weighted by the counts is the mean over all tokens.
    """
    each = F.cross_entropy(logits.float(), labels, reduction="none")
    counts = torch.zeros(n, device=each.device).index_add(0, record, torch.ones_like(each))
    sums = torch.zeros(n, device=each.device).index_add(0, record, each)
    return sums / counts.clamp(min=1), counts
