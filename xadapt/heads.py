"""Task heads: one linear map from token states, or from a text's vector, to scores of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from xadapt.tag_scheme import Scheme

HeadTask = Literal["tagging", "classification", "pair_scoring", "span_extraction"]
EVALUATED: dict[HeadTask, str] = {
    "tagging": "tagging",
    "classification": "classification",
    "pair_scoring": "sts",
    "span_extraction": "qa",
}
"""What ``xadapt evaluate`` calls the measuring of a head."""
SCHEMED: tuple[HeadTask, ...] = ("tagging",)
"""The tasks whose labels are of words and make spans by a scheme."""


class Head(nn.Module):
    """Scores of labels.

    Args:
        task: What it is for: ``tagging`` reads the state of each word's first token,
            ``classification`` and ``pair_scoring`` that of the row's first token,
            ``span_extraction`` those of all tokens.
        labels: The labels of its scores, in order.
        width: Features it reads.
        scheme: How a word's labels make spans.
        scale: What the scores 0 and 1 stand for, where the one label is a number.
    """

    def __init__(
        self,
        task: HeadTask,
        labels: Sequence[str],
        width: int,
        scheme: Scheme = "bio",
        scale: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.task, self.labels, self.scheme, self.scale = task, tuple(labels), scheme, scale
        self.linear = nn.Linear(width, len(self.labels))

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(..., width)`` to scores ``(..., labels)``, in fp32."""
        scores: Tensor = self.linear(states.float())
        return scores
