"""Markers around spans in a text, and what a translation made of them.

Source: EasyProject, Chen et al. 2023, https://arxiv.org/abs/2211.15613, and its code
(https://github.com/edchengg/easyproject). There, a span of the translation takes the type of the
first source span that is similar enough; here spans are paired one to one, with the greatest sum of
similarities.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from xadapt.functional.marker_choice import LIKE, Run, similarity
from xadapt.functional.tag_scheme import Span
from xadapt.functional.tagged_text import with_tags

MARKERS = ("[", "]")
MISSING = "a marker is missing in the translation, or there are too many"
TANGLED = "the markers of the translation are not in pairs"
EMPTY = "nothing stands between the markers of the translation"
BRACKETS = "the sentence has brackets of its own, which look like markers"
UNLIKE = "the spans of the translation are not alike enough to tell their types apart"
_SAME = {"《": "[", "》": "]", "【": "[", "】": "]", "〔": "[", "〕": "]", "［": "[", "］": "]"}
_ALIKE = str.maketrans(_SAME)


def with_markers(words: Sequence[str], spans: Iterable[Span]) -> list[str]:
    """Return the words of a sentence with a marker as a word before and behind each span.

    Args:
        words: The words.
        spans: ``(start, end, type)`` over words, half-open, that don't overlap.

    Raises:
        ValueError: If spans overlap or leave the sentence.
    """
    return with_tags(words, spans, *MARKERS)


def has_markers(words: Iterable[str]) -> bool:
    """Return whether a word has a character that is read as a marker."""
    return any(mark in word for word in words for mark in (*MARKERS, *_SAME))


def read_markers(text: str, count: int) -> tuple[list[str], list[Run]] | str:
    """Read the words of a translation, and the runs of words between its markers.

    Brackets of other scripts and doubled ones count as markers.

    Args:
        text: The translation.
        count: The number of pairs that it should have.

    Returns:
        The words without markers and the runs ``(start, end)`` in order; or the reason why they
        can't be read.
    """
    text = html.unescape(text).translate(_ALIKE)
    for mark in MARKERS:
        text = text.replace(mark, f" {mark} ")
    given = text.split()
    parts = [own for n, own in enumerate(given) if own not in MARKERS or given[n - 1 : n] != [own]]
    words: list[str] = []
    runs: list[Run] = []
    start = -1
    if any(parts.count(mark) != count for mark in MARKERS):
        return MISSING
    for part in parts:
        if part not in MARKERS:
            words.append(part)
        elif (part == MARKERS[0]) != (start < 0):
            return TANGLED
        elif part == MARKERS[0]:
            start = len(words)
        elif start == len(words):
            return EMPTY
        else:
            runs.append((start, len(words)))
            start = -1
    return words, runs


def pair_spans(
    found: Sequence[str], source: Sequence[str], alone: Sequence[str], types: Sequence[str]
) -> list[int] | None:
    """Pair the spans of a translation with the source spans that they translate.

    Spans of one type are paired in order. Otherwise those that are similar to a source span, or to
    its translation alone, are paired with it; the others are paired in order if they are of one
    type.

    Args:
        found: The texts of the spans of the translation, in order.
        source: The texts of the source spans, in order; as many.
        alone: The translation of each alone, or empty.
        types: The type of each.

    Returns:
        For each span of the translation the place of its source span; ``None`` if they can't be
        told apart.

    Raises:
        ValueError: If their numbers differ.
    """
    if not len(found) == len(source) == len(alone) == len(types):
        raise ValueError("there are as many texts, translations and types as spans")
    if len(set(types)) <= 1:
        return list(range(len(found)))
    alike = np.array(
        [[max(similarity(own, a), similarity(own, b)) for a, b in zip(source, alone, strict=True)]
         for own in found]
    )  # fmt: skip
    away = np.abs(np.subtract.outer(np.arange(len(found)), np.arange(len(found))))
    rows, columns = linear_sum_assignment(alike - 1e-6 * away, maximize=True)
    sure = {int(a): int(b) for a, b in zip(rows, columns, strict=True) if alike[a, b] > LIKE}
    rest = sorted(set(range(len(source))) - set(sure.values()))
    if len({types[place] for place in rest}) > 1:
        return None
    left = iter(rest)
    return [sure[n] if n in sure else next(left) for n in range(len(found))]
