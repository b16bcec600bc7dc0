"""Open information extraction: what a sentence states, by two taggers one after the other.

The first marks predicates, each span one of them; the second marks the arguments of each. Both are
modules of one frozen encoder with a head beside them, in compositions of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths, as_sentences, as_tags
from xadapt.data.records import PREDICATE, ROLES, OpenTriples
from xadapt.functional.tag_scheme import decode, to_spans
from xadapt.heads.head import ArgumentHead, Asked, HeadTask, asked
from xadapt.inference.locate import locate
from xadapt.inference.shared_states import reused_by
from xadapt.tasks.predict.predictor import Predictor, chosen_head
from xadapt.tasks.predict.tagger import Tagger, unseen

Sentences = Sequence[Sequence[str]]
Languages = str | Sequence[str | None] | None
Place = tuple[int, int]
Spans = tuple[tuple[int, int, str], ...]


class ArgumentFinder(Predictor):
    """Arguments of given predicates; made by `load`."""

    task: ClassVar[HeadTask] = "arguments"

    def find(
        self,
        sentences: Sentences,
        predicates: Sequence[Sequence[Place]],
        languages: Languages = None,
    ) -> list[list[Spans]]:
        """One extraction for each given predicate, the predicate's span first.

        Args:
            sentences: Sentences as words.
            predicates: ``(start, stop)`` of each predicate of each sentence.
            languages: A tag for each sentence, where the composition chooses by language.

        Raises:
            UserError: As for `Adapted.encode`.
        """
        assert isinstance(self.head, ArgumentHead)
        sentences = as_sentences(sentences)
        if len(predicates) != len(sentences):
            raise UserError(f"{len(sentences)} sentences and predicates of {len(predicates)}")
        with self.adapted.acting(len(sentences), languages) as rows:
            return argument_spans(self.adapted.encoder, self.head, sentences, predicates, rows)


class Extractor:
    """Triples of sentences.

    Args:
        tagger: Of predicates.
        finder: Of their arguments.
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
            arguments: The same of the argument tagger.
            compose_predicates: Which modules act when predicates are looked for.
            compose_arguments: The same for arguments.
            dtype: As for `Adapted.load`.
            device: As for `Adapted.load`.

        Raises:
            UserError: As for `Predictor.load`, or the first head does not mark predicates.
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
        """What each sentence states; predicates without any argument are left out.

        Args:
            sentences: Sentences as words.
            languages: A tag for each sentence, where a composition chooses by language.

        Raises:
            UserError: As for `Adapted.encode`.
        """
        sentences = as_sentences(sentences)
        given = as_tags(languages, len(sentences))
        with reused_by(self.tagger.adapted, self.finder.adapted):
            found = self.finder.find(sentences, self.predicates(sentences, given), given)
        tags = given or ["und"] * len(sentences)
        return [
            OpenTriples(tuple(words), tuple(s for s in own if len(s) > 1), tag or "und")
            for words, own, tag in zip(sentences, found, tags, strict=True)
        ]

    def predicates(self, sentences: Sentences, languages: Languages = None) -> list[list[Place]]:
        """``(start, stop)`` of each predicate of each sentence."""
        tagged = self.tagger.tag(sentences, languages)
        spans = [to_spans(labels, "bio") for labels in tagged]
        return [[(start, stop) for start, stop, role in own if role == PREDICATE] for own in spans]


def tuples(row: OpenTriples) -> list[tuple[str, ...]]:
    """Extractions as text: ``(A0, P, A1, ...)``, with an empty A0 where there is none."""
    told = []
    for spans in row.extractions:
        text = {role: " ".join(row.words[start:stop]) for start, stop, role in spans}
        rest = [text[role] for role in ROLES[1:] if role in text]
        told.append((text.get(ROLES[0], ""), text[PREDICATE], *rest))
    return told


def argument_spans(
    encoder: Encoder,
    head: ArgumentHead,
    sentences: Sentences,
    predicates: Sequence[Sequence[Place]],
    rows: Rows | None = None,
) -> list[list[Spans]]:
    """The arguments of given predicates; each sentence is encoded once.

    Args:
        encoder: The encoder; modules that are on act.
        head: The head.
        sentences: Sentences as words.
        predicates: ``(start, stop)`` of each predicate of each sentence.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    tokenised = tokenize_words(encoder, sentences)
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
                place = predicates[at][number]
                spans = _decoded(head, own, query, len(sentences[at]), place)
                found[at][number] = ((*place, PREDICATE), *spans)
    return found


def _scores(
    head: ArgumentHead, states: torch.Tensor, queries: Sequence[Asked]
) -> Iterator[NDArray[np.float32]]:
    """Log-probabilities ``(words, labels)`` of each query."""
    if queries:
        logs = head.scores(states, queries).log_softmax(-1).cpu()
        for own in logs.split([len(query.at) for query in queries]):
            yield own.numpy()


def _decoded(
    head: ArgumentHead, scores: NDArray[np.float32], query: Asked, length: int, place: Place
) -> Spans:
    """The best allowed labels as spans: each role once, none inside the predicate."""
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
