"""Weights of experts that are optimised for each row at test time, not trained before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xadapt.modules.hooks import AdapterHook, CapturedInput, Place, SiteInputs


class Ensemble(nn.Module):
    """Softmax of free scores, separate for each row and layer; all scores are equal at the start.

    Source: EMEA, Wang et al. 2021, "Efficient Test Time Adapter Ensembling for Low-resource
    Language Varieties", https://arxiv.org/abs/2109.04877, section 3.

    Args:
        experts: Number of experts.
        depth: Number of layers of the encoder.
    """

    def __init__(self, experts: int, depth: int) -> None:
        super().__init__()
        self.experts, self.depth = experts, depth
        self.scores = torch.zeros(1, depth + 1, experts)

    def start(self, rows: int, device: torch.device | None = None) -> Tensor:
        """Set the scores for this number of rows to zero, and return them.

        Their shape is ``(rows, depth + 1, experts)``. The first layer is the embeddings.
        """
        shape = (rows, self.depth + 1, self.experts)
        self.scores = torch.zeros(shape, device=device, requires_grad=True)
        return self.scores

    def hooks(self) -> list[AdapterHook]:
        """Return no hooks: the ensemble acts through its experts."""
        return []

    def wants(self, place: Place) -> tuple[CapturedInput, ...]:
        """Return no inputs: the ensemble reads no states."""
        return ()

    def gates(self, place: Place, here: SiteInputs) -> Tensor:
        """Compute the weights of the experts in the layer of a site, ``(batch, 1, experts)``."""
        return self.scores.softmax(-1)[:, place[0] + 1, None]
