"""Labels of words: spans to labels and back, and decoding of the best allowed label sequence.

There are two schemes. In ``bio``, the first word of a span of type T is ``B-T``, its other words
are ``I-T``, and words outside of all spans are ``O``. In ``word``, each word is a span of its own,
such as a part of speech.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scheme = Literal["bio", "word"]
Span = tuple[int, int, str]
OUTSIDE = "O"


def labels_of(types: Iterable[str], scheme: Scheme) -> tuple[str, ...]:
    """Return all labels of a scheme over span types, in a fixed order.

    Args:
        types: Types of spans, in any order.
        scheme: ``bio`` or ``word``.
    """
    names = sorted(set(types))
    if scheme == "word":
        return tuple(names)
    return (OUTSIDE, *(f"{part}-{name}" for name in names for part in "BI"))


def to_labels(length: int, spans: Sequence[Span], scheme: Scheme) -> list[str]:
    """Convert spans to one label per word.

    Args:
        length: Number of words.
        spans: ``(start, end, type)`` over words, half-open.
        scheme: ``bio`` or ``word``.

    Raises:
        ValueError: If spans overlap or leave the sentence. For ``word``, if a word has no span of
            its own.
    """
    found: list[str | None] = [None] * length
    for start, end, name in spans:
        if not 0 <= start < end <= length or any(found[start:end]):
            raise ValueError(f"the span {start}-{end} overlaps another or leaves the sentence")
        if scheme == "word" and end - start > 1:
            raise ValueError(f"the span {start}-{end} covers more than one word")
        first = name if scheme == "word" else f"B-{name}"
        found[start:end] = [first, *[f"I-{name}"] * (end - start - 1)]
    if scheme == "word" and None in found:
        raise ValueError(f"word {found.index(None) + 1} has no label")
    return [label or OUTSIDE for label in found]


def to_spans(labels: Sequence[str], scheme: Scheme) -> tuple[Span, ...]:
    """Convert a sequence of labels to spans.

    An ``I-T`` that does not continue a span of type T begins one, as in the CoNLL-2000 script.
    """
    if scheme == "word":
        return tuple((i, i + 1, label) for i, label in enumerate(labels))
    spans: list[Span] = []
    for i, label in enumerate(labels):
        part, _, name = label.partition("-")
        if part == "I" and spans and spans[-1][1] == i and spans[-1][2] == name:
            spans[-1] = (spans[-1][0], i + 1, name)
        elif part in ("B", "I"):
            spans.append((i, i + 1, name))
    return tuple(spans)


def encoding_of(sentences: Iterable[Sequence[str]]) -> str:
    """Return how labels mark spans: ``IOB1``, ``IOB2``, ``IOBES``, ``BILOU``, ``BMES``, or empty.

    In IOB2 each span begins with ``B-T``. In IOB1 ``B-T`` only begins a span directly after another
    of the same type. The others mark the last word of a span (``E-``, ``L-``) and spans of one word
    (``S-``, ``U-``); BMES has ``M-`` inside.

    Source: Ramshaw and Marcus 1995, https://aclanthology.org/W95-0107 (IOB1); Ratinov and Roth
    2009, https://aclanthology.org/W09-1119, section 3 (BILOU).

    Args:
        sentences: The labels of each sentence.

    Returns:
        The name of the encoding; empty if there is no span.
    """
    parts: Counter[str] = Counter()
    inside = outside = 0
    for labels in sentences:
        before = OUTSIDE
        for label in labels:
            part, dash, name = label.partition("-")
            if dash and name:
                parts[part] += 1
                new = before.partition("-")[2] != name
                inside += part == "I" and new
                outside += part == "B" and new
            before = label
    for encoding, (last, single) in _ENDS.items():
        if (parts[last] or parts[single]) and 2 * parts[last] >= parts["B"]:
            return "BMES" if encoding == "IOBES" and parts["M"] else encoding
    if not parts["B"] + parts["I"]:
        return ""
    return "IOB1" if inside and not outside else "IOB2"


_ENDS = {"IOBES": ("E", "S"), "BILOU": ("L", "U")}
_AS_BIO = {"E": "I", "L": "I", "M": "I", "S": "B", "U": "B"}
PREFIXES = {"IOBES": ("B-", "I-", "E-", "S-"), "BILOU": ("B-", "I-", "L-", "U-"),
            "BMES": ("B-", "M-", "E-", "S-")}  # fmt: skip
"""Beginnings of labels in the encodings that mark the last word of a span."""


def as_bio(label: str) -> str:
    """Return a label of IOBES, BILOU or BMES as one of BIO; `to_spans` reads BIO and IOB1 alike."""
    part, dash, name = label.partition("-")
    return f"{_AS_BIO.get(part, part)}-{name}" if dash else label


def moves(labels: Sequence[str], scheme: Scheme) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the labels that may begin a sentence, and the allowed transitions between labels.

    The first array is ``(labels,)``. The second is ``(labels, labels)``: from the row's label to
    the column's label.
    """
    n = len(labels)
    if scheme == "word":
        return np.ones(n, bool), np.ones((n, n), bool)
    inside = np.array([label.startswith("I-") for label in labels])
    follows = np.ones((n, n), bool)
    for column in np.flatnonzero(inside).tolist():
        name = labels[column][2:]
        follows[:, column] = [label in (f"B-{name}", f"I-{name}") for label in labels]
    return ~inside, follows


def decode(scores: NDArray[np.floating], labels: Sequence[str], scheme: Scheme) -> list[str]:
    """Return the label sequence with the greatest sum of scores that the scheme allows.

    Source: Viterbi 1967, https://doi.org/10.1109/TIT.1967.1054010.

    Args:
        scores: ``(words, labels)``, such as log-probabilities; any finite numbers.
        labels: The labels of the columns.
        scheme: ``bio`` or ``word``.
    """
    if not len(scores):
        return []
    if scheme == "word":
        return [labels[int(i)] for i in scores.argmax(1)]
    first, follows = moves(labels, scheme)
    cost = np.where(follows, 0.0, -np.inf)
    best = np.where(first, scores[0].astype(np.float64), -np.inf)
    came = np.zeros(scores.shape, int)
    for word in range(1, len(scores)):
        paths = best[:, None] + cost
        came[word] = paths.argmax(0)
        best = paths.max(0) + scores[word]
    path = [int(best.argmax())]
    for word in range(len(scores) - 1, 0, -1):
        path.append(int(came[word, path[-1]]))
    return [labels[i] for i in reversed(path)]
