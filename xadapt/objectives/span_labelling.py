"""Span labelling: spans of words against labels that stand as texts before the sentence."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from xadapt.backbones.encoder.label_prefix import fitting, label_rows
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.open_spans import as_text, candidates
from xadapt.heads.span_label_head import SpanLabelHead
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class Memory:
    """The labels of the data.

    Attributes:
        names: The name of each label's group, by label.
        texts: All texts of a group, by its name.
        related: Names of the groups that may hold for a span of a group, by its name.
        prior: The share of right ones among spans and labels.
    """

    names: Mapping[str, str]
    texts: Mapping[str, tuple[str, ...]]
    related: Mapping[str, frozenset[str]]
    prior: float


@dataclass(frozen=True)
class SpanLabelling:
    """Binary cross-entropy of every span of a sentence with every label of the batch.

    A row is the labels of the batch, each after a mark, in an order drawn anew, and then the
    sentence. With ``apart`` each label is a row of its own, and the sentence is read alone, so that
    a label's vector can be kept. Every span of up to ``clip`` tokens is scored against every label
    by `xadapt.heads.span_label_head`. The labels of other sentences of the batch are the
    negatives. Labels that mean the same (``synonyms``) are one label: one of their texts is drawn
    in each step, and none is a negative of another. The loss of a sentence is the sum over spans
    and labels, divided by its number of words.

    Source: the span model of FiNERweb, Golde et al. 2025, https://arxiv.org/abs/2512.13884, and its
    study https://arxiv.org/abs/2601.06347, as reconstructed: no training code is public.

    Attributes:
        synonyms: Groups of texts of one label, in any languages, such as
            ``[[person, human being, persona]]``. The first of a group is the label's name.
        related: Groups of labels that may hold for the same span, such as ``[[person, politician,
            writer]]``: on a span of one of them the others are no negatives.
        apart: Whether labels are read in rows of their own.
        most: The most labels of a step; of more labels, some are drawn.
        hidden: Features of the head's networks.
        distance: Features of the embedded width of a span.
        clip: The longest span, in tokens.
    """

    synonyms: tuple[tuple[str, ...], ...] = ()
    related: tuple[tuple[str, ...], ...] = ()
    apart: bool = False
    most: int = 24
    hidden: int = 384
    distance: int = 128
    clip: int = 30

    consumes: ClassVar[type] = TaggedSentence
    source: ClassVar[str] = "https://arxiv.org/abs/2512.13884"
    coupled: ClassVar[bool] = True  # the labels of a batch are the negatives of all its sentences

    def __post_init__(self) -> None:
        if min(self.most, self.hidden, self.distance, self.clip) < 1:
            raise ValueError("most, hidden, distance and clip must be at least 1")
        texts = [text for group in self.synonyms for text in group]
        if any(not text.strip() for text in texts):
            raise ValueError("a synonym is empty")
        if len(set(texts)) < len(texts):
            raise ValueError("a text stands twice among the synonyms")

    def prepare(self, records: Sequence[TaggedSentence]) -> Memory:
        """Collect the labels of the data.

        Raises:
            UserError: If no sentence has a span.
        """
        found = sorted({name for record in records for *_, name in record.spans})
        if not found:
            raise UserError(
                f"none of the {len(records)} sentences has a labelled span",
                where=records[0].origin if records else "",
                todo="Give sentences with spans",
            )
        groups = {text: group for group in self.synonyms for text in group}
        names = {label: _named(label, groups) for label in found}
        texts = {name: groups.get(name, (name,)) for name in names.values()}
        related: dict[str, frozenset[str]] = {name: frozenset() for name in texts}
        for group in self.related:
            known = frozenset(_named(label, groups) for label in group) & texts.keys()
            related |= {name: related[name] | known - {name} for name in known}
        return Memory(names, texts, related, self._prior(records, len(texts)))

    def _prior(self, records: Sequence[TaggedSentence], labels: int) -> float:
        """Return the share of right ones among spans of words and labels, at most one half."""
        right = sum(len(record.spans) for record in records)
        spans = sum(
            min(self.clip, len(record.words) - first)
            for record in records
            for first in range(len(record.words))
        )
        return min(0.5, right / max(1, spans * min(labels, self.most)))

    def heads(self, width: int, memory: Memory) -> SpanLabelHead:
        """Build the head, which is trained with the module."""
        return SpanLabelHead(
            sorted({text for group in memory.texts.values() for text in group}),
            width,
            hidden=self.hidden,
            distance=self.distance,
            clip=self.clip,
            apart=int(self.apart),
            prior=memory.prior,
        )

    def views(
        self,
        records: Sequence[TaggedSentence],
        rng: random.Random,
        memory: Memory,
        tokenizer: Any,
        tokenize_words: Callable[[Sequence[Sequence[str]]], list[Any]],
        max_length: int,
    ) -> dict[str, Any]:
        """Build the view of labels and sentences, the spans, and which of them are right.

        A sentence is cut where it is too long beside the labels; its later spans are not learnt.
        """
        batch = {memory.names[name] for record in records for *_, name in record.spans}
        names = sorted(batch or memory.texts)
        asked = rng.sample(names, min(self.most, len(names)))
        said = [rng.choice(memory.texts[name]) for name in asked]
        made = tokenize_words([record.words for record in records])
        begin = next((words.first[words.known[0]] for words in made if words.known), 0)
        langs = [record.lang for record in records]
        views: dict[str, Any] = {"marks": [begin]}
        before: Callable[[Sequence[int]], tuple[int, ...]] = tuple
        room, count = 0, len(asked)
        if self.apart:
            opening = next((words.ids[:begin] for words in made if words.known), ())
            own = label_rows(tokenizer, said, opening, max_length)
            views["labels"] = EncodeView(own, output="states", langs=langs[:1] * len(own))
        else:
            prefix = fitting(tokenizer, said, max_length // 2)
            views["marks"] = [begin + mark for mark in prefix.marks]
            before, room, count = (
                partial(prefix.before, begin=begin),
                len(prefix),
                len(prefix.marks),
            )
        number = {name: i for i, name in enumerate(asked[:count])}
        rows, spans, right, unknown = [], [], [], []
        for record, words in zip(records, made, strict=True):
            row = before(words.ids)
            if len(row) > max_length:
                row = (*row[: max_length - 1], row[-1])
            known = [word for word in words.known if words.first[word] + room < len(row) - 1]
            places = [words.first[word] + room for word in known]
            every = candidates(places, self.clip)
            at = {(known[first], known[last] + 1): i for i, (first, last) in enumerate(every)}
            named = [
                (at[start, stop], memory.names[name])
                for start, stop, name in record.spans
                if (start, stop) in at
            ]
            rows.append(row)
            spans.append([(places[first], places[last]) for first, last in every])
            right.append([(span, number[name]) for span, name in named if name in number])
            others = ((span, other) for span, name in named for other in memory.related[name])
            unknown.append([(span, number[name]) for span, name in others if name in number])
        return {
            **views,
            "text": EncodeView(rows, output="states", langs=langs),
            "spans": spans,
            "right": right,
            "unknown": unknown,
            "lengths": [len(record.words) for record in records],
        }

    def loss(
        self,
        text: States,
        marks: list[int],
        spans: list[list[tuple[int, int]]],
        right: list[list[tuple[int, int]]],
        unknown: list[list[tuple[int, int]]],
        lengths: list[int],
        heads: SpanLabelHead,
        labels: States | None = None,
    ) -> Loss:
        """Compute the sum over each sentence's spans and labels, over its words: ``(n,)``."""
        if labels is None:
            texts = heads.label_vectors(text.hidden[:, marks])
        else:
            texts = heads.label_vectors(labels.hidden[:, marks[0]]).expand(len(spans), -1, -1)
        values = []
        scored = heads.span_scores(text.hidden, texts, spans)
        for scores, positive, others, words in zip(scored, right, unknown, lengths, strict=True):
            wanted, counted = torch.zeros_like(scores), torch.ones_like(scores)
            for span, label in others:
                counted[span, label] = 0.0
            for span, label in positive:
                wanted[span, label] = counted[span, label] = 1.0
            each = F.binary_cross_entropy_with_logits(scores, wanted, counted, reduction="sum")
            values.append(each / max(1, words))
        return Loss(torch.stack(values))


def _named(label: str, groups: Mapping[str, tuple[str, ...]]) -> str:
    """Return the name of a label: the first text of its synonyms, or itself, as a text."""
    return groups.get(label, groups.get(as_text(label), (as_text(label),)))[0]


Part = SpanLabelling
