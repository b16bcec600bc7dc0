"""Project the labels of a corpus onto its translation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths, as_sentences
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.link_text import parse_links
from xadapt.data.readers.tagged_spans import TaggedSpans
from xadapt.data.readers.word_columns import read_words
from xadapt.data.records import TaggedSentence, TranslatedSentence
from xadapt.functional.span_projection import project_spans
from xadapt.functional.word_alignment import Link
from xadapt.integrations.translators.protocol import Translator
from xadapt.languages.tags import normalise, text_of
from xadapt.pipelines.align_words import align
from xadapt.pipelines.project_candidates import by_candidates
from xadapt.pipelines.project_codec import by_codec
from xadapt.pipelines.project_markers import by_markers
from xadapt.pipelines.projection import (
    UNTRANSLATED,
    Outcome,
    Projection,
    Words,
    collected,
    faults_of,
    write,
)
from xadapt.pipelines.translate import translate

METHODS = ("align", "codec", "tprojection", "markers")


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
    purpose: str = "train",
    alpha: int | None = None,
    best: int = 5,
    back: str | Translator | None = None,
    candidates: str | None = None,
    beams: int = 15,
    pieces: bool = False,
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
            For ``codec`` and ``tprojection`` also the model that scores, ``seq2seq:ORG/NAME``;
            there it may stand beside translations.
        method: ``align``: along links between words. ``codec``: to where a translation model puts
            markers in the translation. ``tprojection``: to the likeliest of candidates.
            ``markers``: the translator carries brackets along.
        base: The base that links words, as for `xadapt.align_words`.
        modules: Folders of modules on it; for ``codec`` a LoRA on the translator.
        compose: A composition of the modules.
        links: Links that exist, in place of a base: a file as `xadapt align-words` writes it, a
            line for each sentence; or ``(source word, target word)`` for each sentence.
        gap: The most words between two linked runs that become one span.
        same_words: Whether a span whose very words stand in the translation goes to them, whatever
            is linked.
        purpose: For ``codec``, ``train`` or ``test``; see
            `xadapt.pipelines.project_codec.by_codec`, also for the next three options.
        alpha: Tokens that the bound of the search looks ahead; -1 is exact.
        best: Number of places of a span that are compared.
        back: The model of the other direction, for models of one direction.
        candidates: For ``tprojection``, ``ngrams`` or MODEL or MODEL+MODULE of a generator; see
            `xadapt.pipelines.project_candidates.by_candidates`, also for the next two options.
        beams: Number of outputs of the generator that are read.
        pieces: Whether candidates may be parts of words.
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
    _require(
        method, base=base, links=links, compose=compose, candidates=candidates, back=back,
        alpha=alpha, module=as_paths(modules) or None, **aligning,
    )  # fmt: skip
    if gap < 0:
        raise UserError("gap is at least 0", where="gap")
    rows = _rows(data, tags[0])
    said = _translations(rows, translations, translator, tags, method)
    linked = None if links is None else _links(links, len(rows))
    faults = [faults_of(row) for row in rows]
    fine = [n for n, own in enumerate(faults) if not own]
    given: dict[str, Any] = {"translator": translator, "tags": tags, "progress": progress}
    encoding = {"base": base, "modules": modules, "compose": compose, "dtype": dtype}
    ways: dict[str, Callable[[list[TaggedSentence], list[Words]], list[Outcome]]] = {
        "codec": lambda some, own: by_codec(
            some, own, purpose=purpose, alpha=alpha, best=best, back=back, module=_one(modules),
            **given,
        ),
        "tprojection": lambda some, own: by_candidates(
            some, own, candidates=candidates, beams=beams, pieces=pieces, dtype=dtype, **given
        ),
        "markers": lambda some, _: by_markers(some, **given),
        "align": lambda some, own: _aligned(
            some, own,
            _linked(some, own, tags, progress, encoding, aligning) if linked is None
            else [linked[n] for n in fine],
            [n + 1 for n in fine], gap, same_words,
        ),
    }  # fmt: skip
    made = ways[method]([rows[n] for n in fine], [said[n] for n in fine])
    done = dict(zip(fine, made, strict=True))
    outcomes = [done.get(n, Outcome((), (), own, True)) for n, own in enumerate(faults)]
    result = collected(rows, outcomes, tags[1], whole)
    write(result, out, log)
    return result


def _require(method: str, **given: Any) -> None:
    """Refuse an unknown method, options of another one, and a missing or second source of links.

    Raises:
        UserError: If there is one.
    """
    if method not in METHODS:
        known = f"{', '.join(METHODS[:-1])} or {METHODS[-1]}"
        raise UserError(f"the method is {known}, not {method!r}", where="method")
    owners = {
        "candidates": ("tprojection",), "back": ("codec",), "alpha": ("codec",),
        "module": ("align", "codec"),
    }  # fmt: skip
    for name, value in given.items():
        own = owners.get(name, ("align",))
        if value is not None and method not in own:
            known = " and ".join(own)
            raise UserError(
                f"this is for the method {known}, not for {method}", where=name, todo="Leave it out"
            )
    if method == "align" and (given["base"] is None) == (given["links"] is None):
        raise UserError("either a base links the words, or links are given", todo="Give one")


def _rows(data: Any, tag: str) -> list[TaggedSentence]:
    path = isinstance(data, (str, PathLike))
    rows: list[Any]
    # faulty spans are kept and logged below, so that translations stay in step
    rows = list(TaggedSpans().read(fspath(data), tag, checked=False)) if path else list(data)
    if not rows or not all(isinstance(row, TaggedSentence) for row in rows):
        raise UserError("there is no labelled sentence, or something else", where="data")
    return rows


def _one(modules: Any) -> str | None:
    folders = as_paths(modules)
    if len(folders) > 1:
        raise UserError("codec takes one module, a LoRA on the translator", where="module")
    return folders[0] if folders else None


def _linked(
    rows: Sequence[TaggedSentence],
    said: Sequence[Words],
    tags: tuple[str, str],
    progress: Callable[[int], None],
    encoding: dict[str, Any],
    aligning: dict[str, Any],
) -> list[list[Link]]:
    """Link the words of sentences and translations by a base."""
    options = dict(aligning)
    way = options.pop("links_by", None)
    # one module acts on both sides, whichever of the two languages it is for
    several = encoding["compose"] is not None or len(as_paths(encoding["modules"])) > 1
    pairs = [(row.words, words) for row, words in zip(rows, said, strict=True)]
    return align(
        pairs, lang=tags[1] if several else None, pivot=tags[0], first=tags[0], progress=progress,
        method=way, **encoding, **options,
    )  # fmt: skip


def _aligned(
    rows: Sequence[TaggedSentence],
    said: Sequence[Words],
    links: Sequence[Sequence[Link]],
    numbers: Sequence[int],
    gap: int,
    same_words: bool,
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for row, words, own, number in zip(rows, said, links, numbers, strict=True):
        if not words:
            reasons = dict.fromkeys(range(len(row.spans)), UNTRANSLATED)
            outcomes.append(Outcome((), (), reasons))
            continue
        try:
            made = project_spans(
                row.spans, own, words, gap=gap, source=row.words if same_words else None
            )
        except ValueError as error:
            raise UserError(str(error), where=f"links of sentence {number}") from None
        outcomes.append(Outcome(words, made.spans, made.dropped))
    return outcomes


def _translations(
    rows: Sequence[TaggedSentence],
    given: Any,
    translator: str | Translator | None,
    tags: tuple[str, str],
    method: str,
) -> list[Words]:
    """Return the words of each translation; none where there is no translation.

    Where the translator also scores, it translates only if no translations are given.

    Raises:
        UserError: If there are no translations, two kinds of them, or not one for each sentence.
    """
    if method == "markers":
        if given is not None:
            raise UserError("markers makes translations of its own", where="translations")
        return [()] * len(rows)
    known = given is not None or all(isinstance(row, TranslatedSentence) for row in rows)
    if known and method in ("codec", "tprojection"):
        translator = None
    if given is not None and translator is not None:
        raise UserError("translations and a translator are given", todo="Give one of them")
    if translator is not None:
        texts = [text_of(row.words, tags[0]) for row in rows]
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
