"""ProKD, second stage: a tagger that learns from a frozen one on unlabelled text."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.prototypes import prototype_weights
from xadapt.heads.head import Head
from xadapt.heads.prototype_head import PrototypeHead
from xadapt.objectives.contract import EncodeView, Loss, States, TeacherView
from xadapt.objectives.target_words import Windows, Words, drawn, require_target


@dataclass(frozen=True)
class ProKDStudent:
    """Distillation on unlabelled text, and labels by the distance to prototypes.

    For each word of the target language, with probabilities ``p`` of the student and ``q`` of the
    frozen teacher: ``L = |p - q|² + beta CE(p, y)``, the mean over words. ``y`` is the label with
    the largest ``w_k q_k``, where ``w`` says how near the student's state is to the prototype of
    label ``k`` (`xadapt.functional.prototypes.prototype_weights`). Prototypes are moving averages
    of the student's states of words to which the teacher gives the label. No label of the target
    language is read, nor are those of the labelled data: these give the development part, and one
    sentence of the target language (the entry ``target``) is drawn for each of them.

    The head begins as the teacher's. With ``module.init`` the module does so too.

    Source: Ge et al. 2023 (ProKD), https://arxiv.org/abs/2301.08855. The formula and all constants
    are reconstructed: no code is public.

    Attributes:
        teacher: Name of the companion that teaches, with a head that labels words.
        beta: Weight of the labels by prototypes; with 0 there is distillation alone.
        keep: The share of an old prototype that stays in one step (lambda).
        temperature: Distances to prototypes are divided by it (tau).
        wait: Steps before the labels by prototypes have a loss.
        confident: The least probability of the teacher's label with which a word moves a prototype
            and has a label of its own; other words are distilled alone. 0 takes every word.
    """

    teacher: str = "teacher"
    beta: float = 0.5
    keep: float = 0.99
    temperature: float = 0.1
    wait: int = 0
    confident: float = 0.0

    consumes: ClassVar[type] = TaggedSentence
    reads: ClassVar[dict[str, type]] = {"target": TaggedSentence}
    source: ClassVar[str] = "https://arxiv.org/abs/2301.08855"
    coupled: ClassVar[bool] = True  # every process moves the same prototypes

    def __post_init__(self) -> None:
        if not self.teacher:
            raise ValueError("teacher is the name of a companion")
        if not 0 <= self.keep < 1:
            raise ValueError("keep must be at least 0 and below 1")
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")
        if self.beta < 0 or self.wait < 0:
            raise ValueError("beta and wait must not be negative")
        if not 0 <= self.confident < 1:
            raise ValueError("confident must be at least 0 and below 1")

    def prepare(
        self, records: Sequence[TaggedSentence], target: Sequence[TaggedSentence]
    ) -> Sequence[TaggedSentence]:
        """Return the sentences of the target language; their spans are never read.

        Raises:
            UserError: If there is no such sentence.
        """
        require_target(target)
        return target

    def heads(self, width: int, companions: Mapping[str, nn.Module | None]) -> PrototypeHead:
        """Build a head with the teacher's labels and values, and prototypes of one language.

        Raises:
            UserError: If the teacher is absent, or has no head that labels the words of a sentence
                read alone.
        """
        teacher = _tagger(companions, self.teacher)
        head = PrototypeHead(teacher.labels, width, teacher.scheme, prototypes=1)
        head.linear.load_state_dict(teacher.linear.state_dict())
        return head

    def views(
        self,
        records: Sequence[TaggedSentence],
        rng: random.Random,
        memory: Sequence[TaggedSentence],
        tokenize_word_windows: Windows,
    ) -> dict[str, Any]:
        """Build the views of drawn sentences of the target language, by student and teacher."""
        words = Words.of(drawn(records, rng, memory), tokenize_word_windows)
        return {
            "target": EncodeView(words.rows, output="states", langs=words.langs),
            "taught": TeacherView(words.rows, self.teacher, output="states"),
            "words": words,
        }

    def loss(
        self,
        target: States,
        taught: States,
        words: Words,
        heads: PrototypeHead,
        companions: Mapping[str, nn.Module],
        step: int,
    ) -> Loss:
        """Compute the mean loss of each sentence's words, weighted by their number: ``(n,)``."""
        states = words.states(target.hidden)
        scores = heads(states)
        with torch.no_grad():
            teacher = _tagger(companions, self.teacher)
            wanted = teacher(words.states(taught.hidden)).softmax(-1)
            labels, unchanged = self._labels(states, wanted, heads)
        each = (scores.softmax(-1) - wanted).square().sum(-1)
        if self.beta and step >= self.wait:
            sure = (wanted.amax(-1) >= self.confident).float()
            each = each + self.beta * sure * F.cross_entropy(scores, labels, reduction="none")
        return Loss(*words.means(each), logged={"teacher_label_kept": unchanged})

    def _labels(
        self, states: Tensor, wanted: Tensor, heads: PrototypeHead
    ) -> tuple[Tensor, Tensor]:
        """Move the prototypes; return each word's label, and the share that is the teacher's."""
        probability, given = wanted.max(-1)
        sure = probability >= self.confident
        prototypes = heads.move(0, states[sure], given[sure], self.keep)
        near = prototype_weights(states, prototypes, heads.seen[0], self.temperature)
        labels = (near * wanted).argmax(-1)
        same = (labels == given).float()
        return labels, same.sum() / max(len(same), 1)


def _tagger(companions: Mapping[str, nn.Module | None], name: str) -> Head:
    """Return the teacher's head.

    Raises:
        UserError: If it is absent or of another kind.
    """
    head = companions.get(name)
    if not isinstance(head, Head) or head.task != "tagging" or head.fused is not None:
        raise UserError(
            f"prokd_student learns from the companion {name!r}, which needs a head that labels "
            "words of a sentence alone",
            todo=f"Give a module of prokd_teacher or ner: --companion {name}=FOLDER, with "
            f"companions.{name}.head: true in the recipe",
        )
    return head


Part = ProKDStudent
