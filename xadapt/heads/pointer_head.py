"""The head that points at the tokens of a span."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xadapt.heads.head import POINTING, Head


class PointerHead(Head):
    """A head that points from one token, [QUE], to the first and the last token of an answer.

    ``P(first = k) = softmax_k(x_k . W_s x_q)`` over all tokens, and ``P(last = k)`` with ``W_e``.
    Both matrices are ``(width, width)`` and stand in ``linear``, ``W_s`` above ``W_e``.

    Source: Chen et al. 2022 (CLISM), https://arxiv.org/abs/2204.05210, section 3.1.

    Args:
        width: Features of a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__(POINTING, ("start", "end"), width)
        self.linear = nn.Linear(width, 2 * width, bias=False)
        with torch.no_grad():
            self.linear.weight.mul_(0.25)  # the first scores of tokens are near each other

    def scores(self, states: Tensor, rows: Tensor, at: Tensor) -> Tensor:
        """Compute scores ``(queries, tokens, 2)``, in fp32.

        Args:
            states: ``(rows, tokens, width)``.
            rows: The row of each query, ``(queries,)``.
            at: Position of the [QUE] of each query, ``(queries,)``.
        """
        values = states.float()
        asked: Tensor = self.linear(values[rows, at])
        return torch.einsum("qtd,qkd->qtk", values[rows], asked.unflatten(-1, (2, -1)))
