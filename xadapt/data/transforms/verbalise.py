"""Make sentences from knowledge-graph facts, in any language with names and sentence frames.

A fact becomes a pair of parallel sentences, a sentence with tagged names, or a text with a
relation between two spans. Names are inserted without changes (``kg_data/cldr/frames.yaml``
explains how the frames avoid inflection). The choice of frame depends only on the seed and the
fact, not on the order or on the language.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, RelationExample, TaggedSentence, Triple
from xadapt.data.transforms.frames import Filled, Frames, fill, fits, load_frames
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise

Labels = Mapping[str, Mapping[str, str]]
"""Names by language tag, then by entity."""


@dataclass(frozen=True)
class Verbalise:
    """Make sentences from the facts of a knowledge graph, by hand-written sentence frames.

    The names of entities come from the callable ``labels``. The default is the names of the
    built-in CLDR graph.

    Source: Agarwal et al. 2021, https://arxiv.org/abs/2010.12688, section 3, by frames not models.

    Attributes:
        to: ``parallel`` gives pairs of sentences for the same fact, ``tagged`` sentences with
            tagged names, ``relations`` texts with a relation between two spans.
        per_triple: Largest number of different frames for each fact.
    """

    to: Literal["parallel", "tagged", "relations"] = "parallel"
    per_triple: Annotated[int, Field(ge=1)] = 1

    consumes: ClassVar[type] = Triple
    needs: ClassVar[tuple[str, ...]] = ("labels",)
    applies: ClassVar[Applies] = "all"

    @property
    def gives(self) -> type:
        """The record class: `ParallelPair`, `TaggedSentence` or `RelationExample`."""
        return {"parallel": ParallelPair, "tagged": TaggedSentence, "relations": RelationExample}[
            self.to
        ]

    def apply(self, records: Sequence[Triple], services: Services) -> Sequence[Any]:
        """Make the sentences, in the order of the facts. Skip facts without names or a frame.

        Raises:
            UserError: If names or frames are missing, as in :func:`parallel`.
        """
        langs = [services.lang] + ([services.pivot_lang] if self.to == "parallel" else [])
        labels = {normalise(lang): services["labels"](lang) for lang in langs}
        rows = services.track(records, "verbalising facts")
        make: Any = {"parallel": parallel, "tagged": tagged, "relations": relations}[self.to]
        made: Sequence[Any] = make(
            rows, labels, *langs, seed=services.seed, per_triple=self.per_triple
        )
        return made


def parallel(
    triples: Iterable[Triple],
    labels: Labels,
    lang: str,
    pivot_lang: str = "en",
    *,
    seed: int = 0,
    per_triple: int = 1,
    frames: Frames | None = None,
) -> list[ParallelPair]:
    """Make sentences for the same fact by the same frame in two languages.

    Args:
        triples: The facts. A fact is skipped if a name is missing in a language, or if a name has
            the quotation marks or colon of every frame.
        labels: Names by language and entity.
        lang: The language being adapted.
        pivot_lang: The language of the other side.
        seed: Chooses the frames.
        per_triple: Number of different frames for a fact, or fewer if there are fewer frames.
        frames: Frames to use instead of the shipped frames.

    Raises:
        UserError: If there are no frames or names in a language, there are no frames for a
            relation, or both languages are the same.
    """
    left, right = normalise(lang), normalise(pivot_lang)
    if left == right:
        raise UserError(f"both sides are {left!r}", todo="Name two different languages")
    made = _sentences(triples, labels, (left, right), seed, per_triple, frames)
    return [ParallelPair(a.text, b.text, left, right, origin=o) for _, (a, b), o in made]


def tagged(
    triples: Iterable[Triple],
    labels: Labels,
    lang: str,
    *,
    seed: int = 0,
    per_triple: int = 1,
    frames: Frames | None = None,
) -> list[TaggedSentence]:
    """Make sentences as words, with spans of type TERRITORY, LANGUAGE, SCRIPT and CURRENCY.

    Words are separated by spaces, and punctuation of the frame is a word of its own. In languages
    without spaces each character is a word. Arguments and errors are as in :func:`parallel`.
    """
    known = frames or load_frames()
    by_character = find_same(lang, known.characters) is not None
    made = _sentences(triples, labels, (lang,), seed, per_triple, known)
    return [
        _tag(sentence, known.types[triple.relation], normalise(lang), by_character, origin)
        for triple, (sentence,), origin in made
    ]


def relations(
    triples: Iterable[Triple],
    labels: Labels,
    lang: str,
    *,
    seed: int = 0,
    per_triple: int = 1,
    frames: Frames | None = None,
) -> list[RelationExample]:
    """Make texts with the character spans of head and tail. Arguments: see :func:`parallel`."""
    made = _sentences(triples, labels, (lang,), seed, per_triple, frames)
    return [
        RelationExample(s.text, s.head, s.tail, triple.relation, normalise(lang), origin=origin)
        for triple, (s,), origin in made
    ]


def _sentences(
    triples: Iterable[Triple],
    labels: Labels,
    langs: Sequence[str],
    seed: int,
    per_triple: int,
    frames: Frames | None,
) -> Iterator[tuple[Triple, list[Filled], str]]:
    known = frames or load_frames()
    names = [_names(labels, lang) for lang in langs]
    patterns_of = cache(lambda relation: [known.of(lang, relation) for lang in langs])
    for triple in triples:
        patterns = patterns_of(triple.relation)
        if not all(triple.head in own and triple.tail in own for own in names):
            continue
        ends = [(own[triple.head], own[triple.tail]) for own in names]
        usable = [
            key
            for key in patterns[0]
            if all(fits(own[key], *both) for own, both in zip(patterns, ends, strict=True))
        ]
        for key in _pick(usable, triple, seed)[:per_triple]:
            filled = [fill(own[key], *both) for own, both in zip(patterns, ends, strict=True)]
            yield triple, filled, f"{triple.head} {triple.relation} {triple.tail} {key}"


def _pick(keys: list[str], triple: Triple, seed: int) -> list[str]:
    fact = f"{seed}\t{triple.head}\t{triple.relation}\t{triple.tail}\t"
    return sorted(keys, key=lambda key: hashlib.sha256((fact + key).encode()).digest())


def _names(labels: Labels, lang: str) -> Mapping[str, str]:
    tag = find_same(lang, labels)
    if tag is None:
        todo = f"There are some in {', '.join(labels)}"
        raise UserError(f"there are no names in {lang!r}", todo=todo)
    return labels[tag]


def _tag(
    sentence: Filled, types: tuple[str, str], lang: str, by_character: bool, origin: str
) -> TaggedSentence:
    words: list[str] = []
    spans = []
    done = 0
    for (start, end), kind in sorted(zip((sentence.head, sentence.tail), types, strict=True)):
        words += _literal_words(sentence.text[done:start], by_character)
        name = _name_words(sentence.text[start:end], by_character)
        spans.append((len(words), len(words) + len(name), kind))
        words += name
        done = end
    words += _literal_words(sentence.text[done:], by_character)
    return TaggedSentence(tuple(words), tuple(spans), lang, origin=origin)


def _name_words(name: str, by_character: bool) -> list[str]:
    return [c for c in name if not c.isspace()] if by_character else name.split()


def _literal_words(literal: str, by_character: bool) -> list[str]:
    words: list[str] = []
    inside = False
    for c in literal:
        # marks and joiners belong to the letter before them: \w would split Indic words
        spelling = unicodedata.category(c)[0] in "LMN" or c in "\u200c\u200d"
        if spelling and inside and not by_character:
            words[-1] += c
        elif not c.isspace():
            words.append(c)
        inside = spelling
    return words


Part = Verbalise
