"""Tagging: micro F1 of exact spans, or accuracy over words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.fused import fused_states
from xadapt.backbones.encoder.words import tokenize_word_windows
from xadapt.backbones.finite import require_finite
from xadapt.composition.values import Composition
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_sentences
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.comparison import Result, compare, ratio_of_sums
from xadapt.functional.tag_scheme import OUTSIDE, Scheme, decode, to_labels, to_spans
from xadapt.heads.head import Head
from xadapt.inference.locate import locate
from xadapt.tasks.emea import NAME as EMEA
from xadapt.tasks.emea import emea as labels_by_emea
from xadapt.tasks.fused_heads import (
    given_translations,
    partner_words,
    told,
    translations_of,
    with_partners,
)
from xadapt.tasks.head_task import LINEAR, LOAD_HEAD, HeadTask
from xadapt.tasks.predictor import (
    BASELINE,
    MODULE,
    Predictor,
    load_each,
    tell_words,
    unseen,
)
from xadapt.tasks.protocol import RESAMPLES, Option, Report, Request, read_rows

READERS: dict[Scheme, str] = {"bio": "conll", "word": "conllu"}
MEASURES: dict[Scheme, str] = {"bio": "f1", "word": "accuracy"}
TRANSLATED = "translated_words"
MAJORITY = "most frequent label"
EQUAL = "equal weights"


class Tagger(Predictor):
    """A predictor of word labels by a head over each word's first token; made by `load`."""

    task: ClassVar[str] = "tagging"

    def tag(
        self,
        sentences: Sequence[Sequence[str]],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
        translations: Sequence[Sequence[str]] | None = None,
    ) -> list[list[str]]:
        """Predict one label a word: the best sequence that the head's scheme allows.

        Args:
            sentences: Sentences as words.
            languages: A tag for each sentence, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each sentence, or one for all.
            cache: States below the first module, shared by calls on the same texts.
            translations: For a module of FILTER, the words of each sentence's translation into the
                language of training; no words, or none at all, stand for the sentence itself.

        Raises:
            UserError: As for `AdaptedEncoder.encode`, or if an item is no sentence as words.
        """
        sentences = as_sentences(sentences)
        beside = given_translations(self.head, translations, len(sentences))
        rows = self.adapted.activations(len(sentences), languages, compositions, cache)
        with rows.named():
            found = scores(self.adapted.encoder, self.head, sentences, rows, beside)
        return [decode(each, self.head.labels, self.head.scheme) for each in found]


def scores(
    encoder: Encoder,
    head: nn.Module,
    sentences: Sequence[Sequence[str]],
    rows: Rows | None = None,
    translations: Sequence[Sequence[str]] | None = None,
) -> list[NDArray[np.float32]]:
    """Compute log-probabilities of each word's labels, ``(words, labels)`` a sentence.

    A sentence longer than the base reads is read in overlapping windows. Each word has the scores
    of the window in which it has the most context. A word without a token, such as one of invisible
    characters, is outside of all spans; a `CutNotice` counts such words.

    Args:
        encoder: The encoder.
        head: The head.
        sentences: Sentences as words.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
        translations: For a head with fused layers, as for `Tagger.tag`.
    """
    assert isinstance(head, Head)
    windows = tokenize_word_windows(encoder, sentences)
    tell_words(encoder, head, sentences, windows)
    found = [unseen(head, len(words)) for words in sentences]
    ids, owners = [one.ids for one in windows], [one.owner for one in windows]
    beside = partner_words(encoder, head, ids, owners, translations)
    if beside is None:
        made = token_states(encoder, ids, rows=rows, owners=owners)
    else:
        assert head.fused is not None
        made = fused_states(encoder, ids, beside, head.fused, rows=rows, owners=owners)
    with torch.inference_mode():
        for chunk, states in made:
            logs = head(states).log_softmax(-1).cpu()
            for position, own in zip(chunk, logs, strict=True):
                row = windows[position]
                seen = own[[row.first[word] for word in row.known]]
                require_finite(seen.unsqueeze(0), [row.owner], "scores")
                found[row.owner][row.known] = seen.numpy()
    return found


