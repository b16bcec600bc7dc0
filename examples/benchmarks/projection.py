"""Labels projected along word alignment, against the labels that annotators gave the translation.

    python examples/benchmarks/projection.py --data DATA --work runs

Europarl's annotated sentences in English, German and Spanish are translations of each other. The
labels of one language are projected onto another and compared with its own. A module for word
alignment is trained on parallel text of another source; what is there is not trained again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bench import MINILM, RESULTS, parser, read, save, tagged_pairs

import xadapt
from xadapt.data.readers.conll import Conll
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.statistics import ratio, ratio_difference
from xadapt.functional.span_projection import count_spans, project_spans

PAIRS = (("en", "de"), ("en", "es"), ("de", "en"))
BASES = {"mini": "mini", "MiniLM": MINILM}
ROWS, LONGEST = 4000, 40
SETTINGS = ("module.layers=[0,4]",)
Counts = np.ndarray


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--only", action="append", choices=list(BASES), help="a base")
    args = options.parse_args()
    corpus = {
        lang: list(Conll().read(str(args.data / "ner" / "europarl" / f"{lang}.tsv.gz"), lang))
        for lang in ("en", "de", "es")
    }
    path = RESULTS / "projection.json"
    result: dict[str, Any] = read(path)["pairs"] if path.exists() else {}
    for source, target in PAIRS:
        own = result.setdefault(f"{source}-{target}", {})
        own["sentences"] = len(corpus[source])
        own["source_spans"] = sum(len(row.spans) for row in corpus[source])
        own["gold_spans"] = sum(len(row.spans) for row in corpus[target])
        systems = own.setdefault("systems", {})
        rows, gold = corpus[source], corpus[target]
        systems["diagonal"] = told(gold, *diagonal(rows, gold))
        for name, base in BASES.items():
            if args.only in (None, []) or name in args.only:
                measure(args, systems, name, base, rows, gold)
        save("projection", {"pairs": result})
        print(source, target, {key: round(s["f1"]["mean"], 3) for key, s in systems.items()})


def measure(
    args: Any,
    systems: dict[str, Any],
    name: str,
    base: str,
    rows: list[TaggedSentence],
    gold: list[TaggedSentence],
) -> None:
    """Score the ways of one base; the module only where English is one of the languages."""
    source, target = rows[0].lang, gold[0].lang
    given: dict[str, Any] = {
        "base": base, "source": source, "target": target,
        "translations": [row.words for row in gold],
    }  # fmt: skip
    before: Counts | None = None
    for way, more in (
        ("argmax", {}),
        ("itermax", {"links_by": "itermax"}),
        ("itermax + same words", {"links_by": "itermax", "same_words": True}),
    ):
        made = xadapt.project(rows, **given, **more)
        systems[f"{name}, {way}"] = told(gold, made.rows, made.rate, before)
        before = counts(gold, made.rows) if way == "itermax" else before
    folder = trained(args, base, name, target if source == "en" else source)
    more = {"modules": str(folder), "links_by": "itermax"}
    made = xadapt.project(rows, **given, **more)
    systems[f"{name} + module, itermax"] = told(gold, made.rows, made.rate, before)
    made = xadapt.project(rows, **given, **more, same_words=True)
    systems[f"{name} + module, itermax + same words"] = told(gold, made.rows, made.rate, before)


def trained(args: Any, base: str, name: str, lang: str) -> Path:
    """The module for word alignment of a language, trained on parallel text if it is not there."""
    folder: Path = args.work / "projection" / f"words-{name}-{lang}"
    rows = [(pair.pivot, pair.text) for pair, _ in tagged_pairs(args.data, lang)]
    short = [pair for pair in rows if 3 < len(pair[0].split()) <= LONGEST]
    order = np.random.default_rng(0).permutation(len(short))[:ROWS]
    xadapt.train(
        "word_alignment", base=base, lang=lang, data=[short[i] for i in order], out=folder,
        settings=SETTINGS, resume=True, loaders="none",
    )  # fmt: skip
    return folder


def diagonal(
    rows: list[TaggedSentence], gold: list[TaggedSentence]
) -> tuple[list[TaggedSentence], float]:
    """Words at the same share of both sentences, as a control that knows no words."""
    made = []
    for row, other in zip(rows, gold, strict=True):
        share = len(other.words) / len(row.words)
        links = [(i, min(len(other.words) - 1, int(i * share))) for i in range(len(row.words))]
        spans = project_spans(row.spans, links, other.words).spans
        made.append(TaggedSentence(other.words, spans, other.lang))
    rate = sum(len(row.spans) for row in made) / sum(len(row.spans) for row in rows)
    return made, rate


def counts(gold: list[TaggedSentence], found: list[TaggedSentence]) -> Counts:
    """Right, found and gold spans of each sentence, ``(3, n)``."""
    pairs = zip(gold, found, strict=True)
    return np.array([count_spans(a.spans, b.spans) for a, b in pairs], float).T


def told(
    gold: list[TaggedSentence],
    found: list[TaggedSentence],
    rate: float,
    before: Counts | None = None,
) -> dict[str, Any]:
    """Span F1 with its interval over sentences, precision, recall, the share projected."""
    right, own, given = counts(gold, found)
    result = {
        "f1": vars(ratio(2 * right, own + given)),
        "precision": right.sum() / max(own.sum(), 1),
        "recall": right.sum() / given.sum(),
        "rate": rate,
    }
    if before is not None:
        gain = ratio_difference(2 * right, own + given, 2 * before[0], before[1] + before[2])
        result["over itermax"] = vars(gain)
    return result


if __name__ == "__main__":
    main()
