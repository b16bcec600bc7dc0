"""ProKD: a frozen teacher, prototypes that move from step to step, a loss of whole classes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.data.records import TaggedSentence
from xadapt.objectives.contract import EncodeView, Loss, States, TeacherView


class Tagger(nn.Module):
    """A classifier of tokens, with a moving prototype of each class in each language."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classify = nn.Linear(width, classes)
        self.register_buffer("prototypes", torch.zeros(2, classes, width))
        self.register_buffer("seen", torch.zeros(2, classes, dtype=torch.bool))

    def move(self, side: int, states: Tensor, classes: Tensor, keep: float) -> Tensor:
        """Prototypes ``(classes, width)`` after this batch, whose part has a gradient."""
        chosen = F.one_hot(classes, len(self.seen[side])).to(states.dtype)
        count = chosen.sum(0)
        mean = chosen.T @ states / count.clamp(min=1).unsqueeze(-1)
        old = torch.where(self.seen[side].unsqueeze(-1), self.prototypes[side], mean.detach())
        here = (count > 0).unsqueeze(-1)
        moved = torch.where(here, keep * old + (1 - keep) * mean, self.prototypes[side])
        self.prototypes[side] = moved.detach()
        self.seen[side] |= count > 0
        return moved


@dataclass(frozen=True)
class ProKD:
    """Phase ``teacher``: cross-entropy and aligned prototypes; ``student``: the teacher's answers.

    Source: Ge et al. 2023, "ProKD", https://arxiv.org/abs/2301.08855, sections 3.2 and 3.3.

    Words outside all spans have the first label; those of ``pivot_lang`` are gold. ``keep`` is the
    share of an old prototype that stays, ``alpha`` the weight of the alignment.
    """

    phase: str = "teacher"
    labels: tuple[str, ...] = ("O", "PER", "LOC")
    pivot_lang: str = "en"
    keep: float = 0.99
    temperature: float = 0.1
    alpha: float = 0.5

    consumes: ClassVar[type] = TaggedSentence
    source: ClassVar[str] = "https://arxiv.org/abs/2301.08855"
    coupled: ClassVar[bool] = True  # every process must move the same prototypes

    def heads(self, width: int) -> nn.Module:
        """The tagger of the module under training, with the prototypes as its buffers."""
        return Tagger(width, len(self.labels))

    def views(
        self, records: Sequence[TaggedSentence], rng: random.Random, tokenizer: Any
    ) -> dict[str, Any]:
        """All sentences; the student's also through the teacher."""
        rows, words = [], []
        for owner, r in enumerate(records):
            row = [tokenizer.cls_token_id]
            kinds = {i: t for start, stop, t in r.spans for i in range(start, stop)}
            for at, word in enumerate(r.words):
                label = self.labels.index(kinds.get(at, self.labels[0]))
                words.append((owner, len(row), label, r.lang != self.pivot_lang))
                row += tokenizer.encode(word, add_special_tokens=False)
            rows.append([*row, tokenizer.sep_token_id])
        taught = TeacherView(rows, "teacher", output="states")
        views = {"tokens": EncodeView(rows, output="states")}
        views |= {"taught": taught} if self.phase == "student" else {}
        return {**views, "words": words}

    def loss(
        self,
        tokens: States,
        words: list[tuple[int, int, int, bool]],
        heads: nn.Module,
        companions: Mapping[str, nn.Module],
        taught: States | None = None,
    ) -> Loss:
        """Means over each sentence's words, weighted by their number: ``(n,)``."""
        owner, place, target, foreign = torch.tensor(words).T
        foreign = foreign.bool()
        states = tokens.hidden[owner, place].float()
        logits = heads.classify(states)
        if taught is not None:
            teacher = companions["teacher"].classify(taught.hidden[owner, place].float())
            each = (logits.softmax(-1) - teacher.detach().softmax(-1)).square().mean(-1)
            return Loss(*per_record(each, foreign.float(), owner, len(tokens.hidden)))
        each = F.cross_entropy(logits, target, reduction="none")
        known = torch.where(foreign, logits.argmax(-1), target)
        ours = heads.move(0, states[~foreign], known[~foreign], self.keep)
        theirs = heads.move(1, states[foreign], known[foreign], self.keep)
        align = self.alpha * self.apart(ours, theirs, heads.seen.all(0))
        return Loss(
            *per_record(each, (~foreign).float(), owner, len(tokens.hidden)), {"align": align}
        )

    def apart(self, ours: Tensor, theirs: Tensor, both: Tensor) -> Tensor:
        """Each class's two prototypes against all other classes': one number."""
        a, b = F.normalize(ours[both], dim=-1), F.normalize(theirs[both], dim=-1)
        across, within = a @ b.T / self.temperature, a @ a.T / self.temperature
        others = within.masked_fill(torch.eye(len(a)).bool(), -torch.inf)
        return (torch.cat([across, others], 1).logsumexp(1) - across.diagonal()).sum()


def per_record(each: Tensor, counts: Tensor, owner: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Means and numbers of the words that count, for each record."""
    sums, weights = (each.new_zeros(n).index_add(0, owner, x) for x in (each * counts, counts))
    return sums / weights.clamp(min=1), weights
