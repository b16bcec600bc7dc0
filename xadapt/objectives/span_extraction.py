"""Span extraction: the start and the end of a question's answer in a passage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from xadapt.backbones.encoder.pairs import Window
from xadapt.data.records import Question
from xadapt.heads.head import Head
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class SpanExtraction:
    """Cross-entropy of an answer's first and last token among all of a row, the mean of both.

    Question and passage are in one row. A long passage gives several rows, in overlapping windows.
    In a window without the whole answer, the target is the row's first token, and so it is for a
    question without an answer (section 4.3 of the paper). For a question with several answers, the
    first answer is the target.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.2 (start and end
    vectors, SQuAD v1.1); the windows are those of the paper's code.

    Attributes:
        overlap: Tokens of the passage that two windows share; at most about a quarter of a row.
    """

    overlap: int = 128

    consumes: ClassVar[type] = Question
    source: ClassVar[str] = "https://arxiv.org/abs/1810.04805"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.overlap < 0:
            raise ValueError("overlap must not be negative")

    def heads(self, width: int) -> Head:
        """Build the linear head, which is trained with the module."""
        return Head("span_extraction", ("start", "end"), width)

    def views(
        self,
        records: Sequence[Question],
        tokenize_windows: Callable[[Sequence[str], Sequence[str], int], list[Window]],
    ) -> dict[str, Any]:
        """Build the view of all questions' windows, their owners, and the places of the answers."""
        questions, passages = [r.question for r in records], [r.passage for r in records]
        windows = tokenize_windows(questions, passages, self.overlap)
        found = []
        for window in windows:
            start, text = (*records[window.owner].answers, (0, ""))[0]
            found.append(window.find(start, start + len(text)) if text else (0, 0))
        view = EncodeView(
            [window.ids for window in windows],
            output="states",
            langs=[records[window.owner].lang for window in windows],
            second=[window.second for window in windows],
        )
        return {"text": view, "owners": [window.owner for window in windows], "places": found}

    def loss(
        self, text: States, owners: list[int], places: list[tuple[int, int]], heads: Head
    ) -> Loss:
        """Compute the mean loss of each question's windows, weighted by their number: ``(n,)``."""
        device = text.hidden.device
        scores = heads(text.hidden).masked_fill(text.mask[..., None] == 0, -torch.inf)
        target = torch.tensor(places, device=device, dtype=torch.long)
        each = F.cross_entropy(scores, target, reduction="none").mean(1)
        owner = torch.tensor(owners, device=device, dtype=torch.long)
        n = int(owner.max()) + 1
        counts = torch.zeros(n, device=device).index_add(0, owner, torch.ones_like(each))
        sums = torch.zeros(n, device=device).index_add(0, owner, each)
        return Loss(sums / counts, counts)


Part = SpanExtraction
