"""Open information extraction: what a sentence states, by two taggers one after the other.

The first tagger marks predicates, each span one of them; the second marks the arguments of each.
Both are modules of one frozen encoder with a head each, in compositions of their own.

A predicate is right if its span is. An argument is right if its span, its role and its predicate's
span are. A triple is right if its predicate and all its arguments are and none is missing. All are
micro F1 over sentences; lenient matching, as in CaRB, is not tried.

The file is long because the task has a predictor of two stages and four measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.windows import tell
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.backbones.finite import require_finite
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths, as_sentences, as_tags
from xadapt.data.records import PREDICATE, ROLES, OpenTriples
from xadapt.data.transforms.open_ie import open_triples
from xadapt.evaluation.comparison import Result, compare, ratio_of_sums
from xadapt.functional.tag_scheme import decode, to_spans
from xadapt.heads.argument_head import ArgumentHead, Asked, asked
from xadapt.heads.head import Head, HeadCard
from xadapt.inference.locate import locate
from xadapt.inference.shared_states import shared_cache
from xadapt.tasks.head_task import HeadTask
from xadapt.tasks.predictor import (
    BASELINE,
    MODULE,
    Languages,
    Predictor,
    chosen_head,
    unseen,
)
from xadapt.tasks.protocol import RESAMPLES, Option, Request, read_rows
from xadapt.tasks.tagging import Tagger

Sentences = Sequence[Sequence[str]]
Place = tuple[int, int]
Spans = tuple[tuple[int, int, str], ...]
GIVEN = "arguments given predicates"
LEFT_RIGHT = "left and right"


@dataclass(frozen=True)
class Extracted:
    """The extractions of one sentence.

    Attributes:
        found: Extractions by the system alone.
        given: Extractions with the right predicates given.
    """

    found: Sequence[Spans]
    given: Sequence[Spans]


def _predicates(extractions: Sequence[Spans]) -> set[Any]:
    return {spans[0] for spans in extractions}


def _arguments(extractions: Sequence[Spans]) -> set[Any]:
    return {(spans[0], span) for spans in extractions for span in spans[1:]}


def _triples(extractions: Sequence[Spans]) -> set[Any]:
    return {(spans[0], frozenset(spans[1:])) for spans in extractions if len(spans) > 1}


MEASURES: dict[str, Callable[[Sequence[Spans]], set[Any]]] = {
    GIVEN: _arguments,
    "predicates": _predicates,
    "arguments": _arguments,
    "triples": _triples,
}
"""The facts of extractions that each measure counts; runs are selected on the first measure."""


class ArgumentFinder(Predictor):
    """A predictor of the arguments of given predicates; made by `load`."""

    task: ClassVar[str] = "arguments"

    def find(
        self,
        sentences: Sentences,
        predicates: Sequence[Sequence[Place]],
        languages: Languages = None,
        *,
        cache: Kept | None = None,
    ) -> list[list[Spans]]:
        """Find the arguments of each given predicate; its own span comes first.

        Args:
            sentences: Sentences as words.
            predicates: ``(start, stop)`` of each predicate of each sentence.
            languages: A tag for each sentence, where the composition chooses by language.
            cache: States below the first module, shared by calls that read the same texts.

        Raises:
            UserError: As for `AdaptedEncoder.encode`.
        """
        assert isinstance(self.head, ArgumentHead)
        sentences = as_sentences(sentences)
        if len(predicates) != len(sentences):
            raise UserError(f"{len(sentences)} sentences and predicates of {len(predicates)}")
        rows = self.adapted.activations(len(sentences), languages, cache=cache)
        with rows.named():
            return argument_spans(self.adapted.encoder, self.head, sentences, predicates, rows)


class Extractor:
    """An extractor of triples from sentences.

    Args:
        tagger: The tagger of predicates.
        finder: The predictor of their arguments.
    """

    def __init__(self, tagger: Tagger, finder: ArgumentFinder) -> None:
        self.tagger, self.finder = tagger, finder

    @classmethod
    def load(
        cls,
        base: str | Encoder,
        *,
        predicates: str | Path | Sequence[str | Path],
        arguments: str | Path | Sequence[str | Path],
        compose_predicates: str | Composition = None,
        compose_arguments: str | Composition = None,
        dtype: str = "auto",
        device: str = "auto",
    ) -> Extractor:
        """Load a base, once, and the modules and heads of both taggers.

        Args:
            base: As for `Predictor.load`.
            predicates: The folder of the predicate tagger, or several as for `Predictor.load`.
            arguments: The folder or folders of the argument tagger.
            compose_predicates: The composition for finding predicates.
            compose_arguments: The composition for finding arguments.
            dtype: As for `AdaptedEncoder.load`.
            device: As for `AdaptedEncoder.load`.

        Raises:
            UserError: As for `Predictor.load`, or if the first head does not mark predicates.
        """
        first, second = as_paths(predicates), as_paths(arguments)
        chosen_head(locate(second, compose_arguments)[1], ArgumentFinder.task)
        tagger = Tagger.load(base, *first, compose=compose_predicates, dtype=dtype, device=device)
        if f"B-{PREDICATE}" not in tagger.head.labels:
            raise UserError(
                f"this head does not mark predicates but {', '.join(tagger.head.labels[:8])}",
                where=", ".join(first),
                todo="Name a module trained by the recipe open_ie_predicates",
            )
        encoder = tagger.adapted.encoder
        return cls(tagger, ArgumentFinder.load(encoder, *second, compose=compose_arguments))

    def extract(self, sentences: Sentences, languages: Languages = None) -> list[OpenTriples]:
        """Extract the triples of each sentence; predicates without any argument are left out.

        Args:
            sentences: Sentences as words.
            languages: A tag for each sentence, where a composition chooses by language.

        Raises:
            UserError: As for `AdaptedEncoder.encode`.
        """
        sentences = as_sentences(sentences)
        given = as_tags(languages, len(sentences))
        cache = shared_cache(self.tagger.adapted, self.finder.adapted)
        predicates = self.predicates(sentences, given, cache)
        found = self.finder.find(sentences, predicates, given, cache=cache)
        tags = given or ["und"] * len(sentences)
        return [
            OpenTriples(tuple(words), tuple(s for s in own if len(s) > 1), tag or "und")
            for words, own, tag in zip(sentences, found, tags, strict=True)
        ]

    def predicates(
        self, sentences: Sentences, languages: Languages = None, cache: Kept | None = None
    ) -> list[list[Place]]:
        """Find ``(start, stop)`` of each predicate of each sentence.

        Args:
            sentences: Sentences as words.
            languages: As for `extract`.
            cache: States below the first module, shared by calls that read the same texts.
        """
        tagged = self.tagger.tag(sentences, languages, cache=cache)
        spans = [to_spans(labels, "bio") for labels in tagged]
        return [[(start, stop) for start, stop, role in own if role == PREDICATE] for own in spans]


class OpenInformationExtraction(HeadTask):
    """Extract predicates, their arguments and whole triples from sentences."""

    name: ClassVar[str] = "open_ie"
    title: ClassVar[str] = (
        "Open information extraction: F1 of predicates, arguments and whole triples."
    )
    record: ClassVar[type] = OpenTriples
    metrics: ClassVar[tuple[str, ...]] = tuple(MEASURES)
    evidence_metrics: ClassVar[Mapping[str, str]] = {GIVEN: f"f1 of {GIVEN}"}
    task_type: ClassVar[str] = "token-classification"
    head: ClassVar[str | None] = "arguments"
    predictor: ClassVar[type[Predictor]] = ArgumentFinder
    reader: ClassVar[str] = "conllu_trees"
    shared: ClassVar[tuple[str, ...]] = ()
    data_help: ClassVar[str] = "CoNLL-U with trees the modules have not seen."
    details_title: ClassVar[str] = "F1 by role, given predicates"
    short: ClassVar[Mapping[str, str]] = {GIVEN: "args of given P."}
    does: ClassVar[str] = (
        "gives each word one of {} labels that depend on a predicate; no other library has such "
        "a head"
    )
    example: ClassVar[tuple[str, str] | None] = (
        'words = ["A", "sentence", "as", "words", "."]',
        "words, is_split_into_words=True",
    )

    def predict(
        self, encoder: Encoder, head: Head, rows: Sequence[OpenTriples], active: Rows | None = None
    ) -> list[Extracted]:
        """Predict the arguments of the right predicates of each sentence."""
        assert isinstance(head, ArgumentHead)
        found = argument_spans(encoder, head, [r.words for r in rows], _places(rows), active)
        return [Extracted(own, own) for own in found]

    def evaluate(
        self,
        rows: Sequence[OpenTriples],
        systems: Mapping[str, Sequence[Extracted]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Score extractions by F1.

        The last row takes the words left and right of the predicates that the system ``module``
        found, or of the right predicates where there is no such system. The details are the F1 of
        each role's arguments with the right predicates given.

        Args:
            rows: The sentences with their extractions.
            systems: Extractions of each sentence by system name.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over sentences.
            seed: Seed of the bootstrap.

        Raises:
            UserError: If there are no sentences, or a system does not have one answer for each.
        """
        if not rows:
            raise UserError("there are no sentences to evaluate on")
        gold = [row.extractions for row in rows]
        for name, own in systems.items():
            if len(own) != len(rows):
                raise UserError(f"{name} does not give one answer a sentence")
        every = {**systems}
        if LEFT_RIGHT not in every:
            every[LEFT_RIGHT] = left_and_right_of(rows, systems.get(MODULE, self.oracle(rows)))
        result = compare(
            self.name,
            self.unit,
            {name: _columns(gold, own) for name, own in every.items()},
            dict.fromkeys(MEASURES, ratio_of_sums),
            details={name: _by_role(gold, [x.given for x in own]) for name, own in every.items()},
            facts={"sentences": len(gold), "extractions": sum(map(len, gold))},
            base=base,
            resamples=resamples,
            seed=seed,
        )
        made = []
        for row in result.rows:
            gains = {name: gain.to_dict() for name, gain in row.gains.items()}
            made.append(replace(row, more={"gain": gains or None, "by_role": row.details}))
        return replace(result, rows=tuple(made))

    def baselines(self, rows: Sequence[OpenTriples], **settings: Any) -> dict[str, list[Extracted]]:
        """Return the words left and right of each right predicate."""
        return {LEFT_RIGHT: left_and_right_of(rows, self.oracle(rows))}

    def oracle(self, rows: Sequence[OpenTriples]) -> list[Extracted]:
        """Return the right extractions."""
        return [Extracted(row.extractions, row.extractions) for row in rows]

    def chance(self, rows: Sequence[OpenTriples], seed: int = 0) -> list[Extracted]:
        """Draw one word of each sentence as a predicate, and two other words as its arguments."""
        random = np.random.default_rng(seed)
        made = []
        for row in rows:
            places = [int(at) for at in random.permutation(len(row.words))[:3]]
            spans = [(at, at + 1, role) for at, role in zip(places, _DEALT, strict=False)]
            given = [(own[0], *spans[1:]) for own in row.extractions]
            made.append(Extracted([tuple(spans)], given))
        return made

    def heading(self, result: Result) -> str:
        """Return the title with the numbers of sentences and triples."""
        return f"{result.count} sentences, {result.facts['extractions']} triples by rule"

    def measure(  # type: ignore[override]
        self,
        request: Request,
        *,
        predicates: Annotated[list[str], Option("Folder of the predicate tagger.")],
        arguments: Annotated[list[str], Option("Folder of the argument tagger.")],
        compose_predicates: Annotated[
            str | None, Option("Modules that act on predicates: 'language + task'.")
        ] = None,
        compose_arguments: Annotated[str | None, Option("Modules that act on arguments.")] = None,
        baseline_predicates: Annotated[
            str | None,
            Option(
                "Another predicate tagger, to report the difference to.", old="against_predicates"
            ),
        ] = None,
        baseline_arguments: Annotated[
            str | None, Option("Another argument tagger, likewise.", old="against_arguments")
        ] = None,
    ) -> Result:
        """Score two taggers on the extractions that rules make from a treebank.

        If another tagger of one kind is named as a baseline, both systems share the tagger of the
        other kind.
        """
        own: dict[str, Any] = {
            "predicates": as_paths(predicates),
            "arguments": as_paths(arguments),
            "compose_predicates": compose_predicates,
            "compose_arguments": compose_arguments,
            "dtype": request.dtype,
        }
        rows = open_triples(read_rows(self.reader, request.data, request.tag or self.read_as))
        tags = None if request.tag is None else [request.tag] * len(rows)
        extractor = Extractor.load(request.base, **own)
        several = {MODULE: extractor}
        other = {"predicates": baseline_predicates, "arguments": baseline_arguments}
        if any(other.values()):
            for name, folder in other.items():
                if folder is not None:
                    own |= {name: as_paths(folder), f"compose_{name}": None}
            baseline = Extractor.load(extractor.tagger.adapted.encoder, **own)
            several = {BASELINE: baseline, **several}
        parts = [part.adapted for one in several.values() for part in (one.tagger, one.finder)]
        cache = shared_cache(*parts)
        found = {name: extracted(one, rows, tags, cache) for name, one in several.items()}
        return self.evaluate(rows, found, base=BASELINE if BASELINE in several else None)

    def card(self, head: Head) -> HeadCard:
        """Return the card of a head for arguments, which needs a predicate tagger too."""
        options = "--predicates OTHER --arguments FOLDER"
        return super().card(head).model_copy(update={"options": options})

    def code(self, head: Head) -> list[str]:
        """Return a comment that names xadapt's reader: no other library has such a head."""
        return ["# xadapt.tasks.Extractor reads the head of this folder off these states"]


