"""Project the labels of a corpus onto its translation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.sequences import as_paths, as_sentences
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.link_text import parse_links
from xadapt.data.readers.tagged_spans import TaggedSpans
from xadapt.data.readers.word_columns import conll_text, read_words
from xadapt.data.records import TaggedSentence, TranslatedSentence
from xadapt.functional.span_projection import project_spans
from xadapt.functional.word_alignment import Link
from xadapt.integrations.translators.protocol import Translator
from xadapt.languages.tags import normalise
from xadapt.pipelines.align_words import align
from xadapt.pipelines.translate import translate

METHODS = ("align",)
UNTRANSLATED = "the sentence has no translation"
Words = Sequence[str]


@dataclass(frozen=True)
class Drop:
    """A span that gave no span of its own.

    Attributes:
        row: Number of the sentence, from 1.
        where: Place of the sentence in its file.
        text: The words of the span.
        type: Its type.
        start: Its first word, from 0.
        end: The word behind it.
        reason: One of `xadapt.functional.span_projection.REASONS`, or ``UNTRANSLATED``.
    """

    row: int
    where: str
    text: str
    type: str
    start: int
    end: int
    reason: str


@dataclass(frozen=True)
class Projection:
    """A labelled corpus in the other language.

    Attributes:
        rows: The translations with their spans, as `TaggedSentence`.
        numbers: The number of each row's source sentence, from 1.
        drops: The spans that were not projected.
        source_spans: Number of spans of the source.
    """

    rows: list[TaggedSentence]
    numbers: list[int]
    drops: list[Drop]
    source_spans: int

    @property
    def rate(self) -> float:
        """The share of source spans that have a span of their own in the translation."""
        return 1 - len(self.drops) / self.source_spans if self.source_spans else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return counts, the projection rate, and the number of drops by reason."""
        return {
            "sentences": len(self.rows),
            "source_spans": self.source_spans,
            "spans": sum(len(row.spans) for row in self.rows),
            "projection_rate": self.rate,
            "dropped": dict(Counter(drop.reason for drop in self.drops).most_common()),
        }


def project(
    data: str | PathLike[str] | Iterable[TaggedSentence],
    *,
    source: str,
    target: str,
    translations: str | PathLike[str] | Iterable[Sequence[str]] | None = None,
    translator: str | Translator | None = None,
    method: str = "align",
    base: str | None = None,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | Composition = None,
    links: str | PathLike[str] | Iterable[Sequence[Link]] | None = None,
    gap: int = 1,
    same_words: bool = False,
    whole: bool = False,
    out: str | Path | None = None,
    log: str | Path | None = None,
    dtype: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
    **aligning: Any,
) -> Projection:
    """Project labelled spans of a corpus onto its translation.

    Args:
        data: Labelled sentences: CoNLL, or JSON lines with ``tokens`` and ``spans``
            (`xadapt.data.readers.tagged_spans`) or ``ner_tags``; or records.
        source: Language of the labelled sentences.
        target: Language of the translations.
        translations: The translations, one for each sentence, in order: a ``.txt`` file with a
            sentence on each line, words separated by spaces and an empty line for none; another
            file with a word on each line and an empty line between sentences; or lists of words.
        translator: Translates the sentences, as for `xadapt.translate`; in place of translations.
        method: ``align``: along links between words.
        base: The base that links words, as for `xadapt.align_words`.
        modules: Folders of modules on it.
        compose: A composition of the modules.
        links: Links that exist, in place of a base: a file as `xadapt align-words` writes it, a
            line for each sentence; or ``(source word, target word)`` for each sentence.
        gap: The most words between two linked runs that become one span.
        same_words: Whether a span whose very words stand in the translation goes to them, whatever
            is linked.
        whole: Whether only sentences of which every span was projected are kept.
        out: A file to write: JSON lines with ``tokens`` and ``spans`` if it ends in ``.jsonl``,
            else CoNLL (IOB2).
        log: A file to write: a JSON line for each span that was not projected, with the reason.
        dtype: As for `xadapt.align_words`.
        progress: Called with the number of sentences after each block.
        aligning: ``method`` of alignment as ``links_by``, ``layer``, ``threshold``,
            ``similarity``, ``temperature`` and ``units``, as for `xadapt.align_words`.

    Returns:
        The labelled translations, in order, and what was dropped.

    Raises:
        UserError: If the data or an option is wrong, or translations or links are not one for each
            sentence. No file is left behind.
    """
    tags = normalise(source), normalise(target)
    if method not in METHODS:
        raise UserError(f"the method is {' or '.join(METHODS)}, not {method!r}", where="method")
    if gap < 0:
        raise UserError("gap is at least 0", where="gap")
    if (base is None) == (links is None):
        raise UserError("either a base links the words, or links are given", todo="Give one")
    rows: list[Any] = (
        list(TaggedSpans().read(fspath(data), tags[0]))
        if isinstance(data, (str, PathLike))
        else list(data)
    )
    if not rows or not all(isinstance(row, TaggedSentence) for row in rows):
        raise UserError("there is no labelled sentence, or something else", where="data")
    said = _translations(rows, translations, translator, tags)
    if links is None:
        assert base is not None
        given = dict(aligning)
        way = given.pop("links_by", None)
        # one module acts on both sides, whichever of the two languages it is for
        lang = tags[1] if compose is not None or len(as_paths(modules)) > 1 else None
        pairs = [(row.words, words) for row, words in zip(rows, said, strict=True)]
        found: list[Any] = align(
            pairs, base=base, modules=modules, compose=compose, lang=lang, pivot=tags[0],
            first=tags[0], dtype=dtype, progress=progress, method=way, **given,
        )  # fmt: skip
    else:
        found = _links(links, len(rows))
    made = _projected(rows, said, found, tags[1], gap, same_words, whole)
    _write(made, out, log)
    return made


