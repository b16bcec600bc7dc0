"""Link the words of translations by a base, or by modules on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from xadapt.composition.by_language import for_language
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.sequences import as_paths
from xadapt.data.readers.link_text import format_links
from xadapt.data.readers.notes import name_of
from xadapt.data.readers.sentence_lines import read_sentence_lines
from xadapt.data.readers.word_alignment import sides_of
from xadapt.functional.word_alignment import Link
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.word_aligner import Aligning, align_words, aligning_of
from xadapt.languages.tags import normalise

BLOCK = 512
Words = list[str]
Pairs = str | PathLike[str] | Iterable[tuple[str | Sequence[str], str | Sequence[str]]]


def align(
    data: Pairs,
    *,
    base: str,
    modules: str | Path | Sequence[str | Path] = (),
    lang: str | None = None,
    pivot: str = "en",
    first: str | None = None,
    compose: str | Composition = None,
    sides: Literal["both", "language"] = "both",
    out: str | Path | None = None,
    columns: tuple[int, int] = (1, 2),
    dtype: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
    **aligning: Any,
) -> list[list[Link]]:
    """Link the words of sentence pairs.

    Words are separated by spaces. For a language without spaces between words, give sentences that
    are split into words, or lists of words.

    Args:
        data: A file of sentence pairs (tab-separated, ``left ||| right``, ``LEFT,RIGHT``, or JSON
            lines with ``source`` and ``target``), or pairs of texts or of lists of words.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        modules: Folders of modules trained on this base.
        lang: The language being adapted, whose module acts; where there is none, that of the other
            language. Without ``lang``, a single module acts on both sides.
        pivot: The other language.
        first: Language of the first sentences; without it, by the name of the file (``ja-en.tsv``),
            else the pivot.
        compose: A composition of the modules, as for `xadapt.load`.
        sides: ``both``, or ``language``: the pivot side is encoded by the bare base.
        out: A file to write, a line a pair, as Pharaoh does: ``0-0 1-2``. A pair of which a side is
            empty has an empty line.
        columns: Columns of the first and the second sentences, from 1.
        dtype: Type of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8``, ``nf4``.
        progress: Called with the number of pairs after each block.
        aligning: ``method``, ``layer``, ``threshold``, ``similarity``, ``temperature`` and
            ``units``, see `xadapt.inference.word_aligner.Aligning`.

    Returns:
        For each pair its links ``(left word, right word)``, counted from 0; with ``out`` nothing
        is kept in memory and the list is empty.

    Raises:
        UserError: If an option or the data is wrong, or no module is for one of the languages. No
            file is left behind.
    """
    how = _aligning(aligning)
    tag = None if lang is None else normalise(lang)
    if sides not in ("both", "language"):
        raise UserError(f"sides is both or language, not {sides!r}", where="sides")
    if sides == "language" and tag is None:
        raise UserError("the language of the texts is not known", todo="Name it with --lang")
    named = name_of(fspath(data)) if isinstance(data, (str, PathLike)) else ""
    order = sides_of(named, tag or "und", normalise(pivot), first)
    pairs = _some(_pairs(data, columns), named or "data")
    adapted = AdaptedEncoder.load(base, *as_paths(modules), compose=compose, dtype=dtype)
    how.at(adapted.encoder.depth)
    blocks = _blocks(adapted, pairs, how, _tags(adapted, tag, order, sides), progress)
    if out is None:
        return [links for block in blocks for links in block]
    with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for block in blocks:
            stream.writelines(format_links(links) + "\n" for links in block)
    return []


def _tags(
    adapted: AdaptedEncoder, tag: str | None, order: Sequence[str], sides: str
) -> tuple[str | None, str | None] | None:
    """Return the language by which each side chooses its module; ``None`` for the bare base.

    Where the languages are not known, there is no choice: the result is ``None``.

    Raises:
        UserError: If there are modules, and none acts on a side.
    """
    if tag is None or not adapted.modules:
        return None
    able = [own for own in dict.fromkeys((tag, *order)) if _has_module(adapted, own)]
    if sides == "language":
        able = [own for own in able if own == tag]
    if not able:
        every = (t for one in adapted.published.values() for t in one.manifest.languages)
        known = ", ".join(dict.fromkeys(every)) or "no language"
        wanted = " or ".join(dict.fromkeys((tag, *order) if sides == "both" else (tag,)))
        raise UserError(
            f"no module here is for {wanted}: the modules are for {known}",
            where="--lang",
            todo="Name one of their languages, or leave it out: one module then acts on both sides",
        )
    if sides == "both":
        return able[0], able[0]
    left, right = (own if own == tag else None for own in order)
    return left, right


def _has_module(adapted: AdaptedEncoder, tag: str) -> bool:
    if for_language(adapted.composition, tag) is not None:
        return True
    return adapted.fallbacks.of(tag) is not None


def _aligning(given: dict[str, Any]) -> Aligning:
    known = list(Aligning.__dataclass_fields__)
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise UserError(f"there is no option {unknown!r}", todo=f"There are {', '.join(known)}")
    return aligning_of(given)


def _blocks(
    adapted: AdaptedEncoder,
    pairs: Iterator[tuple[Words, Words]],
    how: Aligning,
    tags: tuple[str | None, str | None] | None,
    progress: Callable[[int], None],
) -> Iterator[list[list[Link]]]:
    while block := list(islice(pairs, BLOCK)):
        full = [pair for pair in block if all(pair)]
        left, right = (
            adapted.activations(len(full), None if tags is None else [own] * len(full))
            for own in tags or (None, None)
        )
        found = iter(align_words(adapted.encoder, full, how, left, right) if full else [])
        yield [next(found) if all(pair) else [] for pair in block]
        progress(len(block))


def _some(pairs: Iterator[tuple[Words, Words]], where: str) -> Iterator[tuple[Words, Words]]:
    first = next(pairs, None)
    if first is None:
        raise UserError("there is no sentence pair in these data", where=where)
    return chain([first], pairs)


def _pairs(data: Pairs, columns: tuple[int, int]) -> Iterator[tuple[Words, Words]]:
    if isinstance(data, (str, PathLike)):
        yield from read_sentence_lines(fspath(data), columns)
        return
    if not isinstance(data, Iterable):
        raise UserError(f"{type(data).__name__} is no list of sentence pairs", where="data")
    for number, pair in enumerate(data):
        try:
            left, right = pair
            yield _words(left), _words(right)
        except (TypeError, ValueError):
            raise UserError(
                f"row {number} is no pair of sentences",
                where="data",
                todo="Give pairs of texts, or pairs of lists of words",
            ) from None


def _words(sentence: Any) -> Words:
    if isinstance(sentence, str):
        return sentence.split()
    if isinstance(sentence, (bytes, dict)):
        raise TypeError
    words = [str(word) if isinstance(word, str) else "" for word in sentence]
    if any(not word.strip() for word in words):
        raise ValueError
    return words
