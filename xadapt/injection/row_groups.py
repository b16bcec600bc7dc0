"""Split attention by active adapter, where rows share what the adapters change."""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones.frames import Frame, WeightsGuard, current, framed

ALL = slice(None)
Rows = slice | Tensor
"""Rows of a batch: all of them (`ALL`), or their positions."""


def split_by_rows(attention: nn.Module, guard: WeightsGuard, path: str) -> None:
    """Make an attention run separately for rows with different adapters.

    DeBERTa projects its relative positions through the same linears as the states, once for all
    rows. An adapter on these linears also changes the positions, differently in different rows.
    In a forward without such an adapter, the attention runs unchanged.

    Args:
        attention: Called as ``(states, mask, ...)``, rows first in both.
        guard: Guard of the attention's model.
        path: The attention's name in this model.
    """

    def forward(self: nn.Module, states: Tensor, mask: Tensor, *args: Any, **kwargs: Any) -> Any:
        whole = type(self).forward
        frame = current(guard)
        groups = _groups(frame, path, states) if frame is not None else []
        if frame is None or not groups:
            return whole(self, states, mask, *args, **kwargs)
        parts = []
        for rows in groups:
            with framed(frame.narrowed(rows)):
                parts.append(whole(self, states[rows], mask[rows], *args, **kwargs))
        return _in_order(parts, torch.cat(groups).argsort())

    attention.forward = MethodType(forward, attention)


def _in_order(parts: list[Any], order: Tensor) -> Any:
    """Join the outputs of all groups into one batch."""
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)[order]
    return tuple(
        None if column[0] is None else torch.cat(column)[order]
        for column in zip(*parts, strict=True)
    )


def _groups(frame: Frame, path: str, states: Tensor) -> list[Tensor]:
    """Group the positions of rows with the same adapters; empty where all rows have the same."""
    groups = frame.activation.groups
    if not any(path in adapter.splits for adapter, _ in groups):
        return []
    partial = [rows for _, rows in groups if isinstance(rows, Tensor)]
    code = torch.zeros(len(states), dtype=torch.long, device=states.device)
    for rows in partial:
        code = code * 2
        code[rows] += 1
    return [(code == c).nonzero().flatten() for c in code.unique()] if partial else []