class Tagging(HeadTask):
    """Give each word one of the head's labels."""

    name: ClassVar[str] = "tagging"
    title: ClassVar[str] = "Tagging of words, such as NER and POS: F1 of exact spans, or accuracy."
    record: ClassVar[type] = TaggedSentence
    metrics: ClassVar[tuple[str, ...]] = tuple(MEASURES.values())
    task_type: ClassVar[str] = "token-classification"
    head: ClassVar[str | None] = "tagging"
    predictor: ClassVar[type[Predictor]] = Tagger
    reader: ClassVar[str] = READERS["bio"]
    data_help: ClassVar[str] = "Sentences with labels the module has not seen."
    details_title: ClassVar[str] = "F1 by type"
    does: ClassVar[str] = "gives each word one of {} labels"
    example: ClassVar[tuple[str, str] | None] = (
        'words = ["A", "sentence", "as", "words", "."]',
        "words, is_split_into_words=True",
    )

    def predict(
        self,
        encoder: Encoder,
        head: Head,
        rows: Sequence[TaggedSentence],
        active: Rows | None = None,
    ) -> list[list[str]]:
        """Predict one label a word."""
        found = scores(encoder, head, [row.words for row in rows], active, translations_of(rows))
        return [decode(each, head.labels, head.scheme) for each in found]

    def settings(self, head: Head) -> dict[str, Any]:
        """Return the scheme by which the head's labels make spans."""
        return {"scheme": head.scheme}

    def evaluate(
        self,
        rows: Sequence[TaggedSentence],
        systems: Mapping[str, Sequence[Sequence[str]]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        scheme: Scheme = "bio",
    ) -> Result:
        """Score labels of words: ``f1`` of exact spans with their type, or ``accuracy``.

        A span is right if its words and its type are right (Tjong Kim Sang and De Meulder 2003,
        https://aclanthology.org/W03-0419, section 2.4). The last row gives each word the most
        frequent label of the given sentences. The details are the F1 of each span type.

        Args:
            rows: The sentences with their spans.
            systems: Labels by system name, one a word of each sentence.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over sentences.
            seed: Seed of the bootstrap.
            scheme: The scheme by which labels make spans.

        Raises:
            UserError: If there are no sentences, or a system's labels are not one a word.
        """
        if not rows:
            raise UserError("there are no sentences to evaluate on")
        gold = self.oracle(rows, scheme)
        every = {**systems, **self.baselines(rows, scheme)}
        measure = MEASURES[scheme]
        result = compare(
            self.name,
            self.unit,
            {n: {measure: list(_parts(gold, found, scheme, n).T)} for n, found in every.items()},
            {measure: ratio_of_sums},
            details={name: _by_type(gold, found, scheme) for name, found in every.items()},
            facts={"measure": measure, "sentences": len(gold), "words": sum(map(len, gold))},
            base=base,
            resamples=resamples,
            seed=seed,
        )
        made = []
        for row in result.rows:
            gain = row.gains.get(measure)
            more = {"score": row.scores[measure].to_dict(), "gain": gain and gain.to_dict()}
            made.append(replace(row, more={**more, "by_type": row.details}))
        return replace(result, rows=tuple(made))

    def baselines(
        self, rows: Sequence[TaggedSentence], scheme: Scheme = "bio", **settings: Any
    ) -> dict[str, list[list[str]]]:
        """Return the most frequent label of the given sentences for each word."""
        gold = self.oracle(rows, scheme)
        [(most, _)] = Counter(label for labels in gold for label in labels).most_common(1)
        return {MAJORITY: [[most] * len(labels) for labels in gold]}

    def oracle(self, rows: Sequence[TaggedSentence], scheme: Scheme = "bio") -> list[list[str]]:
        """Return the right labels."""
        return [to_labels(len(row.words), row.spans, scheme) for row in rows]

    def chance(self, rows: Sequence[TaggedSentence], seed: int = 0) -> list[list[str]]:
        """Return the right labels of all words, shuffled over the words."""
        gold = self.oracle(rows)
        dealt = iter(np.random.default_rng(seed).permutation([x for own in gold for x in own]))
        return [[str(next(dealt)) for _ in own] for own in gold]

    def heading(self, result: Result) -> str:
        """Return the title with the numbers of sentences and words."""
        return f"{result.count} sentences, {result.facts['words']} words"

    def check(self, rows: Sequence[TaggedSentence], head: Head, report: Report) -> None:
        """Report the labels that the head lacks, and refuse data of another scheme."""
        known = set(head.labels)
        there: set[str] = set()
        for row in rows:
            try:
                there.update(to_labels(len(row.words), row.spans, head.scheme))
            except ValueError as error:
                raise UserError(
                    str(error),
                    where=row.origin,
                    todo="The head's labels and the data's are of different kinds; see --format",
                ) from None
        missing = sorted(there - known)
        if not there & known - {OUTSIDE} and missing:
            raise UserError(
                f"the head knows none of the data's labels ({', '.join(missing[:6])})",
                todo=f"It gives {', '.join(head.labels[:12])}",
            )
        if missing:
            report(f"the head has no label {', '.join(missing)}: such words count as wrong")

    def measure(
        self,
        request: Request,
        *,
        file_format: Annotated[
            str | None, Option("conll (BIO columns) or conllu.", flag="--format")
        ] = None,
        emea: Annotated[
            int,
            Option("Steps for 'route(emea; a, b) + task': weights by sentence.", minimum=0),
        ] = 0,
        translator: Annotated[
            str | None, Option("For modules of FILTER: makes English translations.")
        ] = None,
    ) -> Result:
        """Measure a head under a composition, and under a baseline or with EMEA."""
        if emea and request.baseline is not None:
            raise UserError(
                "EMEA is compared with equal weights already",
                where="--baseline",
                todo="Leave one of --emea and --baseline out",
            )
        given = (EMEA,) if emea else ()
        each = load_each(
            Tagger,
            request.base,
            request.modules,
            compose=request.compose,
            baseline=request.baseline,
            head=request.head,
            given=given,
            dtype=request.dtype,
        )
        tagger = each[MODULE]
        fused = tagger.head.fused is not None
        reader = file_format or (TRANSLATED if fused else READERS[tagger.head.scheme])
        if reader not in (*READERS.values(), TRANSLATED):
            raise UserError(registry.unknown("format", reader, list(READERS.values())))
        rows = read_rows(reader, request.data, request.tag or self.read_as)
        rows = with_partners(rows, request, fused, translator)
        self.check(rows, tagger.head, request.report)
        settings = self.settings(tagger.head)
        if emea:
            value, _ = locate(request.modules, request.compose, given)
            words = [row.words for row in rows]
            found = {
                name: labels_by_emea(tagger, words, value, steps=steps)
                for name, steps in ((EQUAL, 0), (MODULE, emea))
            }
            return self.score(request, rows, found, EQUAL, **settings)
        tags = None if request.tag is None else [request.tag] * len(rows)
        base = BASELINE if BASELINE in each else None
        result = self.score(request, rows, self.predict_each(each, rows, tags), base, **settings)
        return told(result, rows) if fused else result

    def code(self, head: Head) -> list[str]:
        """Return the lines of code from states to ``labels``, one a word."""
        return [
            *LOAD_HEAD,
            "names = {labels}",
            f"scores = states[0] @ {LINEAR}",
            "owner = batch.word_ids(0)",
            "labels = [names[int(scores[owner.index(i)].argmax())] for i in range(len(words))]",
        ]


def _parts(
    gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]], scheme: Scheme, name: str
) -> NDArray[np.float64]:
    if [len(labels) for labels in found] != [len(labels) for labels in gold]:
        raise UserError(f"{name} does not give one label a word")
    if scheme == "word":
        right = map(_alike, gold, found)
        return np.array(list(zip(right, map(len, gold), strict=True)), dtype=np.float64)
    rows = []
    for ours, theirs in zip(gold, found, strict=True):
        wanted, given = set(to_spans(ours, scheme)), set(to_spans(theirs, scheme))
        rows.append((2 * len(wanted & given), len(wanted) + len(given)))
    return np.array(rows, dtype=np.float64)


def _alike(ours: Sequence[str], theirs: Sequence[str]) -> int:
    return sum(one == other for one, other in zip(ours, theirs, strict=True))


def _by_type(
    gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]], scheme: Scheme
) -> dict[str, float]:
    """Compute the F1 of each type, over spans or single words."""
    hits: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for ours, theirs in zip(gold, found, strict=True):
        wanted, given = set(to_spans(ours, scheme)), set(to_spans(theirs, scheme))
        hits.update(name for *_, name in wanted & given)
        total.update([name for *_, name in wanted] + [name for *_, name in given])
    return {name: 2 * hits[name] / total[name] for name in sorted(total)}


Part = Tagging()
