"""A low-rank update of a linear's output, with a backward pass that saves few tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class AddLowRank(torch.autograd.Function):
    """``y + scale * up down x`` as one node of the graph.

    The gradient of ``y`` passes through unchanged. Only ``x`` and the narrow ``down x`` are saved.

    Args:
        x: ``(..., in)``.
        y: ``(..., out)``, the linear's output.
        down: ``(rank, in)``, fp32.
        up: ``(out, rank)``, fp32.
        scale: Unitless.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, down: Tensor, up: Tensor, scale: float) -> Tensor:
        """Compute the sum, in the dtype of ``x``."""
        flat, a, b = x.flatten(0, -2), down.to(x.dtype), (up * scale).to(x.dtype)
        narrow = flat @ a.T
        ctx.save_for_backward(flat, narrow, a, b)
        ctx.scale, ctx.dtype = scale, down.dtype
        return torch.addmm(y.flatten(0, -2), narrow, b.T).view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Compute gradients of ``x``, ``y``, ``down`` and ``up``, where they are needed."""
        flat, narrow, a, b = ctx.saved_tensors
        grad = grads[0]
        rows = grad.flatten(0, -2)
        inner = rows @ b
        need_x, _, need_a, need_b, _ = ctx.needs_input_grad
        to_x = (inner @ a).view(*grad.shape[:-1], -1) if need_x else None
        to_a = (inner.T @ flat).to(ctx.dtype) if need_a else None
        to_b = (narrow.T @ rows).T.to(ctx.dtype) * ctx.scale if need_b else None
        return to_x, grad, to_a, to_b, None


def singular(up: Tensor, down: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the singular value decomposition of ``up @ down`` without forming the product.

    Args:
        up: ``(out, rank)``.
        down: ``(rank, in)``.

    Returns:
        Left vectors ``(out, k)``, values ``(k,)`` in descending order, right vectors ``(k, in)``.
        All are in double precision. ``k`` is the minimum of rank and both sizes.
    """
    first, left = torch.linalg.qr(up.detach().double())
    second, right = torch.linalg.qr(down.detach().double().T)
    u, sizes, v = torch.linalg.svd(left @ right.T, full_matrices=False)
    return first @ u, sizes, v @ second.T
