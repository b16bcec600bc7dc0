"""Tagging: spans found exactly (micro F1), or words labelled rightly (accuracy)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.statistics import Difference, Interval, ratio, ratio_difference
from xadapt.functional.tag_scheme import Scheme, to_labels, to_spans

MEASURES: dict[Scheme, Literal["f1", "accuracy"]] = {"bio": "f1", "word": "accuracy"}
MAJORITY = "most frequent label"


@dataclass(frozen=True)
class Row:
    """The score of one system.

    Attributes:
        system: Its name.
        score: From 0 to 1, with its interval over sentences.
        gain: Its difference to the base system on the same sentences; ``None`` for the base.
        by_type: The score of each span type alone.
        parts: ``(sentences, 2)``: what is summed above and below the fraction bar.
    """

    system: str
    score: Interval
    gain: Difference | None
    by_type: dict[str, float]
    parts: NDArray[np.float64] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the counts per sentence."""
        gain = self.gain and self.gain.to_dict()
        score = self.score.to_dict()
        return {"system": self.system, "score": score, "gain": gain, "by_type": self.by_type}


@dataclass(frozen=True)
class Result:
    """A table of systems on the same sentences.

    Attributes:
        rows: In the order the systems were given, the most frequent label last.
        measure: ``f1`` of exact spans with their type, over all sentences; or ``accuracy``.
        sentences: How many.
        words: Words in them.
        options: What the numbers depend on: resamples, seed, base.
    """

    rows: tuple[Row, ...]
    measure: Literal["f1", "accuracy"]
    sentences: int
    words: int
    options: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, system: str) -> Row:
        return next(row for row in self.rows if row.system == system)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = ("measure", "sentences", "words", "options")
        head = {"task": "tagging"} | {name: getattr(self, name) for name in plain}
        return head | {"rows": [row.to_dict() for row in self.rows]}


def evaluate(
    sentences: Sequence[TaggedSentence],
    systems: Mapping[str, Sequence[Sequence[str]]],
    scheme: Scheme,
    *,
    base: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare what systems say of the words with what is right.

    A span is right if its words and its type are (Tjong Kim Sang and De Meulder 2003,
    https://aclanthology.org/W03-0419, section 2.4). The last row gives each word the most
    frequent label of these very sentences.

    Args:
        sentences: The sentences with their spans.
        systems: By name, one label a word of each sentence.
        scheme: How labels make spans.
        base: The system the others are compared with.
        resamples: Of the bootstrap over sentences.
        seed: Of the bootstrap.

    Raises:
        UserError: There are no sentences, or a system's labels are not one a word.
    """
    if not sentences:
        raise UserError("there are no sentences to evaluate on")
    gold = [to_labels(len(s.words), s.spans, scheme) for s in sentences]
    most = Counter(label for labels in gold for label in labels).most_common(1)[0][0]
    every = {**systems, MAJORITY: [[most] * len(labels) for labels in gold]}
    parts = {name: _parts(gold, said, scheme, name) for name, said in every.items()}
    settings = {"resamples": resamples, "seed": seed}
    rows = [
        Row(
            name,
            ratio(*own.T, **settings),
            ratio_difference(*own.T, *parts[base].T, **settings)
            if base in parts and name != base
            else None,
            _by_type(gold, every[name], scheme),
            own,
        )
        for name, own in parts.items()
    ]
    words = sum(map(len, gold))
    return Result(tuple(rows), MEASURES[scheme], len(gold), words, {**settings, "base": base})


def _parts(
    gold: Sequence[Sequence[str]], said: Sequence[Sequence[str]], scheme: Scheme, name: str
) -> NDArray[np.float64]:
    if [len(labels) for labels in said] != [len(labels) for labels in gold]:
        raise UserError(f"{name} does not give one label a word")
    if scheme == "word":
        right = map(_alike, gold, said)
        return np.array(list(zip(right, map(len, gold), strict=True)), dtype=np.float64)
    rows = []
    for ours, theirs in zip(gold, said, strict=True):
        wanted, found = set(to_spans(ours, scheme)), set(to_spans(theirs, scheme))
        rows.append((2 * len(wanted & found), len(wanted) + len(found)))
    return np.array(rows, dtype=np.float64)


def _alike(ours: Sequence[str], theirs: Sequence[str]) -> int:
    return sum(one == other for one, other in zip(ours, theirs, strict=True))


def _by_type(
    gold: Sequence[Sequence[str]], said: Sequence[Sequence[str]], scheme: Scheme
) -> dict[str, float]:
    """Of each type F1, of spans or of single words."""
    hits: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for ours, theirs in zip(gold, said, strict=True):
        wanted, found = set(to_spans(ours, scheme)), set(to_spans(theirs, scheme))
        hits.update(name for *_, name in wanted & found)
        total.update([name for *_, name in wanted] + [name for *_, name in found])
    return {name: 2 * hits[name] / total[name] for name in sorted(total)}