def _projected(
    rows: Sequence[TaggedSentence],
    said: Sequence[Words],
    links: Sequence[Sequence[Link]],
    lang: str,
    gap: int,
    same_words: bool,
    whole: bool,
) -> Projection:
    kept: list[TaggedSentence] = []
    numbers: list[int] = []
    drops: list[Drop] = []
    for number, (row, words, own) in enumerate(zip(rows, said, links, strict=True), 1):
        if words:
            try:
                made = project_spans(
                    row.spans, own, words, gap=gap, source=row.words if same_words else None
                )
            except ValueError as error:
                raise UserError(str(error), where=f"links of sentence {number}") from None
            reasons = made.dropped
        else:
            reasons = dict.fromkeys(range(len(row.spans)), UNTRANSLATED)
        for place, reason in reasons.items():
            start, end, name = row.spans[place]
            text = " ".join(row.words[start:end])
            drops.append(Drop(number, row.origin, text, name, start, end, reason))
        if words and not (whole and reasons):
            kept.append(TaggedSentence(tuple(words), made.spans, lang, origin=row.origin))
            numbers.append(number)
    return Projection(kept, numbers, drops, sum(len(row.spans) for row in rows))


def _translations(
    rows: Sequence[TaggedSentence],
    given: Any,
    translator: str | Translator | None,
    tags: tuple[str, str],
) -> list[Words]:
    """Return the words of each translation; none where there is no translation.

    Raises:
        UserError: If there are no translations, two kinds of them, or not one for each sentence.
    """
    if given is not None and translator is not None:
        raise UserError("translations and a translator are given", todo="Give one of them")
    if translator is not None:
        texts = [" ".join(row.words) for row in rows]
        made = translate(texts, translator=translator, source=tags[0], target=tags[1])
        return [text.split() for text in made]
    if given is None:
        own = [row.translation for row in rows if isinstance(row, TranslatedSentence)]
        if len(own) < len(rows):
            raise UserError(
                "there are no translations",
                todo="Name their file with --translations, or a --translator",
            )
        return list(own)
    where = fspath(given) if _is_path(given) else "translations"
    found: list[Any]
    if _is_path(given):
        lines = has_suffix(where, ".txt")
        found = [line.split() for _, line in read_lines(where)] if lines else [*read_words(where)]
    else:
        found = list(as_sentences(given))
    if len(found) != len(rows):
        raise UserError(
            f"there are {len(found):,} translations and {len(rows):,} labelled sentences",
            where=where,
            todo="Give one for each sentence, in order; skipped sentences are noted above",
        )
    return found


def _links(given: Any, count: int) -> list[Sequence[Link]]:
    found: list[Sequence[Link]]
    if not _is_path(given):
        found = [list(own) for own in given]
        where = "links"
    else:
        where = fspath(given)
        found = [list(parse_links(text, f"{where}:{n}")[0]) for n, text in read_lines(where)]
    if len(found) != count:
        raise UserError(
            f"there are links of {len(found):,} sentences, and {count:,} labelled sentences",
            where=where,
            todo="Give a line for each sentence, empty where no words are linked",
        )
    return found


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, PathLike))


def _write(made: Projection, out: str | Path | None, log: str | Path | None) -> None:
    """Write the log, then the corpus, so that a corpus never stands without its log."""
    if log is not None:
        with atomic_file(log) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.writelines(_line(vars(drop)) for drop in made.drops)
    if out is None:
        return
    lines = has_suffix(str(out), ".jsonl")
    with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row, number in zip(made.rows, made.numbers, strict=True):
            values = {"id": number, "lang": row.lang, "tokens": row.words, "spans": row.spans}
            stream.write(_line(values) if lines else conll_text(row))


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"
