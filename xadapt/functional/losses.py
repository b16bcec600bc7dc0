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


def pair_contrast(
    queries: Tensor,
    keys: Tensor,
    temperature: float,
    hidden: Tensor | None = None,
    crossing_zero: bool = True,
) -> Tensor:
    """Compute the contrast of each pair with all other queries and keys of the batch.

    With ``s = cosine / temperature`` and the ``2 (n - 1)`` negatives ``s(q_i, k_j)`` and
    ``s(q_i, q_j)``, j other than i, the loss is CZ-NCE,
    ``L_i = - s(q_i, k_i) + log sum over negatives of exp(s)``. It goes below zero, and its gradient
    by the positive is always -1. Without ``crossing_zero`` the positive stands in the sum too:
    InfoNCE, ``log (1 + sum exp(s_neg - s_pos))``.

    Source: CZ-NCE of ML-CTL, Yu et al. 2022, https://arxiv.org/abs/2202.13083.

    Args:
        queries: ``(n, dim)``.
        keys: ``(n, dim)``, the partner of each query.
        temperature: Unitless, positive.
        hidden: ``(n, n)``, True where the pairs i and j are no negatives of each other.
        crossing_zero: CZ-NCE, else InfoNCE.

    Returns:
        ``(n,)`` losses; 0 for a pair without any negative.
    """
    here, there = (F.normalize(side.float(), dim=-1) for side in (queries, keys))
    barred = torch.eye(len(here), dtype=torch.bool, device=here.device)
    if hidden is not None:
        barred = barred | hidden
    across, within = here @ there.T / temperature, here @ here.T / temperature
    positive = across.diagonal()
    negatives = torch.cat([across.masked_fill(barred, -torch.inf),
                           within.masked_fill(barred, -torch.inf)], dim=1)  # fmt: skip
    if not crossing_zero:
        every = torch.cat([positive.unsqueeze(1), negatives], dim=1)
        return every.logsumexp(1) - positive
    lonely = barred.all(1)
    # A row of nothing but -inf has no gradient; its loss is 0.
    return negatives.masked_fill(lonely.unsqueeze(1), 0).logsumexp(1).masked_fill(
        lonely, 0
    ) - positive.masked_fill(lonely, 0)


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


def softmax_both_ways(scores: Tensor, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Compute log-probabilities of each piece's partner, in both directions.

    Args:
        scores: ``(batch, n, m)``.
        left: Which of the first pieces are real, ``(batch, n)``.
        right: Which of the second pieces are real, ``(batch, m)``.

    Returns:
        Two ``(batch, n, m)``: over the second pieces for each first one, and over the first pieces
        for each second one. A pair with padding has a log-probability of about -1e9.
    """
    real = left[:, :, None] & right[:, None, :]
    shown = scores.masked_fill(~real, -1e9)
    forward, backward = shown.log_softmax(2), shown.log_softmax(1)
    return forward.masked_fill(~real, -1e9), backward.masked_fill(~real, -1e9)


def link_loss(
    forward: Tensor, backward: Tensor, guide: Tensor, left: Tensor, right: Tensor, log: bool
) -> Tensor:
    """Compute how far linked pieces are from their partners, by both directions.

    Source: the self-training objective of Dou and Neubig 2021, https://arxiv.org/abs/2101.08231,
    equation 3 (without ``log``).

    Args:
        forward: Log-probabilities ``(batch, n, m)`` as from `softmax_both_ways`.
        backward: Those of the other direction.
        guide: The links, ``(batch, n, m)``.
        left: Which of the first pieces are real, ``(batch, n)``.
        right: Which of the second pieces are real, ``(batch, m)``.
        log: Take the mean negative log-probability of the links instead of the sum of their
            probabilities over the number of pieces.

    Returns:
        ``(batch,)``.
    """
    if log:
        each = -(forward + backward).masked_fill(~guide, 0).sum((1, 2)) / 2
        return each / guide.sum((1, 2)).clamp(min=1)
    ours, theirs = (
        values.exp().masked_fill(~guide, 0).sum((1, 2)) for values in (forward, backward)
    )
    return -(ours / left.sum(1).clamp(min=1) + theirs / right.sum(1).clamp(min=1)) / 2


def link_consistency(forward: Tensor, backward: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Compute how far both directions agree: ``trace(S_xy^T S_yx) / min(n, m)``, ``(batch,)``.

    Source: Dou and Neubig 2021, https://arxiv.org/abs/2101.08231, section 2.2. The arguments are
    those of `link_loss`.
    """
    least = torch.minimum(left.sum(1), right.sum(1)).clamp(min=1)
    return (forward + backward).exp().sum((1, 2)) / least


def segment_means(states: Tensor, segments: Sequence[tuple[int, int]]) -> Tensor:
    """Compute the mean state of a part of each row: ``(n, width)`` in fp32; zeros if it is empty.

    Args:
        states: ``(n, tokens, width)``.
        segments: First token and the one past the last, for each row.
    """
    place = torch.arange(states.shape[1], device=states.device)
    ends = torch.tensor(segments, device=states.device).reshape(-1, 2)
    inside = (place >= ends[:, :1]) & (place < ends[:, 1:])
    weights = inside.float() / inside.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("nt,ntd->nd", weights, states.float())
