"""Muon for the matrices inside the layers, AdamW for all else, as one optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class MuonAdamW(torch.optim.Optimizer):
    """Muon on every matrix of the layers, AdamW on embeddings, head, norms and biases.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/, with its step scaled to
    the size of AdamW's as in Liu et al. 2025, https://arxiv.org/abs/2502.16982, section 2.2, so
    that one rate serves both.

    Args:
        model: Whose parameters are trained.
        rate: Learning rate.
        decay: Weight decay of matrices and tables; vectors have none.
    """

    def __init__(self, model: nn.Module, rate: float, decay: float) -> None:
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.ndim == 2 and ".layer." in name]
        tables = [p for name, p in named if p.ndim == 2 and ".layer." not in name]
        vectors = [p for _, p in named if p.ndim != 2]
        self.muon = torch.optim.Muon(
            matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
        )
        self.adamw = torch.optim.AdamW(
            [{"params": tables, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        super().__init__(self.muon.param_groups + self.adamw.param_groups, {})
        self._share()

    def step(self, closure: None = None) -> None:
        """One step of both."""
        self.muon.step()
        self.adamw.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of both."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        self.muon.state = self.adamw.state = self.state
        self.muon.param_groups, self.adamw.param_groups = (
            self.param_groups[:1],
            self.param_groups[1:],
        )
