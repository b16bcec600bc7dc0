"""Label spans of words with labels that are texts: probabilities, thresholds, the predictor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.label_prefix import LabelPrefix
from xadapt.backbones.encoder.words import tokenize_word_windows
from xadapt.backbones.finite import require_finite
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_sentences
from xadapt.data.records import TaggedSentence
from xadapt.functional.open_spans import candidates, without_overlap
from xadapt.functional.tag_scheme import Span
from xadapt.heads.head import Head, SpanLabelHead
from xadapt.tasks.predictor import Languages, Predictor

THRESHOLD = 0.5
LEAST = 0.01
"""Spans with a smaller probability are not kept, so no threshold is below it."""
Scored = list[tuple[float, Span]]


class SpanLabeller(Predictor):
    """A predictor of spans with labels that are given as texts; made by `load`."""

    task: ClassVar[str] = "span_labelling"

    def label(
        self,
        sentences: Sequence[Sequence[str]],
        labels: Sequence[str],
        languages: Languages = None,
        *,
        threshold: float = THRESHOLD,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> list[tuple[Span, ...]]:
        """Find the spans of labels in sentences.

        Args:
            sentences: Sentences as words.
            labels: The labels as texts, in any language, such as ``person``.
            languages: A tag for each sentence, where the composition chooses by language.
            threshold: The probability from which a span is given.
            compositions: Another composition for each sentence, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Returns:
            For each sentence its spans ``(start, end, label)`` over the words, half-open, none of
            which overlaps another.

        Raises:
            UserError: As for `AdaptedEncoder.encode`, or if the labels are too long for the base.
        """
        sentences = as_sentences(sentences)
        rows = self.adapted.activations(len(sentences), languages, compositions, cache)
        with rows.named():
            scored = probabilities(self.adapted.encoder, self.head, sentences, labels, rows)
        return [without_overlap(own, threshold) for own in scored]


def probabilities(
    encoder: Encoder,
    head: Head,
    sentences: Sequence[Sequence[str]],
    labels: Sequence[str],
    rows: Rows | None = None,
) -> list[Scored]:
    """Compute the probability of each span of each sentence for each label.

    A sentence longer than the base reads beside the labels is read in overlapping windows. A span
    is scored if both of its ends have the most context in the same window.

    Args:
        encoder: The encoder.
        head: The head.
        sentences: Sentences as words.
        labels: The labels as texts.
        rows: As for `xadapt.backbones.encoder.encode.encode`.

    Returns:
        For each sentence the spans with a probability of 0.01 or more.

    Raises:
        UserError: If there is no label, one is empty or stands twice, or they leave no room.
    """
    assert isinstance(head, SpanLabelHead)
    prefix = _prefix(encoder, labels)
    shorter = encoder.adjusted(max_length=encoder.max_length - len(prefix))
    windows = tokenize_word_windows(shorter, sentences)
    begin = next((own.first[own.known[0]] for own in windows if own.known), 0) or 0
    marks = [begin + mark for mark in prefix.marks]
    ids = [prefix.before(own.ids, begin) for own in windows]
    found: list[Scored] = [[] for _ in sentences]
    owners = [own.owner for own in windows]
    with torch.inference_mode():
        for chunk, states in token_states(encoder, ids, rows=rows, owners=owners):
            known = [windows[position].known for position in chunk]
            places = [
                [windows[at].first[word] + len(prefix) for word in own]  # type: ignore[operator]
                for at, own in zip(chunk, known, strict=True)
            ]
            spans = [candidates(own, head.sizes["clip"]) for own in places]
            asked = [
                [(own[first], own[last]) for first, last in some]
                for own, some in zip(places, spans, strict=True)
            ]
            scored = head.span_scores(states, marks, asked)
            for at, words, some, scores in zip(chunk, known, spans, scored, strict=True):
                owner = owners[at]
                require_finite(scores.unsqueeze(0), [owner], "scores")
                table = scores.sigmoid().cpu()
                for span, label in (table >= LEAST).nonzero().tolist():
                    first, last = some[span]
                    own = (words[first], words[last] + 1, labels[label])
                    found[owner].append((float(table[span, label]), own))
    return found


def _prefix(encoder: Encoder, labels: Sequence[str]) -> LabelPrefix:
    if not labels or any(not label.strip() for label in labels):
        raise UserError("a label is a text that is not empty", where="labels")
    if len(set(labels)) < len(labels):
        raise UserError("a label stands twice", where="labels", todo="Give each label once")
    prefix = LabelPrefix.of(encoder.tokenizer, labels)
    if 2 * len(prefix) > encoder.max_length:
        raise UserError(
            f"{len(labels)} labels take {len(prefix)} of the {encoder.max_length} tokens that the "
            "base reads",
            where="labels",
            todo="Ask for fewer labels at a time",
        )
    return prefix


def best_threshold(scored: Sequence[Scored], rows: Sequence[TaggedSentence]) -> float:
    """Choose the threshold with the highest F1 on labelled sentences, of hundredths.

    Of several, the highest one is taken.

    Args:
        scored: The probabilities of spans of each sentence.
        rows: The sentences.
    """
    gold = [set(row.spans) for row in rows]

    def f1(threshold: float) -> float:
        given = [set(without_overlap(own, threshold)) for own in scored]
        hits = sum(len(own & right) for own, right in zip(given, gold, strict=True))
        total = sum(map(len, given)) + sum(map(len, gold))
        return 2 * hits / total if total else 0.0

    grid = [round(step / 100, 2) for step in range(1, 100)]
    return max(grid, key=lambda value: (f1(value), value))
