"""The head that scores spans against labels that are texts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.functional.thresholds import HALF
from xadapt.heads.head import SPANS, Head


class SpanLabelHead(Head):
    """A head that scores spans of words against labels that are texts.

    With ``h`` the states of first tokens and ``g`` the state before a label's text,
    ``s = norm(MLP(h_first))``, ``e = norm(MLP(h_last))``, ``t = MLP(g)``, ``v = MLP([s ; e ;
    width])``; ``s`` and ``e`` have mean 0 and variance 1, ``t`` and ``v`` unit length. The score is
    ``exp(scale) v . t + bias``, and its sigmoid the probability. ``width`` is an embedding of the
    number of tokens from the first word's first token to the last word's.

    Source: the span model of FiNERweb, Golde et al. 2025, https://arxiv.org/abs/2512.13884, and its
    study https://arxiv.org/abs/2601.06347, as reconstructed. The bias is ours: spans of a label are
    rare, and without it the first steps move all scores alike, which can erase the base's states.
    So is the variance of ``s`` and ``e``: of unit length, they were outweighed by the width.

    Args:
        labels: The labels of the training data, as texts.
        width: Features of a state.
        hidden: Features of the networks.
        distance: Features of an embedded width.
        clip: Number of widths, from 0 on; longer spans are not scored.
        apart: 1 if labels are read in rows of their own, 0 if they stand before the sentence.
        prior: The share of right ones among spans and labels, to begin with.
    """

    threshold: Tensor

    def __init__(
        self,
        labels: Sequence[str],
        width: int,
        *,
        hidden: int = 384,
        distance: int = 128,
        clip: int = 30,
        apart: int = 0,
        prior: float = 0.5,
    ) -> None:
        super().__init__(SPANS, labels, hidden)
        self.sizes = {"hidden": hidden, "distance": distance, "clip": clip}
        self.sizes |= {"apart": 1} if apart else {}
        self.linear = nn.Linear(hidden, hidden)
        self.label, self.first, self.last = (nn.Linear(width, hidden) for _ in range(3))
        self.span = nn.Sequential(
            nn.Linear(2 * hidden + distance, hidden), nn.GELU(), nn.Linear(hidden, hidden)
        )
        self.distance = nn.Embedding(clip, distance)
        self.scale_of_scores = nn.Parameter(torch.tensor(math.log(1 / 0.03)))
        self.bias = nn.Parameter(torch.tensor(math.log(prior / (1 - prior))))
        self.register_buffer("threshold", torch.tensor(HALF))

    def label_vectors(self, states: Tensor) -> Tensor:
        """Map the states before labels ``(..., width)`` to vectors of unit length, in fp32."""
        return F.normalize(self.linear(F.gelu(self.label(states.float()))), dim=-1)

    def span_scores(
        self, states: Tensor, texts: Tensor, spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Tensor]:
        """Compute the scores of each row's spans, ``(spans, labels)``, in fp32.

        Args:
            states: ``(rows, tokens, width)``.
            texts: The labels' vectors, ``(rows, labels, hidden)``.
            spans: For each row, the positions of the first tokens of a span's first and last word.
        """
        values = states.float()
        inner, _, outer = self.span
        assert isinstance(inner, nn.Linear)
        hidden, distance = self.sizes["hidden"], self.sizes["distance"]
        parts = inner.weight.split([hidden, hidden, distance], 1)
        # the first layer reads a sum: each part is computed once a token or width, not once a span
        first = F.layer_norm(F.gelu(self.first(values)), (hidden,)) @ parts[0].T
        last = F.layer_norm(F.gelu(self.last(values)), (hidden,)) @ parts[1].T
        far = self.distance.weight @ parts[2].T + inner.bias
        scale, made = self.scale_of_scores.exp(), []
        for row, own in enumerate(spans):
            at = torch.tensor(own, device=states.device, dtype=torch.long).reshape(-1, 2)
            begin, end = at.unbind(1)
            joined = F.gelu(first[row, begin] + last[row, end] + far[end - begin])
            found = F.normalize(outer(joined), dim=-1) @ texts[row].T
            made.append(scale * found + self.bias)
        return made
