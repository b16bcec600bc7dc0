"""FILTER for answers: a question with its passage is read together with its translation."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.backbones.encoder.pairs import Place, Window
from xadapt.data.records import TranslatedQuestion
from xadapt.functional.losses import soft_label_divergence
from xadapt.heads.head import Head
from xadapt.objectives.contract import FusedView, Loss, States
from xadapt.objectives.filter_pairs import (
    partners,
    require_options,
    require_teacher,
    require_translations,
)

PADDING = -1e4
"""The score of padding: its probability is 0, and no infinity stands in a divergence."""


@dataclass(frozen=True)
class FilterQa:
    """Cross-entropy of the first and last token of an answer, in a text and in its translation.

    The layers are those of ``filter_classification``. One text is a question with its passage. Each
    side has its own answer: ``L = CE_text + CE_translation``, each the mean of start and end. A
    translation without a known answer has no cross-entropy. At prediction, the answer comes from
    the text, which is read with its translation into the language of training. Long passages are
    read in windows; a window is paired with the window of the same number of the other side.

    In a second run, the module of the first run is the ``teacher``: ``L = CE_text + (1 - a)
    CE_translation + a T² KL(softmax(z / T) || softmax(s / T))``. There is one softmax over the
    tokens of each row, without padding, for the start and one for the end. (The published code has
    one softmax over a whole batch.)

    Source: Fang et al. 2021, "FILTER", https://arxiv.org/abs/2009.05166, section 3.

    Attributes:
        local: Number of first layers that read each text alone (m).
        fusion: Number of layers after these that read both (k). With 0 no layer sees both. The
            paper has 20 of 24 layers.
        itself: Share of questions that are paired with themselves in place of the translation,
            drawn anew in each step.
        teacher: Name of the companion with the soft labels; without a name there is none.
        distillation: Weight of the soft labels (a).
        temperature: Temperature of the soft labels (T).
        overlap: Tokens of the passage that two windows share.
    """

    local: int = 1
    fusion: int = 1
    itself: float = 0.25
    teacher: str = ""
    distillation: float = 0.5
    temperature: float = 1.0
    overlap: int = 128

    consumes: ClassVar[type] = TranslatedQuestion
    source: ClassVar[str] = "https://arxiv.org/abs/2009.05166"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_options(self)
        if self.overlap < 0:
            raise ValueError("overlap must not be negative")

    def prepare(self, records: Sequence[TranslatedQuestion]) -> None:
        """Check the data.

        Raises:
            UserError: If no question has a translation.
        """
        require_translations(records)

    def heads(self, width: int) -> Head:
        """Build one linear head for both texts; it keeps the fused layers."""
        head = Head("span_extraction", ("start", "end"), width)
        head.fused = (self.local, self.local + self.fusion)
        return head

    def views(
        self,
        records: Sequence[TranslatedQuestion],
        rng: random.Random,
        tokenize_windows: Callable[[Sequence[str], Sequence[str], int], list[Window]],
    ) -> dict[str, Any]:
        """Build the view of the translations' windows with those of their texts, and the answers.

        The rows have no segment ids.
        """
        own = [(r.question, r.passage, r.answers) for r in records]
        said = [
            mine if alone else (*r.translation, r.translated_answers)
            for r, mine, alone in zip(
                records, own, partners(records, rng, self.itself), strict=True
            )
        ]
        texts, others = (self._windows(side, tokenize_windows) for side in (own, said))
        rows, beside, owners = [], [], []
        for owner, (left, right) in enumerate(zip(others, texts, strict=True)):
            count = max(len(left), len(right))
            rows += [left[min(i, len(left) - 1)] for i in range(count)]
            beside += [right[min(i, len(right) - 1)] for i in range(count)]
            owners += [owner] * count
        ids = [ids for ids, _ in rows], [ids for ids, _ in beside]
        span = (self.local, self.local + self.fusion)
        langs = [records[owner].lang for owner in owners]
        views: dict[str, Any] = {"both": FusedView(*ids, span, langs=langs)}
        if self.teacher:
            views["taught"] = FusedView(*ids, span, teacher=self.teacher)
        answered = [bool(said[owner][2]) for owner in owners]
        return {
            **views,
            "owners": owners,
            "places": [place for _, place in beside],
            "others": [place for _, place in rows],
            "answered": answered,
        }

    def loss(
        self,
        both: States,
        owners: list[int],
        places: list[Place],
        others: list[Place],
        answered: list[bool],
        heads: Head,
        companions: Mapping[str, nn.Module],
        taught: States | None = None,
    ) -> Loss:
        """Compute the mean loss of each question's windows, weighted by their number: ``(n,)``."""
        assert both.paired is not None
        scores = _scores(heads, both)
        hard = _cross_entropy(scores, others) * torch.tensor(answered, device=scores.device)
        each = _cross_entropy(_scores(heads, both.paired), places)
        if taught is None:
            each = each + hard
        else:
            teacher = require_teacher(companions, self.teacher, heads, self.local, self.fusion)
            with torch.no_grad():
                wanted = _scores(teacher, taught)
            soft = soft_label_divergence(scores, wanted, self.temperature).mean(1)
            each = each + (1 - self.distillation) * hard + self.distillation * soft
        owner = torch.tensor(owners, device=each.device, dtype=torch.long)
        count = int(owner.max()) + 1
        counts = torch.zeros(count, device=each.device).index_add(0, owner, torch.ones_like(each))
        sums = torch.zeros(count, device=each.device).index_add(0, owner, each)
        return Loss(sums / counts, counts)

    def _windows(
        self,
        side: Sequence[tuple[Any, ...]],
        tokenize_windows: Callable[[Sequence[str], Sequence[str], int], list[Window]],
    ) -> list[list[tuple[tuple[int, ...], Place]]]:
        """Return the windows of each question, with the place of the answer."""
        made: list[list[tuple[tuple[int, ...], Place]]] = [[] for _ in side]
        asked, passages = [one[0] for one in side], [one[1] for one in side]
        for window in tokenize_windows(asked, passages, self.overlap):
            start, text = (*side[window.owner][2], (0, ""))[0]
            place = window.find(start, start + len(text)) if text else (0, 0)
            made[window.owner].append((window.ids, place))
        return made


def _scores(head: nn.Module, states: States) -> Tensor:
    """Return the scores of start and end, ``(n, 2, tokens)``; padding has none."""
    scores = head(states.hidden).masked_fill(states.mask[..., None] == 0, PADDING)
    return scores.transpose(1, 2)


def _cross_entropy(scores: Tensor, places: Sequence[Place]) -> Tensor:
    target = torch.tensor(places, device=scores.device, dtype=torch.long)
    both = F.cross_entropy(scores.flatten(0, 1), target.flatten(), reduction="none")
    return both.view(-1, 2).mean(1)


Part = FilterQa
