"""A bottleneck's output added to a site's output; the backward pass saves few tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

_aten: Any = torch.ops.aten


class Activation(NamedTuple):
    """A non-linearity and its backward.

    Attributes:
        value: ``f``, elementwise.
        backward: Function from a gradient at ``f(x)`` and ``x`` to the gradient at ``x``.
    """

    value: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


ACTIVATIONS = {
    "relu": Activation(F.relu, lambda grad, x: _aten.threshold_backward(grad, x, 0)),
    "gelu": Activation(F.gelu, lambda grad, x: _aten.gelu_backward(grad, x)),
    "silu": Activation(F.silu, lambda grad, x: _aten.silu_backward(grad, x)),
}


class AddNarrow(torch.autograd.Function):
    """``y + scale * (up act(down x + b) + c)`` as one node of the graph.

    The gradient of ``y`` passes through unchanged. Only ``x`` and the narrow values before the
    non-linearity are saved. The backward pass computes the non-linearity again.

    Args:
        x: ``(..., in)``.
        y: ``(..., out)``, the site's output, in the dtype of ``x``. ``None`` means that ``y`` is
            ``x``; the gradient of ``x`` is then the sum of both gradients.
        down: ``(width, in)`` and its bias ``(width,)``, fp32.
        up: ``(out, width)`` and its bias ``(out,)``, fp32.
        name: Name of the non-linearity, in `ACTIVATIONS`.
        scale: Unitless.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        y: Tensor | None,
        down: Tensor,
        down_bias: Tensor,
        up: Tensor,
        up_bias: Tensor,
        name: str,
        scale: float,
    ) -> Tensor:
        """Compute the sum, in the dtype of ``x``."""
        flat, a, b = x.flatten(0, -2), down.to(x.dtype), (up * scale).to(x.dtype)
        narrow = F.linear(flat, a, down_bias.to(x.dtype))
        ctx.save_for_backward(flat, narrow, a, b)
        ctx.act, ctx.scale, ctx.dtype = ACTIVATIONS[name], scale, down.dtype
        ctx.same = y is None
        base = x if y is None else y
        out = F.linear(ctx.act.value(narrow), b, (up_bias * scale).to(x.dtype))
        return out.view_as(base).add_(base)  # rounded as in the plain sum, bit for bit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Compute gradients of ``x``, ``y``, the weights and the biases, where they are needed."""
        flat, narrow, a, b = ctx.saved_tensors
        need_x, _, need_down, need_bias, need_up, need_end, *_ = ctx.needs_input_grad
        grad = grads[0]
        rows = grad.flatten(0, -2)
        to_x = to_down = to_bias = to_up = to_end = None
        if need_x or need_down or need_bias:
            inner = ctx.act.backward(rows @ b, narrow)
            to_bias = inner.sum(0, dtype=ctx.dtype) if need_bias else None
            to_down = (inner.T @ flat).to(ctx.dtype) if need_down else None
            if need_x:
                through = torch.addmm(rows, inner, a) if ctx.same else inner @ a
                to_x = through.view(*grad.shape[:-1], -1)
        if need_up:
            to_up = (rows.T @ ctx.act.value(narrow)).to(ctx.dtype) * ctx.scale
        if need_end:
            to_end = rows.sum(0, dtype=ctx.dtype) * ctx.scale
        to_y = None if ctx.same else grad
        return to_x, to_y, to_down, to_bias, to_up, to_end, None, None
