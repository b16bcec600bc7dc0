"""Projection of labels by a translation of sentences with markers: EasyProject.

Source: Chen et al. 2023, https://arxiv.org/abs/2211.15613.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.marker_text import (
    BRACKETS,
    UNLIKE,
    has_markers,
    pair_spans,
    read_markers,
    with_markers,
)
from xadapt.integrations.translators.cached import cached_translator
from xadapt.integrations.translators.protocol import Translator
from xadapt.languages.tags import text_of
from xadapt.pipelines.projection import UNTRANSLATED, Outcome, lost

BLOCK = 256


def by_markers(
    rows: Sequence[TaggedSentence],
    *,
    translator: str | Translator | None,
    tags: tuple[str, str],
    progress: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:
    """Translate sentences with brackets around their spans, and read the brackets again.

    The words of a translation are what spaces and brackets separate. A sentence whose brackets
    can't be read is left out.

    Args:
        rows: The labelled sentences.
        translator: Any translator; a model that was trained to carry brackets along loses fewest.
        tags: Languages of the sentences and of the translations.
        progress: Called with the number of sentences after each block.

    Raises:
        UserError: If there is no translator, it doesn't know a language, or it fails.
    """
    if translator is None:
        raise UserError("markers needs a translator", todo="Name one with --translator")
    opened = cached_translator(translator)
    outcomes: list[Outcome] = []
    for begin in range(0, len(rows), BLOCK):
        some = rows[begin : begin + BLOCK]
        outcomes += _block(some, lambda texts: opened.translate(texts, *tags), tags)
        progress(len(some))
    return outcomes


def _block(
    rows: Sequence[TaggedSentence],
    translate: Callable[[list[str]], list[str]],
    tags: tuple[str, str],
) -> list[Outcome]:
    fine = [n for n, row in enumerate(rows) if not (row.spans and has_markers(row.words))]
    texts = [text_of(with_markers(rows[n].words, rows[n].spans), tags[0]) for n in fine]
    spans = {
        text_of(rows[n].words[a:b], tags[0]): ""
        for n in fine
        if len({name for _, _, name in rows[n].spans}) > 1
        for a, b, _ in rows[n].spans
    }
    made = translate([*texts, *spans])
    alone = dict(zip(spans, made[len(texts) :], strict=True))
    said = dict(zip(fine, made, strict=False))
    return [
        _read(row, said[n], alone, tags[0]) if n in said else lost(row, BRACKETS)
        for n, row in enumerate(rows)
    ]


def _read(row: TaggedSentence, text: str, alone: dict[str, str], tag: str) -> Outcome:
    if not text.strip():
        return Outcome((), (), dict.fromkeys(range(len(row.spans)), UNTRANSLATED))
    if not row.spans:
        return Outcome(text.split())
    found = read_markers(text, len(row.spans))
    if isinstance(found, str):
        return lost(row, found)
    words, runs = found
    spans = sorted(row.spans)
    source = [text_of(row.words[a:b], tag) for a, b, _ in spans]
    types = [name for _, _, name in spans]
    places = pair_spans(
        [" ".join(words[a:b]) for a, b in runs], source, [alone.get(t, "") for t in source], types
    )
    if places is None:
        return lost(row, UNLIKE)
    return Outcome(words, [(a, b, types[at]) for (a, b), at in zip(runs, places, strict=True)])
