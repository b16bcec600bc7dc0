"""Brackets that a rule-based translator carries along, against alignment of its translations.

    python examples/benchmarks/marker_translation.py --data DATA

Europarl's annotated sentences are translated by Apertium, with brackets around their spans and
without. What the translations hold as spans is compared, by text and type, with what annotators
marked in the other language's sentence, which says the same in other words.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from bench import RESULTS, parser, read, save

import xadapt
from xadapt.data.readers.conll import Conll
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.statistics import ratio, ratio_difference
from xadapt.functional.span_projection import count_spans, is_punctuation
from xadapt.pipelines.projection import Projection

PAIRS = (("en", "es"), ("es", "en"))
FIRST = "brackets carried along"


def main() -> None:
    args = parser(__doc__).parse_args()
    folder = args.data / "ner" / "europarl"
    corpus = {
        lang: list(Conll().read(str(folder / f"{lang}.tsv.gz"), lang)) for lang in ("en", "es")
    }
    path = RESULTS / "marker_translation.json"
    result: dict[str, Any] = read(path)["pairs"] if path.exists() else {}
    for source, target in PAIRS:
        rows, gold = corpus[source], corpus[target]
        given: dict[str, Any] = {"source": source, "target": target, "translator": "apertium"}
        ways = {
            FIRST: {"method": "markers"},
            "aligned by mini": {"base": "mini", "links_by": "itermax"},
            "aligned by mini + same words": {
                "base": "mini", "links_by": "itermax", "same_words": True,
            },
        }  # fmt: skip
        own: dict[str, Any] = {
            "sentences": len(rows),
            "source_spans": sum(len(row.spans) for row in rows),
            "gold_spans": sum(len(row.spans) for row in gold),
            "systems": {},
        }
        before = None
        for name, more in ways.items():
            made = xadapt.project(rows, **given, **more)
            found = dict(zip(made.numbers, made.rows, strict=True))
            own["systems"][name], before = told(gold, found, made, before)
        same = dict(enumerate(rows, 1))
        own["systems"]["names as in the source, a control"], _ = told(gold, same, None, before)
        result[f"{source}-{target}"] = own
        save("marker_translation", {"pairs": result})
        print(source, target, {k: round(s["f1"]["mean"], 3) for k, s in own["systems"].items()})


def names(row: TaggedSentence | None) -> list[tuple[str, str]]:
    """The texts and types of spans, in small letters, without punctuation."""
    if row is None:
        return []
    texts = [
        (" ".join(word.lower() for word in row.words[a:b] if not is_punctuation(word)), name)
        for a, b, name in row.spans
    ]
    return texts


def told(
    gold: list[TaggedSentence],
    found: dict[int, TaggedSentence],
    made: Projection | None,
    before: np.ndarray | None,
) -> tuple[dict[str, Any], np.ndarray]:
    """F1 of names with its interval over sentences, and what was lost."""
    counts = np.array(
        [count_spans(names(row), names(found.get(n))) for n, row in enumerate(gold, 1)], float
    ).T
    right, own, given = counts
    result: dict[str, Any] = {
        "f1": vars(ratio(2 * right, own + given)),
        "precision": right.sum() / max(own.sum(), 1),
        "recall": right.sum() / given.sum(),
    }
    if made is not None:
        result |= {"kept": len(made.rows), "rate": made.rate}
        result["dropped"] = dict(Counter(drop.reason for drop in made.drops).most_common())
    if before is not None:
        first = before[1] + before[2]
        result["over"] = vars(ratio_difference(2 * right, own + given, 2 * before[0], first))
    return result, counts if before is None else before


if __name__ == "__main__":
    main()
