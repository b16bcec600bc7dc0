"""Label spans of words with labels that are texts: probabilities, thresholds, the predictor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, acting, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.label_prefix import LabelPrefix, label_rows
from xadapt.backbones.encoder.words import tokenize_word_windows
from xadapt.backbones.finite import require_finite
from xadapt.backbones.frames import ActsInForward
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_sentences
from xadapt.data.records import TaggedSentence
from xadapt.functional.open_spans import candidates, without_overlap
from xadapt.functional.tag_scheme import Span
from xadapt.heads.head import Head
from xadapt.heads.span_label_head import SpanLabelHead
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.tasks.predictor import Languages, Predictor

LEAST = 0.01
"""Spans with a smaller probability are not kept, so no threshold is below it."""
KEPT = 64
"""Sets of labels whose vectors a predictor keeps, where labels are read apart."""
Scored = list[tuple[float, Span]]
Vectors = dict[Hashable, Tensor]
"""Vectors of labels ``(labels, hidden)``, by what acts on their rows and by the labels."""


class SpanLabeller(Predictor):
    """A predictor of spans with labels that are given as texts; made by `load`.

    The vectors of labels that are read apart are kept for the next call.
    """

    task: ClassVar[str] = "span_labelling"

    def __init__(self, adapted: AdaptedEncoder, head: Head) -> None:
        super().__init__(adapted, head)
        self._state: Hashable = None
        self._vectors: Vectors = {}

    def label(
        self,
        sentences: Sequence[Sequence[str]],
        labels: Sequence[str],
        languages: Languages = None,
        *,
        threshold: float | None = None,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> list[tuple[Span, ...]]:
        """Find the spans of labels in sentences.

        Args:
            sentences: Sentences as words.
            labels: The labels as texts, in any language, such as ``person``.
            languages: A tag for each sentence, where the composition chooses by language.
            threshold: The probability from which a span is given; by default the one that the end
                of training chose on its development part.
            compositions: Another composition for each sentence, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Returns:
            For each sentence its spans ``(start, end, label)`` over the words, half-open, none of
            which overlaps another.

        Raises:
            UserError: As for `AdaptedEncoder.encode`, or if the labels are too long for the base.
        """
        scored = self.probabilities(
            sentences, labels, languages, compositions=compositions, cache=cache
        )
        assert isinstance(self.head, SpanLabelHead)
        least = float(self.head.threshold) if threshold is None else threshold
        return [without_overlap(own, least) for own in scored]

    def probabilities(
        self,
        sentences: Sequence[Sequence[str]],
        labels: Sequence[str],
        languages: Languages = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> list[Scored]:
        """Compute the probability of each span for each label.

        Args:
            sentences: Sentences as words.
            labels: The labels as texts, in any language.
            languages: A tag for each sentence, where the composition chooses by language.
            compositions: Another composition for each sentence, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Returns:
            For each sentence ``(probability, (start, end, label))``, from a probability of 0.01 on.

        Raises:
            UserError: As for `label`.
        """
        sentences = as_sentences(sentences)
        rows = self.adapted.activations(len(sentences), languages, compositions, cache)
        kept = self._kept()
        with rows.named():
            return probabilities(self.adapted.encoder, self.head, sentences, labels, rows, kept)

    def _kept(self) -> Vectors:
        """Return the vectors kept for the modules as they are now."""
        state = tuple(
            (name, id(value), value._version)
            for name, module in [*self.adapted.modules.items(), ("", self.head)]
            for value in module.parameters()
        )
        if state != self._state or len(self._vectors) >= KEPT:
            self._state, self._vectors = state, {}
        return self._vectors


def probabilities(
    encoder: Encoder,
    head: Head,
    sentences: Sequence[Sequence[str]],
    labels: Sequence[str],
    rows: Rows | None = None,
    kept: Vectors | None = None,
) -> list[Scored]:
    """Compute the probability of each span of each sentence for each label.

    A sentence longer than the base reads, beside the labels if these stand before it, is read in
    overlapping windows. A span is scored if both of its ends have the most context in the same
    window.

    Args:
        encoder: The encoder.
        head: The head.
        sentences: Sentences as words.
        labels: The labels as texts.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
        kept: Vectors of labels that are read apart, from earlier calls on the same modules.

    Returns:
        For each sentence the spans with a probability of 0.01 or more.

    Raises:
        UserError: If there is no label, one is empty or stands twice, or they leave no room.
    """
    assert isinstance(head, SpanLabelHead)
    apart = "apart" in head.sizes
    prefix = _prefix(encoder, labels, apart)
    room = 0 if apart else len(prefix)
    shorter = encoder.adjusted(max_length=encoder.max_length - room)
    windows = tokenize_word_windows(shorter, sentences)
    first = next((own for own in windows if own.known), None)
    begin = 0 if first is None else first.first[first.known[0]] or 0
    marks = [begin + mark for mark in prefix.marks]
    ids = [tuple(own.ids) if apart else prefix.before(own.ids, begin) for own in windows]
    owners = [own.owner for own in windows]
    alike = _alike(rows, len(sentences))
    texts: Vectors = {} if kept is None else kept
    if apart and first is not None:
        given = label_rows(encoder.tokenizer, labels, first.ids[:begin], encoder.max_length)
        _keep(texts, encoder, head, tuple(labels), given, begin, alike, rows)
    found: list[Scored] = [[] for _ in sentences]
    with torch.inference_mode():
        for chunk, states in token_states(encoder, ids, rows=rows, owners=owners):
            if apart:
                named = [(alike[owners[at]], tuple(labels)) for at in chunk]
                vectors = torch.stack([texts[name] for name in named]).to(states.device)
            else:
                vectors = head.label_vectors(states[:, marks])
            known = [windows[position].known for position in chunk]
            places = [
                [windows[at].first[word] + room for word in own]  # type: ignore[operator]
                for at, own in zip(chunk, known, strict=True)
            ]
            spans = [candidates(own, head.sizes["clip"]) for own in places]
            asked = [
                [(own[begin], own[end]) for begin, end in some]
                for own, some in zip(places, spans, strict=True)
            ]
            scored = head.span_scores(states, vectors, asked)
            for at, words, some, scores in zip(chunk, known, spans, scored, strict=True):
                owner = owners[at]
                require_finite(scores.unsqueeze(0), [owner], "scores")
                table = scores.sigmoid().cpu()
                for span, label in (table >= LEAST).nonzero().tolist():
                    start, last = some[span]
                    own = (words[start], words[last] + 1, labels[label])
                    found[owner].append((float(table[span, label]), own))
    return found


def _alike(rows: Rows | None, count: int) -> list[Hashable]:
    """Return a mark of each sentence; sentences with one mark have the same activation."""
    known = getattr(rows, "alike", None)
    if callable(known):
        return list(known())
    return list(range(count)) if callable(rows) else [None] * count


def _keep(
    kept: Vectors,
    encoder: Encoder,
    head: SpanLabelHead,
    labels: tuple[str, ...],
    given: Sequence[tuple[int, ...]],
    mark: int,
    alike: Sequence[Hashable],
    rows: Rows | None,
) -> None:
    """Compute the vectors of labels under each activation of the sentences, if they are absent.

    Args:
        kept: Where the vectors are kept.
        encoder: The encoder.
        head: The head.
        labels: The labels.
        given: The row of each label.
        mark: The position of the mark in these rows.
        alike: The mark of each sentence's activation.
        rows: The activations, by the positions of sentences.
    """
    for one in dict.fromkeys(alike):
        if (one, labels) in kept:
            continue
        at = alike.index(one)

        def acts(chunk: list[int], at: int = at) -> ActsInForward | None:
            return acting(rows, [at] * len(chunk))

        found = torch.zeros(len(labels), head.sizes["hidden"])
        with torch.inference_mode():
            for chunk, states in token_states(encoder, given, rows=acts, owners=[at] * len(given)):
                found[chunk] = head.label_vectors(states[:, mark]).cpu()
        kept[one, labels] = found


def _prefix(encoder: Encoder, labels: Sequence[str], apart: bool) -> LabelPrefix:
    if not labels or any(not label.strip() for label in labels):
        raise UserError("a label is a text that is not empty", where="labels")
    if len(set(labels)) < len(labels):
        raise UserError("a label stands twice", where="labels", todo="Give each label once")
    prefix = LabelPrefix.of(encoder.tokenizer, labels)
    if 2 * len(prefix) > encoder.max_length and not apart:
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
