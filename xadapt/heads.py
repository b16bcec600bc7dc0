"""Task heads: one linear map from token states, or from a text's vector, to scores of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from xadapt.tag_scheme import Scheme

HeadTask = Literal["tagging"]


class Head(nn.Module):
    """Scores of labels.

    Args:
        task: What it is for: ``tagging`` reads the state of each word's first token.
        labels: The labels of its scores, in order.
        width: Features it reads.
        scheme: How a word's labels make spans.
    """

    def __init__(
        self, task: HeadTask, labels: Sequence[str], width: int, scheme: Scheme = "bio"
    ) -> None:
        super().__init__()
        self.task, self.labels, self.scheme = task, tuple(labels), scheme
        self.linear = nn.Linear(width, len(self.labels))

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(..., width)`` to scores ``(..., labels)``, in fp32."""
        scores: Tensor = self.linear(states.float())
        return scores
