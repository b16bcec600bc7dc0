"""FILTER: where a sentence comes from, read with its translation into English.

The rows are sentences of six collections with their human translations. Modules are trained on
English sentences with translations, and tested on the other language with the English side. All
rows of an English sentence are on one side of the split. So test scores use translations, and
scores without them, and with wrong ones, stand beside.
"""

from __future__ import annotations

import gzip
import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from experiments.contract import MINI, Experiment, Place, Variant
from xadapt.tasks import Classifier

LANGUAGES = ("de", "tr")
CLASSES = ("ntrex", "opensource.guide", "tatoeba", "tldr", "wmt-newstest", "www-l10n")
TRAIN, TEST = 60, 25
"""Rows of each class and language."""
NO_FUSION = "k = 0"
RIGHT, NONE, WRONG = "accuracy", "without translations", "wrong translations"
Rows = list[tuple[str, str, str]]
"""English sentences, translations and classes."""


class FilterClassification(Experiment):
    """Fused layers against the same adapters without them, and against a head alone."""

    system: ClassVar[str] = "FILTER (k = 1)"
    against: ClassVar[str] = NO_FUSION
    main: ClassVar[str] = RIGHT
    bases: ClassVar[Sequence[str]] = (MINI,)
    about: ClassVar[str] = (
        "Which of six collections a German or Turkish sentence is from, mean accuracy; trained on "
        "680 English sentences with translations, tested on 300 others with their human "
        "translations into English, without them, and with those of other sentences. The frozen "
        "base's row is the most frequent class."
    )

    def variants(self, place: Place) -> Sequence[Variant]:
        """A head alone on both sides, and FILTER by the number of fused layers."""
        rows = [row for lang in LANGUAGES for row in split(place.data, lang)[0]]
        pairs, both = place.work / "pairs.tsv", place.work / "both.tsv"
        random.Random(0).shuffle(rows)
        pairs.write_text("".join("\t".join(row) + "\n" for row in rows), "utf-8")
        texts = [(text, row[2]) for row in rows for text in row[:2]]
        both.write_text("".join("\t".join(row) + "\n" for row in texts), "utf-8")
        common = ("train.epochs=3", "train.evaluations=1", "data.train.dev=40", "dtype=float32")
        given = {"options": {"lang": "en"}}
        fused = [
            Variant(name, "filter_classification", str(pairs),
                    (*common, f"objectives.0.fusion={k}"), **given)
            for k, name in ((0, NO_FUSION), (1, self.system), (4, "k = 4"))
        ]  # fmt: skip
        head = Variant(
            "head alone", "classification", str(both), (*common, "module={kind: none}"), **given
        )
        return [head, *fused]

    def measure(self, place: Place, module: Path | None) -> dict[str, float]:
        """Accuracy on the test rows of both languages; the share of a class for the base."""
        if module is None:
            return dict.fromkeys((RIGHT, NONE, WRONG), 1 / len(CLASSES))
        classifier = Classifier.load(place.base, module)
        found: dict[str, list[float]] = defaultdict(list)
        for lang in LANGUAGES:
            rows = split(place.data, lang)[1]
            english, texts, labels = map(list, zip(*rows, strict=True))
            wrong = english[1:] + english[:1]
            for name, beside in ((RIGHT, english), (NONE, None), (WRONG, wrong)):
                given = {"translations": beside} if classifier.head.fused else {}
                own = classifier.classify(texts, **given)
                right = sum(a == b for a, b in zip(own, labels, strict=True))
                found[name].append(right / len(labels))
        return {name: sum(own) / len(own) for name, own in found.items()}


def split(data: Path, lang: str) -> tuple[Rows, Rows]:
    """Rows of one language to train on, and rows whose English sentences are not among them."""
    sides: dict[tuple[str, bool], Rows] = defaultdict(list)
    with gzip.open(data / "parallel" / f"en-{lang}.tsv.gz", "rt", encoding="utf-8") as file:
        for line in file:
            english, text, label = line.rstrip("\n").split("\t")[:3]
            if label in CLASSES and english != text and max(len(english), len(text)) < 160:
                held = hashlib.sha256(english.encode()).digest()[0] < 64
                sides[label, held].append((english, text, label))
    draw = random.Random(1)
    train = [row for name in CLASSES for row in draw.sample(sides[name, False], TRAIN)]
    test = [row for name in CLASSES for row in draw.sample(sides[name, True], TEST)]
    draw.shuffle(test)
    return train, test


EXPERIMENT = FilterClassification()