def extracted(
    extractor: Extractor,
    rows: Sequence[OpenTriples],
    languages: Languages = None,
    cache: Kept | None = None,
) -> list[Extracted]:
    """Extract from sentences, by the extractor alone and with the right predicates given."""
    words = [row.words for row in rows]
    predicates = extractor.predicates(words, languages, cache)
    found = extractor.finder.find(words, predicates, languages, cache=cache)
    given = extractor.finder.find(words, _places(rows), languages, cache=cache)
    return [Extracted(*both) for both in zip(found, given, strict=True)]


def left_and_right(
    words: Sequence[str], predicates: Sequence[tuple[int, int]]
) -> tuple[Spans, ...]:
    """Guess arguments: the words left of each predicate are A0, the words right of it A1.

    Both reach to the next mark of punctuation, the next predicate, or the end of the sentence.
    The guess uses no training and no tree.

    Args:
        words: The words of a sentence.
        predicates: ``(start, stop)`` of each predicate in it.
    """
    bound = [not any(letter.isalnum() for letter in word) for word in words]
    for start, stop in predicates:
        bound[start:stop] = [True] * (stop - start)
    rows = []
    for start, stop in predicates:
        left, right = start, stop
        while left > 0 and not bound[left - 1]:
            left -= 1
        while right < len(words) and not bound[right]:
            right += 1
        sides = ((left, start, "A0"), (stop, right, "A1"))
        rows.append(((start, stop, PREDICATE), *(side for side in sides if side[0] < side[1])))
    return tuple(rows)


