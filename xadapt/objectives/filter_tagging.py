"""FILTER for labels of words: a sentence and its translation are read together in some layers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from xadapt.data.records import TranslatedSentence
from xadapt.functional.losses import soft_label_divergence, token_cross_entropy
from xadapt.heads.head import Head
from xadapt.objectives.contract import FusedView, Loss, States
from xadapt.objectives.filter_pairs import (
    partners,
    require_options,
    require_teacher,
    require_translations,
)
from xadapt.objectives.tagging import Tagging, word_labels


@dataclass(frozen=True)
class FilterTagging:
    """Cross-entropy of word labels, after layers that see a sentence and its translation.

    The layers are those of ``filter_classification``. Labels don't survive translation, so the
    labelled sentence alone has a loss in a first run: ``L = CE_text``, the mean over words. At
    prediction, the sentence is read with its translation into the language of training.

    In a second run, the module of the first run is the ``teacher``. It scores the words of the
    translation, which learn from it: ``L = CE_text + a T² KL(softmax(z / T) || softmax(s / T))``,
    with scores ``s`` of the translation's words, those of the teacher ``z``, and ``a`` the
    ``distillation``. There is one softmax a word; tokens that begin no word, and padding, have
    none.

    Source: Fang et al. 2021, "FILTER", https://arxiv.org/abs/2009.05166, section 3.

    Attributes:
        local: Number of first layers that read each sentence alone (m).
        fusion: Number of layers after these that read both (k). With 0 no layer sees both.
        itself: Share of sentences that are paired with themselves in place of the translation,
            drawn anew in each step.
        teacher: Name of the companion with the soft labels; without a name there is none.
        distillation: Weight of the soft labels (a).
        temperature: Temperature of the soft labels (T).
        scheme: ``bio`` for spans, such as named entities; ``word`` where each word has a label.
    """

    local: int = 1
    fusion: int = 1
    itself: float = 0.25
    teacher: str = ""
    distillation: float = 0.5
    temperature: float = 1.0
    scheme: Literal["bio", "word"] = "bio"

    consumes: ClassVar[type] = TranslatedSentence
    source: ClassVar[str] = "https://arxiv.org/abs/2009.05166"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_options(self)

    def prepare(self, records: Sequence[TranslatedSentence]) -> tuple[str, ...]:
        """Collect all labels of the data.

        Raises:
            UserError: If there is only one label, or no sentence has a translation.
        """
        require_translations(records)
        return Tagging(self.scheme).prepare(records)

    def heads(self, width: int, memory: tuple[str, ...]) -> Head:
        """Build one linear head for both sentences; it keeps the fused layers."""
        head = Head("tagging", memory, width, self.scheme)
        head.fused = (self.local, self.local + self.fusion)
        return head

    def views(
        self,
        records: Sequence[TranslatedSentence],
        rng: random.Random,
        memory: tuple[str, ...],
        tokenize_words: Callable[[Sequence[Sequence[str]]], list[Any]],
        tokenize_word_windows: Callable[[Sequence[Sequence[str]]], list[Any]],
    ) -> dict[str, Any]:
        """Build the view of the translations with the windows of their sentences.

        A translation that is longer than the base reads is cut.

        Raises:
            UserError: If the spans of a sentence do not follow the scheme.
        """
        own = partners(records, rng, self.itself)
        said = tokenize_words(
            [r.words if alone else r.translation for r, alone in zip(records, own, strict=True)]
        )
        windows = tokenize_word_windows([record.words for record in records])
        number = {label: i for i, label in enumerate(memory)}
        every = [word_labels(record, self.scheme) for record in records]
        places, labels, others = [], [], []
        begun: set[int] = set()
        for position, window in enumerate(windows):
            places += [(position, window.first[word]) for word in window.known]
            labels += [number[every[window.owner][word]] for word in window.known]
            if window.owner not in begun:  # each word of a translation has one soft label
                beside = said[window.owner]
                others += [(position, beside.first[word]) for word in beside.known]
            begun.add(window.owner)
        owners = [window.owner for window in windows]
        span = (self.local, self.local + self.fusion)
        rows = [said[owner].ids for owner in owners], [window.ids for window in windows]
        langs = [records[owner].lang for owner in owners]
        views: dict[str, Any] = {"both": FusedView(*rows, span, langs=langs)}
        if self.teacher:
            views["taught"] = FusedView(*rows, span, teacher=self.teacher)
        return {**views, "owners": owners, "places": places, "labels": labels, "others": others}

    def loss(
        self,
        both: States,
        owners: list[int],
        places: list[tuple[int, int]],
        labels: list[int],
        others: list[tuple[int, int]],
        heads: Head,
        companions: Mapping[str, nn.Module],
        taught: States | None = None,
    ) -> Loss:
        """Compute the mean loss of each sentence's words, weighted by their number: ``(n,)``."""
        assert both.paired is not None
        device, count = both.hidden.device, max(owners, default=-1) + 1
        owner = torch.tensor(owners, device=device, dtype=torch.long)
        index = _index(places, device)
        scores = heads(both.paired.hidden[index[:, 0], index[:, 1]])
        target = torch.tensor(labels, device=device, dtype=torch.long)
        values, counts = token_cross_entropy(scores, target, owner[index[:, 0]], count)
        if taught is None:
            return Loss(values, counts)
        teacher = require_teacher(companions, self.teacher, heads, self.local, self.fusion)
        index = _index(others, device)
        with torch.no_grad():
            wanted = teacher(taught.hidden[index[:, 0], index[:, 1]])
        own = heads(both.hidden[index[:, 0], index[:, 1]])
        each = soft_label_divergence(own, wanted, self.temperature)
        of = owner[index[:, 0]]
        words = torch.zeros(count, device=device).index_add(0, of, torch.ones_like(each))
        soft = torch.zeros(count, device=device).index_add(0, of, each) / words.clamp(min=1)
        return Loss(values + self.distillation * soft, counts)


def _index(places: list[tuple[int, int]], device: torch.device) -> Tensor:
    return torch.tensor(places, device=device, dtype=torch.long).reshape(-1, 2)


Part = FilterTagging
