"""Span pointing: a [QUE] token after a question points to the answer in the passage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from xadapt.backbones.encoder.pairs import Window
from xadapt.backbones.encoder.question_rows import with_question_token
from xadapt.core.errors import UserError
from xadapt.data.records import Question
from xadapt.heads.pointer_head import PointerHead
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class SpanPointing:
    """Cross-entropy of an answer's first and last token, pointed to by [QUE], the mean of both.

    A row is the question, [QUE] and the passage; a long passage gives several rows. In a window
    without the whole answer, the target is the row's first token. The pointers may begin as those
    of a module that was trained with hidden spans (`xadapt.objectives.clism_cacr`).

    Source: Chen et al. 2022 (CLISM), https://arxiv.org/abs/2204.05210, section 3.3; the windows are
    those of `xadapt.objectives.span_extraction`.

    Attributes:
        start_from: Name of the companion whose pointers are the first values; without it they are
            random.
        overlap: Tokens of the passage that two windows share; at most about a quarter of a row.
    """

    start_from: str = ""
    overlap: int = 128

    consumes: ClassVar[type] = Question
    source: ClassVar[str] = "https://arxiv.org/abs/2204.05210"
    coupled: ClassVar[bool] = False
    own_tokens: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.overlap < 0:
            raise ValueError("overlap must not be negative")

    @property
    def unused(self) -> tuple[str, ...]:
        """The services that these options do not need."""
        return () if self.start_from else ("companions",)

    def heads(self, width: int, companions: Mapping[str, Any]) -> PointerHead:
        """Build the pointers, new or as those of the companion.

        Raises:
            UserError: If the companion is missing, or has other heads or another width.
        """
        if not self.start_from:
            return PointerHead(width)
        head = companions.get(self.start_from)
        if not isinstance(head, PointerHead):
            what = "has no pointers" if self.start_from in companions else "is missing"
            raise UserError(
                f"span_pointing starts from the companion {self.start_from!r}, which {what}",
                todo=f"Give --companion {self.start_from}=FOLDER of a module of clism_cacr or "
                "clism, or leave start_from out",
            )
        return deepcopy(head).requires_grad_(True)

    def views(
        self,
        records: Sequence[Question],
        tokenize_windows: Callable[[Sequence[str], Sequence[str], int], list[Window]],
        tokenizer: Any,
        vocabulary: int,
        max_length: int,
    ) -> dict[str, Any]:
        """Build the view of all windows, their owners, [QUE], and the places of the answers."""
        questions, passages = [r.question for r in records], [r.passage for r in records]
        special = frozenset(tokenizer.all_special_ids)
        asked = [
            with_question_token(window, vocabulary, special, max_length)
            for window in tokenize_windows(questions, passages, self.overlap)
        ]
        found = []
        for one in asked:
            start, text = (*records[one.window.owner].answers, (0, ""))[0]
            found.append(one.window.find(start, start + len(text)) if text else (0, 0))
        view = EncodeView(
            [one.window.ids for one in asked],
            output="states",
            langs=[records[one.window.owner].lang for one in asked],
            second=[one.window.second for one in asked],
        )
        return {
            "text": view,
            "owners": [one.window.owner for one in asked],
            "at": [one.at for one in asked],
            "places": found,
        }

    def loss(
        self,
        text: States,
        owners: list[int],
        at: list[int],
        places: list[tuple[int, int]],
        heads: PointerHead,
    ) -> Loss:
        """Compute the mean loss of each question's windows, weighted by their number: ``(n,)``."""
        device = text.hidden.device
        rows = torch.arange(len(at), device=device)
        scores = heads.scores(text.hidden, rows, torch.tensor(at, device=device))
        scores = scores.masked_fill(text.mask[..., None] == 0, -torch.inf)
        target = torch.tensor(places, device=device, dtype=torch.long)
        each = F.cross_entropy(scores, target, reduction="none").mean(1)
        owner = torch.tensor(owners, device=device, dtype=torch.long)
        n = int(owner.max()) + 1
        counts = torch.zeros(n, device=device).index_add(0, owner, torch.ones_like(each))
        sums = torch.zeros(n, device=device).index_add(0, owner, each)
        return Loss(sums / counts, counts)


Part = SpanPointing