def left_and_right_of(rows: Sequence[OpenTriples], found: Sequence[Extracted]) -> list[Extracted]:
    """Guess arguments of the predicates that a system found, and of the right predicates.

    Args:
        rows: The sentences.
        found: The system's extractions of each sentence.
    """

    def over(row: OpenTriples, extractions: Sequence[Spans]) -> tuple[Spans, ...]:
        return left_and_right(row.words, [spans[0][:2] for spans in extractions])

    return [
        Extracted(over(row, own.found), over(row, row.extractions))
        for row, own in zip(rows, found, strict=True)
    ]


def tuples(row: OpenTriples) -> list[tuple[str, ...]]:
    """Write extractions as text: ``(A0, P, A1, ...)``, with an empty A0 where there is none."""
    found = []
    for spans in row.extractions:
        text = {role: " ".join(row.words[start:stop]) for start, stop, role in spans}
        rest = [text[role] for role in ROLES[1:] if role in text]
        found.append((text.get(ROLES[0], ""), text[PREDICATE], *rest))
    return found


def argument_spans(
    encoder: Encoder,
    head: ArgumentHead,
    sentences: Sentences,
    predicates: Sequence[Sequence[Place]],
    rows: Rows | None = None,
) -> list[list[Spans]]:
    """Find the arguments of given predicates; each sentence is encoded once.

    Args:
        encoder: The encoder.
        head: The head.
        sentences: Sentences as words.
        predicates: ``(start, stop)`` of each predicate of each sentence.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    tokenised = tokenize_words(encoder, sentences)
    _tell_unread(encoder, [row.first.count(None) for row in tokenised])
    found: list[list[Spans]] = [[((*p, PREDICATE),) for p in own] for own in predicates]
    with torch.inference_mode():
        for chunk, states in token_states(encoder, [row.ids for row in tokenised], rows=rows):
            asking = [
                (at, number, query)
                for row, at in enumerate(chunk)
                for number, place in enumerate(predicates[at])
                if (query := asked(row, tokenised[at].first, *place))
            ]
            scores = _scores(head, states, [query for *_, query in asking])
            for (at, number, query), own in zip(asking, scores, strict=True):
                require_finite(torch.from_numpy(own).unsqueeze(0), [at], "scores")
                place = predicates[at][number]
                spans = _decoded(head, own, query, len(sentences[at]), place)
                found[at][number] = ((*place, PREDICATE), *spans)
    return found


def _tell_unread(encoder: Encoder, unread: Sequence[int]) -> None:
    """Warn of words that are cut off: an argument stands in one row with its predicate."""
    if any(unread):
        tell(
            f"{sum(unread):,} words of {sum(map(bool, unread)):,} sentences have no token or lie "
            f"past the {encoder.max_length} that the base reads: no argument is found there"
        )


def _scores(
    head: ArgumentHead, states: torch.Tensor, queries: Sequence[Asked]
) -> Iterator[NDArray[np.float32]]:
    """Compute the log-probabilities ``(words, labels)`` of each query."""
    if queries:
        logs = head.scores(states, queries).log_softmax(-1).cpu()
        for own in logs.split([len(query.at) for query in queries]):
            yield own.numpy()


def _decoded(
    head: ArgumentHead, scores: NDArray[np.float32], query: Asked, length: int, place: Place
) -> Spans:
    """Decode the best allowed labels as spans: each role once, none inside the predicate."""
    table = unseen(head, length)
    table[query.words] = scores
    table[slice(*place)] = unseen(head, place[1] - place[0])
    labels = decode(table, head.labels, head.scheme)
    number = {label: i for i, label in enumerate(head.labels)}
    best: dict[str, tuple[float, int, int]] = {}
    for start, stop, role in to_spans(labels, head.scheme):
        own = [table[word, number[labels[word]]] for word in range(start, stop)]
        best[role] = max(best.get(role, (-np.inf, 0, 0)), (float(np.mean(own)), start, stop))
    return tuple((start, stop, role) for role, (_, start, stop) in sorted(best.items()))


_DEALT = (PREDICATE, ROLES[0], ROLES[1])


def _places(rows: Sequence[OpenTriples]) -> list[list[Place]]:
    """Return the places of the right predicates."""
    return [[(start, stop) for (start, stop, _), *_ in row.extractions] for row in rows]


def _columns(
    gold: Sequence[Sequence[Spans]], own: Sequence[Extracted]
) -> dict[str, list[NDArray[np.float64]]]:
    """Compute, by measure, the terms of F1's numerator and denominator: ``(2, sentences)``."""
    columns = {}
    for measure, facts in MEASURES.items():
        shown = [one.given if measure == GIVEN else one.found for one in own]
        pairs = [(facts(right), facts(one)) for right, one in zip(gold, shown, strict=True)]
        counts = [(2 * len(right & one), len(right) + len(one)) for right, one in pairs]
        columns[measure] = list(np.array(counts, dtype=np.float64).T)
    return columns


def _by_role(gold: Sequence[Sequence[Spans]], given: Sequence[Sequence[Spans]]) -> dict[str, float]:
    right = {(i, *fact) for i, own in enumerate(gold) for fact in _arguments(own)}
    found = {(i, *fact) for i, own in enumerate(given) for fact in _arguments(own)}
    roles = sorted({fact[-1][-1] for fact in right | found})

    def of(facts: set[Any], role: str) -> set[Any]:
        return {fact for fact in facts if fact[-1][-1] == role}

    return {
        role: 2 * len(of(right & found, role)) / (len(of(right, role)) + len(of(found, role)))
        for role in roles
    }


Part = OpenInformationExtraction()
