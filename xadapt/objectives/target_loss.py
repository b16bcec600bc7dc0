"""The loss of written targets: the mean cross-entropy of their tokens."""

from __future__ import annotations

from xadapt.objectives.contract import Loss, TargetLosses


def target_loss(written: TargetLosses) -> Loss:
    """Compute each record's mean loss over the tokens of its target, weighted by their number.

    So the loss of a batch is the mean over all tokens, as transformers computes it.

    Args:
        written: The losses of the tokens.
    """
    count = written.mask.sum(1).to(written.values.dtype)
    values = (written.values * written.mask).sum(1) / count.clamp(min=1)
    return Loss(values, count)
