"""ProKD, first stage: a tagger whose prototypes of each label agree between two languages."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from xadapt.data.records import TaggedSentence
from xadapt.functional.losses import token_cross_entropy
from xadapt.functional.prototypes import prototype_alignment
from xadapt.heads.prototype_head import PrototypeHead
from xadapt.objectives.contract import EncodeView, Loss, States
from xadapt.objectives.tagging import Tagging, word_labels
from xadapt.objectives.target_words import Windows, Words, drawn, require_target


@dataclass(frozen=True)
class Memory:
    """The labels of the data, and the unlabelled sentences of the target language.

    Attributes:
        labels: All labels, in order.
        target: The sentences; their spans are never read.
    """

    labels: tuple[str, ...]
    target: Sequence[TaggedSentence]


@dataclass(frozen=True)
class ProKDTeacher:
    """Cross-entropy of word labels in one language, with prototypes aligned to another.

    ``L = CE + alpha L_al``. The prototype of a label is a moving average of the states of its
    words: by the right label in the language of the data, and by the label that the tagger itself
    gives in the target language, whose sentences (the entry ``target``) have no labels. ``L_al``
    contrasts the two prototypes of each label with those of all other labels, see
    `xadapt.functional.prototypes.prototype_alignment`. One sentence of the target language is drawn
    for each labelled one.

    Source: Ge et al. 2023, "ProKD: An Unsupervised Prototypical Knowledge Distillation Network for
    Zero-Resource Cross-Lingual Named Entity Recognition", https://arxiv.org/abs/2301.08855. The
    formula and all constants are reconstructed: no code is public.

    Attributes:
        keep: The share of an old prototype that stays in one step (lambda).
        temperature: Cosines between prototypes are divided by it (tau).
        alpha: Weight of the alignment. With 0 no sentence of the target language is read.
        wait: Steps before the alignment has a loss: the first labels of an untrained tagger are
            noise. Prototypes move from the first step on.
        confident: The least probability with which a word's label moves the prototype of the
            target language; 0 takes every word.
        scheme: ``bio`` for spans, such as named entities; ``word`` where each word has a label.
    """

    keep: float = 0.99
    temperature: float = 0.1
    alpha: float = 0.5
    wait: int = 0
    confident: float = 0.0
    scheme: Literal["bio", "word"] = "bio"

    consumes: ClassVar[type] = TaggedSentence
    reads: ClassVar[dict[str, type]] = {"target": TaggedSentence}
    source: ClassVar[str] = "https://arxiv.org/abs/2301.08855"
    coupled: ClassVar[bool] = True  # every process moves the same prototypes

    def __post_init__(self) -> None:
        if not 0 <= self.keep < 1:
            raise ValueError("keep must be at least 0 and below 1")
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")
        if self.alpha < 0 or self.wait < 0:
            raise ValueError("alpha and wait must not be negative")
        if not 0 <= self.confident < 1:
            raise ValueError("confident must be at least 0 and below 1")

    def prepare(
        self, records: Sequence[TaggedSentence], target: Sequence[TaggedSentence]
    ) -> Memory:
        """Collect all labels of the data.

        Raises:
            UserError: If there is only one label, or no sentence of the target language.
        """
        require_target(target)
        return Memory(Tagging(self.scheme).prepare(records), target)

    def heads(self, width: int, memory: Memory) -> PrototypeHead:
        """Build the tagger's head with the prototypes of both languages."""
        return PrototypeHead(memory.labels, width, self.scheme)

    def views(
        self,
        records: Sequence[TaggedSentence],
        rng: random.Random,
        memory: Memory,
        tokenize_word_windows: Windows,
    ) -> dict[str, Any]:
        """Build the views of the labelled sentences and of drawn ones of the target language.

        Raises:
            UserError: If the spans of a sentence do not follow the scheme.
        """
        words = Words.of(records, tokenize_word_windows)
        number = {label: i for i, label in enumerate(memory.labels)}
        own = [word_labels(record, self.scheme) for record in records]
        places = zip(words.owners, words.numbers, strict=True)
        labels = [number[own[owner][word]] for owner, word in places]
        made = {
            "text": EncodeView(words.rows, output="states", langs=words.langs),
            "words": words,
            "labels": labels,
        }
        if not self.alpha:
            return {**made, "other_words": None}
        others = Words.of(drawn(records, rng, memory.target), tokenize_word_windows)
        view = EncodeView(others.rows, output="states", langs=others.langs)
        return {**made, "target": view, "other_words": others}

    def loss(
        self,
        text: States,
        words: Words,
        labels: list[int],
        other_words: Words | None,
        heads: PrototypeHead,
        step: int,
        target: States | None = None,
    ) -> Loss:
        """Compute the mean loss of each sentence's words, weighted by their number: ``(n,)``.

        The alignment is a scalar of the batch.
        """
        device = text.hidden.device
        states = words.states(text.hidden)
        right = torch.tensor(labels, device=device, dtype=torch.long)
        values, counts = token_cross_entropy(
            heads(states), right, words.owner(device), words.sentences
        )
        source = heads.move(0, states, right, self.keep)
        if target is None or other_words is None:
            return Loss(values, counts)
        others = other_words.states(target.hidden)
        probability, given = heads(others).softmax(-1).max(-1)
        sure = probability >= self.confident
        moved = heads.move(1, others[sure], given[sure], self.keep)
        seen = heads.seen[0].clone(), heads.seen[1].clone()
        aligned = prototype_alignment(source, moved, seen, self.temperature)
        logged: dict[str, Tensor] = {"alignment": aligned.detach()}
        scalars = {"weighted_alignment": self.alpha * aligned} if step >= self.wait else {}
        return Loss(values, counts, scalars, logged)


Part = ProKDTeacher
